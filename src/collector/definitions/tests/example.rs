//! The worked example of `docs/collector/definitions.md`: ten installs, and every number of theirs by hand.
//!
//! One rule: the numbers here were counted in the table of the document, not taken from a run.

use super::Paper;
use super::records::{Said, snapshot};
use crate::collector::code::{Code, Met};
use crate::collector::definitions::*;
use crate::collector::row::{AgentEnv, Facts};
use crate::collector::snapshot::Health;
use crate::contract::{EnvKind, EnvMarkers};
use std::collections::{BTreeMap, BTreeSet};

/// Saturday, 2026-11-28, noon.
fn now() -> Now {
    Now(u64::from(day("2026-11-28").0) * 86_400 + 43_200)
}

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day")
}

/// A person with a release: first heartbeat, days after it with another one, days until the first real call.
fn person(first: &str, later: &[u32], call: Option<u32>) -> Paper {
    let first = day(first).0;
    let seen: BTreeSet<u32> = later.iter().map(|after| first + after).chain([first]).collect();
    let call = call.map(|after| first + after);
    Paper {
        seen,
        steps: [None, None, None, None, call],
        kind: EnvKind::Interactive,
        agent: Some(AgentEnv::None),
        version: "1.4.0",
        carried_over: false,
        late_start: false,
        flood: false,
    }
}

fn all() -> Vec<Paper> {
    vec![
        person("2026-09-28", &[1, 8, 30], Some(0)),
        person("2026-09-30", &[9], Some(9)),
        person("2026-10-04", &[], None),
        Paper { kind: EnvKind::CloudIde, ..person("2026-10-13", &[1, 2, 29], Some(1)) },
        person("2026-11-20", &[7], Some(0)),
        person("2026-11-26", &[1], None),
        Paper { kind: EnvKind::Ci, ..person("2026-11-23", &[], Some(0)) },
        Paper { version: "1.5.0-dev", ..person("2026-10-06", &[1], Some(0)) },
        Paper { carried_over: true, ..person("2026-10-05", &[51], Some(0)) },
        Paper { agent: Some(AgentEnv::Sandbox), ..person("2026-11-24", &[], Some(0)) },
    ]
}

fn people() -> impl Iterator<Item = Install> {
    let installs: Vec<Install> = all().iter().map(Paper::install).collect();
    installs.into_iter().filter(|one| one.is_shown_to(Audience::People))
}

fn share(count: u64, of: u64) -> Share {
    Share { count, of }
}

#[test]
fn who_is_there_and_who_is_left_out() {
    let found = activity(people(), now());
    assert_eq!((found.installs, found.carried_over), (7, 1));
    assert_eq!((found.yesterday, found.last_7_days, found.last_28_days), (2, 3, 4));
    let everyone = || all().into_iter().map(|one| one.install());
    assert_eq!(share_of_people(everyone(), now()), share(4, 6));
    let (_, out) = counted(everyone(), Audience::People, now());
    assert_eq!((out.ci, out.agents, out.development, out.total()), (1, 1, 1, 3));
}

#[test]
fn who_is_new() {
    let new = new_installs(&retention(people(), now()), now());
    let new: Vec<_> =
        new.iter().map(|week| (week.week.to_string(), week.installs, week.is_final)).collect();
    let counts: Vec<u64> = new.iter().map(|(_, installs, _)| *installs).collect();
    assert_eq!(counts, [3, 0, 1, 0, 0, 0, 0, 1, 1]);
    assert_eq!(new[0], ("2026-W40".to_owned(), 3, true));
    assert_eq!(new[7], ("2026-W47".to_owned(), 1, true));
    assert_eq!(new[8], ("2026-W48".to_owned(), 1, false));
}

#[test]
fn who_came_back() {
    use State::{Empty, Final, Open};
    let found = retention(people(), now());
    let row = |week: &str| {
        let cohort = found.cohorts.iter().find(|cohort| cohort.week.to_string() == week);
        cohort.expect("a week").cells.map(|cell| (cell.state, cell.share.count, cell.share.of))
    };
    assert_eq!(row("2026-W40"), [(Final, 1, 3), (Final, 2, 3), (Final, 1, 3)]);
    assert_eq!(row("2026-W41"), [(Empty, 0, 0); 3]);
    assert_eq!(row("2026-W42"), [(Final, 1, 1), (Final, 0, 1), (Final, 1, 1)]);
    assert_eq!(row("2026-W47"), [(Final, 0, 1), (Open, 1, 1), (Open, 0, 1)]);
    assert_eq!(row("2026-W48"), [(Open, 1, 1), (Open, 0, 1), (Open, 0, 1)]);
    assert_eq!(found.pooled, [share(2, 5), share(2, 4), share(2, 4)]);
}

#[test]
fn who_came_back_within_four_weeks() {
    use State::{Empty, Final, Open};
    let found = rolling(people(), now());
    let row = |week: &str| {
        let cohort = found.cohorts.iter().find(|cohort| cohort.week.to_string() == week);
        let cells = cohort.expect("a week").cells;
        [cells[0], cells[1]].map(|cell| (cell.state, cell.share.count, cell.share.of))
    };
    assert_eq!(row("2026-W40"), [(Final, 2, 3), (Open, 1, 3)]);
    assert_eq!(row("2026-W41"), [(Empty, 0, 0); 2]);
    assert_eq!(row("2026-W42"), [(Final, 1, 1), (Open, 1, 1)]);
    assert_eq!(row("2026-W47"), [(Open, 1, 1), (Open, 0, 1)]);
    assert_eq!(row("2026-W48"), [(Open, 1, 1), (Open, 0, 1)]);
    assert_eq!(found.pooled[..2], [share(3, 4), share(0, 0)]);
    assert_eq!(found.cohorts[0].cells[4].state, Open);
}

#[test]
fn who_stayed() {
    let days = survival(people(), now()).days();
    assert_eq!(days.len(), 31, "A is at risk until it lapses on day 30");
    let percent = |value: f64| (value * 100.0).round();
    for (at, at_risk, lapsed, survived, interval) in [
        (0, 4, 1, 75.0, Some((13.0, 96.0))),
        (1, 3, 0, 75.0, Some((13.0, 96.0))),
        (8, 3, 0, 75.0, Some((13.0, 96.0))),
        (9, 3, 1, 50.0, Some((6.0, 84.0))),
        (10, 2, 0, 50.0, Some((6.0, 84.0))),
        (17, 2, 0, 50.0, Some((6.0, 84.0))),
        (18, 1, 0, 50.0, Some((6.0, 84.0))),
        (29, 1, 0, 50.0, Some((6.0, 84.0))),
        (30, 1, 1, 0.0, None),
    ] {
        let day = days[at];
        assert_eq!((day.day as usize, day.at_risk, day.lapsed), (at, at_risk, lapsed));
        assert_eq!(percent(day.survived), survived, "day {at}");
        let found = day.interval.map(|(low, high)| (percent(low), percent(high)));
        assert_eq!(found, interval, "day {at}");
    }
}

#[test]
fn how_long_it_took_them() {
    let found = delays(people(), Step::WRAPPED);
    let counts: Vec<_> = found.iter().map(|row| row.counts).collect();
    assert_eq!(
        counts,
        [[6, 0, 0, 0, 0, 0], [2, 1, 0, 1, 0, 2], [0, 3, 0, 2, 0, 1], [0, 0, 0, 3, 1, 2]]
    );
}

/// What the ten said beside their days, in the order of the table.
fn all_said() -> Vec<Said> {
    let clients: [&[&str]; 10] = [
        &["claude-code"],
        &["claude-code", "cursor"],
        &["my-client"],
        &["claude-code"],
        &["cursor"],
        &["cursor"],
        &[],
        &[],
        &[],
        &[],
    ];
    let upgrades = [
        Some((30, "1.5.0")),
        None,
        None,
        Some((29, "1.5.0")),
        Some((7, "1.6.0")),
        Some((1, "1.5.0")),
        None,
        None,
        Some((51, "1.5.0")),
        None,
    ];
    let all = all().into_iter().zip(clients).zip(upgrades);
    let said = all.map(|((paper, clients), upgrade)| {
        let first = paper.row().first;
        let mut versions = BTreeMap::from([(paper.day0(), paper.version)]);
        versions.extend(upgrade.map(|(after, version)| (paper.day0() + after, version)));
        let mut now = Facts { markers: Some(EnvMarkers::default()), ..first.clone() };
        now.version = versions.values().next_back().expect("a version").to_string();
        let clients = clients.iter().copied().collect();
        let crashes = BTreeSet::from([day("2026-11-11").0, day("2026-11-26").0]);
        Said { first, now, versions, clients, crashes, codes: BTreeMap::new(), paper }
    });
    let mut all: Vec<Said> = said.collect();
    for (at, date, code, changes, servers) in [
        (3, "2026-11-11", "MCPX_HTTP_DNS", 3, 1),
        (5, "2026-11-26", "MCPX_HTTP_DNS", 1, 1),
        (5, "2026-11-27", "MCPX_HTTP_DNS", 0, 1),
        (5, "2026-11-27", "MCPX_OF_TOMORROW", 2, 0),
    ] {
        let met = Met { code: Code::of(code), changes, servers };
        all[at].codes.entry(day(date).0).or_default().push(met);
    }
    let tty = EnvMarkers { has_tty: true, ..EnvMarkers::default() };
    for at in [5, 8, 9] {
        all[at].now.markers = Some(tty);
    }
    all[3].now.markers = Some(EnvMarkers { has_cloud_ide_env: true, ..EnvMarkers::default() });
    all[4].now.kind = EnvKind::Container;
    all[4].now.markers = Some(EnvMarkers { is_container: true, ..EnvMarkers::default() });
    all[6].now.markers = Some(EnvMarkers { has_ci_env: true, ..EnvMarkers::default() });
    all
}

#[test]
fn where_they_run() {
    let snapshot = snapshot(&all_said(), now());
    let weeks = mix(snapshot.records(None), now());
    let week = |name: &str| {
        let mix = weeks.iter().find(|mix| mix.week.to_string() == name).expect("a week");
        let kind = |kind: EnvKind| mix.kinds[kind as usize];
        let [interactive, ci, container] =
            [EnvKind::Interactive, EnvKind::Ci, EnvKind::Container].map(kind);
        (mix.installs, interactive, ci, container)
    };
    assert_eq!(week("2026-W48"), (5, 3, 1, 1));
    assert_eq!(week("2026-W47"), (1, 0, 0, 1));
    assert_eq!(weeks[0].week.to_string(), "2026-W40");

    let found = transparency(snapshot.records(None), now());
    let cell = |declared: EnvKind, recomputed: EnvKind| {
        found.cells[declared as usize][recomputed as usize]
    };
    use EnvKind::{Ci, CloudIde, Container, Interactive};
    assert_eq!(found.cells.iter().flatten().sum::<u64>(), 6);
    assert_eq!(cell(CloudIde, CloudIde) + cell(Container, Container) + cell(Ci, Ci), 3);
    assert_eq!((cell(Interactive, Interactive), cell(Interactive, Container)), (2, 1));

    let found = once(snapshot.records(None), now());
    assert_eq!((found[Interactive as usize], found[CloudIde as usize]), (share(1, 5), share(0, 1)));
    assert_eq!(found.iter().map(|share| share.of).sum::<u64>(), 6);
}

#[test]
fn which_versions_and_clients_they_have() {
    let snapshot = snapshot(&all_said(), now());
    let people = || {
        let all = snapshot.records(None);
        all.filter(|one| one.install.is_shown_to(Audience::People))
    };
    let found = versions(people, now());
    let adopted: Vec<_> = found
        .adopted
        .iter()
        .map(|one| (one.version.as_str(), one.first_day.map(|day| day.to_string()), one.share))
        .collect();
    let on = |day: &str| Some(day.to_owned());
    assert_eq!(
        adopted,
        [("1.6.0", on("2026-11-27"), share(1, 4)), ("1.5.0", on("2026-10-28"), share(3, 4))]
    );
    assert_eq!(found.newest, Some(("1.6.0".to_owned(), share(1, 4))));
    let upgrades: Vec<_> =
        found.upgrades.iter().map(|one| (one.version.as_str(), one.counts)).collect();
    assert_eq!(upgrades, [("1.6.0", [1, 0, 0, 0, 0, 1]), ("1.5.0", [1, 0, 0, 1, 1, 0])]);

    let in_week = |name: &str| {
        let of_week = found.weeks.iter().filter(|one| one.week.to_string() == name);
        of_week.map(|one| (one.version.clone(), one.share)).collect::<Vec<_>>()
    };
    let of = |version: &str, count, of| (version.to_owned(), share(count, of));
    assert_eq!(in_week("2026-W48"), [of("1.6.0", 1, 3), of("1.5.0", 2, 3)]);
    assert_eq!(in_week("2026-W47"), [of("1.4.0", 1, 1)]);

    let found = crashes(people()).into_iter();
    let found: Vec<_> = found.map(|one| (one.version, one.share)).collect();
    assert_eq!(found, [of("1.6.0", 0, 1), of("1.5.0", 1, 3), of("1.4.0", 1, 2)]);

    let found = codes(people()).into_iter();
    let found: Vec<_> =
        found.map(|one| (one.version, one.code.name(), one.met, one.standing)).collect();
    let of = |version: &str, code, met, standing, of| {
        (version.to_owned(), code, share(met, of), share(standing, of))
    };
    assert_eq!(
        found,
        [
            of("1.5.0", "MCPX_HTTP_DNS", 1, 2, 3),
            of("1.5.0", "other", 1, 0, 3),
            of("1.4.0", "MCPX_HTTP_DNS", 1, 1, 2)
        ]
    );

    let found = clients(people(), now(), 2);
    assert_eq!(
        found.names,
        [("claude-code".to_owned(), share(3, 7)), ("cursor".to_owned(), share(3, 7))]
    );
    assert_eq!((found.hidden, found.without), (1, share(1, 7)));

    let mut filters = Filters::default();
    filters.put("kind", "cloud_ide").expect("a kind");
    let held: Vec<_> = people().filter(|one| filters.hold(one)).collect();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].install.day0, day("2026-10-13"));
}

#[test]
fn how_much_the_database_grew() {
    let counts = vec![("stored".to_owned(), [300, 1_000, 4_000])];
    let health = Health { counts, bytes: 1_000_000, installs: 100 };
    assert_eq!(health.growth(), Some(250_000));
    assert_eq!(Health::default().growth(), None);
}

#[test]
fn how_far_they_came() {
    let found = activation(people(), Step::WRAPPED, now());
    let rows: Vec<_> = found
        .steps
        .iter()
        .map(|row| (row.reached.count, row.with_all_before.count, row.within_7_days))
        .collect();
    assert!(found.steps.iter().all(|row| row.reached.of == 6 && row.with_all_before.of == 6));
    assert_eq!(
        rows,
        [
            (6, 6, Some(share(5, 5))),
            (4, 4, Some(share(3, 5))),
            (5, 4, Some(share(2, 5))),
            (4, 4, None)
        ]
    );
}
