//! `telemetry send`: the heartbeat from the command line, by the same rules as in a host.
//!
//! One rule: `--now` overrides when, never whether.

use super::about::About;
use super::{Call, Failure, output};
use crate::activation::{State, Store, StoreError};
use crate::config::EDIT_DEADLINE;
use crate::consent::{Consent, Effective};
use crate::contract::timestamp;
use crate::diagnostics::Code;
use crate::gate::Refusal;
use crate::heartbeat::attempt::{Attempt, Outcome};
use crate::heartbeat::live::{self, Live};
use crate::heartbeat::nonce;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::schedule::{self, Begin};
use crate::heartbeat::timing::Timing;
use crate::heartbeat::unable::Unable;
use crate::identity::{self, IdentityError};
use crate::machine::{self, Surroundings};
use crate::notice::{self, Notice, NoticeError, Program};
use crate::products::{self, EnterError, Subject};
use std::fmt;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let about = About::in_use(call, Surroundings::of_this_process())?;
    let said = send(&about.subject, call.has("now"))
        .map_err(|error| Failure::failed(error.to_string()))?;
    output::print(&format!("{said}\n"))
}

/// Why nothing was acknowledged.
enum SendError {
    /// Telemetry is off, or local only.
    NotAllowed(Consent),
    /// The product could not get a place.
    Enter(EnterError),
    /// The store cannot be used.
    Store(StoreError),
    /// There is no id to send under.
    Identity(IdentityError),
    /// The notice could not be shown.
    Notice(NoticeError),
    /// Another process or a new identity came first.
    Overtaken,
    /// The endpoint did not take it: why, and when the next attempt is.
    NotAcknowledged(String, NextAttempt),
    /// The gate refused it.
    Refused(Refusal, NextAttempt),
    /// Waiting changes nothing about it.
    Unable(Unable),
    /// The store did not answer in time.
    Busy,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why: &dyn fmt::Display = match self {
            Self::NotAcknowledged(why, next) => {
                return write!(f, "not acknowledged: {why}; {next}");
            }
            Self::Refused(refusal, next) => {
                return write!(f, "not sent: the anonymity gate refused it: {refusal}; {next}");
            }
            Self::NotAllowed(consent) => {
                let state = match consent.effective {
                    Effective::LocalOnly => "local only",
                    Effective::On | Effective::Off => "off",
                };
                return write!(
                    f,
                    "not sent: telemetry is {state} ({}): {}",
                    consent.rule, consent.detail
                );
            }
            Self::Enter(error) => error,
            Self::Store(error) => error,
            Self::Identity(error) => error,
            Self::Notice(error) => error,
            Self::Overtaken => &"overtaken by another process or a new identity",
            Self::Unable(why) => why,
            Self::Busy => &"the activation store is busy; try again",
        };
        write!(f, "not sent: {why}")
    }
}

/// When the next attempt may begin, as the status says it, seen at a time.
#[derive(Clone, Copy)]
struct NextAttempt {
    next: Option<u64>,
    now: u64,
}

impl NextAttempt {
    /// In words; `wait` is how long it is until then if the status does not say it.
    fn later(self, wait: u64) -> String {
        let at = self.next.filter(|at| *at > self.now).unwrap_or(self.now + wait);
        format!("in {}, at {}", span(at - self.now), timestamp::format(at))
    }
}

impl fmt::Display for NextAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.next {
            Some(at) => {
                write!(f, "the next attempt is {}", self.later(at.saturating_sub(self.now)))
            }
            None => f.write_str("the next attempt is made once a host has started"),
        }
    }
}

/// What happened.
fn send(subject: &Subject, at_once: bool) -> Result<String, SendError> {
    let around = Surroundings::of_this_process();
    let dir = &subject.dir;
    let permission = Permission::read(subject, around);
    let place = &permission.place;
    if permission.consent.effective != Effective::On {
        return Err(SendError::NotAllowed(permission.consent));
    }
    let now = machine::now();
    let timing = Timing::of(around);
    let started = |state: State| schedule::next_attempt(&state, &timing, None, now).is_some();
    let known = || Store::peek(place, now).map(|state| state.or_else(|| Store::remembered(place)));
    if !at_once && known().is_ok_and(|state| !state.is_some_and(started)) {
        return Ok("not due: no host has started yet".to_owned());
    }
    // Where no host of this endpoint has started yet, this is the first. A command makes none the newest.
    if permission.anonymous_id().is_none() {
        products::enter(subject, place, permission.endpoint().as_deref(), now, EDIT_DEADLINE)
            .map_err(SendError::Enter)?;
    }
    let store = Store::open(place, machine::now).map_err(SendError::Store)?;
    // To ask for it is no consent to more than the notice says: it comes first here, too.
    let identity = identity::ensure(place, now).map_err(SendError::Identity)?;
    store.update(true, |state| schedule::adopt(state, &identity)).map_err(SendError::Store)?;
    let notice = Notice {
        product: &subject.product.name,
        host: &permission.host(),
        first_in: 0,
        dir,
        program: Program::current(),
    };
    notice::show_once(&notice, &store, &identity, now).map_err(SendError::Notice)?;
    let attempt = Attempt {
        subject,
        store: &store,
        around,
        timing,
        nonce: nonce(),
        asked_at: at_once.then_some(now),
        running_since: None,
        clock: &machine::now,
        stopped: &|| false,
    };
    let outcome = attempt.run(&|state| Live::of_sender(state, dir, machine::now()));
    let now = machine::now();
    let next = store.read().ok().and_then(|state| {
        let since = live::live_host(&state, now).map(|host| host.started_at);
        schedule::next_attempt_of(&subject.product.version, &state, &timing, since, now)
    });
    say(outcome, at_once, NextAttempt { next, now })
}

/// With the code of an outcome, where this build can explain it.
#[cfg(feature = "cli")]
fn coded(code: Option<Code>, why: String) -> String {
    match code {
        Some(code) => format!("{why} ({code})"),
        None => why,
    }
}

#[cfg(not(feature = "cli"))]
fn coded(_: Option<Code>, why: String) -> String {
    why
}

fn say(outcome: Outcome, at_once: bool, next: NextAttempt) -> Result<String, SendError> {
    let code = outcome.code();
    match outcome {
        Outcome::Acknowledged(bytes) => Ok(format!("sent: {} bytes, acknowledged", bytes.len())),
        // Times are whole seconds: whoever asks in that of the last acknowledgement has what they asked for.
        Outcome::Waiting(Begin::NotDue(_)) if at_once => {
            Ok("not sent again: one was acknowledged in the second in which this was asked for, or since".to_owned())
        }
        Outcome::Waiting(Begin::NotDue(wait)) => Ok(format!("not due: next {}", next.later(wait))),
        Outcome::Waiting(Begin::BackingOff(wait)) => Ok(format!(
            "not due: the last attempt failed, next {}; --now tries at once",
            next.later(wait)
        )),
        Outcome::Waiting(Begin::Retired(wait)) => Ok(format!(
            "not due: the endpoint retired this version, it is asked again {}; --now asks at once",
            next.later(wait)
        )),
        Outcome::Waiting(Begin::LeasedByOther(_)) => {
            Ok("not due: another process is sending".to_owned())
        }
        Outcome::Waiting(Begin::GatewayAlive(_)) => Ok("not due: a gateway sends".to_owned()),
        Outcome::Waiting(Begin::ClockReset(_)) => {
            Ok("not due: the clock was set back; stored times were reset, nothing was sent"
                .to_owned())
        }
        Outcome::Waiting(Begin::ClockUnset(_)) => {
            Ok("not due: the clock of this machine is not set".to_owned())
        }
        Outcome::Waiting(Begin::Go) | Outcome::Abandoned => Err(SendError::Overtaken),
        Outcome::Failed { why, .. } => {
            Err(SendError::NotAcknowledged(coded(code, why), next))
        }
        Outcome::Refused(refusal) => Err(SendError::Refused(refusal, next)),
        Outcome::NotAllowed(consent) => Err(SendError::NotAllowed(consent)),
        Outcome::Unable(why) => Err(SendError::Unable(why)),
        Outcome::Busy => Err(SendError::Busy),
    }
}

pub(super) fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_said_in_units_that_fit() {
        assert_eq!([span(7), span(67), span(86_399)], ["7 s", "1 min 7 s", "23 h 59 min"]);
    }
}
