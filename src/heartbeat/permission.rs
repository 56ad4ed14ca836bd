//! Consent, id and endpoint as the config says at this moment, read as one.
//!
//! One rule: never kept across a wait. A clock that a test shifts is shifted from the first reading on that
//! leads to loopback.

use super::timing::{CLOCK_VARIABLE, clock_offset};
use crate::build_info;
use crate::config::{self, ConfigState, TelemetryConfig};
use crate::consent::{self, Consent, Target};
use crate::identity::{self, Identity};
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;

/// What one reading of the config and the environment allows.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Whether telemetry is on, and why.
    pub consent: Consent,
    /// Where to send, or why nowhere.
    pub target: Result<Target, String>,
    /// Our section of the config.
    pub telemetry: TelemetryConfig,
    /// Only client names of the vocabulary may be sent.
    pub known_client_names_only: bool,
}

impl Permission {
    /// Reads the config once, and decides.
    pub fn read(dir: &DataDir, around: &Surroundings) -> Self {
        let config = config::read(dir);
        let telemetry = config.telemetry().cloned().unwrap_or_default();
        let target = target(around, &config);
        if target.as_ref().is_ok_and(Target::is_loopback)
            && let Some(offset) = around.own(CLOCK_VARIABLE).and_then(clock_offset)
        {
            machine::shift_clock(offset);
        }
        Self {
            consent: consent::decide(around, &config),
            target,
            known_client_names_only: telemetry.known_client_names_only
                || build_info::KNOWN_CLIENT_NAMES_ONLY,
            telemetry,
        }
    }

    /// The id as it stands, without any effect.
    pub fn identity(&self, now: u64) -> Option<Identity> {
        identity::current(&self.telemetry, now).ok().flatten()
    }
}

fn target(around: &Surroundings, config: &ConfigState) -> Result<Target, String> {
    match consent::endpoint(around, config) {
        Some(target) => target.map_err(|error| error.to_string()),
        None => Err("no endpoint is compiled in or configured".to_owned()),
    }
}
