//! When to send and who sends: pure functions over the stored state, run inside its transactions.
//!
//! One rule: a time in the future is reset to now and nothing is sent for it; a clock that jumped
//! must not cause a burst.

use super::timing::{
    LEASE, LEASE_NEEDED, LIVE_FOR, PENDING_MAX_AGE, RETRY_AFTER_MAX, TICK, Timing,
};
use crate::activation::State;
use crate::activation::state::{LiveMark, Pending};
use crate::contract::{self, RoutingMode, SCHEMA_VERSION};
use crate::identity::{FIRST_PLAUSIBLE_TIME, Identity};

/// Processes read their clocks moments apart; a lease this much longer than possible is not the future.
const CLOCK_SLACK: u64 = 5;
/// How often in a row a `Retry-After` shorter than our own backoff is followed.
const HURRIED_RETRIES: u32 = 3;

/// Whether a process may try to send now. Waits are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// This process holds the lease.
    Go,
    /// The next heartbeat is due later.
    NotDue(u64),
    /// Another process is sending.
    LeasedByOther(u64),
    /// The last attempt failed.
    BackingOff(u64),
    /// A gateway is alive; it sends for everybody.
    GatewayAlive(u64),
    /// A stored time lay in the future and was reset.
    ClockReset(u64),
    /// The clock was not set yet: it says nothing about stored times.
    ClockUnset(u64),
}

/// What a host knows when it starts.
#[derive(Clone, Debug)]
pub struct HostStart<'a> {
    /// The install's id.
    pub identity: &'a Identity,
    /// The version that runs.
    pub version: &'a str,
    /// Which installation launched it, if an installer did.
    pub installer_stamp: Option<String>,
    /// Jittered; kept if this is the first start of the install.
    pub initial_delay: u64,
}

/// Records that a host started: the first start of the install, an upgrade, a launch by an installer.
pub fn host_started(state: &mut State, start: &HostStart<'_>, now: u64) {
    adopt(state, start.identity);
    reset_future_times(state, now);
    if state.sender.first_start == 0 {
        state.sender.first_start = now;
        state.sender.initial_delay = start.initial_delay;
    }
    let install = &mut state.install;
    if install.current_version != start.version {
        // The first version ever has none before it: the empty text moves along.
        install.previous_version =
            std::mem::replace(&mut install.current_version, start.version.to_owned());
    }
    // Once per installation: a host that lives long or restarts does not report the installer again.
    if let Some(stamp) = &start.installer_stamp
        && install.installer_stamp != *stamp
    {
        install.installer_stamp.clone_from(stamp);
        install.installer_pending = true;
    }
}

/// Makes the store belong to this id. Another id than before is a new install: nothing of the old one
/// may be reported under it, and the notice is shown again. An id that took the old one's place after a
/// year is not: flags stay, clients seen start again.
pub fn adopt(state: &mut State, identity: &Identity) {
    let known = &state.install.anonymous_id;
    if *known == identity.anonymous_id {
        return;
    }
    if identity.rotated_from.as_ref() == Some(known) {
        state.funnel.clients.clear();
        state.pending = None;
    } else if !known.is_empty() {
        *state = State::default();
    }
    state.install.anonymous_id.clone_from(&identity.anonymous_id);
}

/// When the next heartbeat is due; `None` before any host has started.
pub fn next_due(state: &State, timing: &Timing) -> Option<u64> {
    let sender = &state.sender;
    match (sender.last_success, sender.first_start) {
        (0, 0) => None,
        (0, first_start) => {
            let delay = timing.initial_delay.unwrap_or(sender.initial_delay);
            Some(first_start.saturating_add(delay))
        }
        (last_success, _) => Some(last_success.saturating_add(timing.interval)),
    }
}

/// When the next attempt may begin: when it is due, and after a failure or a refusal not before the wait
/// is over.
pub fn next_attempt(state: &State, timing: &Timing) -> Option<u64> {
    let sender = &state.sender;
    let again = sender.last_attempt.saturating_add(sender.retry_after);
    next_due(state, timing).map(|due| due.max(again))
}

/// What [`begin`] would answer, without changing anything.
pub fn would_begin(
    state: &State,
    now: u64,
    nonce: u64,
    timing: &Timing,
    asked_at: Option<u64>,
) -> Begin {
    // Only times and counts decide, so the copy leaves the stored bytes out.
    let mut copy = State { sender: state.sender, ..State::default() };
    begin(&mut copy, now, nonce, timing, asked_at)
}

/// Takes the lease if a heartbeat is due. That a user asked for one (`asked_at`) overrides due and
/// backoff, never the lease. An acknowledgement since then is what was asked for: eight users of `--now` at
/// once get one, and no two payloads carry the same second, by which receivers know duplicates.
pub fn begin(
    state: &mut State,
    now: u64,
    nonce: u64,
    timing: &Timing,
    asked_at: Option<u64>,
) -> Begin {
    // A machine whose clock starts in 1970 at every boot would reset the last acknowledgement each time,
    // and send again each time its clock is set.
    if now < FIRST_PLAUSIBLE_TIME {
        return Begin::ClockUnset(TICK);
    }
    if reset_future_times(state, now) {
        return Begin::ClockReset(1);
    }
    let sender = &mut state.sender;
    if sender.lease_owner != 0 && sender.lease_owner != nonce && now < sender.lease_until {
        return Begin::LeasedByOther(sender.lease_until - now);
    }
    if sender.lease_owner != 0 {
        // A holder that neither succeeded nor failed died on the way. Its bytes are retried, but not
        // by every short-lived process in a row.
        sender.lease_owner = 0;
        sender.failures = sender.failures.saturating_add(1);
        if sender.failures > 1 {
            sender.retry_after = timing.backoff(sender.failures, nonce);
        }
    }
    if asked_at.is_none_or(|at| state.sender.last_success >= at.min(now)) {
        let due = next_due(state, timing);
        match due {
            None => return Begin::NotDue(timing.initial_delay(nonce)),
            Some(due) if due > now => return Begin::NotDue(due - now),
            Some(_) => {}
        }
        let sender = &state.sender;
        let again = sender.last_attempt.saturating_add(sender.retry_after);
        if sender.last_attempt != 0 && again > now {
            return Begin::BackingOff(again - now);
        }
    }
    let sender = &mut state.sender;
    sender.lease_owner = nonce;
    sender.lease_until = now + LEASE;
    sender.last_attempt = now;
    sender.retry_after = 0;
    Begin::Go
}

/// Resets every stored time that lies in the future. Whether there was one.
fn reset_future_times(state: &mut State, now: u64) -> bool {
    if now < FIRST_PLAUSIBLE_TIME {
        return false;
    }
    let sender = &mut state.sender;
    let mut any = false;
    for time in [&mut sender.first_start, &mut sender.last_success, &mut sender.last_attempt] {
        if *time > now {
            *time = now;
            any = true;
        }
    }
    if sender.lease_until > now.saturating_add(LEASE + CLOCK_SLACK) {
        sender.lease_until = now;
        any = true;
    }
    any
}

/// Whether `nonce` still holds the lease, with time for a whole request. Asked just before connecting.
pub fn still_mine(state: &State, now: u64, nonce: u64) -> bool {
    let sender = &state.sender;
    sender.lease_owner == nonce && sender.lease_until >= now.saturating_add(LEASE_NEEDED)
}

/// Whether stored bytes may still be sent for this identity: not too old (nor, for a clock that went
/// back, too far ahead), not made for another id, and not in a version of the contract that a program
/// before this one sent.
pub fn pending_is_valid(pending: &Pending, now: u64, id: &str, created_at: &str) -> bool {
    now.abs_diff(pending.made_at) <= PENDING_MAX_AGE
        && pending.anonymous_id == id
        && pending.anonymous_id_created_at == created_at
        && contract::version_of(&pending.bytes) == Some(SCHEMA_VERSION)
}

/// Records an acknowledgement of `sent`, once: only while the same bytes are still pending. Whether it
/// was recorded.
pub fn acknowledge(state: &mut State, now: u64, nonce: u64, sent: &[u8]) -> bool {
    release(state, nonce);
    let Some(pending) = state.pending.take_if(|pending| pending.bytes == sent) else {
        return false;
    };
    let sender = &mut state.sender;
    sender.last_success = now;
    sender.failures = 0;
    sender.retry_after = 0;
    if pending.installer {
        state.install.installer_pending = false;
    }
    state.counters = state.counters.minus(pending.counters);
    true
}

/// Why an attempt did not end in an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Worth another try soon: network errors, 408, 429, 5xx. With `Retry-After` in seconds.
    Transient(Option<u64>),
    /// Not worth one before the next day: 3xx and other 4xx.
    UntilTomorrow,
}

/// Records a failed attempt and releases the lease. Seconds until the next.
pub fn fail(state: &mut State, now: u64, nonce: u64, failure: Failure, timing: &Timing) -> u64 {
    release(state, nonce);
    let sender = &mut state.sender;
    sender.failures = sender.failures.saturating_add(1);
    sender.last_attempt = now;
    let backoff = timing.backoff(sender.failures, nonce);
    sender.retry_after = match failure {
        Failure::Transient(None) => backoff,
        Failure::Transient(Some(after)) => {
            let after = after.clamp(1, RETRY_AFTER_MAX);
            // An endpoint may shorten the wait, but one that fails again and again may not hurry us.
            if sender.failures <= HURRIED_RETRIES { after } else { after.max(backoff) }
        }
        Failure::UntilTomorrow => timing.interval,
    };
    sender.retry_after
}

/// Drops the pending bytes that the gate refused and waits for the next day.
pub fn refuse(state: &mut State, now: u64, nonce: u64, timing: &Timing) {
    release(state, nonce);
    state.install.anonymity_violations = state.install.anonymity_violations.saturating_add(1);
    state.pending = None;
    state.sender.last_attempt = now;
    state.sender.retry_after = timing.interval;
}

/// Gives the lease back, if it is still ours.
pub fn release(state: &mut State, nonce: u64) {
    if state.sender.lease_owner == nonce {
        state.sender.lease_owner = 0;
        state.sender.lease_until = 0;
    }
}

/// A mark that was written less than two minutes ago, and not in the future.
pub fn is_fresh(mark: &LiveMark, now: u64) -> bool {
    mark.at <= now.saturating_add(CLOCK_SLACK) && now.saturating_sub(mark.at) < LIVE_FOR
}

/// Whether a host must leave sending to a live gateway; seconds until that mark goes stale.
pub fn yields_to_gateway(state: &State, now: u64, routing: RoutingMode) -> Option<u64> {
    let mark = state.live_serve.as_ref().filter(|mark| is_fresh(mark, now))?;
    (routing == RoutingMode::Tap).then(|| (mark.at + LIVE_FOR).saturating_sub(now).max(1))
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
