//! The variables that speak to this tap and not to the server below it, which may be a host of its own.

use crate::environment::{launch_source, names};
use std::ffi::OsString;

/// Those that the server does not get.
pub fn kept_back() -> Vec<OsString> {
    let of_products = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str().is_some_and(|name| name.starts_with(names::PREFIX_OF_PRODUCTS))
    });
    let ours = [launch_source::VARIABLE, "MCPPROXY_TELEMETRY_ENDPOINT"].map(OsString::from);
    of_products.chain(ours).collect()
}
