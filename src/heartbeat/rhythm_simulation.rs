//! People and their machines, simulated on a clock that the test moves, with the functions that hosts run.
//!
//! One rule: fixed seeds. A figure that `docs/reliability.md` states is computed here.

use super::*;
use crate::activation::state::Pending;
use crate::heartbeat::schedule::{self, Begin, Failure, HostStart, Turn};
use crate::heartbeat::timing::{LEASE, PENDING_MAX_AGE};
use crate::identity::Identity;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: u64 = 3600;
const MINUTE: u64 = 60;
/// 2026-11-02T00:00:00Z, a Monday.
const BEGIN: u64 = 1_793_577_600;
const USUAL: Timing = Timing { initial_delay: None, interval: None };
/// Seconds from the start of a host to the first answer of a server.
const ANSWER: u64 = 4;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// From the first host start to the last host end.
#[derive(Clone, Copy, Debug)]
struct Sitting {
    start: u64,
    end: u64,
}

/// One install and what arrived of it.
struct Install {
    state: State,
    identity: Identity,
    timestamps: Vec<u64>,
}

impl Install {
    fn new(random: &mut Random) -> Self {
        let anonymous_id = format!("{:016x}", random.next());
        let identity = Identity { anonymous_id, ..Identity::default() };
        Self { state: State::default(), identity, timestamps: Vec::new() }
    }

    /// One sitting with hosts that run from and to these times.
    fn sit(&mut self, hosts: &[(u64, u64)]) {
        let mut checks: BTreeSet<(u64, usize)> = BTreeSet::new();
        let starts = hosts.iter().enumerate().map(|(host, (start, _))| (*start, host));
        checks.extend(starts);
        while let Some((now, host)) = checks.pop_first() {
            let (start, end) = hosts[host];
            if now == start {
                let start = HostStart {
                    identity: &self.identity,
                    version: "v1.0.0",
                    installer_stamp: None,
                    initial_delay: 300,
                    started_at: now,
                };
                schedule::host_started(&mut self.state, &start, now);
                checks.insert((now + ANSWER, host));
                // Those that run look again within a minute.
                for (other, (began, ended)) in hosts.iter().enumerate() {
                    if (began + ANSWER..*ended).contains(&now) {
                        checks.insert((now + MINUTE, other));
                    }
                }
                continue;
            }
            if now >= end {
                continue;
            }
            match self.attempt(now, host as u64 + 1, start) {
                Begin::Go => {
                    checks.insert((now + 1, host));
                }
                Begin::NotDue(wait) => {
                    checks.insert((now + wait, host));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn attempt(&mut self, now: u64, nonce: u64, start: u64) -> Begin {
        let turn = Turn {
            nonce,
            timing: &USUAL,
            asked_at: None,
            running_since: Some(start),
            version: "v1.0.0",
        };
        let begun = schedule::begin(&mut self.state, now, &turn);
        if begun == Begin::Go {
            self.state.pending = Some(Pending { made_at: now, ..Pending::default() });
            assert!(schedule::acknowledge(&mut self.state, now, nonce, b""));
            self.timestamps.push(now);
        }
        begun
    }

    /// On how many UTC days this sitting is seen.
    fn days_of(&self, sitting: Sitting) -> usize {
        let within = |at: &&u64| (sitting.start..=sitting.end).contains(*at);
        let days: BTreeSet<u64> =
            self.timestamps.iter().filter(within).map(|at| at / DAY).collect();
        days.len()
    }
}

/// `count` hosts: the first starts with the sitting, the others in even parts of it; half of them end when the
/// next one starts, the other half with the sitting.
fn hosts(sitting: Sitting, count: u64, random: &mut Random) -> Vec<(u64, u64)> {
    let part = (sitting.end - sitting.start) / count;
    let host = |n: u64| {
        let start = sitting.start + n * part;
        let is_short = n + 1 < count && random.below(2) == 0;
        (start, if is_short { start + part } else { sitting.end })
    };
    (0..count).map(host).collect()
}

#[derive(Default)]
struct Tally {
    sittings: u64,
    seen: u64,
    twice: u64,
}

impl Tally {
    fn share(&self) -> f64 {
        self.seen as f64 / self.sittings as f64
    }

    /// Plays the sittings of one install.
    fn play(&mut self, sittings: &[Sitting], starts: u64, random: &mut Random) {
        let mut install = Install::new(random);
        for sitting in sittings {
            install.sit(&hosts(*sitting, starts, random));
        }
        for sitting in sittings {
            let days = install.days_of(*sitting);
            self.sittings += 1;
            self.seen += u64::from(days == 1);
            self.twice += u64::from(days > 1);
        }
        assert_one_a_day(&install.timestamps);
    }
}

fn assert_one_a_day(timestamps: &[u64]) {
    let days: BTreeSet<u64> = timestamps.iter().map(|at| at / DAY).collect();
    assert_eq!(days.len(), timestamps.len(), "two of one UTC day: {timestamps:?}");
}

/// Every time zone there is, and the half hours between: seconds east of UTC, from -12:00 to +14:00.
fn zones() -> impl Iterator<Item = i64> {
    let halves = (-24..=28).map(|half| half * 1800);
    halves.chain([23, 35, 51].map(|quarter| quarter * 900))
}

/// Sittings on `days` days that begin at `clock` local time, give or take `spread`, and last `length`.
fn regular_hours(
    zone: i64,
    clock: u64,
    spread: u64,
    length: u64,
    is_used: impl Fn(u64) -> bool,
    random: &mut Random,
) -> Vec<Sitting> {
    let one = |day: u64| {
        let local = BEGIN + day * DAY + clock + random.below(2 * spread + 1) - spread;
        let start = local.saturating_add_signed(-zone);
        Sitting { start, end: start + length }
    };
    (1..=40).filter(|day| is_used(*day)).map(one).collect()
}

#[test]
fn people_with_regular_hours_in_every_time_zone_are_seen_once_in_each_sitting() {
    let mut random = Random(1);
    let (mut all, mut worst) = (Tally::default(), BTreeMap::new());
    for zone in zones() {
        let mut of_zone = Tally::default();
        for hours in [1, 2, 4, 6, 8, 10] {
            for clock in (0..12).map(|n| (2 * n + hours % 4 / 2) * HOUR) {
                let is_used: &dyn Fn(u64) -> bool =
                    if clock % (4 * HOUR) < 2 * HOUR { &|_| true } else { &|day| day % 7 < 5 };
                let length = hours * HOUR - 10 * MINUTE;
                let sittings =
                    regular_hours(zone, clock, 10 * MINUTE, length, is_used, &mut random);
                of_zone.play(&sittings, 6, &mut random);
            }
        }
        assert_eq!(of_zone.twice, 0, "zone {zone}");
        worst.insert((of_zone.share() * 1e6) as u64, zone);
        all.sittings += of_zone.sittings;
        all.seen += of_zone.seen;
    }
    let least = worst.first_key_value().expect("zones");
    println!("{} sittings: {:.4}, least {least:?}", all.sittings, all.share());
    assert!(*least.0 >= 990_000, "{least:?}");
}

#[test]
fn people_with_random_hours_are_seen_on_nine_days_of_ten() {
    let mut random = Random(2);
    for (hours, starts) in [(1, 1), (1, 6), (3, 1), (8, 6)] {
        let mut tally = Tally::default();
        for _ in 0..200 {
            let one = |day: u64| {
                let start = BEGIN + day * DAY + random.below(DAY - hours * HOUR);
                Sitting { start, end: start + hours * HOUR }
            };
            let sittings: Vec<_> = (1..=40).map(one).collect();
            tally.play(&sittings, starts, &mut random);
        }
        println!("{hours} h, {starts} starts: {:.4}", tally.share());
        assert!(tally.share() >= 0.90, "{hours} h, {starts} starts: {}", tally.share());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever was before it.
    #[test]
    fn one_sitting_is_never_seen_on_two_days(
        seed in any::<u64>(),
        before in proptest::collection::vec((0..DAY, 1..10 * HOUR), 0..4),
        start in 0..2 * DAY,
        length in 1..=10 * HOUR,
        starts in 1_u64..8,
        is_alone in any::<bool>(),
    ) {
        let mut random = Random(seed);
        let mut install = Install::new(&mut random);
        let mut at = BEGIN;
        for (pause, length) in before {
            let sitting = Sitting { start: at + pause, end: at + pause + length };
            install.sit(&hosts(sitting, 3, &mut random));
            at = sitting.end;
        }
        let length = if is_alone { 2 * length } else { length };
        let sitting = Sitting { start: at + start, end: at + start + length };
        let starts = if is_alone { 1 } else { starts };
        install.sit(&hosts(sitting, starts, &mut random));
        prop_assert!(install.days_of(sitting) <= 1);
        assert_one_a_day(&install.timestamps);
    }
}

/// Something that happens to a machine with three hosts.
#[derive(Clone, Debug)]
enum Happens {
    /// A host starts in this place, in which another may have run.
    Start(usize),
    /// It is killed, in the middle of a request or not.
    Kill(usize),
    /// It looks whether it is to send, and connects.
    Look(usize),
    /// Its request is answered; the answer arrives, or is lost on the way.
    Answer(usize, u16, bool),
    /// Time passes, or the laptop sleeps.
    Pass(u64),
    /// The clock is set forward or back.
    Set(i64),
    /// A client called a tool.
    Call,
}

fn happens() -> impl Strategy<Value = Happens> {
    let place = || 0_usize..3;
    let status = prop_oneof![
        4 => Just(202_u16), 1 => Just(503), 1 => Just(404), 1 => Just(410), 1 => Just(429)
    ];
    prop_oneof![
        3 => place().prop_map(Happens::Start),
        2 => place().prop_map(Happens::Kill),
        8 => place().prop_map(Happens::Look),
        6 => (place(), status, proptest::bool::weighted(0.8))
            .prop_map(|(place, status, arrives)| Happens::Answer(place, status, arrives)),
        4 => (1..2 * HOUR).prop_map(Happens::Pass),
        2 => (HOUR..12 * HOUR).prop_map(Happens::Pass),
        1 => (DAY..3 * DAY).prop_map(Happens::Pass),
        1 => (-12 * HOUR as i64..12 * HOUR as i64).prop_map(Happens::Set),
        1 => Just(Happens::Call),
    ]
}

/// A payload as a receiver tells them apart: their bytes, here the number of the payload.
#[derive(Clone, Copy)]
struct Sent {
    made_at: u64,
    is_second: bool,
}

#[derive(Default)]
struct Machine {
    state: State,
    /// When the host in each place started, and the bytes that it has sent and waits for.
    hosts: [Option<(u64, Option<Vec<u8>>)>; 3],
    payloads: Vec<Sent>,
    /// Numbers of payloads that were acknowledged, whether the answer arrived or not.
    acknowledged: BTreeSet<usize>,
    /// The same, and the answer was recorded.
    recorded: BTreeSet<usize>,
}

impl Machine {
    fn happens(&mut self, what: &Happens, now: &mut u64, furthest: &mut u64) {
        match *what {
            Happens::Start(place) => {
                let identity = Identity { anonymous_id: "id".to_owned(), ..Identity::default() };
                let start = HostStart {
                    identity: &identity,
                    version: "v1.0.0",
                    installer_stamp: None,
                    initial_delay: 300,
                    started_at: *now,
                };
                schedule::host_started(&mut self.state, &start, *now);
                self.hosts[place] = Some((*now, None));
            }
            Happens::Kill(place) => self.hosts[place] = None,
            Happens::Look(place) => self.look(place, *now),
            Happens::Answer(place, status, arrives) => self.answer(place, status, arrives, *now),
            Happens::Pass(seconds) => *now += seconds,
            // Back by less than a day, in all: what was a day ago stays so.
            Happens::Set(seconds) => {
                *now = now.saturating_add_signed(seconds).max(*furthest - DAY + 1);
            }
            Happens::Call if self.state.days.real_tool_call_at == 0 => {
                self.state.days.real_tool_call_at = *now;
            }
            Happens::Call => {}
        }
        *furthest = (*furthest).max(*now);
    }

    /// As an attempt does it.
    fn look(&mut self, place: usize, now: u64) {
        let Some((since, None)) = self.hosts[place] else { return };
        let turn = Turn {
            nonce: place as u64 + 1,
            timing: &USUAL,
            asked_at: None,
            running_since: Some(since),
            version: "v1.0.0",
        };
        let state = &mut self.state;
        let is_valid = |p: &Pending| now.abs_diff(p.made_at) <= PENDING_MAX_AGE;
        if !state.pending.as_ref().is_some_and(is_valid) {
            schedule::discard(state);
        }
        let begun = schedule::begin(state, now, &turn);
        if begun != Begin::Go {
            return;
        }
        assert!(state.sender.lease_until == now + LEASE);
        if state.pending.is_none() {
            schedule::assembling(state, now, &turn);
            let reports = state.days.real_tool_call_at != 0;
            let bytes = format!(
                r#"{{"n":{},"activation":{{"first_real_tool_call_ever":{reports}}}}}"#,
                self.payloads.len()
            );
            let is_second = state.sender.second == Second::Pending;
            self.payloads.push(Sent { made_at: now, is_second });
            let bytes = bytes.into_bytes();
            state.pending = Some(Pending { bytes, made_at: now, ..Pending::default() });
        }
        let bytes = state.pending.as_ref().map(|pending| pending.bytes.clone());
        self.hosts[place] = Some((since, bytes));
    }

    fn answer(&mut self, place: usize, status: u16, arrives: bool, now: u64) {
        let Some((since, Some(bytes))) = self.hosts[place].clone() else { return };
        let number = crate::json::parse(&bytes).expect("JSON").get("n").expect("n").as_u64();
        let number = number.expect("a number") as usize;
        if status == 202 {
            self.acknowledged.insert(number);
        }
        self.hosts[place] = Some((since, None));
        let nonce = place as u64 + 1;
        let failure = match (arrives, status) {
            (true, 202) => {
                if schedule::acknowledge(&mut self.state, now, nonce, &bytes) {
                    self.recorded.insert(number);
                }
                return;
            }
            (true, 404 | 410) => Failure::UntilTomorrow,
            (true, 429) => Failure::Transient(Some(300)),
            _ => Failure::Transient(None),
        };
        schedule::fail(&mut self.state, now, nonce, failure, &USUAL, &bytes);
    }

    /// No two of one UTC day but the one exception, which shares the day of the first.
    fn check(&self) {
        let mut of_day: BTreeMap<u64, usize> = BTreeMap::new();
        let mut seconds = 0;
        for number in &self.acknowledged {
            let sent = self.payloads[*number];
            if sent.is_second {
                seconds += 1;
                // The first of which the install knows: an answer that was lost it does not.
                let first = self.recorded.iter().next().expect("a first one");
                assert!(is_one_day(self.payloads[*first].made_at, sent.made_at));
            } else if let Some(other) = of_day.insert(sent.made_at / DAY, *number) {
                panic!("{other} and {number} are of one day");
            }
        }
        assert!(seconds <= 1);
        assert!(self.recorded.is_subset(&self.acknowledged));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_two_acknowledged_payloads_are_of_one_utc_day_but_the_one_exception(
        all in proptest::collection::vec(happens(), 1..120),
    ) {
        let (mut machine, mut now) = (Machine::default(), BEGIN + 5 * HOUR);
        let mut furthest = now;
        for what in &all {
            machine.happens(what, &mut now, &mut furthest);
        }
        machine.check();
    }
}
