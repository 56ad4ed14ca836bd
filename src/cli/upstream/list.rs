//! `mcpproxy upstream list`: the servers of the configuration, and with a gateway how each is doing.
//!
//! One rule: without `--gateway` nothing is asked, so the key of the status API goes to no program that merely listens
//! where a gateway could.

use super::running::Running;
use super::servers::{self, ServerEntry, Transport};
use crate::cli::output::{self, Format, Report};
use crate::cli::{Call, Failure};
use crate::config::{self, Which};
use crate::diagnostics::Code;
use crate::json::Node;
use crate::serve::{faults, trial};
use serde_json::Value;
use std::process::ExitCode;

/// A server, and what there is to say about it.
struct Listed {
    entry: ServerEntry,
    /// The code of what is wrong with it.
    code: Option<String>,
    /// That in words.
    problem: Option<String>,
    /// What is off in what it offers, and what may be wrong with its entry.
    faults: Vec<String>,
    /// How the gateway says it is doing.
    state: Option<String>,
    /// When the gateway tries it again.
    retry_at: Option<String>,
}

pub(in crate::cli) fn list(call: &Call) -> Result<ExitCode, Failure> {
    const PLACE: &str = "upstream list";
    let format = Format::of(call, PLACE)?;
    let dir = call.dir()?;
    config::trust::check(&dir).map_err(|why| Failure::failed(why.in_words(Which::Given)))?;
    let servers = servers::servers(&dir).map_err(|why| {
        Failure::failed(format!("{why}; repair it or move it away, then try again"))
    })?;
    let mut listed = listed(servers, &servers::faults::read(&dir));
    let is_asked = call.has("gateway");
    if is_asked {
        let gateway = Running::of(call, PLACE)?;
        let status = gateway.ask("GET", "/api/v1/status");
        let status = status.map_err(|error| gateway.failure(error, ""))?;
        let of_gateway = status["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
        for server in &mut listed {
            let is_it = |it: &&Value| it["name"] == server.entry.name;
            of_gateway.iter().find(is_it).into_iter().for_each(|seen| server.take_over(seen));
        }
    }
    Report { node: || node(&listed), table: || table(&listed, is_asked) }.print(format)
}

/// What the entries show by themselves, and what a gateway found when it last asked.
fn listed(servers: Vec<ServerEntry>, found: &[(String, Vec<String>)]) -> Vec<Listed> {
    let one = |entry: ServerEntry| {
        let of_it = found.iter().find(|(name, _)| entry.enabled && *name == entry.name);
        let mut faults = of_it.map(|(_, faults)| faults.clone()).unwrap_or_default();
        let wrong = if entry.enabled {
            trial::wrong(&entry)
        } else {
            // Variables and programs may be there only where it is used.
            entry.trouble().map(|error| (error.code(), error.to_string()))
        };
        let (code, problem) = match wrong {
            Some((code, why)) => (Some(code), Some(why)),
            None => (faults::code(&faults), None),
        };
        let hint = entry.transport.as_ref().ok().and_then(Transport::hint);
        faults.extend(hint.map(|hint| hint.to_string()));
        let code = code.map(|code: Code| code.as_str().to_owned());
        Listed { entry, code, problem, faults, state: None, retry_at: None }
    };
    servers.into_iter().map(one).collect()
}

impl Listed {
    /// What the gateway says of it counts more than what its entry shows.
    fn take_over(&mut self, seen: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.state = text(&seen["state"]);
        self.retry_at = text(&seen["retry_at"]);
        self.code = text(&seen["diagnostic"]["code"]);
        let faults = seen["faults"].as_array().map(Vec::as_slice).unwrap_or_default();
        let faults: Vec<&str> = faults.iter().filter_map(Value::as_str).collect();
        // What is off in what it offers is listed as that.
        let cause = text(&seen["diagnostic"]["cause"]);
        self.problem = cause.filter(|cause| *cause != faults.join("; "));
    }

    /// When it is tried again, in a few words.
    fn next(&self) -> String {
        match (self.retry_at.as_deref(), self.state.as_deref()) {
            (Some(at), _) => at,
            (None, Some("parked")) => "when it changes",
            (None, Some("failed")) => "when its entry changes",
            (None, Some("connecting")) => "now",
            (None, _) => "-",
        }
        .to_owned()
    }
}

fn node(servers: &[Listed]) -> Node {
    let one = |server: &Listed| {
        let entry = &server.entry;
        let shown = |is_command: bool| match &entry.transport {
            Ok(transport) => (matches!(transport, Transport::Stdio { .. }) == is_command)
                .then(|| transport.shown()),
            Err(_) => None,
        };
        let faults = server.faults.iter().map(|fault| fault.as_str().into());
        Node::Object(vec![
            ("name", entry.name.as_str().into()),
            ("protocol", entry.spoken().as_str().into()),
            ("enabled", entry.enabled.into()),
            ("command", shown(true).into()),
            ("url_origin", shown(false).into()),
            ("state", server.state.clone().into()),
            ("code", server.code.clone().into()),
            ("problem", server.problem.clone().into()),
            ("retry_at", server.retry_at.clone().into()),
            ("faults", Node::List(faults.collect())),
        ])
    };
    Node::Object(vec![("servers", Node::List(servers.iter().map(one).collect()))])
}

/// `is_asked`: with what the gateway says.
fn table(servers: &[Listed], is_asked: bool) -> String {
    if servers.is_empty() {
        return "No servers; `mcpproxy upstream add` adds one.\n".to_owned();
    }
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |server: &Listed| {
        let entry = &server.entry;
        let shown = entry.transport.as_ref().map(Transport::shown).ok();
        let problem = server.problem.iter().map(|why| format!("problem: {why}"));
        let faults = server.faults.iter().map(|fault| format!("fault: {fault}"));
        let cells: Vec<String> = shown.into_iter().chain(problem).chain(faults).collect();
        let enabled = if entry.enabled { "yes" } else { "no" };
        [
            entry.name.clone(),
            entry.spoken().as_str().into(),
            enabled.into(),
            or_dash(&server.state),
            or_dash(&server.code),
            server.next(),
            cells.join("; "),
        ]
    };
    let head = ["NAME", "PROTOCOL", "ENABLED", "STATE", "CODE", "NEXT TRY", "SERVER"];
    let rows = std::iter::once(head.map(str::to_owned)).chain(servers.iter().map(row));
    if is_asked {
        return output::columns(&rows.collect::<Vec<_>>());
    }
    let known = rows.map(|[name, protocol, enabled, _, code, _, server]| {
        [name, protocol, enabled, code, server]
    });
    output::columns(&known.collect::<Vec<_>>())
}
