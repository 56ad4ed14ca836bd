//! What chooses installs: their first heartbeat, and neither what they are now nor the range that is looked at.
//!
//! One rule: the same installs are looked at twice, and what must not matter is all that differs.

use super::records::{Said, fleet, snapshot};
use super::{MONDAY, later};
use crate::collector::definitions::*;
use crate::collector::report;
use crate::collector::snapshot::Snapshot;
use crate::collector::view::{Selection, Topic, View};
use proptest::prelude::*;

fn view(snapshot: &Snapshot, audience: Audience, since: Option<Day>) -> View {
    View::of(snapshot, Selection { audience, since, ..Selection::default() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_an_install_is_now_changes_environments_and_versions_only(
        all in fleet(),
        other in fleet(),
        now in later(),
    ) {
        let mut changed: Vec<Said> = all.clone();
        for (one, other) in changed.iter_mut().zip(&other) {
            one.now = other.now.clone();
        }
        let (before, after) = (snapshot(&all, now), snapshot(&changed, now));
        for audience in Audience::ALL {
            let (before, after) = (view(&before, audience, None), view(&after, audience, None));
            for topic in Topic::ALL {
                if ![Topic::Environments, Topic::Versions].contains(&topic) {
                    let said = |of| report::write(of, topic, report::Form::Json);
                    prop_assert_eq!(said(&before), said(&after), "{}", topic.name());
                }
            }
        }
    }

    /// Day 0 is the first heartbeat ever, so a range leaves out whole weeks and moves no install into another one.
    #[test]
    fn a_range_leaves_out_whole_weeks_and_changes_no_cell(
        all in fleet(),
        now in later(),
        since in MONDAY..MONDAY + 70,
    ) {
        let snapshot = snapshot(&all, now);
        let first = Day(since).week();
        for audience in Audience::ALL {
            let whole = view(&snapshot, audience, None);
            let part = view(&snapshot, audience, Some(Day(since)));
            prop_assert_eq!(whole.activity, part.activity, "who is there is not narrowed");
            let of = |view: &View| {
                let cohorts = view.retention.cohorts.iter().zip(&view.rolling.cohorts);
                let some = cohorts.filter(|(one, _)| one.week >= first && one.installs > 0);
                some.map(|(one, other)| (*one, *other)).collect::<Vec<_>>()
            };
            prop_assert_eq!(of(&whole), of(&part));
            prop_assert!(part.retention.cohorts.iter().all(|one| one.week >= first));
        }
    }

    /// Lifetime facts are never divided by what happened in a window: time alone changes neither count nor n.
    #[test]
    fn the_funnel_is_of_a_lifetime(all in fleet(), now in later(), then in later()) {
        let installs = || all.iter().map(|one| one.paper.install());
        for steps in [Step::GATEWAY, Step::WRAPPED] {
            let of = |at: Now| {
                let rows = activation(installs(), steps, at).steps.into_iter();
                rows.map(|row| (row.reached, row.with_all_before)).collect::<Vec<_>>()
            };
            prop_assert_eq!(of(now), of(then));
        }
    }
}
