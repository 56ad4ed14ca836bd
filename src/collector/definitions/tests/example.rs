//! The worked example of `docs/collector/definitions.md`: ten installs, and every number of theirs by hand.
//!
//! One rule: the numbers here were counted in the table of the document, not taken from a run.

use super::Paper;
use crate::collector::definitions::*;
use crate::collector::row::AgentEnv;
use crate::contract::EnvKind;
use std::collections::BTreeSet;

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
    let out = left_out(everyone(), Audience::People);
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
