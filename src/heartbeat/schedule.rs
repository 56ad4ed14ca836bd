//! When to send and who sends: pure functions over the stored state, run inside its transactions.
//!
//! One rule: a stored time that is more than a day ahead is reset to now and nothing is sent for it; one that
//! is less far ahead stays. A clock that jumped must not cause a burst, nor a second heartbeat of one day.

use super::timing::{
    AHEAD, LEASE, LEASE_NEEDED, LIVE_FOR, PENDING_MAX_AGE, RETRY_AFTER_MAX, TICK, Timing,
};
use super::{lifetime, rhythm};
use crate::activation::state::{Pending, Second};
use crate::activation::{LiveMark, State};
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
    /// The endpoint retired this version of the product.
    Retired(u64),
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
    /// When its process started: telemetry may have been switched on long after.
    pub started_at: u64,
}

/// Records that a host started: the first start of the install, an upgrade, a launch by an installer.
pub fn host_started(state: &mut State, start: &HostStart<'_>, now: u64) {
    adopt(state, start.identity);
    reset_future_times(state, now);
    if state.sender.first_start == 0 {
        state.sender.first_start = now;
        state.sender.initial_delay = start.initial_delay;
    }
    // A clock that was set back does not undo a start.
    state.sender.last_start = state.sender.last_start.max(start.started_at);
    lifetime::begin(state, start.identity, now);
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
        discard(state);
        lifetime::rotate(state, identity);
    } else if !known.is_empty() {
        *state = State::default();
    }
    state.install.anonymous_id.clone_from(&identity.anonymous_id);
}

/// The process that asks whether it may send.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Names it in the lease; not 0.
    pub nonce: u64,
    /// When heartbeats are due.
    pub timing: &'a Timing,
    /// When a user asked to send whether it is due or not.
    pub asked_at: Option<u64>,
    /// When it started; `None` for a command line.
    pub running_since: Option<u64>,
    /// The version of the product that it sends for.
    pub version: &'a str,
}

/// When the next attempt may begin: when it is due, and after a failure or a refusal not before the wait
/// is over; `None` before any host has started. `running_since` is the start of the host that will send.
pub fn next_attempt(
    state: &State,
    timing: &Timing,
    running_since: Option<u64>,
    now: u64,
) -> Option<u64> {
    let due = match &state.pending {
        // They were due when they were made.
        Some(pending) => pending.made_at.min(now),
        None => rhythm::next_due(state, timing, running_since, now)?,
    };
    Some(due.max(again(state, timing, running_since)))
}

/// As [`next_attempt`], for this version of the product: an endpoint that retired it is asked later. What status,
/// snapshot and `send` say.
pub fn next_attempt_of(
    version: &str,
    state: &State,
    timing: &Timing,
    running_since: Option<u64>,
    now: u64,
) -> Option<u64> {
    let next = next_attempt(state, timing, running_since, now)?;
    let retired = rhythm::retired_until(&state.sender, version, now);
    Some(retired.map_or(next, |until| next.max(until)))
}

/// When the wait after the last attempt is over.
fn again(state: &State, timing: &Timing, running_since: Option<u64>) -> u64 {
    let again = state.sender.last_attempt.saturating_add(state.sender.retry_after);
    if state.pending.is_some() || state.sender.retry_after == 0 {
        return again;
    }
    // What was refused waits for the next day, and so for 00:00 UTC.
    rhythm::across_midnight(again, state, timing, running_since)
}

/// What [`begin`] would answer, without changing anything.
pub fn would_begin(state: &State, now: u64, turn: &Turn<'_>) -> Begin {
    begin(&mut state.clone(), now, turn)
}

/// Takes the lease if a heartbeat is due. That a user asked for one (`asked_at`) overrides due, backoff and
/// that the version is retired, never the lease. An acknowledgement since then is what was asked for: eight
/// users of `--now` at once get one, and no two payloads carry the same second, by which receivers know
/// duplicates.
pub fn begin(state: &mut State, now: u64, turn: &Turn<'_>) -> Begin {
    // A machine whose clock starts in 1970 at every boot would reset the last acknowledgement each time,
    // and send again each time its clock is set.
    if now < FIRST_PLAUSIBLE_TIME {
        return Begin::ClockUnset(TICK);
    }
    if reset_future_times(state, now) {
        return Begin::ClockReset(1);
    }
    let sender = &mut state.sender;
    if sender.lease_owner != 0 && sender.lease_owner != turn.nonce && now < sender.lease_until {
        return Begin::LeasedByOther(sender.lease_until - now);
    }
    if sender.lease_owner != 0 {
        // A holder that neither succeeded nor failed died on the way. Its bytes are retried, but not
        // by every short-lived process in a row.
        sender.lease_owner = 0;
        sender.failures = sender.failures.saturating_add(1);
        if sender.failures > 1 {
            // It may have held the lease while another process learnt that nothing is wanted today.
            let backoff = turn.timing.backoff(sender.failures, turn.nonce);
            sender.retry_after = sender.retry_after.max(backoff);
        }
    }
    // An acknowledgement that is ahead of the clock was before that was set back.
    let answered = |at: u64| (at.min(now)..=now).contains(&state.sender.last_success);
    if turn.asked_at.is_none_or(answered)
        && let Some(wait) = wait(state, now, turn)
    {
        return wait;
    }
    let sender = &mut state.sender;
    sender.lease_owner = turn.nonce;
    sender.lease_until = now + LEASE;
    sender.last_attempt = now;
    sender.retry_after = 0;
    Begin::Go
}

/// Why it is not yet time, if it is not.
fn wait(state: &State, now: u64, turn: &Turn<'_>) -> Option<Begin> {
    let Turn { timing, running_since, .. } = *turn;
    if let Some(until) = rhythm::retired_until(&state.sender, turn.version, now) {
        return Some(Begin::Retired(until - now));
    }
    if state.pending.is_none() {
        match rhythm::next_due(state, timing, running_since, now) {
            None => return Some(Begin::NotDue(timing.initial_delay(turn.nonce))),
            Some(due) if due > now => return Some(Begin::NotDue(due - now)),
            Some(_) => {}
        }
    }
    let again = again(state, timing, running_since);
    (state.sender.last_attempt != 0 && again > now).then(|| Begin::BackingOff(again - now))
}

/// Notes, just before a heartbeat is assembled, whether it is the second one of the first day.
pub fn assembling(state: &mut State, now: u64, turn: &Turn<'_>) {
    let is_due = |due: Option<u64>| due.is_some_and(|due| due <= now);
    if is_due(rhythm::second(state, turn.timing, now))
        && !is_due(rhythm::regular(state, turn.timing, turn.running_since))
    {
        state.sender.second = Second::Pending;
    }
}

/// Drops the pending bytes. What they reported stays in the store, and the next heartbeat reports it.
pub fn discard(state: &mut State) {
    state.pending = None;
    if state.sender.second == Second::Pending {
        state.sender.second = Second::None;
    }
}

/// Resets every stored time that lies more than a day ahead. Whether there was one.
fn reset_future_times(state: &mut State, now: u64) -> bool {
    if now < FIRST_PLAUSIBLE_TIME {
        return false;
    }
    let sender = &mut state.sender;
    let furthest = now.saturating_add(AHEAD);
    let [newer, older] = &mut sender.retired;
    let mut any = false;
    for time in [
        &mut sender.first_start,
        &mut sender.last_success,
        &mut sender.last_attempt,
        &mut sender.timestamp,
        &mut sender.timestamp_of,
        &mut sender.last_start,
        &mut newer.at,
        &mut older.at,
    ] {
        if *time > furthest {
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
    let from = rhythm::counted_from(sender);
    let is_first_day = rhythm::is_one_day(from, pending.made_at);
    let is_second = sender.second == Second::Pending && is_first_day;
    let may_follow = from == 0 || sender.second == Second::Open && is_first_day;
    let is_open = may_follow && !rhythm::reports_real_call(&pending.bytes);
    sender.second = if is_open { Second::Open } else { Second::None };
    // The second one of the first day does not move the rhythm; nor does a clock that was set back.
    sender.timestamp = if is_second { from } else { from.max(pending.made_at) };
    sender.last_success = now;
    sender.timestamp_of = now;
    sender.failures = 0;
    sender.retry_after = 0;
    rhythm::wanted_again(sender, &pending.bytes);
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
    /// Not worth one before the next UTC day, and then not of the same bytes: 3xx and other 4xx.
    UntilTomorrow,
}

/// Records that an attempt to send `sent` failed, and releases the lease. Seconds until the next. Of bytes
/// that are no longer pending nothing is recorded: what became of them in another process counts.
pub fn fail(
    state: &mut State,
    now: u64,
    nonce: u64,
    failure: Failure,
    timing: &Timing,
    sent: &[u8],
) -> u64 {
    release(state, nonce);
    let sender = &mut state.sender;
    if state.pending.as_ref().is_none_or(|pending| pending.bytes != sent) {
        return sender.last_attempt.saturating_add(sender.retry_after).saturating_sub(now);
    }
    sender.failures = sender.failures.saturating_add(1);
    sender.last_attempt = now;
    let backoff = timing.backoff(sender.failures, nonce);
    let retry_after = match failure {
        Failure::Transient(None) => backoff,
        Failure::Transient(Some(after)) => {
            let after = after.clamp(1, RETRY_AFTER_MAX);
            // An endpoint may shorten the wait, but one that fails again and again may not hurry us.
            if sender.failures <= HURRIED_RETRIES { after } else { after.max(backoff) }
        }
        Failure::UntilTomorrow => until_tomorrow(state, now, timing),
    };
    state.sender.retry_after = retry_after;
    retry_after
}

/// Discards the pending bytes. Seconds until the next UTC day.
fn until_tomorrow(state: &mut State, now: u64, timing: &Timing) -> u64 {
    // Their day may be ahead of a clock that was set back: an answer that was lost may have been a yes.
    let day = state.pending.as_ref().map_or(now, |pending| pending.made_at.max(now));
    discard(state);
    timing.interval.unwrap_or_else(|| rhythm::next_midnight(day) - now)
}

/// Drops the pending bytes that the gate refused and waits for the next day.
pub fn refuse(state: &mut State, now: u64, nonce: u64, timing: &Timing) {
    release(state, nonce);
    state.install.anonymity_violations = state.install.anonymity_violations.saturating_add(1);
    state.sender.last_attempt = now;
    state.sender.retry_after = until_tomorrow(state, now, timing);
}

/// Whether a process holds the lease. One that is longer than possible is of a clock that was set back.
pub fn is_leased(state: &State, now: u64) -> bool {
    let sender = &state.sender;
    let longest = now.saturating_add(LEASE + CLOCK_SLACK);
    sender.lease_owner != 0 && (now..=longest).contains(&sender.lease_until)
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
