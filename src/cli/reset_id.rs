//! `mcpproxy telemetry reset-id`: a new install begins.
//!
//! One rule: the id changes first. If the rest fails, a host that finds the store of another id starts
//! it anew.

use super::{Call, Failure, output};
use crate::activation::{Store, StoreError};
use crate::paths::DataDir;
use crate::{identity, machine};
use std::fs;
use std::io;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let dir = call.dir()?;
    let identity = identity::reset_id(&dir, machine::now())
        .map_err(|error| Failure::failed(error.to_string()))?;
    forget(&dir).map_err(|why| {
        Failure::failed(format!("the id is new, but old data is still there: {why}; try again"))
    })?;
    output::print(&format!(
        "This is a new install with the id {}. What was counted and the copies of what was sent are gone.\n",
        identity.anonymous_id
    ))
}

/// Removes what belongs to the old id.
fn forget(dir: &DataDir) -> Result<(), String> {
    match Store::reset(dir) {
        // A build without a store has none to forget.
        Ok(()) | Err(StoreError::NotBuilt) => {}
        Err(error) => return Err(error.to_string()),
    }
    match fs::remove_dir_all(dir.sent()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(format!("<data dir>/sent cannot be removed: {}", e.kind()))
        }
        _ => Ok(()),
    }
}
