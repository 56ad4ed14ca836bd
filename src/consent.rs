//! Is telemetry on, and why.
//!
//! One rule: every objection is enough, and no allowing value overrides one.

use crate::config::ConfigState;
use crate::machine::Surroundings;

/// The decision, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What may be done.
    pub effective: Effective,
    /// The deciding rule, as `status` shows it; never holds a value.
    pub rule: String,
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effective {
    /// Record, show and send.
    On,
    /// Record and show, never send.
    LocalOnly,
    /// Nothing: no file, no packet, no thread.
    Off,
}

/// Decides. `endpoint` is what [`crate::heartbeat`] resolved, or `None`.
pub fn decide(_around: &Surroundings, _config: &ConfigState) -> Consent {
    todo!("consent room")
}
