//! `mcpproxy autostart status|enable|disable`: whether the gateway starts at login.
//!
//! One rule: says what is so afterwards, not only what was asked for.

use super::output::{self, Format, Report};
use super::{Call, Failure};
use crate::autostart::{self, Way};
use crate::json::Node;
use crate::machine;
use crate::paths::DataDir;
use std::process::ExitCode;

pub(super) fn status(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "autostart status")?;
    let dir = call.dir()?;
    let entry = machine::autostart_entry();
    let enabled = machine::autostart_enabled(&dir.autostart_sidecar());
    let source = match (entry, enabled) {
        (Some(_), _) => "entry",
        (None, Some(_)) if dir.autostart_sidecar().exists() => "sidecar",
        _ => "none",
    };
    let way = Way::usual().ok().map(Way::as_str);
    let node = || {
        Node::Object(vec![
            ("enabled", enabled.into()),
            ("source", source.into()),
            ("way", way.into()),
        ])
    };
    let table = || {
        let word = |enabled| if enabled { "yes" } else { "no" };
        let because = match source {
            "entry" => "its entry in the system",
            "sidecar" => "what was answered or set before",
            _ => "there is no entry",
        };
        format!(
            "Starts at login    {}\n  because          {because}\n  way              {}\n",
            enabled.map_or("not knowable here", word),
            way.unwrap_or("none on this system"),
        )
    };
    Report { node, table }.print(format)
}

pub(super) fn enable(call: &Call) -> Result<ExitCode, Failure> {
    let failed = |error: autostart::AutostartError| Failure::failed(error.to_string());
    let dir = call.dir()?;
    let way = if call.has("systemd") { Way::Systemd } else { Way::usual().map_err(failed)? };
    autostart::enable(way, named(call, &dir)).map_err(failed)?;
    let _ = autostart::remember(&dir, true, machine::now());
    output::print(&format!("mcpproxy serve starts at the next login ({}).\n", way.as_str()))
}

pub(super) fn disable(call: &Call) -> Result<ExitCode, Failure> {
    let dir = call.dir()?;
    autostart::disable().map_err(|error| Failure::failed(error.to_string()))?;
    let _ = autostart::remember(&dir, false, machine::now());
    output::print("mcpproxy does not start at login.\n")
}

/// The data directory, where the entry must name it: a login has none of this shell's variables.
pub(super) fn named<'a>(call: &Call, dir: &'a DataDir) -> Option<&'a DataDir> {
    let default = autostart_default();
    let is_told = call.data_dir.is_some() || default.as_ref() != Some(dir);
    is_told.then_some(dir)
}

fn autostart_default() -> Option<DataDir> {
    Some(DataDir::at(machine::autostart_entry::home()?.join(".mcpproxy")))
}
