//! `mcpproxy telemetry enable` and `disable`.
//!
//! One rule: says what is effective afterwards, not only what was asked for.

use super::{Call, Failure, about, output};
use crate::config::Which;
use crate::consent::{self, Configs, Consent, Effective, Switch, Switched, Whose};
use crate::contract::product::OWN_PRODUCT;
use crate::machine::Surroundings;
use crate::paths::DataDir;
use std::process::ExitCode;

pub(super) fn enable(call: &Call) -> Result<ExitCode, Failure> {
    let dir = call.dir()?;
    let around = Surroundings::of_this_process();
    let said = match call.product()? {
        Some(name) => enable_product(&dir, around, &name)?,
        None => enable_all(&dir, around)?,
    };
    output::print(&format!("{said}\n"))
}

fn enable_all(dir: &DataDir, around: &Surroundings) -> Result<String, Failure> {
    check_enabled(&consent::switch(dir, Switch::All, true))?;
    let configs = Configs::read(dir);
    let consent = consent::decide(around, &configs, Whose::OWN);
    // Of our own product; the switches of all others are named below.
    let mut said = match consent.effective {
        Effective::On => "Telemetry is enabled.".to_owned(),
        Effective::LocalOnly => {
            format!("Telemetry is enabled, local only ({}): {}.", consent.rule, consent.detail)
        }
        Effective::Off => format!(
            "Telemetry is enabled in the configuration, but still off ({}): {}.",
            consent.rule, consent.detail
        ),
    };
    for name in configs.switched_off() {
        said.push_str(&format!(
            "\n{name} is still switched off by itself; `mcpproxy telemetry enable --product {name}` allows it."
        ));
    }
    Ok(said)
}

fn enable_product(dir: &DataDir, around: &Surroundings, name: &str) -> Result<String, Failure> {
    let was_off = Configs::read(dir).switches_off(name);
    check_enabled(&consent::switch(dir, Switch::Product(name), true))?;
    let objections = consent::objections(around, &Configs::read(dir), name);
    let done = match was_off {
        true => format!("The switch of {name} is removed"),
        false => format!("There is no switch of {name} to remove"),
    };
    Ok(match objections.as_slice() {
        [] => format!("{done}: nothing objects to its telemetry."),
        [first, ..] => {
            format!("{done}, but its telemetry is still off ({}): {}.", first.rule, first.detail)
        }
    })
}

/// Says which file still objects, or may.
fn check_enabled(switched: &Switched) -> Result<(), Failure> {
    if switched.failed.is_empty() {
        return Ok(());
    }
    let changed = switched.written.iter().map(|which| format!("; {} was changed", which.file()));
    Err(Failure::failed(errors(switched) + &changed.collect::<String>()))
}

pub(super) fn disable(call: &Call) -> Result<ExitCode, Failure> {
    let dir = call.dir()?;
    let product = call.product()?;
    let what = product.as_deref().map_or(Switch::All, Switch::Product);
    let switched = consent::switch(&dir, what, false);
    let around = Surroundings::of_this_process();
    let name = product.as_deref().unwrap_or(OWN_PRODUCT);
    let objections = consent::objections(around, &Configs::read(&dir), name);
    if !switched.failed.is_empty() {
        return Err(Failure::failed(errors(&switched) + &state(&switched, &objections)));
    }
    let also = objections.iter().find(|consent| !is_switch(consent));
    let also = also.map(|consent| format!(" ({} objects as well)", consent.rule));
    let whose = match &product {
        Some(name) => format!("Telemetry of {name} is disabled"),
        None => "Telemetry is disabled for all products".to_owned(),
    };
    output::print(&format!(
        "{whose}{}. Running processes stop before their next write or send.\n{}",
        also.unwrap_or_default(),
        product.as_deref().and_then(|name| stranger(&dir, name)).unwrap_or_default()
    ))
}

/// A product may be switched off before it ever runs; but a slip of the pen would switch off nothing.
pub(super) fn stranger(dir: &DataDir, name: &str) -> Option<String> {
    let known = about::known(dir);
    (!known.iter().any(|known| known == name)).then(|| {
        format!(
            "No host of {name} ever started in this data directory; known: {}.\n",
            known.join(", ")
        )
    })
}

/// Whether `telemetry disable` is what objects.
fn is_switch(consent: &Consent) -> bool {
    consent.rule.contains("config:telemetry.")
}

pub(super) fn errors(switched: &Switched) -> String {
    let each = switched.failed.iter().map(|(which, error)| error.of(*which));
    each.collect::<Vec<_>>().join("; ")
}

/// How far off reaches, although not all of it could be written.
fn state(switched: &Switched, objections: &[Consent]) -> String {
    match switched.written.first() {
        Some(Which::Users) => format!(
            "; {} was changed, and that stops the hosts of every data directory",
            Which::Users.file()
        ),
        Some(Which::Given) => format!(
            "; {} was changed, and that stops the hosts of this data directory only",
            Which::Given.file()
        ),
        None if !objections.is_empty() => "; telemetry is off as it is".to_owned(),
        None => "; MCPPROXY_TELEMETRY=0 stops it until then".to_owned(),
    }
}
