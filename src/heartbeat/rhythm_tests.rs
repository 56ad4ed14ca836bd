//! Tests of `rhythm`: when the next heartbeat is due.

use super::*;
use crate::heartbeat::schedule;

/// 2027-01-15T00:00:00Z
const MIDNIGHT: u64 = 1_799_971_200;
const HOUR: u64 = 3600;
const USUAL: Timing = Timing { initial_delay: None, interval: None };

/// One whose heartbeat of `timestamp` was acknowledged at `at`.
fn acknowledged(timestamp: u64, at: u64) -> State {
    let mut state = State::default();
    state.install.anonymous_id = "an id".to_owned();
    state.sender.first_start = MIDNIGHT - 10 * DAY;
    state.sender.last_success = at;
    state.sender.timestamp = timestamp;
    state.sender.timestamp_of = at;
    state
}

fn due(state: &State, running_since: Option<u64>) -> u64 {
    next_due(state, &USUAL, running_since, MIDNIGHT).expect("due at some time")
}

/// The delay of the install that `acknowledged` makes.
fn delay() -> u64 {
    hash("an id") % (MIDNIGHT_DELAY + 1)
}

#[test]
fn nothing_is_due_before_a_host_has_started() {
    assert_eq!(next_due(&State::default(), &USUAL, None, MIDNIGHT), None);
}

#[test]
fn the_next_one_waits_for_the_next_utc_day_for_ten_hours_and_for_another_start() {
    // A host started since: at 00:00 of the next day, ten hours later at the earliest.
    for (timestamp, next) in [
        (MIDNIGHT + 8 * HOUR, MIDNIGHT + DAY),
        (MIDNIGHT + 14 * HOUR, MIDNIGHT + DAY),
        (MIDNIGHT + 20 * HOUR, MIDNIGHT + DAY + 6 * HOUR),
    ] {
        let mut state = acknowledged(timestamp, timestamp);
        state.sender.last_start = timestamp + 1;
        assert_eq!(due(&state, None), next, "{timestamp}");
    }
    // One host that has been running since: twenty hours later.
    for (timestamp, next) in [
        (MIDNIGHT, MIDNIGHT + DAY),
        (MIDNIGHT + 4 * HOUR, MIDNIGHT + DAY),
        (MIDNIGHT + 8 * HOUR, MIDNIGHT + DAY + 4 * HOUR),
    ] {
        let mut state = acknowledged(timestamp, timestamp);
        state.sender.last_start = timestamp;
        assert_eq!(due(&state, None), next, "{timestamp}");
    }
}

#[test]
fn it_is_counted_from_the_timestamp_and_not_from_the_acknowledgement() {
    let made = MIDNIGHT + 20 * HOUR;
    let mut state = acknowledged(made, MIDNIGHT + DAY + 8 * HOUR);
    state.sender.last_start = MIDNIGHT + DAY + 7 * HOUR;
    assert_eq!(due(&state, None), made + 10 * HOUR, "today's is due as well");
    // An older program acknowledged one since, and knows only its `last_success`.
    state.sender.last_success = MIDNIGHT + 2 * DAY;
    state.sender.last_start = MIDNIGHT + 2 * DAY + 1;
    assert_eq!(due(&state, None), MIDNIGHT + 3 * DAY);
}

#[test]
fn a_store_of_an_older_program_neither_doubles_nor_loses_a_day() {
    let mut state = acknowledged(0, 0);
    state.sender.last_success = MIDNIGHT + 9 * HOUR;
    state.sender.last_start = MIDNIGHT + 11 * HOUR;
    assert_eq!(due(&state, None), MIDNIGHT + DAY);
}

#[test]
fn a_host_that_runs_across_midnight_waits_up_to_an_hour_and_others_do_not() {
    let timestamp = MIDNIGHT + 2 * HOUR;
    let mut state = acknowledged(timestamp, timestamp);
    state.sender.last_start = timestamp + 1;
    let midnight = MIDNIGHT + DAY;
    assert!(delay() > 0);
    assert_eq!(due(&state, Some(midnight - 1)), midnight + delay());
    assert_eq!(due(&state, Some(midnight)), midnight);
    assert_eq!(due(&state, None), midnight, "a command line");
    // What is due later in the day is not due for all at once.
    let timestamp = MIDNIGHT + 16 * HOUR;
    let mut state = acknowledged(timestamp, timestamp);
    state.sender.last_start = timestamp + 1;
    assert_eq!(due(&state, Some(timestamp)), midnight + 2 * HOUR);
    // The delays of many installs are spread over the hour.
    let delays = (0..1000).map(|n| {
        let id = format!("{n:08x}-0000-4000-8000-000000000000");
        hash(&id) % (MIDNIGHT_DELAY + 1) / (MIDNIGHT_DELAY / 4 + 1)
    });
    let mut quarters = [0; 4];
    delays.for_each(|quarter| quarters[quarter as usize] += 1);
    assert!(quarters.iter().all(|count| (200..=300).contains(count)), "{quarters:?}");
}

#[test]
fn an_interval_replaces_the_rhythm() {
    let timing = Timing { interval: Some(25), ..USUAL };
    let state = acknowledged(MIDNIGHT, MIDNIGHT + 7);
    assert_eq!(next_due(&state, &timing, Some(0), MIDNIGHT), Some(MIDNIGHT + 32));
}

const REPORTS: &[u8] = br#"{"activation":{"first_real_tool_call_ever":true}}"#;
const REPORTS_NONE: &[u8] = br#"{"activation":{"first_real_tool_call_ever":false}}"#;

/// Sends `bytes` at `now`, if something is due.
fn send(state: &mut State, now: u64, bytes: &[u8]) -> bool {
    let turn = schedule::Turn {
        nonce: 1,
        timing: &USUAL,
        asked_at: None,
        running_since: None,
        version: "v1.0.0",
    };
    if schedule::begin(state, now, &turn) != schedule::Begin::Go {
        return false;
    }
    schedule::assembling(state, now, &turn);
    state.pending = Some(crate::activation::state::Pending {
        bytes: bytes.to_vec(),
        made_at: now,
        ..Default::default()
    });
    schedule::acknowledge(state, now, 1, bytes)
}

/// An install that sent its first heartbeat at 10:05.
fn first_sent(bytes: &[u8]) -> State {
    let mut state = State::default();
    state.sender.first_start = MIDNIGHT + 10 * HOUR;
    state.sender.initial_delay = 300;
    state.sender.last_start = MIDNIGHT + 10 * HOUR;
    assert!(send(&mut state, MIDNIGHT + 10 * HOUR + 300, bytes));
    state
}

#[test]
fn a_second_one_comes_five_minutes_after_the_first_real_call_and_does_not_move_the_rhythm() {
    let mut state = first_sent(REPORTS_NONE);
    let first = MIDNIGHT + 10 * HOUR + 300;
    let call = first + HOUR;
    assert!(!send(&mut state, call - 1, REPORTS_NONE));
    state.days.real_tool_call_at = call;
    state.sender.last_start = first + 5;
    assert_eq!(due_at(&state, call), call + 300);
    assert!(!send(&mut state, call + 299, REPORTS));
    assert!(send(&mut state, call + 300, REPORTS));
    assert_eq!((state.sender.last_success, counted_from(&state.sender)), (call + 300, first));
    // Only one, and the next is due as if it had not been.
    assert_eq!(due_at(&state, call + 400), MIDNIGHT + DAY);
    assert!(!send(&mut state, MIDNIGHT + DAY - 1, REPORTS));
    assert!(send(&mut state, MIDNIGHT + DAY, REPORTS));
}

fn due_at(state: &State, now: u64) -> u64 {
    next_due(state, &USUAL, None, now).expect("due at some time")
}

#[test]
fn a_second_one_never_has_the_second_of_the_first() {
    let timing = Timing { initial_delay: Some(0), interval: None };
    let mut state = first_sent(REPORTS_NONE);
    let first = MIDNIGHT + 10 * HOUR + 300;
    state.days.real_tool_call_at = first - 1;
    assert_eq!(next_due(&state, &timing, None, first), Some(first + 1));
}

#[test]
fn no_second_one_comes_when_the_first_reported_the_call_or_the_day_is_over() {
    let mut reported = first_sent(REPORTS);
    reported.days.real_tool_call_at = MIDNIGHT + 10 * HOUR;
    assert!(!send(&mut reported, MIDNIGHT + 12 * HOUR, REPORTS));
    // A call at 23:58: five minutes later is another day, which has a heartbeat of its own.
    let mut late = first_sent(REPORTS_NONE);
    late.days.real_tool_call_at = MIDNIGHT + DAY - 120;
    assert!(!send(&mut late, MIDNIGHT + DAY - 1, REPORTS));
    assert!(!send(&mut late, MIDNIGHT + DAY + 200, REPORTS), "one host since: twenty hours");
    late.sender.last_start = MIDNIGHT + DAY + 8 * HOUR;
    assert!(send(&mut late, MIDNIGHT + DAY + 8 * HOUR, REPORTS_NONE));
    assert!(!send(&mut late, MIDNIGHT + DAY + 9 * HOUR, REPORTS), "nor on the next day");
}

#[test]
fn no_second_one_comes_to_installs_that_sent_before_there_were_second_ones() {
    let mut state = acknowledged(0, 0);
    state.sender.last_success = MIDNIGHT + 9 * HOUR;
    state.days.real_tool_call_at = MIDNIGHT + 10 * HOUR;
    assert!(!send(&mut state, MIDNIGHT + 11 * HOUR, REPORTS));
}

#[test]
fn a_second_one_that_is_discarded_does_not_come_again() {
    let mut state = first_sent(REPORTS_NONE);
    state.days.real_tool_call_at = MIDNIGHT + 11 * HOUR;
    state.sender.second = Second::Pending;
    schedule::discard(&mut state);
    assert!(!send(&mut state, MIDNIGHT + 12 * HOUR, REPORTS));
}
