//! One attempt to deliver the heartbeat of this install, from consent to the recorded answer.
//!
//! One rule: every step re-reads what it relies on; nothing is remembered from before a wait.

use super::assemble::{self, ClientPolicy};
use super::live::Live;
use super::permission::Permission;
use super::post::{Answer, post};
use super::schedule::{self, Begin, Failure, Turn};
use super::sent::{self, Copy};
use super::timing::Timing;
use super::unable::Unable;
use super::{retirement, retry_after, rhythm};
use crate::activation::state::Pending;
use crate::activation::{State, Store, StoreError};
use crate::consent::{Consent, Effective, Target};
use crate::contract::RoutingMode;
use crate::diagnostics::Code;
use crate::gate::{self, Refusal};
use crate::identity::{self, Identity};
use crate::machine::{self, Surroundings};
use crate::notice;
use crate::paths::Place;
use crate::products::Subject;
use std::time::Duration;

/// Who attempts, and with what.
pub struct Attempt<'a> {
    /// The product.
    pub subject: &'a Subject,
    /// Its store. What is sent is of the install that lies beside it.
    pub store: &'a Store,
    /// Variables of this process and its ancestors.
    pub around: &'a Surroundings,
    /// When heartbeats are due.
    pub timing: Timing,
    /// Names this process in the lease; not 0.
    pub nonce: u64,
    /// When a user asked to send whether it is due or not.
    pub asked_at: Option<u64>,
    /// When the host started; `None` for a command line.
    pub running_since: Option<u64>,
    /// Seconds since 1970.
    pub clock: &'a dyn Fn() -> u64,
    /// Asked just before connecting.
    pub stopped: &'a dyn Fn() -> bool,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has it (2xx). The exact bytes.
    Acknowledged(Vec<u8>),
    /// Not now.
    Waiting(Begin),
    /// No acknowledgement; the next attempt is in so many seconds.
    Failed {
        /// What kind of failure it is.
        code: Code,
        /// What happened.
        why: String,
        /// Seconds until the next attempt.
        retry_in: u64,
    },
    /// The gate refused the payload; it is dropped and counted.
    Refused(Refusal),
    /// Off, or local only.
    NotAllowed(Consent),
    /// Nothing is sent for a reason that waiting does not change.
    Unable(Unable),
    /// The store did not answer in time.
    Busy,
    /// Stopped, or overtaken by another process or a new identity, before anything was sent.
    Abandoned,
}

impl Outcome {
    /// The code of an attempt that failed.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Failed { code, .. } => Some(*code),
            Self::Refused(_) => Some(Code::GateRefused),
            Self::NotAllowed(consent) => consent.code(),
            Self::Busy => Some(Code::StoreBusy),
            Self::Acknowledged(_) | Self::Waiting(_) | Self::Unable(_) | Self::Abandoned => None,
        }
    }
}

/// Why nothing could be sent from here, whatever is allowed: there is no store that can be written, or what is
/// sent could not be kept for the user to read. Found without side effects.
pub(crate) fn obstacle(place: &Place) -> Option<Unable> {
    match Store::check(place) {
        Err(error) => Some(Unable::Store(error)),
        Ok(()) => sent::obstacle(place).map(Unable::Copy),
    }
}

/// How often a short transaction is tried again when the store is busy.
const PATIENCE: u32 = 30;

impl Attempt<'_> {
    /// Attempts. `live` is asked only if something is to be sent. Blocks for one request at most.
    pub fn run(&self, live: &dyn Fn(&State) -> Live) -> Outcome {
        self.deliver(live).unwrap_or_else(|early| early)
    }

    fn turn(&self) -> Turn<'_> {
        Turn {
            nonce: self.nonce,
            timing: &self.timing,
            asked_at: self.asked_at,
            running_since: self.running_since,
            version: &self.subject.product.version,
        }
    }

    fn deliver(&self, live: &dyn Fn(&State) -> Live) -> Result<Outcome, Outcome> {
        let permission = self.permission()?;
        let policy = permission.client_policy();
        let target = permission.target.map_err(|error| Outcome::Unable(Unable::Endpoint(error)))?;
        if !target.is_loopback() {
            machine::never_shift_clock();
        }
        let state = self.store.read().map_err(unable)?;
        let now = (self.clock)();
        match schedule::would_begin(&state, now, &self.turn()) {
            Begin::Go | Begin::ClockReset(_) => {}
            other => return Err(Outcome::Waiting(other)),
        }
        if let Some(why) = obstacle(self.place()) {
            return Err(Outcome::Unable(why));
        }
        let live = live(&state);
        if live.routing_mode == Some(RoutingMode::Tap)
            && let Some(wait) = schedule::yields_to_gateway(&state, now, RoutingMode::Tap)
        {
            return Err(Outcome::Waiting(Begin::GatewayAlive(wait)));
        }
        let identity = identity::ensure(self.place(), now)
            .map_err(|error| Outcome::Unable(Unable::Identity(error)))?;
        let state = self.adopted(state, &identity)?;
        self.see_notice(&identity, &target, &state)?;
        let pending = self.claim(&identity, &live, &policy)?;
        self.check(&pending, &identity, &policy)?;
        let copy = self.prepare_copy(&pending)?;
        self.confirm(&identity)?;
        let answer = post(&target, &pending.bytes, &|name| std::env::var(name).ok());
        self.conclude(&pending.bytes, copy, answer, &identity)
    }

    /// Where the state of this install lies.
    fn place(&self) -> &Place {
        self.store.place()
    }

    /// Consent as it is at this moment. Another endpoint host than this store was made for is another
    /// install.
    fn permission(&self) -> Result<Permission, Outcome> {
        let permission = Permission::read(self.subject, self.around);
        match permission.consent.effective {
            Effective::On if permission.place != *self.place() => Err(Outcome::Abandoned),
            Effective::On => Ok(permission),
            _ => Err(Outcome::NotAllowed(permission.consent)),
        }
    }

    /// The state once it belongs to this id: what another install left says nothing about this one.
    fn adopted(&self, state: State, identity: &Identity) -> Result<State, Outcome> {
        if state.install.anonymous_id == identity.anonymous_id {
            return Ok(state);
        }
        let adopted = self.patiently(|state| {
            schedule::adopt(state, identity);
            state.clone()
        });
        adopted.map_err(unable)
    }

    /// Nothing leaves before its user was told.
    fn see_notice(
        &self,
        identity: &Identity,
        target: &Target,
        state: &State,
    ) -> Result<(), Outcome> {
        let shown = notice::shown(self.place(), identity, &target.authority(), state)
            .ok_or(Outcome::Unable(Unable::NotShown))?;
        if self.subject.require_visible_notice && shown.visible_at == 0 {
            return Err(Outcome::Unable(Unable::Unseen));
        }
        Ok(())
    }

    /// Takes the lease and stores the bytes, in one transaction that is on disk before it returns.
    fn claim(
        &self,
        identity: &Identity,
        live: &Live,
        policy: &ClientPolicy,
    ) -> Result<Pending, Outcome> {
        let claimed = self.patiently(|state| {
            let now = (self.clock)();
            schedule::adopt(state, identity);
            let (id, made) = (&identity.anonymous_id, &identity.created_at);
            if !state.pending.as_ref().is_some_and(|p| schedule::pending_is_valid(p, now, id, made))
            {
                // Whether a new one is due is asked without them.
                schedule::discard(state);
            }
            match schedule::begin(state, now, &self.turn()) {
                Begin::Go => {}
                other => return Err(Outcome::Waiting(other)),
            }
            if let Some(kept) = &state.pending {
                return Ok(kept.clone());
            }
            schedule::assembling(state, now, &self.turn());
            let pending =
                assemble::pending(&self.subject.product, state, identity, live, policy, now);
            state.pending = Some(pending.clone());
            Ok(pending)
        });
        claimed.map_err(unable)?
    }

    /// The gate, on the stored bytes, before every attempt.
    fn check(
        &self,
        pending: &Pending,
        identity: &Identity,
        policy: &ClientPolicy,
    ) -> Result<(), Outcome> {
        let own = assemble::own(pending, &self.subject.product, identity);
        let Err(refusal) = gate::check(&pending.bytes, Some(&own), &policy.private) else {
            return Ok(());
        };
        let now = (self.clock)();
        self.patiently(|state| schedule::refuse(state, now, self.nonce, &self.timing))
            .map_err(unable)?;
        Err(Outcome::Refused(refusal))
    }

    /// What leaves is to be read afterwards: without a place for that, nothing leaves.
    fn prepare_copy(&self, pending: &Pending) -> Result<Copy, Outcome> {
        sent::prepare(self.place(), &pending.bytes).map_err(|error| {
            self.give_back();
            Outcome::Unable(Unable::Copy(error))
        })
    }

    /// The lease, so that the next process need not wait for its end.
    fn give_back(&self) {
        let _ = self.store.update(false, |state| schedule::release(state, self.nonce));
    }

    /// Just before connecting: still wanted, still allowed, still the same install, still ours.
    fn confirm(&self, identity: &Identity) -> Result<(), Outcome> {
        if (self.stopped)() {
            self.give_back();
            return Err(Outcome::Abandoned);
        }
        let permission = self.permission()?;
        let state = self.store.read().map_err(unable)?;
        let same = permission.identity((self.clock)()).as_ref() == Some(identity);
        if !same || !schedule::still_mine(&state, (self.clock)(), self.nonce) {
            return Err(Outcome::Abandoned);
        }
        Ok(())
    }

    /// Records what the endpoint said, unless telemetry was switched off or reset meanwhile.
    fn conclude(
        &self,
        bytes: &[u8],
        copy: Copy,
        answer: Answer,
        identity: &Identity,
    ) -> Result<Outcome, Outcome> {
        let permission = Permission::read(self.subject, self.around);
        if permission.consent.effective == Effective::Off {
            return Err(Outcome::NotAllowed(permission.consent));
        }
        let now = (self.clock)();
        let same = permission.place == *self.place()
            && permission.identity(now).as_ref() == Some(identity);
        if !same {
            return Err(Outcome::Abandoned);
        }
        let mut retired = None;
        let (failure, code, why) = match answer {
            Answer::Status(200..=299, _) => {
                // The copy first: a crash in between leaves an acknowledged payload that is kept.
                copy.keep();
                self.patiently(|state| schedule::acknowledge(state, now, self.nonce, bytes))
                    .map_err(unable)?;
                return Ok(Outcome::Acknowledged(bytes.to_vec()));
            }
            Answer::Status(status @ (408 | 429 | 500..=599), after) => {
                let after = after.and_then(|value| retry_after::parse(&value, now));
                let why = format!("the endpoint answered {status}");
                (Failure::Transient(after), Code::EndpointUnreachable, why)
            }
            Answer::Status(status @ 300..=399, _) => {
                let why = format!("the endpoint answered {status}; redirects are not followed");
                (Failure::UntilTomorrow, Code::EndpointRefused, why)
            }
            Answer::Gone(body) => {
                retired = retirement::version(&body, bytes);
                let (code, says) = match retired {
                    Some(_) => (Code::EndpointRetired, "410: this version is retired"),
                    None => (Code::EndpointRefused, "410"),
                };
                (Failure::UntilTomorrow, code, format!("the endpoint answered {says}"))
            }
            Answer::Status(status, _) => {
                let why = format!("the endpoint answered {status}");
                (Failure::UntilTomorrow, Code::EndpointRefused, why)
            }
            Answer::NetworkError(why) => {
                (Failure::Transient(None), Code::EndpointUnreachable, why.to_owned())
            }
            Answer::NotBuilt(why) => {
                (Failure::UntilTomorrow, Code::EndpointUnreachable, why.to_owned())
            }
        };
        let fail = |state: &mut State| {
            if let Some(version) = &retired {
                rhythm::retire(&mut state.sender, version, now);
            }
            let wait = schedule::fail(state, now, self.nonce, failure, &self.timing, bytes);
            match rhythm::retired_until(&state.sender, self.turn().version, now) {
                Some(until) => wait.max(until - now),
                None => wait,
            }
        };
        let retry_in = self.patiently(fail).map_err(unable)?;
        Ok(Outcome::Failed { code, why, retry_in })
    }

    /// A durable transaction; a busy store is tried again for a few seconds.
    fn patiently<R>(&self, mut change: impl FnMut(&mut State) -> R) -> Result<R, StoreError> {
        let mut tries = 0;
        loop {
            match self.store.update(true, &mut change) {
                Err(StoreError::Busy) if tries < PATIENCE => tries += 1,
                result => return result,
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn unable(error: StoreError) -> Outcome {
    match error {
        StoreError::Busy => Outcome::Busy,
        other => Outcome::Unable(Unable::Store(other)),
    }
}
