//! `mcpproxy doctor --fix CODE`: what can be done about the servers with that code, and doing it.
//!
//! One rule: the gateway that runs does it. Only where none runs, it is done in the configuration.

use crate::cli::explain;
use crate::cli::output::{Format, Report};
use crate::cli::upstream::running::{AskError, Running, near};
use crate::cli::{Call, Failure};
use crate::config::{self, Which};
use crate::diagnostics::{Action, Code};
use crate::json::Node;
use crate::paths::DataDir;
use crate::serve::fixes::{self, Fix, FixError, Mode, alone};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const PLACE: &str = "doctor";
/// How long the gateway may take for one fix: a server has to end and to start.
const PATIENCE: Duration = Duration::from_secs(90);
/// It carries out one fix a second.
const APART: Duration = Duration::from_millis(1100);
/// So often a fix is asked for again.
const MOST_TRIES: u32 = 10;

/// What the command line asks for.
struct Asked {
    code: Code,
    action: Action,
    mode: Mode,
    server: Option<String>,
}

pub(super) fn run(call: &Call, format: Format) -> Result<ExitCode, Failure> {
    let asked = Asked::of(call)?;
    let dir = call.dir()?;
    config::trust::check(&dir).map_err(|why| Failure::failed(why.in_words(Which::Given)))?;
    let reports = match running(call, &asked)? {
        Some((gateway, names)) => through(&gateway, &asked, names)?,
        None => by_hand(&dir, &asked)?,
    };
    let node = || Node::Raw(format!("{:#}", node(&asked, &reports)));
    let table = || reports.iter().map(|report| table(&asked, report)).collect();
    Report { node, table }.print(format)?;
    let has_failed = |report: &Value| {
        let outcome = report["result"]["outcome"].as_str();
        outcome.is_some_and(|outcome| !matches!(outcome, "succeeded" | "shown"))
    };
    Ok(if reports.iter().any(has_failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Failure> {
        for other in ["online", "product", "endpoint"] {
            if call.has(other) {
                return Err(Failure::usage(PLACE, format!("--{other} is not for --fix")));
            }
        }
        let text = |long: &str| call.value(long).unwrap_or(OsStr::new("")).to_string_lossy();
        let typed = text("fix");
        let code = explain::known(PLACE, &typed)?;
        let Some(usual) = fixes::usual(code) else {
            return Err(Failure::failed(format!(
                "there is nothing that the program can do about {code}; `mcpproxy explain {code}` says what helps"
            )));
        };
        let action = match call.value("action") {
            None => usual,
            Some(typed) => {
                let known = fixes::actions(code).map(Action::as_str).collect::<Vec<_>>();
                let found = typed.to_str().and_then(Action::parse);
                found
                    .filter(|action| fixes::actions(code).any(|known| known == *action))
                    .ok_or_else(|| {
                        Failure::usage(
                            PLACE,
                            format!("--action of {code} is one of {}", known.join(", ")),
                        )
                    })?
            }
        };
        let server = match call.value("server") {
            None => None,
            Some(name) => {
                let name = name.to_str();
                Some(name.ok_or_else(|| Failure::usage(PLACE, "--server is not UTF-8"))?.to_owned())
            }
        };
        let mode = if call.has("execute") { Mode::Execute } else { Mode::DryRun };
        Ok(Self { code, action, mode, server })
    }

    fn fix(&self, server: String) -> Fix {
        Fix { server, code: self.code, action: self.action }
    }

    /// The servers that it is about, of those with its code.
    fn of_these(&self, names: Vec<String>) -> Result<Vec<String>, Failure> {
        match &self.server {
            // Whether it has the code is found when it is its turn.
            Some(name) => Ok(vec![name.clone()]),
            None if names.is_empty() => Err(Failure::failed(format!(
                "no server is known to have {}; --server NAME looks at one",
                self.code
            ))),
            None => Ok(names),
        }
    }
}

/// The gateway of this data directory that runs, and its servers with the code. One that is not named may be missing.
fn running(call: &Call, asked: &Asked) -> Result<Option<(Running, Vec<String>)>, Failure> {
    let is_named = call.has("gateway");
    let gateway = match Running::of(call, PLACE) {
        Ok(gateway) => gateway,
        Err(failure) if is_named => return Err(failure),
        Err(_) => return Ok(None),
    };
    match gateway.ask("GET", "/api/v1/diagnostics") {
        Ok(found) => {
            let servers = found["servers"].as_array().into_iter().flatten();
            let has_it = |server: &&Value| server["diagnostic"]["code"] == asked.code.as_str();
            let name = |server: &Value| server["server"].as_str().map(str::to_owned);
            let names = servers.filter(has_it).filter_map(name).collect();
            Ok(Some((gateway, names)))
        }
        Err(error) if is_named => Err(gateway.failure(error, "")),
        Err(_) => Ok(None),
    }
}

fn through(gateway: &Running, asked: &Asked, names: Vec<String>) -> Result<Vec<Value>, Failure> {
    let names = asked.of_these(names)?;
    names.into_iter().map(|name| one_through(gateway, asked, &name)).collect()
}

fn one_through(gateway: &Running, asked: &Asked, name: &str) -> Result<Value, Failure> {
    let body = json!({
        "server": name, "code": asked.code.as_str(), "action": asked.action.as_str(), "mode": asked.mode.as_str(),
    });
    let body = body.to_string();
    let mut tries = 0;
    loop {
        tries += 1;
        match gateway.ask_with("POST", "/api/v1/diagnostics/fix", &body, PATIENCE) {
            Ok(report) => return Ok(report),
            Err(AskError::Refused(429, _)) if tries < MOST_TRIES => thread::sleep(APART),
            Err(AskError::Refused(409, words)) => {
                return Err(Failure::failed(format!("{name:?}: {words}")));
            }
            Err(error) => return Err(gateway.failure(error, name)),
        }
    }
}

fn by_hand(dir: &DataDir, asked: &Asked) -> Result<Vec<Value>, Failure> {
    let names = match &asked.server {
        Some(_) => Vec::new(),
        None => alone::with_code(dir, asked.code).map_err(|error| {
            Failure::failed(format!("{error}; repair it or move it away, then try again"))
        })?,
    };
    asked.of_these(names)?.into_iter().map(|name| one_by_hand(dir, asked, name)).collect()
}

fn one_by_hand(dir: &DataDir, asked: &Asked, name: String) -> Result<Value, Failure> {
    let report = alone::run(dir, asked.fix(name.clone()), asked.mode).map_err(|error| {
        Failure::failed(match error {
            FixError::Unknown => {
                let hint = match near(dir, &name) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "see `mcpproxy upstream list`".to_owned(),
                };
                format!("{error} ({name:?}); {hint}")
            }
            error => format!("{name:?}: {error}"),
        })
    })?;
    serde_json::from_str(&report.to_node().to_compact())
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))
}

fn node(asked: &Asked, reports: &[Value]) -> Value {
    json!({"code": asked.code.as_str(), "mode": asked.mode.as_str(), "fixes": reports})
}

/// One fix, for a person.
fn table(asked: &Asked, report: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (name, preview, result) = (text(&report["server"]), &report["preview"], &report["result"]);
    let mut out = format!("{name:?}: {}: {}\n", asked.action.as_str(), text(&preview["words"]));
    for change in items(&preview["changes"]) {
        let line = &change["line"];
        if let Some(before) = change["before"].as_str() {
            let _ = writeln!(out, "  line {line} before: {before}");
        }
        let _ = writeln!(out, "  line {line} after:  {}", text(&change["after"]));
    }
    let found = items(&preview["found"]);
    if found.len() > 1 {
        found.iter().for_each(|file| {
            let _ = writeln!(out, "  found: {}", text(file));
        });
    }
    for note in items(&preview["notes"]) {
        let _ = writeln!(out, "  note: {}", text(&note));
    }
    if result.is_null() {
        let others = fixes::actions(asked.code).filter(|action| *action != asked.action);
        let others = others.map(Action::as_str).collect::<Vec<_>>();
        let _ = writeln!(out, "Nothing was done yet; add --execute to do it.");
        if !others.is_empty() {
            let _ = writeln!(out, "Instead, with --action: {}.", others.join(", "));
        }
        return out;
    }
    let _ = writeln!(out, "  {}: {}.", text(&result["outcome"]), text(&result["detail"]));
    for line in items(&result["lines"]) {
        let _ = writeln!(out, "  {} {}", text(&line["at"]), text(&line["text"]));
    }
    if let Some(undo) = preview["undo"].as_str() {
        let _ = writeln!(out, "  To undo it: {undo}");
    }
    out
}
