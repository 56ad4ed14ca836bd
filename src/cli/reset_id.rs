//! `mcpproxy telemetry reset-id`: a new install begins.
//!
//! One rule: the id changes first. If the rest fails, a host that finds the store of another id starts
//! it anew.

use super::about::About;
use super::{Call, Failure, output};
use crate::activation::{Store, StoreError};
use crate::heartbeat::sent;
use crate::paths::Place;
use crate::{identity, machine};
use std::fmt;
use std::io;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let About { subject, place, .. } = About::of(call)?;
    let identity = identity::reset_id(&place, machine::now())
        .map_err(|error| Failure::failed(error.to_string()))?;
    forget(&place).map_err(|why| {
        Failure::failed(format!("the id is new, but old data is still there: {why}; try again"))
    })?;
    let name = &subject.product.name;
    let what = if subject.is_own() { "This" } else { name };
    output::print(&format!(
        "{what} is a new install with the id {}. What was counted and the copies of what was sent are gone.\n",
        identity.anonymous_id
    ))
}

/// Why something of the old id is still there.
pub(super) enum ForgetError {
    /// What was counted.
    Store(StoreError),
    /// A copy of what was sent.
    Copy(io::ErrorKind),
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Copy(kind) => write!(f, "a copy in `sent` cannot be removed: {kind}"),
        }
    }
}

/// Removes what belongs to the old id.
pub(super) fn forget(place: &Place) -> Result<(), ForgetError> {
    match Store::reset(place) {
        // A build without a store has none to forget.
        Ok(()) | Err(StoreError::NotBuilt) => {}
        Err(error) => return Err(ForgetError::Store(error)),
    }
    sent::remove_all(place).map_err(|(_, kind)| ForgetError::Copy(kind))
}
