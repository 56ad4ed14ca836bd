//! Each rule against a second computation, written plainly and without the first one's help.
//!
//! One rule: the second computation knows sets of days and dates on paper, no bits and no columns.

mod calendar;
mod chosen;
mod example;
mod records;

use super::*;
use crate::collector::row::{AgentEnv, Facts, InstallRow};
use crate::contract::{Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// 2026-09-28, a Monday.
const MONDAY: u32 = 20_724;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// An install as one would write it down on paper.
#[derive(Clone, Debug)]
struct Paper {
    /// UTC days with a heartbeat.
    seen: BTreeSet<u32>,
    /// The day of the first report of each step.
    steps: [Option<u32>; 5],
    kind: EnvKind,
    agent: Option<AgentEnv>,
    version: &'static str,
    carried_over: bool,
    late_start: bool,
    flood: bool,
}

impl Paper {
    fn day0(&self) -> u32 {
        *self.seen.first().expect("a first day")
    }

    fn was_seen(&self, days: impl IntoIterator<Item = u32>) -> bool {
        days.into_iter().any(|day| self.seen.contains(&(self.day0() + day)))
    }

    fn is_person(&self) -> bool {
        ["interactive", "cloud_ide"].contains(&self.kind.as_str())
            && !matches!(self.agent, Some(AgentEnv::Cloud | AgentEnv::Sandbox))
    }

    fn install(&self) -> Install {
        Install::from(&self.row())
    }

    fn row(&self) -> InstallRow {
        let facts = |kind, version: &str| Facts {
            kind,
            markers: Some(EnvMarkers::default()),
            agent_env: self.agent,
            launch_source: LaunchSource::Unknown,
            os: Os::Linux,
            arch: Arch::Amd64,
            edition: Some(Edition::Personal),
            routing: None,
            version: version.to_owned(),
        };
        let mut days = [0; 6];
        for day in &self.seen {
            let n = day - self.day0();
            if n < 384 {
                days[(n / 64) as usize] |= 1 << (n % 64);
            }
        }
        InstallRow {
            day0: self.day0(),
            last_day: *self.seen.last().expect("a last day"),
            days,
            first: facts(self.kind, self.version),
            // Only the first heartbeat decides what an install is.
            now: facts(EnvKind::Ci, "9.9.9-dev"),
            steps: self.steps,
            versions: Vec::new(),
            clients: Vec::new(),
            carried_over: self.carried_over,
            late_start: self.late_start,
            clock_wrong: 0,
            flood: self.flood,
        }
    }
}

fn paper() -> impl Strategy<Value = Paper> {
    let days = prop_oneof![
        4 => prop::collection::btree_set(0_u32..50, 0..12),
        1 => prop::collection::btree_set(0_u32..384, 0..12),
        1 => prop::collection::btree_set(Just(500_u32), 0..2),
    ];
    let kind = prop::sample::select(EnvKind::ALL);
    let agents = [None, Some(AgentEnv::None), Some(AgentEnv::None), Some(AgentEnv::Cloud)];
    let versions = ["1.0.0", "1.2.3+build", "2.0.0-rc.1", "0.0.0-dev"];
    let steps = prop::array::uniform5(prop::option::of(any::<prop::sample::Index>()));
    (
        MONDAY..MONDAY + 60,
        days,
        steps,
        kind,
        prop::sample::select(agents.to_vec()),
        prop::sample::select(versions.to_vec()),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(day0, days, steps, kind, agent, version, carried_over, late_start, flood)| {
                let mut seen: BTreeSet<u32> = days.into_iter().map(|day| day0 + day).collect();
                seen.insert(day0);
                let all: Vec<u32> = seen.iter().copied().collect();
                let steps = steps.map(|step| step.map(|index| *index.get(&all)));
                Paper { seen, steps, kind, agent, version, carried_over, late_start, flood }
            },
        )
}

/// Steps of the gateway, then those of a wrapped server: the day each was reached on.
fn day_of(paper: &Paper, step: Step) -> Option<u32> {
    match step {
        Step::FirstHeartbeat => Some(paper.day0()),
        Step::ServerConfigured => paper.steps[0],
        Step::ServerConnected => paper.steps[1],
        Step::ClientSeen => paper.steps[2],
        Step::ToolsSearched => paper.steps[3],
        Step::FirstRealToolCall => paper.steps[4],
        Step::SecondDay => paper.seen.iter().copied().nth(1),
        Step::SecondWeek => paper.seen.iter().copied().find(|day| *day >= paper.day0() + 7),
    }
}

fn fleet() -> impl Strategy<Value = Vec<Paper>> {
    prop::collection::vec(paper(), 0..40)
}

/// As [`now`], and up to a year later.
fn later() -> impl Strategy<Value = Now> {
    prop_oneof![now(), (u64::from(MONDAY) * DAY..u64::from(MONDAY + 520) * DAY).prop_map(Now)]
}

fn installs(papers: &[Paper]) -> impl Iterator<Item = Install> {
    papers.iter().map(Paper::install)
}

fn now() -> impl Strategy<Value = Now> {
    (u64::from(MONDAY) * DAY..u64::from(MONDAY + 120) * DAY).prop_map(Now)
}

#[test]
fn five_of_twelve_is_42_percent_and_19_to_68() {
    let share = Share { count: 5, of: 12 };
    let (low, high) = share.interval().expect("an interval");
    let percent = |value: f64| (value * 100.0).round();
    assert!((percent(share.value().expect("a share")) - 42.0).abs() < 0.1);
    assert!((percent(low) - 19.0).abs() < 0.1 && (percent(high) - 68.0).abs() < 0.1);
}

#[test]
fn no_installs_is_no_share_and_not_zero_percent() {
    assert_eq!(Share::default().value(), None);
    assert_eq!(Share::default().interval(), None);
    let none = Share { count: 0, of: 30 };
    assert_eq!(none.value(), Some(0.0));
    assert!(none.interval().is_some_and(|(low, high)| low == 0.0 && high > 0.05));
}

#[test]
fn a_release_has_no_pre_release_part() {
    for (version, expected) in [
        ("1.4.0", true),
        ("1.4.0+build-7", true),
        ("1.4.0-dev", false),
        ("1.4.0-rc.1+build", false),
        ("", false),
    ] {
        assert_eq!(who::is_release(version), expected, "{version}");
    }
}

#[test]
fn a_cell_is_final_48_hours_after_its_last_day_for_the_sunday_of_its_week() {
    // Sunday 2026-10-04; day 34 of it is 2026-11-07, over at 00:00 of the 8th, final at 00:00 of the 10th.
    let final_at = u64::from(super::Day::parse("2026-11-10").expect("a day").0) * DAY;
    let week = super::Day(MONDAY).week();
    assert!(!Measure::Week4.is_settled(week, Now(final_at - 1)));
    assert!(Measure::Week4.is_settled(week, Now(final_at)));
}

proptest! {
    /// Each edge of Wilson's interval is the share p0 at which the observed one lies z standard errors away.
    #[test]
    fn the_interval_is_where_the_score_test_turns(of in 1_u64..5_000, part in 0.0..=1.0_f64) {
        let share = Share { count: (part * of as f64).round() as u64, of };
        let (low, high) = share.interval().expect("an interval");
        let p = share.value().expect("a share");
        prop_assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
        for edge in [low, high] {
            let error = (edge * (1.0 - edge) / of as f64).sqrt();
            let z = (p - edge).abs() / error;
            prop_assert!(edge == 0.0 || edge == 1.0 || (z - 1.959_964).abs() < 1e-4, "{z}");
        }
    }

    #[test]
    fn retention_is_what_one_counts_on_paper(papers in fleet(), now in now()) {
        let found = retention(installs(&papers), now);
        let mut weeks: BTreeMap<u32, Vec<&Paper>> = BTreeMap::new();
        for paper in papers.iter().filter(|paper| !paper.carried_over) {
            let monday = paper.day0() - (paper.day0() - MONDAY) % 7;
            weeks.entry(monday).or_default().push(paper);
        }
        let measures: [Vec<u32>; 3] = [vec![1], (7..=13).collect(), (28..=34).collect()];
        let mut pooled = [(0, 0); 3];
        let mut listed = BTreeMap::new();
        for cohort in &found.cohorts {
            listed.insert(cohort.week.monday().0, cohort);
        }
        for (monday, cohort) in &listed {
            let members = weeks.remove(monday).unwrap_or_default();
            prop_assert_eq!(cohort.installs, members.len() as u64);
            for (at, days) in measures.iter().enumerate() {
                let kept = members.iter().filter(|one| one.was_seen(days.clone())).count() as u64;
                let last = days.last().expect("a day");
                let ends = (u64::from(monday + 6 + last) + 1) * DAY;
                let state = match members.len() {
                    0 => State::Empty,
                    _ if now.0 >= ends + 48 * HOUR => State::Final,
                    _ => State::Open,
                };
                let of = members.len() as u64;
                prop_assert_eq!(cohort.cells[at], Cell { state, share: Share { count: kept, of } });
                if state == State::Final {
                    pooled[at] = (pooled[at].0 + kept, pooled[at].1 + of);
                }
            }
        }
        prop_assert!(weeks.is_empty(), "weeks that are missing: {:?}", weeks.keys());
        let mondays: Vec<u32> = listed.keys().copied().collect();
        prop_assert!(mondays.windows(2).all(|two| two[1] - two[0] == 7), "a gap: {:?}", mondays);
        prop_assert_eq!(found.pooled.map(|share| (share.count, share.of)), pooled);
    }

    #[test]
    fn rolling_retention_is_what_one_counts_on_paper(papers in fleet(), now in later()) {
        let found = rolling(installs(&papers), now);
        let windows = [1, 28, 84, 168, 336].map(|first| (first..first + 28).collect::<Vec<u32>>());
        let mut pooled = [(0, 0); 5];
        let mut counted = 0;
        for cohort in &found.cohorts {
            let monday = cohort.week.monday().0;
            let members = papers.iter().filter(|one| !one.carried_over);
            let members: Vec<_> =
                members.filter(|one| (monday..monday + 7).contains(&one.day0())).collect();
            let of = members.len() as u64;
            counted += of;
            for (at, days) in windows.iter().enumerate() {
                let kept = members.iter().filter(|one| one.was_seen(days.clone())).count() as u64;
                let settled = u64::from(monday + 6 + days[27] + 1) * DAY + 48 * HOUR;
                let state = match of {
                    0 => State::Empty,
                    _ if now.0 >= settled => State::Final,
                    _ => State::Open,
                };
                prop_assert_eq!(cohort.cells[at], Cell { state, share: Share { count: kept, of } });
                if state == State::Final {
                    pooled[at] = (pooled[at].0 + kept, pooled[at].1 + of);
                }
            }
        }
        prop_assert_eq!(counted, papers.iter().filter(|one| !one.carried_over).count() as u64);
        prop_assert_eq!(found.pooled.map(|share| (share.count, share.of)), pooled);
    }

    /// Everyone asks on every day whether he has been silent for 28 days since.
    #[test]
    fn survival_is_what_one_counts_on_paper(papers in fleet(), now in later()) {
        let yesterday = (now.0 / DAY) as u32 - 1;
        let lapses = |one: &Paper, day: u32| {
            one.was_seen([day]) && !one.was_seen(day + 1..=day + 28)
        };
        let mut curve = 1.0_f64;
        let mut greenwood = 0.0_f64;
        let found = survival(installs(&papers), now).days();
        for day in 0..=337_u32 {
            let at_risk = papers.iter().filter(|one| {
                !one.carried_over
                    && one.day0() + day + 28 <= yesterday
                    && !(0..day).any(|before| lapses(one, before))
            });
            let at_risk: Vec<_> = at_risk.collect();
            let lapsed = at_risk.iter().filter(|one| lapses(one, day)).count();
            if at_risk.is_empty() {
                prop_assert_eq!(found.len(), day as usize);
                break;
            }
            let (n, d) = (at_risk.len() as f64, lapsed as f64);
            curve = curve * (n - d) / n;
            greenwood += if lapsed < at_risk.len() { d / n / (n - d) } else { 0.0 };
            let row = found[day as usize];
            prop_assert_eq!((row.day, row.at_risk, row.lapsed), (day, at_risk.len() as u64, lapsed as u64));
            prop_assert!((row.survived - curve).abs() < 1e-9, "{} {}", row.survived, curve);
            prop_assert_eq!(row.interval.is_some(), curve > 1e-9 && curve < 1.0 - 1e-9);
            if let Some((low, high)) = row.interval {
                prop_assert!(0.0 <= low && low <= curve && curve <= high && high <= 1.0);
                // Both edges lie 1.96 standard errors away on the scale of log(-log).
                let scale = |part: f64| (-part.ln()).ln();
                let error = (greenwood / curve.ln().powi(2)).sqrt();
                prop_assert!((scale(low) - scale(curve) - 1.959_964 * error).abs() < 1e-4);
                prop_assert!((scale(curve) - scale(high) - 1.959_964 * error).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn delays_are_what_one_counts_on_paper(papers in fleet()) {
        for steps in [Step::GATEWAY, Step::WRAPPED] {
            let found = delays(installs(&papers), steps);
            prop_assert_eq!(found.len(), steps.len());
            for row in found {
                let mut counts = [0; 6];
                for paper in papers.iter().filter(|one| !one.carried_over) {
                    let day = day_of(paper, row.step);
                    let at = match day.map(|day| day - paper.day0()) {
                        None => 5,
                        Some(days) => [1, 2, 7, 28].iter().filter(|edge| days >= **edge).count(),
                    };
                    counts[at] += 1;
                }
                prop_assert_eq!(row.counts, counts);
            }
        }
    }

    /// A heartbeat may claim a day up to 26 h before its receipt. None that comes after `now` changes a final cell.
    #[test]
    fn a_final_cell_never_changes(
        papers in fleet(),
        now in now(),
        later in prop::collection::vec((any::<prop::sample::Index>(), 0..40 * DAY, 0..=26 * HOUR), 0..30),
        newcomers in prop::collection::vec((paper(), 0..40 * DAY, 0..=26 * HOUR), 0..10),
    ) {
        let known: Vec<Paper> = papers.into_iter().filter(|one| u64::from(one.day0()) * DAY <= now.0).collect();
        let mut grown = known.clone();
        let claimed = |after: u64, before: u64| ((now.0 + after - before.min(now.0)) / DAY) as u32;
        for (index, after, before) in later {
            if !grown.is_empty() {
                let at = index.index(grown.len());
                grown[at].seen.insert(claimed(after, before));
            }
        }
        for (mut newcomer, after, before) in newcomers {
            newcomer.seen = BTreeSet::from([claimed(after, before)]);
            grown.push(newcomer);
        }
        let rolled = rolling(installs(&known), now);
        let after = rolling(installs(&grown), Now(now.0 + 41 * DAY));
        let after: BTreeMap<_, _> = after.cohorts.iter().map(|one| (one.week, one)).collect();
        for cohort in rolled.cohorts {
            for (at, cell) in cohort.cells.iter().enumerate().filter(|(_, cell)| cell.state == State::Final) {
                prop_assert_eq!(&after[&cohort.week].cells[at], cell);
            }
        }
        let before = retention(installs(&known), now);
        let after = retention(installs(&grown), Now(now.0 + 41 * DAY));
        let after: BTreeMap<_, _> = after.cohorts.iter().map(|one| (one.week, one)).collect();
        for cohort in before.cohorts {
            for (at, cell) in cohort.cells.iter().enumerate().filter(|(_, cell)| cell.state == State::Final) {
                prop_assert_eq!(&after[&cohort.week].cells[at], cell);
            }
        }
    }

    #[test]
    fn the_order_of_rows_changes_nothing(papers in fleet(), now in now()) {
        let backwards = || papers.iter().rev().map(Paper::install);
        prop_assert_eq!(retention(installs(&papers), now), retention(backwards(), now));
        prop_assert_eq!(
            activation(installs(&papers), Step::WRAPPED, now),
            activation(backwards(), Step::WRAPPED, now)
        );
    }

    #[test]
    fn the_funnel_is_what_one_counts_on_paper(papers in fleet(), now in now()) {
        let counted: Vec<&Paper> = papers.iter().filter(|paper| !paper.carried_over).collect();
        for steps in [Step::GATEWAY, Step::WRAPPED] {
            let found = activation(installs(&papers), steps, now);
            prop_assert_eq!(found.steps.len(), steps.len());
            for (at, row) in found.steps.iter().enumerate() {
                let of = counted.len() as u64;
                let reached = |one: &&&Paper| day_of(one, steps[at]).is_some();
                let all = |one: &&&Paper| steps[..=at].iter().all(|step| day_of(one, *step).is_some());
                prop_assert_eq!(row.reached, Share { count: counted.iter().filter(reached).count() as u64, of });
                prop_assert_eq!(row.with_all_before, Share { count: counted.iter().filter(all).count() as u64, of });
                // Day 6 is over when day 7 has begun.
                let old = counted.iter().filter(|one| now.0 >= u64::from(one.day0() + 7) * DAY);
                let old: Vec<_> = old.collect();
                let soon = |one: &&&&Paper| {
                    day_of(one, steps[at]).is_some_and(|day| day <= one.day0() + 6)
                };
                let fair = Share { count: old.iter().filter(soon).count() as u64, of: old.len() as u64 };
                let fair = (steps[at] != Step::SecondWeek).then_some(fair);
                prop_assert_eq!(row.within_7_days, fair);
            }
        }
    }

    #[test]
    fn active_installs_are_those_seen_on_complete_days(papers in fleet(), now in now()) {
        let today = (now.0 / DAY) as u32;
        let active = |days: u32| {
            let is_active = |one: &&Paper| one.seen.iter().any(|day| *day < today && day + days >= today);
            papers.iter().filter(is_active).count() as u64
        };
        // A day between the bits and the last one leaves no trace; none of these installs has two of them.
        let found = activity(installs(&papers), now);
        prop_assert_eq!(found.installs, papers.len() as u64);
        prop_assert_eq!((found.yesterday, found.last_7_days, found.last_28_days), (active(1), active(7), active(28)));
        let carried = papers.iter().filter(|one| one.carried_over).count() as u64;
        let late = papers.iter().filter(|one| one.late_start && !one.carried_over).count() as u64;
        let floods = papers.iter().filter(|one| one.flood).count() as u64;
        prop_assert_eq!((found.carried_over, found.late_starts, found.floods), (carried, late, floods));

        let here = |one: &&Paper| {
            !one.version.contains("-")
                && !one.flood
                && one.seen.iter().any(|day| *day < today && day + 28 >= today)
        };
        let here: Vec<&Paper> = papers.iter().filter(here).collect();
        let people = here.iter().filter(|one| one.is_person()).count() as u64;
        prop_assert_eq!(
            share_of_people(installs(&papers), now),
            Share { count: people, of: here.len() as u64 }
        );
    }

    #[test]
    fn new_installs_are_the_cohorts_and_late_starts_stay_in_them(papers in fleet(), now in now()) {
        let new = new_installs(&retention(installs(&papers), now), now);
        let total: u64 = new.iter().map(|week| week.installs).sum();
        prop_assert_eq!(total, papers.iter().filter(|one| !one.carried_over).count() as u64);
        for week in new {
            let monday_after_next = u64::from(week.week.monday().0 + 7 + 2) * DAY;
            prop_assert_eq!(week.is_final, now.0 >= monday_after_next);
        }
    }

    #[test]
    fn people_machines_and_what_is_left_out_are_all(papers in fleet(), now in now()) {
        let count = |audience: Audience| {
            installs(&papers).filter(|one| one.is_shown_to(audience)).count() as u64
        };
        let is_release = |one: &&Paper| !one.version.contains('-') && !one.flood;
        let people = papers.iter().filter(is_release).filter(|one| one.is_person()).count() as u64;
        let machines = papers.iter().filter(is_release).filter(|one| !one.is_person()).count() as u64;
        prop_assert_eq!(count(Audience::People), people);
        prop_assert_eq!(count(Audience::Machines), machines);
        prop_assert_eq!(count(Audience::All), papers.len() as u64);
        for audience in Audience::ALL {
            let (found, out) = counted(installs(&papers), audience, now);
            let shown = installs(&papers).filter(|one| one.is_shown_to(audience));
            prop_assert_eq!(found, activity(shown, now));
            prop_assert_eq!(out.total() + count(audience), papers.len() as u64);
        }
        let (_, out) = counted(installs(&papers), Audience::People, now);
        prop_assert_eq!(out.people, 0);
        let agents = papers.iter().filter(is_release);
        let agents = agents.filter(|one| matches!(one.agent, Some(AgentEnv::Cloud | AgentEnv::Sandbox)));
        prop_assert_eq!(out.agents, agents.count() as u64);
        prop_assert_eq!(out.floods, papers.iter().filter(|one| one.flood).count() as u64);
    }
}
