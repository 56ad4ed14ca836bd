//! files: see `crate::files`.
