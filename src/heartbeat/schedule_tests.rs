//! Tests of `schedule`.

use super::*;
use crate::activation::state::Counters;
use crate::activation::{LiveCounts, LiveProcess};
use crate::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, SurfaceRequests};
use crate::heartbeat::timing::{ALONE, DAY, RETIRED_FOR};

const NOW: u64 = 1_800_000_000;
const ME: u64 = 11;
const OTHER: u64 = 22;

fn started(ago: u64) -> State {
    let mut state = State::default();
    state.sender.first_start = NOW - ago;
    state.sender.initial_delay = 300;
    state
}

const USUAL: Timing = Timing { initial_delay: None, interval: None };

/// A command line, or a host that started this moment.
fn turn(nonce: u64, asked_at: Option<u64>) -> Turn<'static> {
    Turn { nonce, timing: &USUAL, asked_at, running_since: None, version: "v1.0.0" }
}

fn go(state: &mut State, now: u64) -> Begin {
    begin(state, now, &turn(ME, None))
}

/// One whose heartbeat of `timestamp` was acknowledged at once.
fn acknowledged(timestamp: u64) -> State {
    let mut state = started(10 * DAY);
    state.sender.last_success = timestamp;
    state.sender.timestamp = timestamp;
    state.sender.timestamp_of = timestamp;
    state
}

fn host_started_at(state: &mut State, at: u64) {
    let identity = identity(&state.install.anonymous_id.clone(), None);
    host_started(state, &start(&identity), at);
}

fn pending(bytes: &[u8]) -> Pending {
    Pending {
        bytes: bytes.to_vec(),
        made_at: NOW,
        anonymous_id: "id".into(),
        anonymous_id_created_at: "then".into(),
        ..Pending::default()
    }
}

fn mark(at: u64, routing_mode: RoutingMode) -> LiveMark {
    LiveMark {
        nonce: OTHER,
        at,
        started_at: at,
        routing_mode,
        process: LiveProcess {
            launch_source: LaunchSource::Unknown,
            autostart_enabled: None,
            env_kind: EnvKind::Unknown,
            env_markers: EnvMarkers::default(),
            agent_env: AgentEnv::None,
        },
        counts: LiveCounts::default(),
    }
}

#[test]
fn nothing_is_due_before_a_host_has_started() {
    assert!(matches!(go(&mut State::default(), NOW), Begin::NotDue(270..=330)));
}

#[test]
fn the_first_heartbeat_waits_for_the_initial_delay() {
    assert_eq!(go(&mut started(299), NOW), Begin::NotDue(1));
    assert_eq!(go(&mut started(300), NOW), Begin::Go);
    let timing = Timing { initial_delay: Some(1), ..Timing::default() };
    let eager = Turn { timing: &timing, ..turn(ME, None) };
    assert_eq!(begin(&mut started(1), NOW, &eager), Begin::Go);
}

#[test]
fn only_one_process_holds_the_lease_and_a_request_fits_into_it() {
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    assert!(still_mine(&state, NOW, ME));
    for asked_at in [None, Some(NOW)] {
        let other = begin(&mut state, NOW, &turn(OTHER, asked_at));
        assert_eq!(other, Begin::LeasedByOther(LEASE));
    }
    assert!(!still_mine(&state, NOW, OTHER));
    assert!(!still_mine(&state, NOW + LEASE - LEASE_NEEDED + 1, ME), "too late to start a request");
    let after = NOW + LEASE;
    assert_eq!(begin(&mut state, after, &turn(OTHER, None)), Begin::Go);
    assert!(!still_mine(&state, after, ME));
    release(&mut state, ME);
    assert!(still_mine(&state, after, OTHER), "only the holder gives a lease back");
}

#[test]
fn the_first_killed_sender_is_replaced_at_once_and_later_ones_back_off() {
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    assert_eq!(begin(&mut state, NOW + LEASE, &turn(OTHER, None)), Begin::Go);
    let third = begin(&mut state, NOW + 2 * LEASE, &turn(33, None));
    assert!(matches!(third, Begin::BackingOff(wait) if wait >= 120 - LEASE), "{third:?}");
}

#[test]
fn what_a_user_asks_for_overrides_due_and_backoff() {
    let mut state = started(0);
    state.sender.last_success = NOW - 1;
    state.sender.last_attempt = NOW;
    state.sender.retry_after = 999;
    assert_eq!(begin(&mut state, NOW, &turn(ME, Some(NOW))), Begin::Go);
}

#[test]
fn times_more_than_a_day_ahead_are_reset_without_sending() {
    type Field = fn(&mut State) -> &mut u64;
    let fields: [Field; 5] = [
        |s| &mut s.sender.first_start,
        |s| &mut s.sender.last_success,
        |s| &mut s.sender.last_attempt,
        |s| &mut s.sender.last_start,
        |s| &mut s.sender.lease_until,
    ];
    for field in fields {
        for ahead in [DAY + 1, 2 * DAY, u64::MAX - NOW] {
            let mut state = started(1000);
            *field(&mut state) = NOW + ahead;
            state.sender.lease_owner = OTHER;
            for asked_at in [None, Some(NOW)] {
                let mut copy = state.clone();
                let begun = begin(&mut copy, NOW, &turn(ME, asked_at));
                assert_eq!(begun, Begin::ClockReset(1));
                assert_eq!(*field(&mut copy), NOW);
            }
        }
    }
    let mut state = started(1000);
    state.sender.last_success = NOW + 5 * DAY;
    assert_eq!(go(&mut state, NOW), Begin::ClockReset(1));
    assert_eq!(go(&mut state, NOW), Begin::NotDue(ALONE));
}

#[test]
fn a_time_of_less_than_a_day_ahead_stays() {
    let mut state = acknowledged(NOW + 20 * 3600);
    host_started_at(&mut state, NOW);
    let before = state.clone();
    let next = rhythm::next_midnight(NOW + 20 * 3600).max(NOW + 20 * 3600 + ALONE);
    assert_eq!(go(&mut state, NOW), Begin::NotDue(next - NOW));
    assert_eq!(state, before);
}

#[test]
fn an_acknowledgement_is_recorded_once_and_keeps_what_came_meanwhile() {
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    let sent = Counters {
        surface_requests: SurfaceRequests { mcp: 5, ..SurfaceRequests::default() },
        upstream_tool_calls: 4,
        ..Counters::default()
    };
    state.counters = sent;
    state.install.installer_pending = true;
    state.pending = Some(Pending { counters: sent, installer: true, ..pending(b"a") });
    state.counters.surface_requests.mcp += 2;
    state.counters.builtin_tool_calls.call_tool += 1;
    assert!(acknowledge(&mut state, NOW + 3, ME, b"a"));
    assert_eq!(state.counters.surface_requests.mcp, 2);
    assert_eq!(state.counters.builtin_tool_calls.call_tool, 1);
    assert_eq!(state.counters.upstream_tool_calls, 0);
    assert_eq!(state.sender.last_success, NOW + 3);
    assert_eq!(rhythm::counted_from(&state.sender), NOW, "from the timestamp");
    assert_eq!((state.sender.lease_owner, state.sender.failures), (0, 0));
    assert!(!state.install.installer_pending && state.pending.is_none());
    let recorded = state.clone();
    assert!(!acknowledge(&mut state, NOW + 9, OTHER, b"a"), "the same bytes a second time");
    assert_eq!(state, recorded);
}

#[test]
fn an_acknowledgement_takes_every_counter_that_was_sent_and_no_more() {
    let sent = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    let came = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110];
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    state.counters = Counters::from_array(sent).plus(Counters::from_array(came));
    state.pending = Some(Pending { counters: Counters::from_array(sent), ..pending(b"a") });
    assert!(acknowledge(&mut state, NOW + 3, ME, b"a"));
    assert_eq!(state.counters.to_array(), came);
}

#[test]
fn an_acknowledgement_of_other_bytes_records_nothing() {
    let mut state = started(1000);
    state.pending = Some(pending(b"new"));
    state.install.installer_pending = true;
    assert!(!acknowledge(&mut state, NOW, ME, b"old"));
    assert!(state.pending.is_some() && state.install.installer_pending);
    assert_eq!(state.sender.last_success, 0);
}

#[test]
fn a_payload_that_did_not_say_installer_does_not_clear_it() {
    let mut state = started(1000);
    state.pending = Some(pending(b"a"));
    state.install.installer_pending = true;
    assert!(acknowledge(&mut state, NOW, ME, b"a"));
    assert!(state.install.installer_pending);
}

#[test]
fn failures_back_off_and_keep_the_bytes() {
    let mut state = started(1000);
    state.pending = Some(pending(b"a"));
    let mut now = NOW;
    for expected in [60, 120, 240] {
        assert_eq!(go(&mut state, now), Begin::Go);
        let wait = fail(&mut state, now, ME, Failure::Transient(None), &USUAL, b"a");
        assert!((expected..=expected + expected / 10).contains(&wait));
        assert_eq!(go(&mut state, now + wait - 1), Begin::BackingOff(1));
        now += wait;
    }
    assert_eq!(state.pending, Some(pending(b"a")));
}

#[test]
fn what_is_refused_is_discarded_until_the_next_utc_day_and_keeps_its_counts() {
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    state.counters = Counters::from_array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    state.install.installer_pending = true;
    let counters = state.counters;
    state.pending = Some(Pending { counters, installer: true, ..pending(b"a") });
    let wait = fail(&mut state, NOW, ME, Failure::UntilTomorrow, &USUAL, b"a");
    assert_eq!(NOW + wait, rhythm::next_midnight(NOW));
    assert!(state.pending.is_none() && state.install.installer_pending);
    assert_eq!(state.counters, counters);
    assert_eq!(go(&mut state, NOW + wait - 1), Begin::BackingOff(1));
    assert_eq!(go(&mut state, NOW + wait), Begin::Go);
}

#[test]
fn a_late_answer_changes_nothing_for_bytes_that_came_after_nor_for_a_refusal_meanwhile() {
    let mut state = started(1000);
    state.pending = Some(pending(b"b"));
    let before = state.clone();
    for failure in [Failure::UntilTomorrow, Failure::Transient(None)] {
        fail(&mut state, NOW, ME, failure, &USUAL, b"a");
        assert_eq!(state, before);
    }
    let wait = fail(&mut state, NOW, OTHER, Failure::UntilTomorrow, &USUAL, b"b");
    let late = fail(&mut state, NOW + 9, ME, Failure::Transient(None), &USUAL, b"b");
    assert_eq!(late, wait - 9);
    assert_eq!(go(&mut state, NOW + 3600), Begin::BackingOff(wait - 3600));
}

#[test]
fn bytes_of_a_day_ahead_of_a_clock_that_was_set_back_block_that_day_too() {
    let mut state = started(1000);
    let made_at = rhythm::next_midnight(NOW) + 60;
    state.pending = Some(Pending { made_at, ..pending(b"a") });
    let wait = fail(&mut state, NOW, ME, Failure::UntilTomorrow, &USUAL, b"a");
    assert_eq!(NOW + wait, rhythm::next_midnight(made_at));
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    let mut state = started(1000);
    state.pending = Some(pending(b"a"));
    let mut fail_after = |s| fail(&mut state, NOW, ME, Failure::Transient(Some(s)), &USUAL, b"a");
    assert_eq!(fail_after(7200), 7200);
    assert_eq!(fail_after(3), 3);
    assert_eq!(fail_after(u64::MAX), RETRY_AFTER_MAX);
    assert!(fail_after(0) >= 480, "the fourth hurried retry in a row is not followed");
}

#[test]
fn a_refusal_of_the_gate_is_counted_drops_the_bytes_and_waits_for_the_next_day() {
    let mut state = started(1000);
    assert_eq!(go(&mut state, NOW), Begin::Go);
    state.pending = Some(pending(b"a"));
    refuse(&mut state, NOW, ME, &USUAL);
    assert_eq!((state.install.anonymity_violations, &state.pending), (1, &None));
    let midnight = rhythm::next_midnight(NOW);
    assert_eq!(go(&mut state, NOW), Begin::BackingOff(midnight - NOW));
    assert_eq!(next_attempt(&state, &USUAL, None, NOW), Some(midnight));
}

#[test]
fn stored_bytes_are_valid_for_a_day_and_one_identity() {
    let bytes = pending(b"{\"schema_version\":4}");
    let other = pending(b"{\"schema_version\":3}");
    assert!(!pending_is_valid(&other, NOW, "id", "then"), "of an older contract");
    let valid = |now, id, at| pending_is_valid(&bytes, now, id, at);
    assert!(valid(NOW + PENDING_MAX_AGE, "id", "then"));
    assert!(!valid(NOW + PENDING_MAX_AGE + 1, "id", "then"));
    assert!(valid(NOW - 10, "id", "then"), "a clock that was set back a little");
    assert!(!valid(NOW - PENDING_MAX_AGE - 1, "id", "then"));
    assert!(!valid(NOW, "other", "then") && !valid(NOW, "id", "later"));
    let older = pending(b"{\"schema_version\":3}");
    assert!(!pending_is_valid(&older, NOW, "id", "then"), "the program was upgraded meanwhile");
}

#[test]
fn taps_yield_to_a_live_gateway_only() {
    let mut state = started(1000);
    assert_eq!(yields_to_gateway(&state, NOW, RoutingMode::Tap), None);
    state.live_serve = Some(mark(NOW - 119, RoutingMode::Direct));
    assert_eq!(yields_to_gateway(&state, NOW, RoutingMode::Tap), Some(1));
    assert_eq!(yields_to_gateway(&state, NOW, RoutingMode::RetrieveTools), None);
    state.live_serve = Some(mark(NOW - 120, RoutingMode::Direct));
    assert_eq!(yields_to_gateway(&state, NOW, RoutingMode::Tap), None);
    state.live_serve = Some(mark(NOW + 100, RoutingMode::Direct));
    assert_eq!(yields_to_gateway(&state, NOW, RoutingMode::Tap), None, "a mark of the future");
}

fn identity(id: &str, rotated_from: Option<&str>) -> Identity {
    Identity {
        anonymous_id: id.into(),
        created_at: "then".into(),
        rotated_from: rotated_from.map(str::to_owned),
        carried_over: rotated_from.is_some(),
    }
}

fn start(identity: &Identity) -> HostStart<'_> {
    HostStart {
        identity,
        version: "v2.0.0",
        installer_stamp: None,
        initial_delay: 271,
        started_at: NOW,
    }
}

#[test]
fn only_the_first_start_of_an_install_sets_the_clock() {
    let (mut state, id) = (State::default(), identity("a", None));
    host_started(&mut state, &start(&id), NOW);
    host_started(&mut state, &HostStart { initial_delay: 300, ..start(&id) }, NOW + 50);
    assert_eq!((state.sender.first_start, state.sender.initial_delay), (NOW, 271));
    assert_eq!(rhythm::next_due(&state, &USUAL, None, NOW), Some(NOW + 271));
}

#[test]
fn an_upgrade_moves_the_version_along() {
    let (mut state, id) = (State::default(), identity("a", None));
    for (version, previous) in [("v1", ""), ("v1", ""), ("v2", "v1"), ("v2", "v1"), ("v3", "v2")] {
        host_started(&mut state, &HostStart { version, ..start(&id) }, NOW);
        let install = &state.install;
        assert_eq!(
            (install.current_version.as_str(), install.previous_version.as_str()),
            (version, previous)
        );
    }
}

#[test]
fn an_installer_is_reported_once_per_installation() {
    let (mut state, id) = (State::default(), identity("a", None));
    let launched = |stamp: &str| HostStart { installer_stamp: Some(stamp.into()), ..start(&id) };
    host_started(&mut state, &start(&id), NOW);
    assert!(!state.install.installer_pending);
    host_started(&mut state, &launched("v1+1"), NOW);
    assert!(std::mem::take(&mut state.install.installer_pending));
    host_started(&mut state, &launched("v1+1"), NOW);
    host_started(&mut state, &start(&id), NOW);
    assert!(!state.install.installer_pending, "a restart of the same installation");
    host_started(&mut state, &launched("v2+2"), NOW);
    assert!(state.install.installer_pending, "an upgrade through an installer");
    host_started(&mut state, &start(&id), NOW);
    assert!(state.install.installer_pending, "kept until one is acknowledged");
}

#[test]
fn another_id_is_a_new_install_and_a_rotated_one_is_not() {
    let mut state = started(1000);
    state.funnel.connected_server = true;
    state.funnel.clients = vec!["claude-code".into()];
    state.install.notice_shown_at = NOW;
    adopt(&mut state, &identity("a", None));
    assert!(state.funnel.connected_server, "a store that belonged to nobody yet");
    let mut rotated = state.clone();
    rotated.pending = Some(pending(b"a"));
    adopt(&mut rotated, &identity("b", Some("a")));
    assert!(rotated.funnel.connected_server && rotated.funnel.clients.is_empty());
    assert!(rotated.pending.is_none() && rotated.install.notice_shown_at == NOW);
    adopt(&mut state, &identity("b", Some("c")));
    let mut fresh = State::default();
    fresh.install.anonymous_id = "b".into();
    assert_eq!(state, fresh);
}

#[test]
fn an_acknowledgement_since_a_user_asked_is_what_was_asked_for() {
    let mut state = acknowledged(NOW);
    for asked_at in [NOW - 1, NOW, NOW + 50] {
        let begun = begin(&mut state, NOW, &turn(ME, Some(asked_at)));
        assert_eq!(begun, Begin::NotDue(ALONE));
    }
    assert_eq!(begin(&mut state, NOW + 1, &turn(ME, Some(NOW + 1))), Begin::Go);
    let mut state = acknowledged(NOW);
    let set_back = begin(&mut state, NOW - 60, &turn(ME, Some(NOW - 60)));
    assert_eq!(set_back, Begin::Go, "that was before the clock was set back");
}

#[test]
fn a_clock_that_starts_in_1970_at_every_boot_sends_once_a_day_all_the_same() {
    let mut state = acknowledged(NOW - 60);
    for boot in 0..3 {
        let unset = 40 + boot;
        assert_eq!(go(&mut state, unset), Begin::ClockUnset(60));
        host_started_at(&mut state, unset);
        assert!(matches!(go(&mut state, NOW + boot), Begin::NotDue(_)), "boot {boot}");
    }
    assert_eq!(begin(&mut state, 40, &turn(ME, Some(40))), Begin::ClockUnset(60));
    assert_eq!(go(&mut state, NOW + ALONE), Begin::Go);
}

#[test]
fn a_retired_version_is_quiet_for_28_days_and_then_asks_once() {
    let mut state = acknowledged(NOW - 2 * DAY);
    rhythm::retire(&mut state.sender, "v1.0.0", NOW);
    assert_eq!(go(&mut state, NOW), Begin::Retired(RETIRED_FOR));
    let newer = Turn { version: "v1.0.1", ..turn(ME, None) };
    assert_eq!(begin(&mut state.clone(), NOW, &newer), Begin::Go, "another version");
    let again = NOW + RETIRED_FOR;
    assert_eq!(go(&mut state.clone(), again - 1), Begin::Retired(1));
    assert_eq!(go(&mut state, again), Begin::Go);
    rhythm::retire(&mut state.sender, "1.0.0", again);
    release(&mut state, ME);
    assert_eq!(go(&mut state, again + DAY), Begin::Retired(RETIRED_FOR - DAY));
    // Two versions in turns: neither makes the store forget the other.
    rhythm::retire(&mut state.sender, "v1.0.1", again + DAY);
    for version in ["v1.0.0", "v1.0.1"] {
        let turn = Turn { version, ..turn(ME, None) };
        assert!(matches!(begin(&mut state.clone(), again + DAY, &turn), Begin::Retired(_)));
    }
}
