//! `telemetry send`: the heartbeat from the command line, by the same rules as in a host.
//!
//! One rule: `--now` overrides when, never whether.

use super::about::About;
use super::{Call, Failure, output};
use crate::activation::{State, Store};
use crate::config::EDIT_DEADLINE;
use crate::consent::{Consent, Effective};
use crate::contract::timestamp;
use crate::heartbeat::attempt::{Attempt, Outcome};
use crate::heartbeat::permission::Permission;
use crate::heartbeat::schedule::{self, Begin};
use crate::heartbeat::timing::Timing;
use crate::heartbeat::{assemble, nonce, preview};
use crate::identity;
use crate::machine::{self, Surroundings};
use crate::notice::{self, Notice, Program};
use crate::products::{self, Subject};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let about = About::in_use(call, Surroundings::of_this_process())?;
    let said = send(&about.subject, call.has("now")).map_err(Failure::failed)?;
    output::print(&format!("{said}\n"))
}

/// What happened; else why nothing was acknowledged.
fn send(subject: &Subject, at_once: bool) -> Result<String, String> {
    let around = Surroundings::of_this_process();
    let dir = &subject.dir;
    let permission = Permission::read(subject, around);
    let place = &permission.place;
    if permission.consent.effective != Effective::On {
        return Err(not_allowed(&permission.consent));
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
            .map_err(|error| format!("not sent: {error}"))?;
    }
    let store = Store::open(place, machine::now).map_err(|e| format!("not sent: {e}"))?;
    // To ask for it is no consent to more than the notice says: it comes first here, too.
    let identity = identity::ensure(place, now)
        .map_err(|error| error.to_string())
        .and_then(|id| {
            let adopted = store.update(true, |state| schedule::adopt(state, &id));
            adopted.map(|()| id).map_err(|error| error.to_string())
        })
        .map_err(|why| format!("not sent: {why}"))?;
    let notice = Notice {
        product: &subject.product.name,
        host: &permission.host(),
        first_in: 0,
        dir,
        program: Program::current(),
    };
    notice::show_once(&notice, &store, &identity, now)
        .map_err(|error| format!("not sent: {error}"))?;
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
    let outcome = attempt.run(&|state| {
        assemble::live_host(state, machine::now())
            .map_or_else(|| preview::own_fields(dir), assemble::Live::from)
    });
    let now = machine::now();
    let next = store.read().ok().and_then(|state| {
        let since = assemble::live_host(&state, now).map(|host| host.started_at);
        schedule::next_attempt_of(&subject.product.version, &state, &timing, since, now)
    });
    say(outcome, at_once, now, next)
}

/// `next` is when the next attempt may begin, as the status says it.
fn say(outcome: Outcome, at_once: bool, now: u64, next: Option<u64>) -> Result<String, String> {
    let later = |wait: u64| {
        let at = next.filter(|at| *at > now).unwrap_or(now + wait);
        format!("in {}, at {}", span(at - now), timestamp::format(at))
    };
    let next_attempt = || match next {
        Some(at) => format!("the next attempt is {}", later(at.saturating_sub(now))),
        None => "the next attempt is made once a host has started".to_owned(),
    };
    // A build without `explain` has no use for it.
    let code = match outcome.code().filter(|_| cfg!(feature = "cli")) {
        Some(code) => format!(" ({code})"),
        None => String::new(),
    };
    match outcome {
        Outcome::Acknowledged(bytes) => Ok(format!("sent: {} bytes, acknowledged", bytes.len())),
        // Times are whole seconds: whoever asks in that of the last acknowledgement has what they asked for.
        Outcome::Waiting(Begin::NotDue(_)) if at_once => {
            Ok("not sent again: one was acknowledged in the second in which this was asked for, or since".to_owned())
        }
        Outcome::Waiting(Begin::NotDue(wait)) => Ok(format!("not due: next {}", later(wait))),
        Outcome::Waiting(Begin::BackingOff(wait)) => Ok(format!(
            "not due: the last attempt failed, next {}; --now tries at once",
            later(wait)
        )),
        Outcome::Waiting(Begin::Retired(wait)) => Ok(format!(
            "not due: the endpoint retired this version, it is asked again {}; --now asks at once",
            later(wait)
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
        Outcome::Waiting(Begin::Go) | Outcome::Abandoned => {
            Err("not sent: overtaken by another process or a new identity".to_owned())
        }
        Outcome::Failed { why, .. } => {
            Err(format!("not acknowledged: {why}{code}; {}", next_attempt()))
        }
        Outcome::Refused(refusal) => Err(format!(
            "not sent: the anonymity gate refused it{code}: {refusal}; {}",
            next_attempt()
        )),
        Outcome::NotAllowed(consent) => Err(not_allowed(&consent)),
        Outcome::Unable(why) => Err(format!("not sent: {why}")),
        Outcome::Busy => Err("not sent: the activation store is busy; try again".to_owned()),
    }
}

fn not_allowed(consent: &Consent) -> String {
    let state = match consent.effective {
        Effective::LocalOnly => "local only",
        Effective::On | Effective::Off => "off",
    };
    format!("not sent: telemetry is {state} ({}): {}", consent.rule, consent.detail)
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
