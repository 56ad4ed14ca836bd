//! service: see `crate::service`.

/// Services of Windows report otherwise; we are none.
pub fn notify(_state: &str) {}
