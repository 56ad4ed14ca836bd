//! The product that a tap counts for: what was said about it, judged while the server runs.
//!
//! One rule: nothing that was said about telemetry stops a server. What does not fit is told in one line, and
//! the session is not counted.

use crate::consent::Target;
use crate::environment::{launch_source, names};
use crate::gate;
use crate::machine::{self, Surroundings};
use crate::products::HostProduct;
use std::ffi::OsString;

/// What the command line says about the product, as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `--product`
    pub product: Option<String>,
    /// `--product-version`
    pub version: Option<String>,
    /// `--endpoint`
    pub endpoint: Option<String>,
    /// `--require-visible-notice`
    pub require_visible_notice: bool,
}

/// What was said does not fit, and that was told: the session is not counted.
pub struct Uncounted;

impl Told {
    /// The product of this session; `None` counts it as an install of `mcpproxy` itself.
    pub fn product(self) -> Result<Option<HostProduct>, Uncounted> {
        let around = Surroundings::of_this_process();
        let Some(said) = HostProduct::said(self.product, self.version, around) else {
            if self.endpoint.is_some() || self.require_visible_notice {
                complain(
                    "--endpoint and --require-visible-notice are for a product; name it with --product NAME",
                );
                return Err(Uncounted);
            }
            return Ok(None);
        };
        if let Err(error) = gate::product_name(&said.name) {
            complain(&error.to_string());
            return Err(Uncounted);
        }
        let is_named = |endpoint: &String| !endpoint.trim().is_empty();
        if self.endpoint.as_ref().is_some_and(|endpoint| !is_named(endpoint)) {
            machine::complain(&"mcpproxy tap: --endpoint is empty, and counts as not given");
        }
        let endpoint = self.endpoint.filter(is_named);
        if let Some(Err(error)) = endpoint.as_deref().map(Target::new) {
            machine::complain(&format_args!(
                "mcpproxy tap: --endpoint: {error}; the server runs, and nothing is sent"
            ));
        }
        let require_visible_notice = self.require_visible_notice;
        Ok(Some(HostProduct { endpoint, require_visible_notice, ..said }))
    }
}

fn complain(why: &str) {
    machine::complain(&format_args!(
        "mcpproxy tap: {why}; the server runs, and this session is not counted"
    ));
}

/// The variables that speak to this tap and not to the server below it, which may be a host of its own.
pub fn kept_back() -> Vec<OsString> {
    let of_products = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        name.to_str().is_some_and(|name| name.starts_with(names::PREFIX_OF_PRODUCTS))
    });
    let ours = [launch_source::VARIABLE, "MCPPROXY_TELEMETRY_ENDPOINT"].map(OsString::from);
    of_products.chain(ours).collect()
}
