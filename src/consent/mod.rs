//! Is telemetry on, and why.
//!
//! One rule: every objection is enough, and no allowing value overrides one.

mod configs;
pub mod endpoint;
mod policy;
mod rules;
mod switch;

pub use configs::{Configs, Stamps, stamps};
pub use endpoint::{EndpointError, Target};
pub use policy::{Policy, PolicyError};
pub use switch::{Switch, Switched, switch};

use crate::build_info;
use crate::contract::product::OWN_PRODUCT;
use crate::diagnostics::Code;
use crate::environment::{Surroundings, names};

/// The variables that can object. They are kept of every environment that is read, and each has a rule.
pub const VARIABLES: &[&str] = names::OBJECTIONS;

/// The decision, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What may be done.
    pub effective: Effective,
    /// The deciding rule, as `status` shows it: a stable word such as `env:DO_NOT_TRACK`; never holds a
    /// value.
    pub rule: String,
    /// The rule in words, with what to do about it; never holds a value.
    pub detail: String,
}

impl Consent {
    /// The code of a file that may object and cannot be read, or of an endpoint that is none.
    pub fn code(&self) -> Option<Code> {
        match self.rule.split_once(':')? {
            (_, "unusable" | "unreadable" | "untrusted") => Some(Code::ConsentUnreadable),
            ("endpoint", word) if word != "none" => Some(Code::EndpointRefused),
            _ => None,
        }
    }
}

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effective {
    /// Record, show and send.
    On,
    /// Record and show, never send.
    LocalOnly,
    /// Nothing: no file, no packet, no thread.
    Off,
}

impl Effective {
    /// The word that `status` shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::LocalOnly => "local_only",
            Self::Off => "off",
        }
    }
}

/// What was decided when this program was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Build<'a> {
    /// The endpoint compiled in.
    endpoint: Option<&'a str>,
    /// The product compiled in, whose endpoint that is; without one it is every product's.
    product: Option<&'a str>,
    /// It has a release version.
    release: bool,
    /// It can send (feature `heartbeat`).
    sender: bool,
    /// It can send over HTTPS (feature `tls`).
    tls: bool,
}

impl Build<'static> {
    /// This build.
    const THIS: Self = Self {
        endpoint: build_info::ENDPOINT,
        product: build_info::PRODUCT,
        release: build_info::RELEASE_VERSION.is_some(),
        sender: cfg!(feature = "heartbeat"),
        tls: cfg!(feature = "tls"),
    };
}

/// Whose consent is asked for: a product, and the endpoint that its host named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The product's name.
    pub product: &'a str,
    /// `--endpoint`, or what an embedding host says.
    pub endpoint: Option<&'a str>,
}

impl Whose<'static> {
    /// Our own product.
    pub const OWN: Self = Self { product: OWN_PRODUCT, endpoint: None };
}

/// Decides for this build.
pub fn decide(around: &Surroundings, configs: &Configs, whose: Whose<'_>) -> Consent {
    rules::decide(around, configs, whose, Build::THIS)
}

/// What keeps `product` off, the nearest first; empty when nothing does.
pub fn objections(around: &Surroundings, configs: &Configs, product: &str) -> Vec<Consent> {
    rules::objections(around, configs, product).collect()
}

/// Where heartbeats of a product go: `MCPPROXY_TELEMETRY_ENDPOINT` of this process, else
/// `telemetry.products.NAME.endpoint`, for our own product also `telemetry.endpoint`, else what its host named,
/// else what was compiled in for this product; `None` when none of them names an endpoint. Empty values name
/// none. The variable counts for other products towards loopback only: see [`ignored_endpoint`].
pub fn endpoint(
    around: &Surroundings,
    configs: &Configs,
    whose: Whose<'_>,
) -> Option<Result<Target, EndpointError>> {
    rules::endpoint(around, configs, whose, Build::THIS).map(|(_, target)| target)
}

/// What a user must know when the variable names an endpoint that does not count for `product`.
pub fn ignored_endpoint(around: &Surroundings, product: &str) -> Option<&'static str> {
    rules::ignores_variable(around, product).then_some(
        "MCPPROXY_TELEMETRY_ENDPOINT is ignored: for a product it counts only towards loopback. What counts: `telemetry.products.NAME.endpoint` of the configuration, or --endpoint.",
    )
}

/// What a user must know where ancestors cannot be read; `None` where they can.
pub fn reach_of_shell_exports(around: &Surroundings) -> Option<&'static str> {
    (!around.ancestors_readable).then_some(
        "On this system an export in a shell does not reach servers that an MCP client starts. What does: `mcpproxy telemetry disable`, or DO_NOT_TRACK=1 in the `env` block of the client's configuration.",
    )
}
