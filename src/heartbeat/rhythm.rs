//! The rhythm: when the next heartbeat of an install is due, as pure functions over what is stored.
//!
//! One rule: everything counts from the `timestamp` of an acknowledged heartbeat and not from the moment of
//! the acknowledgement. A receiver puts a heartbeat on the UTC day of its timestamp.

use super::timing::{ALONE, APART, DAY, MIDNIGHT_DELAY, RETIRED_FOR, Timing};
use crate::activation::State;
use crate::activation::state::{Retired, Second, Sender};
use crate::json;

/// 00:00 UTC after `time`.
pub fn next_midnight(time: u64) -> u64 {
    (time / DAY + 1) * DAY
}

/// Whether both are on one UTC day.
pub fn is_one_day(one: u64, other: u64) -> bool {
    one / DAY == other / DAY
}

/// The timestamp from which the next heartbeat is counted; 0 when none was acknowledged yet.
pub fn counted_from(sender: &Sender) -> u64 {
    // An older program on the same store moves the time of the acknowledgement alone.
    if sender.timestamp_of == sender.last_success { sender.timestamp } else { sender.last_success }
}

/// When the next heartbeat is due, pending bytes and failures aside; `None` before any host has started.
/// `running_since` is the start of the host that asks, if a host does.
pub fn next_due(
    state: &State,
    timing: &Timing,
    running_since: Option<u64>,
    now: u64,
) -> Option<u64> {
    let regular = regular(state, timing, running_since)?;
    Some(second(state, timing, now).map_or(regular, |second| second.min(regular)))
}

/// The next heartbeat that is not the second one of the first day.
pub fn regular(state: &State, timing: &Timing, running_since: Option<u64>) -> Option<u64> {
    let sender = &state.sender;
    let from = counted_from(sender);
    match (from, sender.first_start, timing.interval) {
        (0, 0, _) => None,
        (0, first_start, _) => {
            let delay = timing.initial_delay.unwrap_or(sender.initial_delay);
            Some(first_start.saturating_add(delay))
        }
        (_, _, Some(interval)) => Some(sender.last_success.saturating_add(interval)),
        (_, _, None) => {
            let apart = if sender.last_start > from { APART } else { ALONE };
            let due = next_midnight(from).max(from.saturating_add(apart));
            Some(across_midnight(due, state, timing, running_since))
        }
    }
}

/// When the one second heartbeat is due: on the day of the first, which did not report a real tool call,
/// after there was one. Without it a user of one day who started slowly would count as never activated.
pub fn second(state: &State, timing: &Timing, now: u64) -> Option<u64> {
    let sender = &state.sender;
    let first = counted_from(sender);
    let called = first_real_call(state);
    let may_come = sender.second == Second::Open && called != 0 && is_one_day(first, now);
    // Receivers take two heartbeats of one second for one: with no delay, as in tests, it comes a second later.
    may_come.then(|| called.saturating_add(timing.second_delay()).max(first.saturating_add(1)))
}

/// When an upstream tool first returned a result; 0 is never.
fn first_real_call(state: &State) -> u64 {
    state.days.real_tool_call_at
}

/// Whether a payload says that a tool ever returned a result.
pub fn reports_real_call(payload: &[u8]) -> bool {
    let value = json::parse(payload).ok();
    let activation = value.as_ref().and_then(|value| value.get("activation"));
    let flag = activation.and_then(|activation| activation.get("first_real_tool_call_ever"));
    flag.is_some_and(|flag| flag.as_bool() == Some(true))
}

/// `due`, or later when the host has been running since before the 00:00 UTC that came last before it: many
/// become due at that moment. Later by a time that is fixed for each install.
pub fn across_midnight(
    due: u64,
    state: &State,
    timing: &Timing,
    running_since: Option<u64>,
) -> u64 {
    let midnight = due - due % DAY;
    let delay = hash(&state.install.anonymous_id) % (MIDNIGHT_DELAY + 1);
    let is_delayed = timing.interval.is_none()
        && running_since.is_some_and(|since| since < midnight)
        && due - midnight < delay;
    if is_delayed { midnight + delay } else { due }
}

/// Whether the endpoint retired this version of the product, and until when.
pub fn retired_until(sender: &Sender, version: &str, now: u64) -> Option<u64> {
    let version = hash_of_version(version);
    let one = sender.retired.iter().find(|one| one.at != 0 && one.version == version)?;
    let until = one.at.saturating_add(RETIRED_FOR);
    (until > now).then_some(until)
}

/// Notes that the endpoint retired this version of the product. Two versions can take turns on one store;
/// the third takes the place of the one that was retired first.
pub fn retire(sender: &mut Sender, version: &str, now: u64) {
    let version = hash_of_version(version);
    let [newer, older] = sender.retired;
    let kept = if newer.version == version { older } else { newer };
    sender.retired = [Retired { version, at: now }, kept];
}

/// Forgets that the version of this payload was retired: the endpoint acknowledged it.
pub fn wanted_again(sender: &mut Sender, payload: &[u8]) {
    let value = json::parse(payload).ok();
    let version = value.as_ref().and_then(|value| value.get("product")?.get("version")?.as_str());
    let version = version.map(hash_of_version);
    for one in sender.retired.iter_mut().filter(|one| Some(one.version) == version) {
        *one = Retired::default();
    }
}

fn hash_of_version(version: &str) -> u64 {
    hash(version.strip_prefix('v').unwrap_or(version))
}

/// FNV-1a: the same in every build, because it is stored and fixes a delay.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "rhythm_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rhythm_simulation.rs"]
mod simulation;
