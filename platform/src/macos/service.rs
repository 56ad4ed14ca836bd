//! service: see `crate::service`.

/// `launchd` does not ask.
pub fn notify(_state: &str) {}
