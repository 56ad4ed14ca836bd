//! The upstream servers of the gateway.
//!
//! One rule: a server is tried as the gateway tries it, and only when the caller asks for that.

#[cfg(feature = "serve")]
mod entries;

use super::Check;
use crate::paths::DataDir;
#[cfg(feature = "serve")]
pub(crate) use entries::{ServerError, one};

/// The entries, one check for each that is broken. `is_online`: for each that cannot be connected as well.
#[cfg(feature = "serve")]
pub(super) fn check(dir: &DataDir, is_online: bool) -> Vec<Check> {
    entries::check(dir, is_online)
}

/// Without the gateway there are none.
#[cfg(not(feature = "serve"))]
pub(super) fn check(_dir: &DataDir, _is_online: bool) -> Vec<Check> {
    Vec::new()
}
