//! Environments, versions and clients against a plain count of the same installs.
//!
//! One rule: the second computation knows the rows that were written down, no columns and no places of words.

use super::{DAY, MONDAY, Paper, later, paper};
use crate::collector::code::{Code, Met};
use crate::collector::definitions::version::order;
use crate::collector::definitions::*;
use crate::collector::row::{AgentEnv, Facts, InstallRow};
use crate::collector::snapshot::{Columns, Snapshot};
use crate::collector::store::DayRow;
use crate::collector::testing::heartbeat;
use crate::contract::{Edition, EnvKind, EnvMarkers, LaunchSource, Os, Shutdown};
use proptest::prelude::*;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Versions in their order, by hand; what is no release stands before its release.
const VERSIONS: [&str; 7] =
    ["0.9.0", "1.0.0-dev", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.9.0", "1.10.0"];
const CLIENTS: [&str; 4] = ["claude-code", "cursor", "vscode", "zed"];

/// What an install said, beside its days.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub paper: Paper,
    pub first: Facts,
    pub now: Facts,
    pub versions: BTreeMap<u32, &'static str>,
    pub clients: BTreeSet<&'static str>,
    /// Days on which it said that a host had crashed.
    pub crashes: BTreeSet<u32>,
    /// What it said of error codes, by day.
    pub codes: BTreeMap<u32, Vec<Met>>,
}

impl Said {
    pub(super) fn row(&self) -> InstallRow {
        InstallRow {
            first: self.first.clone(),
            now: self.now.clone(),
            versions: self.versions.iter().map(|(day, name)| ((*name).to_owned(), *day)).collect(),
            clients: self.clients.iter().map(|name| (*name).to_owned()).collect(),
            ..self.paper.row()
        }
    }
}

impl Said {
    fn version_on(&self, day: u32) -> &'static str {
        self.versions.range(..=day).next_back().expect("a version").1
    }

    fn day(&self, day: u32) -> DayRow {
        let mut beat = heartbeat(u64::from(day) * DAY);
        beat.facts.version = self.version_on(day).to_owned();
        let how = if self.crashes.contains(&day) { Shutdown::Crash } else { Shutdown::Clean };
        beat.gauges.shutdown = Some(how as u8);
        beat.codes = self.codes.get(&day).cloned().unwrap_or_default();
        DayRow::with(&beat, None, true)
    }
}

/// A snapshot of them: what the pages read.
pub(super) fn snapshot(all: &[Said], now: Now) -> Snapshot {
    let mut columns = Columns::default();
    for one in all {
        columns.push(&one.row());
        // As the database has them: a row for each day, of which a reader takes the last 28 complete ones.
        let last = one.paper.seen.range(today(now).saturating_sub(28)..today(now));
        last.for_each(|day| columns.push_day(Day(*day), &one.day(*day)));
    }
    Snapshot::new(now, vec![("notes-mcp".to_owned(), columns)])
}

fn facts(version: &'static str) -> impl Strategy<Value = Facts> {
    let markers = prop::array::uniform5(any::<bool>());
    (
        prop::sample::select(EnvKind::ALL),
        prop::option::weighted(0.9, markers),
        prop::option::of(prop::sample::select(AgentEnv::ALL)),
        prop::sample::select(LaunchSource::ALL),
        prop::sample::select(Os::ALL),
    )
        .prop_map(move |(kind, markers, agent_env, launch_source, os)| Facts {
            kind,
            markers: markers.map(|[ci, ide, container, tty, display]| EnvMarkers {
                has_ci_env: ci,
                has_cloud_ide_env: ide,
                is_container: container,
                has_tty: tty,
                has_display: display,
            }),
            agent_env,
            launch_source,
            os,
            arch: crate::contract::Arch::Amd64,
            edition: Some(Edition::Personal),
            routing: None,
            version: version.to_owned(),
        })
}

fn said() -> impl Strategy<Value = Said> {
    let steps = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::sample::select(VERSIONS.to_vec())),
        1..5,
    );
    let clients = prop::collection::btree_set(prop::sample::select(CLIENTS.to_vec()), 0..3);
    let codes =
        prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, 0_u64..2, 0_u64..2), 0..4);
    (paper(), facts("0.9.0"), facts("0.9.0"), steps, clients, codes).prop_map(
        |(paper, mut first, mut now, steps, clients, met)| {
            let days: Vec<u32> = paper.seen.iter().copied().collect();
            let mut versions = BTreeMap::new();
            let mut known = BTreeSet::new();
            versions.insert(paper.day0(), steps[0].1);
            known.insert(steps[0].1);
            for (index, version) in steps.iter().skip(1) {
                let day = *index.get(&days);
                // A row names each version once, and one a day is enough here.
                if !versions.contains_key(&day) && known.insert(*version) {
                    versions.insert(day, *version);
                }
            }
            first.version = steps[0].1.to_owned();
            now.version = versions.values().next_back().expect("a version").to_string();
            let crashes = days.iter().copied().filter(|day| day % 3 == 0).collect();
            let mut codes: BTreeMap<u32, Vec<Met>> = BTreeMap::new();
            for (index, number, changes, servers) in met {
                let of_day = codes.entry(*index.get(&days)).or_default();
                let code = Code::numbered(number).expect("a code");
                // A heartbeat says a code once.
                if !of_day.iter().any(|met| met.code == code) {
                    of_day.push(Met { code, changes, servers });
                }
            }
            Said { paper, first, now, versions, clients, crashes, codes }
        },
    )
}

pub(super) fn fleet() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(said(), 0..30)
}

/// Heard of on any of these UTC days.
fn was_seen(one: &Said, mut days: std::ops::Range<u32>) -> bool {
    days.any(|day| one.paper.seen.contains(&day))
}

fn today(now: Now) -> u32 {
    (now.0 / DAY) as u32
}

/// The kind that the markers speak for, from the table of the specification, line by line.
fn from_table(facts: &Facts) -> Option<&'static str> {
    let markers = facts.markers?;
    let os = facts.os.as_str();
    let is_agent = facts.agent_env.is_some_and(|agent| agent.as_str() != "none");
    let lines = [
        (is_agent && markers.has_ci_env, "ci"),
        (is_agent, "container"),
        (markers.has_cloud_ide_env, "cloud_ide"),
        (markers.has_ci_env, "ci"),
        (markers.is_container, "container"),
        (os == "darwin" || os == "windows", "interactive"),
        (markers.has_tty, "interactive"),
        (markers.has_display, "interactive"),
        (os == "linux", "headless"),
        (true, "unknown"),
    ];
    lines.into_iter().find(|(applies, _)| *applies).map(|(_, kind)| kind)
}

#[test]
fn versions_have_the_order_of_semver() {
    for (at, one) in VERSIONS.iter().enumerate() {
        for (other_at, other) in VERSIONS.iter().enumerate() {
            assert_eq!(order(one, other), at.cmp(&other_at), "{one} {other}");
        }
    }
    // The example of the specification of semantic versions.
    let all = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
    ];
    assert!(all.windows(2).all(|two| order(two[0], two[1]) == Ordering::Less));
    assert_eq!(order("1.0.0+a", "1.0.0+b"), Ordering::Less, "none are equal");
}

proptest! {
    #[test]
    fn the_mix_of_a_week_is_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let found = mix(snapshot.records(None), now);
        // Complete days only, and 52 weeks with the present one.
        let present = today(now) - 1 - (today(now) - 1 + 700 - MONDAY) % 7;
        let mut weeks: BTreeMap<u32, Vec<&Said>> = BTreeMap::new();
        for monday in (0..52).map(|back| present - 7 * back) {
            let here = all.iter().filter(|one| was_seen(one, monday..(monday + 7).min(today(now))));
            weeks.insert(monday, here.collect());
        }
        let first = weeks.iter().find(|(_, here)| !here.is_empty()).map(|(monday, _)| *monday);
        weeks.retain(|monday, _| first.is_some_and(|first| *monday >= first));
        prop_assert_eq!(found.len(), weeks.len());
        for (mix, (monday, here)) in found.iter().zip(weeks) {
            prop_assert_eq!((mix.week.monday().0, mix.installs), (monday, here.len() as u64));
            let count = |is: &dyn Fn(&Facts) -> bool| here.iter().filter(|one| is(&one.now)).count() as u64;
            for (kind, n) in EnvKind::ALL.iter().zip(mix.kinds) {
                prop_assert_eq!(n, count(&|facts| facts.kind == *kind));
            }
            for (agent, n) in AgentEnv::ALL.iter().copied().map(Some).chain([None]).zip(mix.agents) {
                prop_assert_eq!(n, count(&|facts| facts.agent_env == agent));
            }
            for (launch, n) in LaunchSource::ALL.iter().zip(mix.launches) {
                prop_assert_eq!(n, count(&|facts| facts.launch_source == *launch));
            }
        }
    }

    #[test]
    fn declared_and_recomputed_kinds_are_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let found = transparency(snapshot.records(None), now);
        let active = all.iter().filter(|one| was_seen(one, today(now) - 28..today(now)));
        let mut pairs: BTreeMap<(&str, Option<&str>), u64> = BTreeMap::new();
        for one in active {
            *pairs.entry((one.now.kind.as_str(), from_table(&one.now))).or_default() += 1;
        }
        let n = |declared: &EnvKind, recomputed: Option<&str>| {
            pairs.get(&(declared.as_str(), recomputed)).copied().unwrap_or(0)
        };
        for (at, declared) in EnvKind::ALL.iter().enumerate() {
            for (other, recomputed) in EnvKind::ALL.iter().enumerate() {
                prop_assert_eq!(found.cells[at][other], n(declared, Some(recomputed.as_str())));
            }
            prop_assert_eq!(found.unmarked[at], n(declared, None));
        }
    }

    #[test]
    fn installs_that_were_heard_of_once_are_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let found = once(snapshot.records(None), now);
        for (kind, share) in EnvKind::ALL.iter().zip(found) {
            let of = all.iter().filter(|one| {
                let age = i64::from(today(now)) - i64::from(one.paper.day0());
                one.first.kind == *kind && !one.paper.carried_over && (7..=364).contains(&age)
            });
            let of: Vec<&Said> = of.collect();
            let once = of.iter().filter(|one| one.paper.seen.len() == 1).count();
            prop_assert_eq!(share, Share { count: once as u64, of: of.len() as u64 });
        }
    }

    #[test]
    fn versions_are_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let found = versions(|| snapshot.records(None), now);
        let place = |version: &str| VERSIONS.iter().position(|one| *one == version).expect("one of them");
        let is_recent = |day: u32| day + 364 >= today(now);
        let first_day = |version: &str| {
            let days = all.iter().flat_map(|one| one.versions.iter());
            days.filter(|(_, name)| **name == version).map(|(day, _)| *day).min()
        };

        let active: Vec<&Said> =
            all.iter().filter(|one| was_seen(one, today(now) - 28..today(now))).collect();
        let mut expected = Vec::new();
        for version in VERSIONS.iter().rev() {
            let count = active.iter().filter(|one| one.now.version == *version).count() as u64;
            if count > 0 {
                let first_day = first_day(version).filter(|day| is_recent(*day)).map(Day);
                expected.push(((*version).to_owned(), first_day, Share { count, of: active.len() as u64 }));
            }
        }
        let adopted = found.adopted.iter().map(|one| (one.version.clone(), one.first_day, one.share));
        prop_assert_eq!(adopted.collect::<Vec<_>>(), expected.clone());
        let newest = expected.iter().find(|(version, ..)| !version.contains('-'));
        prop_assert_eq!(found.newest.clone(), newest.map(|(version, _, share)| (version.clone(), *share)));

        let mut upgrades = Vec::new();
        for version in VERSIONS.iter().rev().filter(|version| !version.contains('-')) {
            let Some(first) = first_day(version).filter(|day| is_recent(*day)) else { continue };
            let mut counts = [0; 6];
            for one in &all {
                let before = one.versions.iter().rfind(|(day, _)| **day < first);
                let had_older = before.is_some_and(|(_, had)| place(had) < place(version));
                if had_older && one.paper.seen.iter().any(|day| *day >= first) {
                    let taken = one.versions.iter().filter(|(day, name)| **day >= first && place(name) >= place(version));
                    let at = match taken.map(|(day, _)| *day - first).min() {
                        None => 5,
                        Some(days) => [1, 2, 7, 28].iter().filter(|edge| days >= **edge).count(),
                    };
                    counts[at] += 1;
                }
            }
            if counts != [0; 6] {
                upgrades.push(((*version).to_owned(), first, counts));
            }
        }
        let shown = found.upgrades.iter().map(|one| (one.version.clone(), one.first_day.0, one.counts));
        prop_assert_eq!(shown.collect::<Vec<_>>(), upgrades);

        let present = today(now) - 1 - (today(now) - 1 + 700 - MONDAY) % 7;
        let mut weeks = Vec::new();
        for monday in (0..52).map(|back| present - 7 * back) {
            let end = (monday + 6).min(today(now) - 1);
            let here = all.iter().filter(|one| was_seen(one, monday..end + 1));
            let then = here.filter_map(|one| one.versions.iter().rfind(|(day, _)| **day <= end).map(|(_, name)| *name));
            let then: Vec<&str> = then.collect();
            for version in VERSIONS.iter().rev() {
                let count = then.iter().filter(|name| *name == version).count() as u64;
                if count > 0 {
                    weeks.push((monday, (*version).to_owned(), Share { count, of: then.len() as u64 }));
                }
            }
        }
        let shown = found.weeks.iter().map(|one| (one.week.monday().0, one.version.clone(), one.share));
        prop_assert_eq!(shown.collect::<Vec<_>>(), weeks);
    }

    #[test]
    fn crashes_are_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let mut expected = Vec::new();
        for version in VERSIONS.iter().rev() {
            let (mut of, mut count) = (0, 0);
            for one in &all {
                let days = one.paper.seen.iter().filter(|day| **day < today(now) && **day + 28 >= today(now));
                let mut days = days.filter(|day| one.version_on(**day) == *version).peekable();
                of += u64::from(days.peek().is_some());
                count += u64::from(days.any(|day| one.crashes.contains(day)));
            }
            if of > 0 {
                expected.push(((*version).to_owned(), Share { count, of }));
            }
        }
        let found = crashes(snapshot.records(None)).into_iter();
        let found: Vec<_> = found.map(|one| (one.version, one.share)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn error_codes_are_what_one_counts_on_paper(all in fleet(), now in later()) {
        let snapshot = snapshot(&all, now);
        let mut expected: BTreeMap<(&str, Code), (Share, Share)> = BTreeMap::new();
        for version in VERSIONS {
            for code in (0..4).filter_map(Code::numbered) {
                let (mut of, mut met, mut standing) = (0, 0, 0);
                for one in &all {
                    let days = one.paper.seen.iter().filter(|day| **day < today(now) && **day + 28 >= today(now));
                    let days: Vec<&u32> = days.filter(|day| one.version_on(**day) == version).collect();
                    let said = |what: &dyn Fn(&Met) -> u64| {
                        let said = days.iter().flat_map(|day| one.codes.get(day).into_iter().flatten());
                        u64::from(said.filter(|met| met.code == code).any(|met| what(met) > 0))
                    };
                    of += u64::from(!days.is_empty());
                    met += said(&|met| met.changes);
                    standing += said(&|met| met.servers);
                }
                if met + standing > 0 {
                    expected.insert((version, code), (Share { count: met, of }, Share { count: standing, of }));
                }
            }
        }
        let found = codes(snapshot.records(None));
        let in_order = |one: &Codes, other: &Codes| match order(&one.version, &other.version) {
            Ordering::Equal => one.met.count >= other.met.count,
            versions => versions == Ordering::Greater,
        };
        prop_assert!(found.is_sorted_by(in_order));
        prop_assert_eq!(found.len(), expected.len());
        for one in found {
            prop_assert_eq!(Some(&(one.met, one.standing)), expected.get(&(one.version.as_str(), one.code)));
        }
    }

    #[test]
    fn clients_are_what_one_counts_on_paper(all in fleet(), now in later(), k in 1_u64..8) {
        let snapshot = snapshot(&all, now);
        let found = clients(snapshot.records(None), now, k);
        let asked = all.iter().filter(|one| {
            !one.paper.flood
                && one.paper.day0() + 2 <= today(now)
                && was_seen(one, today(now) - 364..today(now))
        });
        let asked: Vec<&Said> = asked.collect();
        let mut hidden = 0;
        let mut shown = BTreeMap::new();
        for name in CLIENTS {
            let count = asked.iter().filter(|one| one.clients.contains(name)).count() as u64;
            if count >= k {
                shown.insert(name.to_owned(), Share { count, of: asked.len() as u64 });
            } else {
                hidden += u64::from(count > 0);
            }
        }
        prop_assert_eq!(found.hidden, hidden);
        prop_assert!(found.names.is_sorted_by(|(_, one), (_, other)| one.count >= other.count));
        prop_assert_eq!(found.names.into_iter().collect::<BTreeMap<_, _>>(), shown);
        let without = asked.iter().filter(|one| one.clients.is_empty()).count() as u64;
        prop_assert_eq!(found.without, Share { count: without, of: asked.len() as u64 });
    }

    #[test]
    fn a_filter_holds_what_the_first_heartbeat_said(all in fleet(), now in later(), like in facts("1.0.0")) {
        let snapshot = snapshot(&all, now);
        let agent = like.agent_env.map_or("none", AgentEnv::as_str);
        for (name, value) in [
            ("kind", like.kind.as_str()),
            ("agent_env", agent),
            ("launch_source", like.launch_source.as_str()),
            ("os", like.os.as_str()),
            ("version", like.version.as_str()),
            ("edition", "personal"),
        ] {
            let mut filters = Filters::default();
            prop_assert_eq!(filters.put(name, value), Ok(()));
            prop_assert_eq!(filters.set(), vec![(name, value)]);
            let held = snapshot.records(None).filter(|one| filters.hold(one)).count();
            let said = |facts: &Facts| match name {
                "kind" => facts.kind.as_str() == value,
                "agent_env" => facts.agent_env.map_or("none", AgentEnv::as_str) == value,
                "launch_source" => facts.launch_source.as_str() == value,
                "os" => facts.os.as_str() == value,
                "version" => facts.version == value,
                _ => true,
            };
            prop_assert_eq!(held, all.iter().filter(|one| said(&one.first)).count());
        }
        prop_assert_eq!(Filters::default().put("colour", "red"), Err(FilterError::Name));
        prop_assert_eq!(Filters::default().put("kind", "red"), Err(FilterError::Value));
    }
}
