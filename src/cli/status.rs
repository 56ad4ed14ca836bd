//! `mcpproxy telemetry status`: whether anything is sent, why, and what is known about this install.
//!
//! One rule: no side effects.

use super::output::{self, Format};
use super::{Call, Failure};
use crate::consent::Effective;
use crate::contract::timestamp;
use crate::machine::{self, Surroundings};
use crate::status::Status;
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "telemetry status")?;
    let status = Status::read(call.dir()?, Surroundings::of_this_process(), machine::now());
    output::print(&match format {
        Format::Table => table(&status),
        Format::Json => status.to_node().to_json(),
        #[cfg(feature = "cli")]
        Format::Yaml => output::yaml(&status.to_node())?,
    })
}

fn table(status: &Status) -> String {
    let time = |at: Option<u64>| at.map_or("never".to_owned(), timestamp::format);
    let yes = |value: bool| if value { "yes" } else { "no" };
    let words = |effective| match effective {
        Effective::On => "on",
        Effective::LocalOnly => "local only: recorded and shown, never sent",
        Effective::Off => "off: nothing is recorded, nothing is sent",
    };
    let id = match (&status.id, &status.id_trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (Some((id, Some(made))), None) => format!("{id} (since {made})"),
        (Some((id, None)), None) => id.clone(),
        (None, None) => "none yet".to_owned(),
    };
    let store = match &status.store {
        ("none", None) => "none yet".to_owned(),
        (state, Some(detail)) => format!("{state}: {detail}"),
        (state, None) => (*state).to_owned(),
    };
    let funnel = &status.activation;
    let clients = match funnel.mcp_clients_seen_ever.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let autostart = status.live.autostart_enabled.map_or("not knowable here", yes);
    let rows = [
        ("Telemetry", words(status.consent.effective).to_owned()),
        ("  because", format!("{} ({})", status.consent.detail, status.consent.rule)),
        ("  preference", status.preference_word().to_owned()),
        ("Anonymous id", id),
        ("Endpoint", status.endpoint.clone().unwrap_or_else(|| "none".into())),
        ("Data directory", status.dir.root().to_string_lossy().into_owned()),
        ("Environment", status.live.env_kind.to_string()),
        ("Launched by", status.launch_source.to_string()),
        ("Starts at login", autostart.to_owned()),
        ("Server connected", yes(funnel.first_connected_server_ever).to_owned()),
        ("Client seen", yes(funnel.first_mcp_client_ever).to_owned()),
        ("  clients", clients),
        ("Tools searched", yes(funnel.first_retrieve_tools_call_ever).to_owned()),
        ("  last 24 h", funnel.retrieve_tools_calls_24h.to_string()),
        ("  tokens saved", status.state.tokens_saved.value(status.now).to_string()),
        ("A tool used", yes(funnel.first_real_tool_call_ever).to_owned()),
        ("Store", store),
        ("Last heartbeat", time(Some(status.state.sender.last_success).filter(|at| *at != 0))),
        ("  next", time(status.next_due())),
        ("  waiting", yes(status.state.pending.is_some()).to_owned()),
        ("  failed attempts", status.state.sender.failures.to_string()),
        ("  refused by gate", status.state.install.anonymity_violations.to_string()),
    ];
    let mut out = String::new();
    for (name, value) in rows {
        let _ = writeln!(out, "{name:18} {value}");
    }
    if let Some(trouble) = status.trouble.as_ref().filter(|_| status.store.0 == "ok") {
        let _ = writeln!(out, "\n{trouble}");
    }
    if let Some(until) = status.retired_until() {
        let until = timestamp::format(until);
        let _ = writeln!(
            out,
            "\nThe endpoint retired this version: nothing is sent until {until}, when it is asked again."
        );
    }
    if let Some(note) = status.note {
        let _ = writeln!(out, "\n{note}");
    }
    out
}
