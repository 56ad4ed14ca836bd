//! Consent, id and endpoint as the config says at this moment, read as one.
//!
//! One rule: never kept across a wait.

use crate::config::TelemetryConfig;
use crate::consent::{self, Configs, Consent, Target, Whose};
use crate::identity::{self, Identity};
use crate::machine::Surroundings;
use crate::paths::DataDir;

/// What one reading of the config and the environment allows.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Whether telemetry is on, and why.
    pub consent: Consent,
    /// Where to send, or why nowhere.
    pub target: Result<Target, String>,
    /// What the configs ask for, whatever is effective.
    pub preference: Option<bool>,
    /// Our section of the given config.
    pub telemetry: TelemetryConfig,
    /// Only client names of the vocabulary may be sent.
    pub known_client_names_only: bool,
}

impl Permission {
    /// Reads the configs once, and decides.
    pub fn read(dir: &DataDir, around: &Surroundings) -> Self {
        let configs = Configs::read(dir);
        let whose = Whose::OWN;
        Self {
            consent: consent::decide(around, &configs, whose),
            target: target(around, &configs, whose),
            known_client_names_only: configs.known_client_names_only(whose.product),
            preference: configs.preference(),
            telemetry: configs.given.telemetry().cloned().unwrap_or_default(),
        }
    }

    /// The id as it stands, without any effect.
    pub fn identity(&self, now: u64) -> Option<Identity> {
        identity::current(&self.telemetry, now).ok().flatten()
    }
}

fn target(around: &Surroundings, configs: &Configs, whose: Whose<'_>) -> Result<Target, String> {
    match consent::endpoint(around, configs, whose) {
        Some(target) => target.map_err(|error| error.to_string()),
        None => Err("no endpoint is compiled in or configured".to_owned()),
    }
}
