//! Every number of the pages, computed a second time.
//!
//! One rule: the snapshot that the pages are made of, against plain loops over the rows.

use super::{Check, Known, shown};
use crate::collector::definitions::{Audience, Day, Filters, Now};
use crate::collector::plain::{self, Numbers, Paper, Product, Question};
use crate::collector::snapshot::Snapshot;
use crate::collector::store::{Reader, StoreError, raw_frozen};
use crate::collector::view::{Selection, View};
use std::collections::{BTreeMap, BTreeSet};

/// The product whose users set servers up.
const GATEWAY: &str = "mcpproxy";

pub(super) fn check(reader: &Reader, known: &Known, now: Now) -> Result<Check, StoreError> {
    let mut check = Check::new("numbers");
    let snapshot = match Snapshot::read_with_days(reader, now) {
        Ok(snapshot) => snapshot,
        Err(StoreError::Damaged) => {
            check.find("no page can be made: a row or a cell does not read");
            return Ok(check);
        }
        Err(error) => return Err(error),
    };
    health(&mut check, reader, known, &snapshot)?;
    let mut shown = Vec::new();
    for (number, (name, _)) in known.products.iter().filter(|(_, (_, shown))| *shown) {
        let papers = known.papers.get(number).map_or(&[][..], Vec::as_slice);
        let kept = reader.kept_first_day(*number)?.map(i64::from);
        let first_day = papers.iter().map(Paper::day0).chain(kept).min().unwrap_or(0);
        shown.push((name.as_str(), papers, first_day, raw_frozen(&known.groups, *number)));
    }
    let products = shown.iter().map(|(name, papers, first_day, frozen)| Product {
        name,
        papers,
        first_day: *first_day,
        frozen,
    });
    let products: Vec<Product<'_>> = products.collect();
    let all = Asked { snapshot: &snapshot, products: &products, product: None, now };
    // A week in the middle: cohorts on both sides of it.
    let papers = || products.iter().flat_map(|product| product.papers);
    let mondays: BTreeSet<i64> = papers().map(|paper| plain::monday(paper.day0())).collect();
    let middle = mondays.iter().nth(mondays.len() / 2).copied();
    let names = products.iter().map(|product| Some(product.name));
    for product in std::iter::once(None).chain(names) {
        let asked = Asked { product, ..all };
        for audience in Audience::ALL {
            for since in std::iter::once(None).chain(middle.map(Some)) {
                asked.compare(&mut check, audience, since, None);
            }
        }
    }
    for name in FILTERS {
        let mut words: BTreeMap<&str, u64> = BTreeMap::new();
        papers().for_each(|paper| *words.entry(paper.first_said(name)).or_default() += 1);
        // The one that most have said.
        if let Some((word, _)) = words.into_iter().max_by_key(|(_, n)| *n) {
            all.compare(&mut check, Audience::All, None, Some((name, word)));
        }
    }
    Ok(check)
}

/// The names of filters.
const FILTERS: [&str; 6] = ["kind", "agent_env", "launch_source", "os", "edition", "version"];

/// What became of heartbeats, and whether as many were stored as there are days.
fn health(
    check: &mut Check,
    reader: &Reader,
    known: &Known,
    snapshot: &Snapshot,
) -> Result<(), StoreError> {
    let health = &snapshot.health;
    let today = i64::from(snapshot.made_at.today().0);
    let expected = plain::health(&reader.counted()?, today, health.bytes);
    compare(check, "all heartbeats", &expected, &shown::health(health));
    check.looked_at += 1;
    if health.installs != known.papers.values().map(|papers| papers.len() as u64).sum::<u64>() {
        check.find("all heartbeats: installs is another number");
    }
    let expired = known.groups.iter().filter(|((_, kind, _), _)| kind == "days");
    let expired = expired.flat_map(|(_, group)| &group.cells);
    let expired = expired.filter(|(cell, _)| cell.ends_with("|installs")).map(|(_, n)| *n);
    check.looked_at += 1;
    if known.days + expired.sum::<u64>() > health.count("stored")[2] {
        check.find("all heartbeats: there are days of more heartbeats than were stored");
    }
    Ok(())
}

/// What is asked, of these products.
#[derive(Clone, Copy)]
struct Asked<'a> {
    snapshot: &'a Snapshot,
    products: &'a [Product<'a>],
    product: Option<&'a str>,
    now: Now,
}

impl Asked<'_> {
    fn compare(
        &self,
        check: &mut Check,
        audience: Audience,
        since: Option<i64>,
        filter: Option<(&str, &str)>,
    ) {
        let mut filters = Filters::default();
        if filter.is_some_and(|(name, word)| filters.put(name, word).is_err()) {
            // No address has it.
            return;
        }
        let of = self.products.iter();
        let of = of.filter(|one| self.product.is_none_or(|product| product == one.name));
        let of: Vec<Product<'_>> = of.copied().collect();
        let is_gateway = match self.product {
            Some(name) => name == GATEWAY,
            None => matches!(self.products, [Product { name: GATEWAY, .. }]),
        };
        let question = Question {
            show: audience.name(),
            since,
            is_gateway,
            filter,
            now: i64::try_from(self.now.0).unwrap_or(i64::MAX),
        };
        let selection = Selection {
            audience,
            product: self.product.map(str::to_owned),
            since: since.and_then(|day| u32::try_from(day).ok()).map(Day),
            filters,
            k: None,
        };
        let shown = shown::shown(&View::of(self.snapshot, selection));
        let place = format!("{}, {}", self.product.unwrap_or("all products"), audience.name());
        compare(check, &place, &plain::numbers(&of, question), &shown);
    }
}

fn compare(check: &mut Check, place: &str, expected: &Numbers, shown: &Numbers) {
    let names: BTreeSet<&String> = expected.keys().chain(shown.keys()).collect();
    let mut told = "";
    for name in names {
        check.looked_at += 1;
        if expected.get(name) != shown.get(name) {
            // Never a value: names that differ in one only are told once.
            let kind = name.split('|').next().unwrap_or_default();
            if kind == told {
                check.more += 1;
            } else {
                check.find(format!("{place}: {kind} is another number"));
            }
            told = kind;
        }
    }
}
