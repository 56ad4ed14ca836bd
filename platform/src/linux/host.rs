//! host: see `crate::host`.
