//! Records come back as they went in, or not at all.

use super::*;
#[cfg(feature = "serve")]
use crate::activation::ErrorMark;
use crate::activation::codec::checksum;
use crate::activation::state::{
    Counters, Funnel, Install, LATER, Pending, Retired, Second, Sender,
};
use crate::activation::{LiveCounts, LiveProcess, Standing};
use crate::contract::{
    AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode, ServerProtocolCounts,
};
#[cfg(feature = "serve")]
use crate::diagnostics::Code;
use proptest::prelude::*;

fn full() -> State {
    let mut state = State::default();
    state.funnel.connected_server = true;
    state.funnel.clients = vec!["claude-code".to_owned(), "unknown".to_owned()];
    for hour in 0..24 {
        state.discovery_calls.add(1_790_000_000 + hour * 3600, hour + 1);
    }
    state.tokens_saved.add(u64::MAX, u64::MAX);
    state.counters = Counters::from_array([1, 2, 3, 4, 5, 6, 7, 8, u64::MAX, 0, 0]);
    state.counters.ended_crashed = 2;
    state.counters.later[LATER - 1] = 3;
    state.funnel.real_tool_call = true;
    state.funnel.later_flags = 1 << 63;
    state.days.active.add(1_790_000_000);
    state.days.first = 20_000;
    state.days.real_tool_call_at = 1_790_000_001;
    state.sender = Sender {
        first_start: 1,
        initial_delay: 300,
        last_success: 3,
        last_attempt: 4,
        failures: u32::MAX,
        retry_after: 6,
        lease_owner: u64::MAX,
        lease_until: 8,
        timestamp: 9,
        timestamp_of: 10,
        last_start: 11,
        second: Second::Pending,
        retired: [Retired { version: 12, at: 13 }, Retired { version: 14, at: 15 }],
    };
    state.pending = Some(Pending {
        bytes: vec![0xff; 8192],
        made_at: 9,
        anonymous_id: "id".to_owned(),
        anonymous_id_created_at: "created".to_owned(),
        version: "v1.2.3".to_owned(),
        previous_version: "v1.2.2".to_owned(),
        counters: Counters { later: [7; LATER], ..Counters::from_array([9; 11]) },
        installer: true,
    });
    state.install = Install {
        current_version: "v1.2.3".to_owned(),
        previous_version: String::new(),
        notice_shown_at: 10,
        installer_pending: true,
        installer_stamp: "stamp".to_owned(),
        anonymity_violations: 11,
        anonymous_id: "id".to_owned(),
    };
    let process = LiveProcess {
        launch_source: LaunchSource::LoginItem,
        autostart_enabled: Some(false),
        env_kind: EnvKind::CloudIde,
        env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
        agent_env: AgentEnv::Sandbox,
    };
    let counts = LiveCounts {
        server_count: Some(15),
        connected_server_count: None,
        tool_count: Some(u64::MAX),
        server_protocol_counts: Some(ServerProtocolCounts { auto: 5, ..Default::default() }),
        configured_ide_count: 16,
        #[cfg(feature = "serve")]
        current_error_codes: Standing::from(vec![(Code::StoreFull, u32::MAX), (Code::HttpDns, 1)]),
        #[cfg(not(feature = "serve"))]
        current_error_codes: Standing::default(),
    };
    let mark = LiveMark {
        nonce: 12,
        at: 13,
        started_at: 14,
        routing_mode: RoutingMode::RetrieveTools,
        process: process.clone(),
        counts: counts.clone(),
    };
    state.live_tap = Some(LiveMark {
        process: LiveProcess { autostart_enabled: None, ..process },
        counts: LiveCounts { server_protocol_counts: None, ..counts },
        ..mark
    });
    state.live_serve = Some(mark);
    #[cfg(feature = "serve")]
    for (hour, mark) in [
        ErrorMark::Met(Code::HttpDns),
        ErrorMark::Met(Code::Unknown),
        ErrorMark::FixAttempted,
        ErrorMark::Met(Code::HttpDns),
        ErrorMark::FixSucceeded,
    ]
    .into_iter()
    .enumerate()
    {
        state.errors.apply(mark, 1_790_000_000 + hour as u64 * 3600);
    }
    state
}

/// As the first programs write it: version 1, and nothing that only later ones know.
fn first() -> State {
    let mut state = full();
    let before = |known: Counters| Counters { ended_clean: 0, ended_crashed: 0, ..known.known() };
    state.counters = before(state.counters);
    state.funnel.real_tool_call = false;
    state.funnel.later_flags = 0;
    state.sender = Sender {
        timestamp: 0,
        timestamp_of: 0,
        last_start: 0,
        second: Second::None,
        retired: Default::default(),
        ..state.sender
    };
    let pending = state.pending.as_mut().unwrap();
    pending.counters = before(pending.counters);
    for mark in [&mut state.live_tap, &mut state.live_serve] {
        let mark = mark.as_mut().unwrap();
        mark.process.agent_env = AgentEnv::None;
        mark.counts.current_error_codes = Standing::default();
    }
    state
}

#[test]
fn every_part_survives_the_way_through_its_record() {
    for original in [State::default(), first(), full()] {
        let mut state = full();
        for key in Key::PARTS {
            let value = encode(&original, key, None);
            decode(&mut state, key, value.as_deref()).unwrap();
        }
        assert_eq!(state, original);
    }
    let origin = Origin { generation: 1, made_at: 2, restored: true, quarantined_at: 3 };
    assert_eq!(open(Key::Origin, seal(Key::Origin, &origin, &[]).value()), Ok(origin));
}

#[test]
fn a_record_is_of_version_1_until_it_holds_more() {
    for key in Key::PARTS {
        assert_eq!(encode(&first(), key, None).unwrap()[0], 1, "{key:?}");
        let more = ![&b"windows"[..], b"days", b"install", b"errors"].contains(&key.bytes());
        assert_eq!(encode(&full(), key, None).unwrap()[0], 1 + u8::from(more), "{key:?}");
    }
}

/// `value` with additions that this program does not know.
fn with_unknown(key: Key, value: &[u8]) -> Vec<u8> {
    let (version, body) = value[..value.len() - 8].split_first().unwrap();
    let (body, mut additions) = (body.to_vec(), b"of a later program".to_vec());
    if *version == 2 {
        let (rest, length) = body.split_last_chunk::<8>().unwrap();
        let begin = rest.len() - u64::from_le_bytes(*length) as usize;
        additions.splice(..0, rest[begin..].to_vec());
        return sealed(key, 2, &rest[..begin], &additions);
    }
    sealed(key, 2, &body, &additions)
}

fn sealed(key: Key, version: u8, body: &[u8], additions: &[u8]) -> Vec<u8> {
    let mut value = [&[version], body, additions].concat();
    if version == 2 {
        value.extend((additions.len() as u64).to_le_bytes());
    }
    value.extend(checksum(key.bytes(), &value).to_le_bytes());
    value
}

#[test]
fn what_a_later_program_added_stays_behind_what_this_one_writes() {
    // Before additions of its own, a part writes all that it knows; the counters have no others.
    for key in Key::PARTS.into_iter().filter(|key| *key != Key::Counters) {
        let there = with_unknown(key, &encode(&full(), key, None).unwrap());
        let mut state = State::default();
        decode(&mut state, key, Some(&there)).unwrap();
        assert_eq!(encode(&state, key, Some(&there)), Some(there.clone()), "{key:?}");
        let changed = encode(&State { pending: state.pending, ..first() }, key, Some(&there));
        let changed = changed.unwrap();
        assert_eq!(changed[0], 2, "{key:?}");
        let unknown = b"of a later program";
        let holds = changed.windows(unknown.len()).any(|bytes| bytes == unknown);
        assert!(holds, "{key:?}");
    }
}

#[test]
fn more_counters_than_could_be_subtracted_are_left_alone() {
    let there = encode(&full(), Key::Counters, None).unwrap();
    let there = with_unknown(Key::Counters, &there);
    assert_eq!(decode(&mut State::default(), Key::Counters, Some(&there)), Err(Damaged));
    assert!(is_later(Key::Counters, Some(&there)));
}

#[test]
fn a_mark_of_a_later_layout_is_none() {
    let later = sealed(Key::Tap, 3, b"who knows", b"");
    let mut state = full();
    assert_eq!(decode(&mut state, Key::Tap, Some(&later)), Ok(()));
    assert_eq!(state.live_tap, None);
    assert_eq!(decode(&mut state, Key::Serve, Some(&later)), Err(Damaged), "under another key");
    let damaged = sealed(Key::Tap, 1, b"nobody knows", b"");
    assert_eq!(decode(&mut state, Key::Tap, Some(&damaged)), Err(Damaged));
}

/// A spelling that is not here is damage to the first programs, and a later layout to none: a new one needs
/// `LAYOUT = 2` of [`LiveMark`]. See "Change a record" in CONTRIBUTING.md.
#[test]
fn marks_have_the_vocabularies_of_layout_1() {
    let spellings = |all: &[&'static str]| all.join(" ");
    let sources: Vec<_> = LaunchSource::ALL.iter().map(|term| term.as_str()).collect();
    let kinds: Vec<_> = EnvKind::ALL.iter().map(|term| term.as_str()).collect();
    let modes: Vec<_> = RoutingMode::ALL.iter().map(|term| term.as_str()).collect();
    assert_eq!(LiveMark::LAYOUT, 1);
    assert_eq!(spellings(&sources), "tray login_item cli installer unknown");
    assert_eq!(spellings(&kinds), "interactive ci cloud_ide container headless unknown");
    assert_eq!(spellings(&modes), "tap retrieve_tools direct");
}

#[test]
fn a_record_does_not_pass_under_another_key_or_version() {
    let mut state = State::default();
    let serve = encode(&full(), Key::Serve, None).unwrap();
    assert_eq!(decode(&mut state, Key::Tap, Some(&serve)), Err(Damaged));
    let mut newer = serve;
    newer[0] = 3;
    assert_eq!(decode(&mut state, Key::Serve, Some(&newer)), Err(Damaged));
    assert_eq!(decode(&mut state, Key::Serve, Some(&[])), Err(Damaged));
}

#[test]
fn windows_of_the_first_commits_are_read() {
    let numbers = |numbers: &[u64]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let body = numbers(&[2, 500, 3, 501, 4, 1, 501, 900]);
    let mut state = State::default();
    let value = sealed(Key::Windows, 1, &body, b"");
    assert_eq!(decode(&mut state, Key::Windows, Some(&value)), Ok(()));
    let now = 501 * 3600;
    assert_eq!((state.discovery_calls.value(now), state.tokens_saved.value(now)), (7, 900));
    for body in [numbers(&[0]), numbers(&[1, 500, 3]), numbers(&[2, 500, 3, 500, 4, 0])] {
        let value = sealed(Key::Windows, 1, &body, b"");
        assert_eq!(decode(&mut state, Key::Windows, Some(&value)), Err(Damaged));
    }
}

/// A flag is a bit for every program: one that does not know it keeps it with those that it does not know either.
#[test]
fn a_real_tool_call_is_the_first_of_the_later_flags() {
    let value =
        |funnel: Funnel| encode(&State { funnel, ..State::default() }, Key::Funnel, None).unwrap();
    let ours = value(Funnel { real_tool_call: true, later_flags: 4, ..Funnel::default() });
    assert_eq!(ours, value(Funnel { later_flags: 5, ..Funnel::default() }));
    let mut state = State::default();
    decode(&mut state, Key::Funnel, Some(&ours)).unwrap();
    assert_eq!((state.funnel.real_tool_call, state.funnel.later_flags), (true, 4));
}

#[test]
fn a_store_without_days_or_errors_has_no_record_of_them() {
    for key in [
        Key::Days,
        #[cfg(feature = "serve")]
        Key::Errors,
    ] {
        assert_eq!(encode(&State::default(), key, None), None);
        let there = encode(&full(), key, None);
        assert!(encode(&State::default(), key, there.as_deref()).is_some());
    }
}

proptest! {
    #[test]
    fn a_flipped_bit_is_always_noticed(part in 0..Key::PARTS.len(), at in any::<usize>(), bit in 0..8) {
        let key = Key::PARTS[part];
        for state in [first(), full()] {
            let mut value = encode(&state, key, None).unwrap();
            let at = at % value.len();
            value[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(&mut State::default(), key, Some(&value)), Err(Damaged));
            prop_assert!(!is_later(key, Some(&value)));
        }
    }

    #[test]
    fn any_bytes_under_a_good_checksum_are_read_or_refused(
        part in 0..Key::PARTS.len(),
        version in 0..4_u8,
        body in prop::collection::vec(any::<u8>(), 0..64),
        additions in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let key = Key::PARTS[part];
        let value = sealed(key, version, &body, &additions);
        let mut state = State::default();
        if decode(&mut state, key, Some(&value)).is_ok()
            && let Some(again) = encode(&state, key, Some(&value))
        {
            let mut twice = State::default();
            decode(&mut twice, key, Some(&again)).unwrap();
            prop_assert_eq!(twice, state);
        }
    }
}

/// A window record after discovery calls at these times, each with so many tokens.
fn windows(calls: &[(u64, u64)]) -> Windows {
    let mut windows = Windows::default();
    for (now, tokens) in calls {
        windows.discovery_calls.add(*now, 1);
        windows.tokens_saved.add(*now, *tokens);
    }
    windows
}

proptest! {
    #[test]
    fn a_number_raised_where_it_stands_is_the_record_made_anew(
        calls in prop::collection::vec((0_u64..200_000, 0_u64..3), 0..40),
        (at, tokens) in (0_u64..200_000, prop_oneof![Just(0), Just(5), Just(u64::MAX)]),
    ) {
        let before = seal(Key::Windows, &windows(&calls), &[]);
        let raised = patched::<Windows>(Key::Windows, before.value(), |body| {
            Windows::raise(body, at, [1, tokens])
        });
        let after = seal(Key::Windows, &windows(&[&calls[..], &[(at, tokens)]].concat()), &[]);
        let is_there = |window: &HourlyWindow| {
            window.buckets().last().is_some_and(|(hour, _)| hour == at / 3600)
        };
        match raised {
            Some(raised) => prop_assert_eq!(raised.value(), after.value()),
            // Then, and only then, the record is taken apart.
            None => {
                let known = windows(&calls);
                let both = is_there(&known.discovery_calls)
                    && (tokens == 0 || is_there(&known.tokens_saved));
                let mut aged = windows(&calls);
                aged.discovery_calls.add(at, 1);
                aged.tokens_saved.add(at, 1);
                let keeps = |before: &HourlyWindow, after: &HourlyWindow| {
                    before.buckets().all(|(hour, _)| after.buckets().any(|(kept, _)| kept == hour))
                };
                let all = keeps(&known.discovery_calls, &aged.discovery_calls)
                    && keeps(&known.tokens_saved, &aged.tokens_saved);
                prop_assert!(!both || !all);
            }
        }
    }

    #[test]
    fn counters_raised_where_they_stand_are_the_record_made_anew(
        first in prop::array::uniform11(prop_oneof![Just(0), Just(u64::MAX), 1_u64..9]),
        more in prop::array::uniform9(0_u64..3),
        later in 0_u64..3,
    ) {
        let mut before = Counters::from_array(first);
        before.later[0] = later;
        let mut all = [0; Counters::COUNT];
        all[..9].copy_from_slice(&more);
        let more = Counters::from_array(all);
        let value = seal(Key::Counters, &before, &[]);
        let raised = patched::<Counters>(Key::Counters, value.value(), |body| {
            Counters::raise(body, &more)
        });
        let known = before.to_array();
        let raised_array = std::array::from_fn(|at| known[at].saturating_add(all[at]));
        let sum = Counters { later: before.later, ..Counters::from_array(raised_array) };
        let after = seal(Key::Counters, &sum, &[]);
        let raised = raised.expect("a place for each");
        prop_assert_eq!(raised.value(), after.value());
    }
}

#[test]
fn a_record_that_is_not_as_this_program_writes_it_is_not_raised_where_it_stands() {
    let call = (1_790_000_000, 5);
    let whole = seal(Key::Windows, &windows(&[call]), &[]);
    let raise = |value: &[u8]| {
        patched::<Windows>(Key::Windows, value, |body| Windows::raise(body, call.0, [1, 5]))
            .is_some()
    };
    assert!(raise(whole.value()));
    let mut flipped = whole.value().to_vec();
    flipped[9] ^= 1;
    assert!(!raise(&flipped), "damaged");
    let unknown = seal(Key::Windows, &windows(&[call]), b"later");
    assert!(raise(unknown.value()), "additions stay where they are");
    let mut cut = unknown.value().to_vec();
    cut.truncate(cut.len() - 16);
    cut.extend_from_slice(&checksum(Key::Windows.bytes(), &cut).to_le_bytes());
    assert!(!raise(&cut), "additions without their length");
    let mut later = whole.value().to_vec();
    later.truncate(later.len() - 8);
    later[0] = 3;
    let sum = checksum(Key::Windows.bytes(), &later);
    later.extend_from_slice(&sum.to_le_bytes());
    assert!(!raise(&later), "another layout");
    assert!(
        patched::<Counters>(
            Key::Counters,
            seal(Key::Counters, &Counters::default(), &[]).value(),
            |body| { Counters::raise(body, &Counters { ended_clean: 1, ..Counters::default() }) }
        )
        .is_none(),
        "a counter behind the layout"
    );
}
