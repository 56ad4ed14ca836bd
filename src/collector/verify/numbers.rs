//! Every number of the pages, computed a second time.
//!
//! One rule: the snapshot that the pages are made of, against plain loops over the rows.

use super::{Check, Known};
use crate::collector::definitions::{Audience, Day, Delay, Measure, Now, State};
use crate::collector::plain::{self, Numbers, Paper, Question, RawFrozen};
use crate::collector::snapshot::Snapshot;
use crate::collector::store::{Reader, StoreError, raw_frozen};
use crate::collector::view::{Selection, View};
use std::collections::BTreeSet;

/// The product whose users set servers up.
const GATEWAY: &str = "mcpproxy";

/// A product that is shown: its name, its installs, its first day here, and its expired installs.
type Shown<'k> = (&'k str, &'k [Paper], i64, Vec<RawFrozen>);

pub(super) fn check(reader: &Reader, known: &Known, now: Now) -> Result<Check, StoreError> {
    let mut check = Check::new("numbers");
    let snapshot = match Snapshot::read(reader, now) {
        Ok(snapshot) => snapshot,
        Err(StoreError::Damaged) => {
            check.find("no page can be made: a row or a cell does not read");
            return Ok(check);
        }
        Err(error) => return Err(error),
    };
    let mut products: Vec<Shown<'_>> = Vec::new();
    for (number, (name, _)) in known.products.iter().filter(|(_, (_, shown))| *shown) {
        let papers = known.papers.get(number).map_or(&[][..], Vec::as_slice);
        let kept = reader.kept_first_day(*number)?.map(i64::from);
        let first_day = papers.iter().map(Paper::day0).chain(kept).min().unwrap_or(0);
        products.push((name, papers, first_day, raw_frozen(&known.groups, *number)));
    }
    let mondays: BTreeSet<i64> = products
        .iter()
        .flat_map(|(_, papers, ..)| papers.iter().map(|paper| plain::monday(paper.day0())))
        .collect();
    // A week in the middle: cohorts on both sides of it.
    let middle = mondays.iter().nth(mondays.len() / 2).copied();
    let names = std::iter::once(None).chain(products.iter().map(|(name, ..)| Some(*name)));
    for product in names {
        for audience in Audience::ALL {
            for since in std::iter::once(None).chain(middle.map(Some)) {
                let of =
                    products.iter().filter(|(name, ..)| product.is_none_or(|one| one == *name));
                let of: Vec<_> = of
                    .map(|(_, papers, first, frozen)| (*papers, *first, frozen.as_slice()))
                    .collect();
                let is_gateway = match product {
                    Some(name) => name == GATEWAY,
                    None => matches!(products[..], [(GATEWAY, ..)]),
                };
                let question = Question {
                    show: audience.name(),
                    since,
                    is_gateway,
                    now: i64::try_from(now.0).unwrap_or(i64::MAX),
                };
                let expected = plain::numbers(&of, question);
                let selection = Selection {
                    audience,
                    product: product.map(str::to_owned),
                    since: since.and_then(|day| u32::try_from(day).ok()).map(Day),
                    ..Selection::default()
                };
                let shown = shown(&View::of(&snapshot, selection));
                compare(&mut check, product, audience, &expected, &shown);
            }
        }
    }
    Ok(check)
}

fn compare(
    check: &mut Check,
    product: Option<&str>,
    audience: Audience,
    expected: &Numbers,
    shown: &Numbers,
) {
    let names: BTreeSet<&String> = expected.keys().chain(shown.keys()).collect();
    for name in names {
        check.looked_at += 1;
        if expected.get(name) != shown.get(name) {
            let product = product.unwrap_or("all products");
            check.find(format!("{product}, {}: {name} is another number", audience.name()));
        }
    }
}

/// The numbers of a view, under the names of the second computation; none that is 0.
fn shown(view: &View) -> Numbers {
    let mut all = Numbers::new();
    let mut add = |name: String, n: u64| {
        all.insert(name, n);
    };
    let activity = &view.activity;
    for (name, n) in [
        ("installs", activity.installs),
        ("yesterday", activity.yesterday),
        ("last_7_days", activity.last_7_days),
        ("last_28_days", activity.last_28_days),
        ("carried_over", activity.carried_over),
        ("late_starts", activity.late_starts),
        ("floods", activity.floods),
        ("people.of", view.people.of),
        ("people.count", view.people.count),
    ] {
        add(name.to_owned(), n);
    }
    for (name, n, ..) in view.left_out.reasons() {
        add(format!("left_out.{name}"), n);
    }
    for cohort in &view.retention.cohorts {
        let week = format!("week.{}", cohort.week.monday().0);
        add(format!("{week}.installs"), cohort.installs);
        for (measure, cell) in Measure::ALL.into_iter().zip(cohort.cells) {
            let name = measure.name();
            add(format!("{week}.{name}"), cell.share.count);
            add(format!("{week}.{name}.final"), u64::from(cell.state == State::Final));
        }
    }
    for (measure, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
        add(format!("pooled.{}.count", measure.name()), pooled.count);
        add(format!("pooled.{}.of", measure.name()), pooled.of);
    }
    for cohort in &view.rolling.cohorts {
        let week = format!("week.{}", cohort.week.monday().0);
        for (measure, cell) in Measure::ROLLING.into_iter().zip(cohort.cells) {
            let name = measure.name();
            add(format!("{week}.{name}"), cell.share.count);
            add(format!("{week}.{name}.final"), u64::from(cell.state == State::Final));
        }
    }
    for (measure, pooled) in Measure::ROLLING.into_iter().zip(view.rolling.pooled) {
        add(format!("pooled.{}.count", measure.name()), pooled.count);
        add(format!("pooled.{}.of", measure.name()), pooled.of);
    }
    for day in view.survival.days() {
        add(format!("at_risk.{}", day.day), day.at_risk);
        add(format!("lapsed.{}", day.day), day.lapsed);
    }
    for row in &view.delays {
        let delays = Delay::ALL.into_iter().filter(|delay| *delay != Delay::Never);
        for delay in delays {
            let name = format!("step.{}.{}", row.step.name(), delay.name());
            add(name, row.counts[delay as usize]);
        }
    }
    for row in &view.activation.steps {
        let step = format!("step.{}", row.step.name());
        add(format!("{step}.of"), row.reached.of);
        add(format!("{step}.reached"), row.reached.count);
        add(format!("{step}.with_all_before"), row.with_all_before.count);
        if let Some(fair) = row.within_7_days {
            add(format!("{step}.within_7_days"), fair.count);
            add(format!("{step}.old_enough"), fair.of);
        }
    }
    all.retain(|_, n| *n > 0);
    all
}
