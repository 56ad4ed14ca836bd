//! `mcpproxy telemetry status`: whether anything is sent, why, and what is known about this install.
//!
//! One rule: no side effects but one: on a terminal it shows a notice that no person could see yet, and remembers
//! that a person saw it.

use super::about::About;
use super::output::{self, Format, Report, shortened};
use super::{Call, Failure};
use crate::consent::Effective;
use crate::contract::{AgentEnv, timestamp};
use crate::json::Node;
use crate::machine::{self, Surroundings};
use crate::status::Status;
#[cfg(feature = "serve")]
use crate::status::errors;
use crate::status::list::{List, Row};
use crate::status::unseen::Unseen;
use crate::visible;
use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "telemetry status")?;
    let around = Surroundings::of_this_process();
    let on_terminal = format == Format::Table && std::io::stdout().is_terminal();
    if call.value("product").is_none() && call.value("endpoint").is_none() {
        let dir = call.dir()?;
        // Not before: the clock of tests follows the endpoint that was just found.
        let now = machine::now();
        let list = List::read(&dir, around, now);
        #[cfg(feature = "cli")]
        if call.has("quiet") {
            let mut sending = list.rows.iter().map(|row| row.consent.effective);
            return Ok(answer(sending.any(|effective| effective == Effective::On)));
        }
        let unseen = if on_terminal { list.unseen(around, now) } else { Vec::new() };
        return print(format, now, &unseen, || table_of_all(&list), || list.to_node());
    }
    let About { subject, place, .. } = About::in_use(call, around)?;
    let now = machine::now();
    let status = Status::read(subject, place, around, now);
    #[cfg(feature = "cli")]
    if call.has("quiet") {
        return Ok(answer(status.consent.effective == Effective::On));
    }
    let unseen = status.unseen(around).filter(|_| on_terminal);
    let is_exact = call.has("exact") || !on_terminal;
    print(format, now, unseen.as_slice(), || table(&status, is_exact), || node(&status))
}

/// What `--quiet` says to a script.
#[cfg(feature = "cli")]
fn answer(sends: bool) -> ExitCode {
    if sends { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Behind a table, the notices that no person could see yet.
fn print(
    format: Format,
    now: u64,
    unseen: &[Unseen],
    table: impl FnOnce() -> String,
    node: impl FnOnce() -> Node,
) -> Result<ExitCode, Failure> {
    let notices = unseen.iter().map(|unseen| format!("\n{}", unseen.text));
    let done = Report { node, table: || table() + &notices.collect::<String>() }.print(format)?;
    unseen.iter().for_each(|unseen| unseen.seen(now));
    Ok(done)
}

/// The product in front: what stands behind it is the same for all of them.
fn node(status: &Status) -> Node {
    let product = &status.subject.product;
    let name = Node::Object(vec![
        ("name", product.name.as_str().into()),
        ("version", product.version.as_str().into()),
    ]);
    let mut members = vec![("product", name)];
    if let Node::Object(others) = status.to_node() {
        members.extend(others);
    }
    Node::Object(members)
}

/// A table of all products, and why those are not on that are not.
fn table_of_all(list: &List) -> String {
    let time = |at: u64| if at == 0 { "never".to_owned() } else { timestamp::format(at) };
    let state = |row: &Row| match (row.is_in_use, row.consent.effective) {
        (false, _) => "not in use",
        (true, Effective::On) => "on",
        (true, Effective::LocalOnly) => "local only",
        (true, Effective::Off) => "off",
    };
    let head = ["Product", "Version", "Telemetry", "Endpoint", "Last heartbeat"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(list.rows.iter().map(|row| {
        let host = if row.host.is_empty() { "none" } else { &row.host };
        let (name, version) =
            (row.subject.product.name.clone(), row.subject.product.version.clone());
        [name, version, state(row).to_owned(), host.to_owned(), time(row.last_success)]
    }));
    let mut out = output::columns(&rows);
    out.push('\n');
    out.push_str(&reasons(list));
    for row in &list.rows {
        if let Some(until) = row.retired_until {
            let (name, until) = (&row.subject.product.name, timestamp::format(until));
            let _ = writeln!(out, "{name}: {}", retired(&until));
        }
    }
    for note in &list.notes {
        let _ = writeln!(out, "{note}");
    }
    let _ = writeln!(out, "Data directory: {}", list.dir.root().to_string_lossy());
    out.push_str("`mcpproxy telemetry status --product NAME` shows one product in full.\n");
    out
}

/// Each reason once, with the products that it is about.
fn reasons(list: &List) -> String {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for row in list.rows.iter().filter(|row| row.consent.effective != Effective::On) {
        let reason = format!("{} ({})", row.consent.detail, row.consent.rule);
        let name = row.subject.product.name.as_str();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let lines = reasons.iter().map(|(reason, names)| format!("{}: {reason}.\n", names.join(", ")));
    lines.collect()
}

fn table(status: &Status, is_exact: bool) -> String {
    let shown = |id: &str| if is_exact { id.to_owned() } else { shortened(id) };
    let time = |at: Option<u64>| at.map_or("never".to_owned(), timestamp::format);
    let yes = |value: bool| if value { "yes" } else { "no" };
    let words = |effective| match effective {
        Effective::On => "on",
        Effective::LocalOnly => "local only: recorded and shown, never sent",
        Effective::Off => "off: nothing is recorded, nothing is sent",
    };
    let id = match (&status.id, &status.id_trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (Some((id, Some(made))), None) => format!("{} (since {made})", shown(id)),
        (Some((id, None)), None) => shown(id),
        (None, None) => "none yet".to_owned(),
    };
    let store = match &status.store {
        ("none", None) => "none yet".to_owned(),
        (state, Some(detail)) => format!("{state}: {detail}"),
        (state, None) => (*state).to_owned(),
    };
    let funnel = &status.payload.activation;
    let clients = match funnel.mcp_clients_seen_ever.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let autostart = status.payload.autostart_enabled.map_or("not knowable here", yes);
    let environment = match status.payload.agent_env {
        AgentEnv::None => status.payload.env_kind.to_string(),
        agents => format!("{} (an agent's {agents})", status.payload.env_kind),
    };
    let product = &status.subject.product;
    let because = &status.consent;
    let state = &status.state;
    let mut out = String::new();
    let mut row = |name: &str, value: &dyn fmt::Display| {
        // A directory can have a line end in its name: a row stays one row.
        let _ = writeln!(out, "{name:18} {}", visible::line(&value.to_string()));
    };
    row("Product", &format_args!("{} {}", product.name, product.version));
    row("Telemetry", &words(because.effective));
    row("  because", &format_args!("{} ({})", because.detail, because.rule));
    row("  preference", &status.preference_word());
    row("Anonymous id", &id);
    row("Endpoint", &status.endpoint.as_deref().unwrap_or("none"));
    row("Data directory", &status.subject.dir.root().to_string_lossy());
    row("Environment", &environment);
    row("Launched by", &status.payload.launch_source);
    row("Starts at login", &autostart);
    row("Server connected", &yes(funnel.first_connected_server_ever));
    row("Client seen", &yes(funnel.first_mcp_client_ever));
    row("  clients", &clients);
    row("Tools searched", &yes(funnel.first_retrieve_tools_call_ever));
    row("  last 24 h", &funnel.retrieve_tools_calls_24h);
    row("  tokens saved", &state.tokens_saved.value(status.now));
    row("A tool used", &yes(funnel.first_real_tool_call_ever));
    #[cfg(feature = "serve")]
    for (name, value) in errors::rows(status.payload.diagnostics.as_ref()) {
        row(name, &value);
    }
    row("Store", &store);
    row("Last heartbeat", &time(Some(state.sender.last_success).filter(|at| *at != 0)));
    match status.awaits_host() {
        true => row("  next", &"when a host has started"),
        false => row("  next", &time(status.next_due())),
    }
    row("  waiting", &yes(state.pending.is_some()));
    row("  failed attempts", &state.sender.failures);
    row("  refused by gate", &state.install.anonymity_violations);
    if let Some(trouble) = status.obstacle().filter(|_| status.store.0 == "ok") {
        let _ = writeln!(out, "\n{trouble}");
    }
    if let Some(until) = status.retired_until() {
        let _ = writeln!(out, "\n{}", retired(&timestamp::format(until)));
    }
    if let Some(note) = &status.note {
        let _ = writeln!(out, "\n{note}");
    }
    out
}

fn retired(until: &str) -> String {
    format!(
        "The endpoint retired this version: nothing is sent until {until}, when it is asked again."
    )
}
