//! Consent, id, endpoint and place as config and product say at this moment, read as one.
//!
//! One rule: never kept across a wait. A clock that a test shifts is shifted from the first reading on that
//! leads to loopback.

use super::assemble::ClientPolicy;
use super::timing::{CLOCK_VARIABLE, clock_offset};
use crate::consent::{self, Configs, Consent, Effective, EndpointError, Target, Whose};
use crate::gate::PrivateWords;
use crate::identity::install::{self, InstallError};
use crate::identity::{self, Identity, IdentityError, Kept};
use crate::machine::{self, Surroundings};
use crate::paths::Place;
use crate::products::Subject;
use std::fmt;

/// What one reading of the config and the environment allows.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Whether telemetry is on, and why.
    pub consent: Consent,
    /// Where to send, or why nowhere.
    pub target: Result<Target, NoTarget>,
    /// Where the state towards that endpoint lies.
    pub place: Place,
    /// What the configs ask for this product, whatever is effective.
    pub preference: Option<bool>,
    /// What is kept of the identity, or why it cannot be read.
    pub kept: Result<Kept, IdentityError>,
    /// Only client names of the vocabulary may be sent.
    pub known_client_names_only: bool,
}

impl Permission {
    /// Reads the configs once, and decides.
    pub fn read(subject: &Subject, around: &Surroundings) -> Self {
        Self::read_in(subject, None, around)
    }

    /// As [`Self::read`], with what is kept in this place, if one is given, whatever the endpoint is.
    pub fn read_in(subject: &Subject, place: Option<&Place>, around: &Surroundings) -> Self {
        let configs = Configs::read(&subject.dir);
        let whose = Whose { product: &subject.product.name, endpoint: subject.endpoint.as_deref() };
        let target = target(around, &configs, whose);
        if target.as_ref().is_ok_and(Target::is_loopback)
            && let Some(offset) = around.own(CLOCK_VARIABLE).and_then(clock_offset)
        {
            machine::shift_clock(offset);
        }
        let place = place.cloned().unwrap_or_else(|| subject.place(target.as_ref().ok()));
        let kept = match place.is_own() {
            true => Ok(configs.given.telemetry().map(Kept::from).unwrap_or_default()),
            false => match install::read(&place) {
                Ok(file) => Ok(file.unwrap_or_default().kept),
                Err(error) => Err(error.into()),
            },
        };
        let mut consent = consent::decide(around, &configs, whose);
        if let Err(IdentityError::Install(error @ InstallError::Untrusted(_))) = &kept
            && consent.effective != Effective::Off
        {
            let rule = "product:untrusted".to_owned();
            consent = Consent { effective: Effective::Off, rule, detail: error.to_string() };
        }
        Self {
            consent,
            target,
            place,
            kept,
            known_client_names_only: configs.known_client_names_only(whose.product),
            preference: configs.preference(whose.product),
        }
    }

    /// Which client names may be sent.
    pub fn client_policy(&self) -> ClientPolicy {
        ClientPolicy {
            private: PrivateWords::lazy(machine::private_words),
            known_only: self.known_client_names_only,
        }
    }

    /// The id as it stands, without any effect.
    pub fn identity(&self, now: u64) -> Option<Identity> {
        identity::current(self.kept.as_ref().ok()?, now).ok().flatten()
    }

    /// What the next heartbeat would be sent under, without any effect.
    pub fn expected(&self, now: u64) -> Result<Identity, IdentityError> {
        identity::expected(self.kept.as_ref().map_err(Clone::clone)?, now)
    }

    /// Whether an id is to be made, dated or rotated before the next heartbeat.
    pub fn has_to_write(&self, now: u64) -> bool {
        self.kept.as_ref().is_ok_and(|kept| identity::is_to_be_written(kept, now))
    }

    /// The id as it is written, whatever it is.
    pub fn anonymous_id(&self) -> Option<String> {
        self.kept.as_ref().ok()?.anonymous_id.clone()
    }

    /// The endpoint in use.
    pub fn endpoint(&self) -> Option<String> {
        self.target.as_ref().ok().map(|target| target.endpoint().to_owned())
    }

    /// The endpoint's host, as notices name it and state is kept for it; empty without an endpoint.
    pub fn host(&self) -> String {
        self.target.as_ref().map(Target::authority).unwrap_or_default()
    }
}

/// Why there is nowhere to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// No endpoint is compiled in or configured.
    Missing,
    /// The one that is named is none.
    Invalid(EndpointError),
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no endpoint is compiled in or configured"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NoTarget {}

fn target(around: &Surroundings, configs: &Configs, whose: Whose<'_>) -> Result<Target, NoTarget> {
    match consent::endpoint(around, configs, whose) {
        Some(target) => target.map_err(NoTarget::Invalid),
        None => Err(NoTarget::Missing),
    }
}
