//! `mcpproxy telemetry reset-id`: a new install begins.
//!
//! One rule: the id changes first. If the rest fails, a host that finds the store of another id starts
//! it anew.

use super::{Call, Failure, output};
use crate::paths::DataDir;
use crate::{identity, machine};
use std::fs;
use std::io;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let dir = call.dir()?;
    let identity = identity::reset_id(&dir, machine::now())
        .map_err(|error| Failure::failed(error.to_string()))?;
    forget(&dir).map_err(|(what, error)| {
        Failure::failed(format!(
            "the id is new, but <data dir>/{what} cannot be removed: {}; remove it by hand",
            error.kind()
        ))
    })?;
    output::print(&format!(
        "This is a new install with the id {}. What was counted and the copies of what was sent are gone.\n",
        identity.anonymous_id
    ))
}

/// Removes what belongs to the old id.
fn forget(dir: &DataDir) -> Result<(), (&'static str, io::Error)> {
    let gone = |result: io::Result<()>| match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    gone(fs::remove_dir_all(dir.sent())).map_err(|e| ("sent", e))
}
