//! The product that a command line names for its host, judged while the host runs.
//!
//! One rule: nothing that was said about telemetry stops a host. What does not fit is told in one line, and
//! nothing is counted.

use super::HostProduct;
use crate::consent::Target;
use crate::gate;
use crate::machine::{self, Surroundings};

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

/// What was said does not fit, and that was told: nothing is counted.
pub struct Uncounted;

/// The command that was told, and what its messages say.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What goes on all the same.
    pub goes_on: &'static str,
    /// What is not counted.
    pub uncounted: &'static str,
}

impl Told {
    /// The product of this host; `None` counts it as an install of `mcpproxy` itself.
    pub fn product(self, command: &Command) -> Result<Option<HostProduct>, Uncounted> {
        let around = Surroundings::of_this_process();
        let Some(said) = HostProduct::said(self.product, self.version, around) else {
            if self.endpoint.is_some() || self.require_visible_notice {
                command.complain(
                    "--endpoint and --require-visible-notice are for a product; name it with --product NAME",
                );
                return Err(Uncounted);
            }
            return Ok(None);
        };
        if let Err(error) = gate::product_name(&said.name) {
            command.complain(&error.to_string());
            return Err(Uncounted);
        }
        let Command { name, goes_on, .. } = command;
        let is_named = |endpoint: &String| !endpoint.trim().is_empty();
        if self.endpoint.as_ref().is_some_and(|endpoint| !is_named(endpoint)) {
            machine::complain(&format_args!(
                "mcpproxy {name}: --endpoint is empty, and counts as not given"
            ));
        }
        let endpoint = self.endpoint.filter(is_named);
        if let Some(Err(error)) = endpoint.as_deref().map(Target::new) {
            machine::complain(&format_args!(
                "mcpproxy {name}: --endpoint: {error}; {goes_on}, and nothing is sent"
            ));
        }
        let require_visible_notice = self.require_visible_notice;
        Ok(Some(HostProduct { endpoint, require_visible_notice, ..said }))
    }
}

impl Command {
    fn complain(&self, why: &str) {
        let Self { name, goes_on, uncounted } = self;
        machine::complain(&format_args!("mcpproxy {name}: {why}; {goes_on}, and {uncounted}"));
    }
}
