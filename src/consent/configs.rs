//! What consent is read from: the policy of the machine, the config of the data directory, and the user's own.
//!
//! One rule: an objection in any of them counts, so one without the others says nothing.

use super::policy::{self, Policy};
use crate::build_info;
use crate::config::{self, ConfigState, ProductConfig, Stamp, TelemetryConfig, Which};
use crate::paths::DataDir;
use std::fs;

/// What reading the configs gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configs {
    /// That of the data directory. What telemetry keeps in a config it keeps in this one.
    pub given: ConfigState,
    /// That of `~/.mcpproxy`; `None` when the data directory is that one, or there is no home directory.
    pub users: Option<ConfigState>,
    /// What the administrator decided.
    pub policy: Policy,
}

/// Identifies one version of the configs; see [`config::stamp`].
pub type Stamps = (Stamp, Option<Stamp>, policy::Stamp);

/// The stamps of the configs as they are now.
pub fn stamps(dir: &DataDir) -> Stamps {
    (config::stamp(dir), dir.users().map(|users| config::stamp(&users)), policy::stamp())
}

/// The user's own data directory, when its config is another file than that of `dir`.
pub(super) fn users(dir: &DataDir) -> Option<DataDir> {
    let real = |dir: &DataDir| {
        let root = || Some(fs::canonicalize(dir.root()).ok()?.join(dir.config().file_name()?));
        fs::canonicalize(dir.config()).ok().or_else(root)
    };
    let users = dir.users()?;
    let is_same = real(dir).is_some_and(|given| real(&users) == Some(given));
    (!is_same).then_some(users)
}

impl Configs {
    /// Reads all of them, and one file once.
    pub fn read(dir: &DataDir) -> Self {
        let users = users(dir).map(|users| config::read_users(&users));
        Self { given: config::read(dir), users, policy: Policy::read() }
    }

    /// Each with which it is, the nearest first.
    pub fn each(&self) -> impl Iterator<Item = (Which, &ConfigState)> {
        let users = self.users.iter().map(|config| (Which::Users, config));
        std::iter::once((Which::Given, &self.given)).chain(users)
    }

    fn sections(&self) -> impl Iterator<Item = (Which, &TelemetryConfig)> {
        self.each().filter_map(|(which, config)| Some((which, config.telemetry()?)))
    }

    /// What is asked for `product`, whatever is effective: one "no" is enough.
    pub fn preference(&self, product: &str) -> Option<bool> {
        let said = |telemetry: &TelemetryConfig| match telemetry.disabled {
            Some(true) => Some(false),
            _ => telemetry.enabled,
        };
        let all = self.sections().filter_map(|(_, telemetry)| said(telemetry));
        let of_product = self.switches_off(product).then_some(false);
        all.chain(of_product).reduce(|one, other| one && other)
    }

    /// Whether `product` may send only client names of the vocabulary.
    pub fn known_client_names_only(&self, product: &str) -> bool {
        let wants = |telemetry: &TelemetryConfig| {
            let of_product = telemetry.product(product).any(|p| p.known_client_names_only);
            telemetry.known_client_names_only || of_product
        };
        build_info::KNOWN_CLIENT_NAMES_ONLY || self.sections().any(|(_, section)| wants(section))
    }

    /// `telemetry.products.NAME.endpoint`: the user's word for this product.
    pub(super) fn endpoint_of(&self, product: &str) -> Option<&str> {
        self.sections().find_map(|(_, telemetry)| {
            telemetry.product(product).find_map(|product| product.endpoint.as_deref())
        })
    }

    /// Whether policy or a config objects to this product, or may do so because it cannot be read.
    pub fn objects_to(&self, product: &str) -> bool {
        let objects = |config: &ConfigState| match config {
            ConfigState::Missing => false,
            ConfigState::Loaded(telemetry) => telemetry.objects_to(product),
            ConfigState::Unusable(_) => true,
        };
        self.policy.objects() || self.each().any(|(_, config)| objects(config))
    }

    /// Whether a config has a switch of this product alone, and it is off.
    pub fn switches_off(&self, product: &str) -> bool {
        self.sections().any(|(_, telemetry)| telemetry.product(product).any(ProductConfig::objects))
    }

    /// The products that a config switches off, each once.
    pub fn switched_off(&self) -> Vec<String> {
        let products = self.sections().flat_map(|(_, telemetry)| &telemetry.products);
        let off = products.filter(|(_, product)| product.objects());
        let mut names: Vec<String> = off.map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl From<ConfigState> for Configs {
    /// That of a data directory alone.
    fn from(given: ConfigState) -> Self {
        Self { given, users: None, policy: Policy::default() }
    }
}
