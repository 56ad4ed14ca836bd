//! What was written reads back, whatever it is, and what was damaged does not.

use super::day::{FORM, FORM_1, FORM_2};
use super::*;
use crate::collector::code::{Code, Met};
use crate::collector::heartbeat::{DELTAS, Gauges, Heartbeat};
use crate::collector::testing::heartbeat;
use crate::contract::{MAX_COUNT, Shutdown};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn facts_read_back_as_they_were_written() {
    let mut one = heartbeat(0).facts;
    assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
    one.agent_env = Some(AgentEnv::Sandbox);
    one.routing = None;
    one.markers = one.markers.map(|markers| EnvMarkers { has_display: true, ..markers });
    assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
    (one.markers, one.edition) = (None, None);
    assert_eq!(read_facts(&facts(&one)), Some(one.clone()));
    for bad in ["", "interactive", &facts(&one).replace("sandbox", "box"), "a,b,c,d,e,f,g,h,i"] {
        assert_eq!(read_facts(bad), None, "{bad}");
    }
}

#[test]
fn lists_read_back_as_they_were_written() {
    let list = vec![("1.4.0".to_owned(), 20_785), ("1.5.0-rc.1".to_owned(), 20_790)];
    assert_eq!(read_versions(&versions(&list)), Some(list));
    assert_eq!(read_versions(""), Some(Vec::new()));
    assert_eq!(read_versions("1.4.0"), None);
    let days = [1, 0, u64::MAX, 7, 0, 1 << 63];
    assert_eq!(read_bits(&bits(&days)), Some(days));
    assert_eq!(read_bits(&[0; 47]), None);
    let pairs = vec![(1, 2), (u64::MAX, 0)];
    assert_eq!(read_times(&times(&pairs)), Some(pairs));
    assert_eq!(read_times(&[0; 15]), None);
}

#[test]
fn a_usual_day_takes_about_forty_bytes() {
    let row = DayRow::with(&heartbeat(0), None, true);
    let packed = row.pack(&[7; 32], 20_785);
    assert!(packed.len() <= 40, "{}", packed.len());
}

#[test]
fn a_day_says_of_a_crash_and_of_codes_what_one_of_its_heartbeats_said() {
    let dns = Code::of("MCPX_HTTP_DNS");
    let mut morning = heartbeat(0);
    morning.gauges.shutdown = Some(Shutdown::Crash as u8);
    morning.codes = vec![Met { code: dns, changes: 2, servers: 1 }];
    let mut evening = heartbeat(3600);
    evening.gauges.shutdown = Some(Shutdown::Clean as u8);
    evening.facts.version = "1.5.0".to_owned();
    let in_order = DayRow::with(&evening, Some(&DayRow::with(&morning, None, true)), true);
    let late = DayRow::with(&morning, Some(&DayRow::with(&evening, None, true)), false);
    assert_eq!(in_order, late);
    assert!(in_order.has_crashed());
    assert_eq!(in_order.version, "1.5.0", "that of the last heartbeat");
    assert_eq!(in_order.codes, [Met { code: dns, changes: 2, servers: 0 }]);
    assert!(!DayRow::with(&evening, None, true).has_crashed());
}

/// What the day of `beats`, which arrive in this order, has at its end.
fn day_of(beats: &[(u64, Heartbeat)]) -> DayRow {
    let mut day: Option<DayRow> = None;
    let mut latest = 0;
    for (at, beat) in beats {
        day = Some(DayRow::with(beat, day.as_ref(), day.is_none() || *at > latest));
        latest = latest.max(*at);
    }
    day.expect("a heartbeat")
}

fn codes() -> impl Strategy<Value = Vec<Met>> {
    let counts = || (0_u64..4, 0_u64..4).prop_filter("said", |(a, b)| a + b > 0);
    prop::collection::btree_map(0_u8..=51, counts(), 0..4).prop_map(|all| {
        let all = all.into_iter();
        let all = all.map(|(number, (changes, servers))| Met {
            code: Code::numbered(number).expect("a code"),
            changes,
            servers,
        });
        all.collect()
    })
}

proptest! {
    /// Gauges and words are those of the last heartbeat and never added up; counts are; of codes the most changes.
    #[test]
    fn a_day_is_what_one_writes_down_of_its_heartbeats_in_whatever_order_they_arrive(
        said in prop::collection::vec((0_u64..9, 0_u64..3, any::<bool>(), codes()), 1..5),
        turn in 0_usize..5,
    ) {
        let beats = said.iter().enumerate().map(|(at, (servers, version, crashed, codes))| {
            let mut beat = heartbeat(at as u64);
            beat.gauges.servers = Some(*servers);
            beat.facts.version = format!("1.{version}.0");
            let how = if *crashed { Shutdown::Crash } else { Shutdown::Clean };
            beat.gauges.shutdown = Some(how as u8);
            beat.deltas = [*servers; DELTAS];
            beat.codes = codes.clone();
            (at as u64 + 1, beat)
        });
        let beats: Vec<(u64, Heartbeat)> = beats.collect();
        let mut mixed = beats.clone();
        mixed.rotate_left(turn % said.len());
        let found = day_of(&mixed);
        let (servers, version, ..) = said.last().expect("one");
        prop_assert_eq!(found.gauges.servers, Some(*servers));
        prop_assert_eq!(&found.version, &format!("1.{version}.0"));
        prop_assert_eq!(found.has_crashed(), said.iter().any(|(_, _, crashed, _)| *crashed));
        prop_assert_eq!(found.deltas, [said.iter().map(|(n, ..)| *n).sum::<u64>(); DELTAS]);
        let mut expected: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        for (at, (.., codes)) in said.iter().enumerate() {
            for met in codes {
                let one = expected.entry(met.code.number()).or_default();
                one.0 = one.0.max(met.changes);
                one.1 = if at + 1 == said.len() { met.servers } else { 0 };
            }
        }
        expected.retain(|_, counts| *counts != (0, 0));
        let codes = found.codes.iter().map(|met| (met.code.number(), (met.changes, met.servers)));
        prop_assert_eq!(codes.collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn a_day_reads_back_as_it_was_written(
        counts in proptest::array::uniform8(0..=MAX_COUNT),
        maybe in proptest::array::uniform5(proptest::option::of(0..=MAX_COUNT)),
        small in proptest::option::of(0_u8..3),
        autostart in proptest::option::of(any::<bool>()),
        two in (0..=MAX_COUNT, 0..=MAX_COUNT),
        met in codes(),
    ) {
        let [servers, connected, tools, uptime_hours, active_days] = maybe;
        let row = DayRow {
            version: "1.4.0-rc.1".to_owned(),
            kind: EnvKind::Headless,
            launch_source: LaunchSource::Cli,
            gauges: Gauges {
                autostart, servers, connected, tools, uptime_hours, active_days,
                configured_clients: two.0,
                searches_24h: two.1,
                tokens_bucket: small,
                calls_bucket: small,
                shutdown: small,
            },
            deltas: counts,
            codes: met,
        };
        let packed = row.pack(&[7; 32], 20_785);
        prop_assert_eq!(DayRow::unpack(&packed, &[7; 32], 20_785), Some(row.clone()));
        prop_assert_eq!(DayRow::unpack(&packed, &[7; 32], 20_786), None);
        for bit in 0..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(DayRow::unpack(&damaged, &[7; 32], 20_785), None);
        }
        // As schema 1 and schema 2 wrote it: without the number of codes, which is 0.
        let row = DayRow { codes: Vec::new(), ..row };
        let mut old = row.pack(&[7; 32], 20_785);
        old.remove(old.len() - row.version.len() - 1);
        let first = [&[FORM_1], &old[5..]].concat();
        prop_assert_eq!(DayRow::unpack(&first, &[7; 32], 20_785), Some(row.clone()));
        let sum = day::sum(&old[5..], &[7; 32], 20_785).to_le_bytes();
        let mut second = [&[FORM_2], &sum[..], &old[5..]].concat();
        prop_assert_eq!(DayRow::unpack(&second, &[7; 32], 20_785), Some(row));
        second[0] = FORM;
        prop_assert_eq!(DayRow::unpack(&second, &[7; 32], 20_785), None);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = DayRow::unpack(&bytes, &[7; 32], 20_785);
    }
}
