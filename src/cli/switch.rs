//! `mcpproxy telemetry enable` and `disable`.
//!
//! One rule: says what is effective afterwards, not only what was asked for.

use super::{Call, Failure, output};
use crate::config;
use crate::consent::{self, Consent, Effective};
use crate::machine::Surroundings;
use crate::paths::DataDir;
use std::process::ExitCode;

pub(super) fn enable(call: &Call) -> Result<ExitCode, Failure> {
    let consent = set(&call.dir()?, true)?;
    output::print(&match consent.effective {
        Effective::On => "Telemetry is enabled.\n".to_owned(),
        Effective::LocalOnly => {
            format!("Telemetry is enabled, local only ({}): {}.\n", consent.rule, consent.detail)
        }
        Effective::Off => format!(
            "Telemetry is enabled in the configuration, but still off ({}): {}.\n",
            consent.rule, consent.detail
        ),
    })
}

pub(super) fn disable(call: &Call) -> Result<ExitCode, Failure> {
    let consent = set(&call.dir()?, false)?;
    let also = match consent.rule.as_str() {
        "config:telemetry.enabled" => String::new(),
        rule => format!(" ({rule} objects, too)"),
    };
    output::print(&format!(
        "Telemetry is disabled{also}. Running processes stop before their next write or send.\n"
    ))
}

/// Sets the preference and decides again.
fn set(dir: &DataDir, enabled: bool) -> Result<Consent, Failure> {
    let around = Surroundings::of_this_process();
    consent::set(dir, around, enabled).map_err(|error| {
        let state = match consent::decide(around, &config::read(dir), consent::Whose::OWN).effective
        {
            _ if enabled => "",
            Effective::Off => "; telemetry is off as it is",
            _ => "; MCPPROXY_TELEMETRY=0 stops it, too",
        };
        Failure::failed(format!("{error}{state}"))
    })
}
