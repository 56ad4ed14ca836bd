//! service: see `crate::service`.

pub fn notify(_state: &str) {}
