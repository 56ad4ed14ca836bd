//! process: see `crate::process`.
