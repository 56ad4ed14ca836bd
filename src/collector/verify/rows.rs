//! Installs against their own days.
//!
//! One rule: what an install remembers of its days is what its day rows say.

use super::{Check, Known};
use crate::collector::definitions::Day;
use crate::collector::plain::{self, Paper, RawInstall};
use crate::collector::row::{DAYS, VERSIONS};
use crate::collector::store::{RawDay, Reader, StoreError};
use crate::contract::MAX_CLIENTS;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at every install and every day; keeps what the other checks ask.
pub(super) fn check(reader: &Reader, known: &mut Known) -> Result<[Check; 2], StoreError> {
    let mut look = Look {
        installs: Check::new("installs"),
        days: Check::new("days"),
        expired: BTreeMap::new(),
    };
    for ((product, kind, day), group) in &known.groups {
        if kind == "days" {
            let installs = group.cells.iter().filter(|(cell, _)| cell.ends_with("|installs"));
            let installs = installs.map(|(_, n)| *n).sum::<u64>();
            look.expired.insert((*product, i64::from(*day)), (0, installs));
        }
    }
    reader.audit(|(install, days)| match install {
        None => {
            look.days.looked_at += days.len() as u64;
            days.iter().for_each(|day| look.days.find(format!("{}: of no install", date(day.day))));
        }
        Some((raw, is_whole)) => look.at(known, raw, is_whole, days),
    })?;
    for ((product, day), (missing, expired)) in &look.expired {
        if missing > expired {
            let place = format!("{}, {}", known.name(*product), date(*day));
            look.days.find(format!("{place}: more days are missing than have expired"));
        }
    }
    Ok([look.installs, look.days])
}

fn date(day: i64) -> String {
    u32::try_from(day).map_or_else(|_| "no day".to_owned(), |day| Day(day).to_string())
}

struct Look {
    installs: Check,
    days: Check,
    /// Of each day of which rows have expired: rows that are not there, and rows that were counted.
    expired: BTreeMap<(i64, i64), (u64, u64)>,
}

impl Look {
    fn at(&mut self, known: &mut Known, raw: &RawInstall, is_whole: bool, days: &[RawDay]) {
        self.installs.looked_at += 1;
        self.days.looked_at += days.len() as u64;
        let place = format!("{}, an install of {}", known.name(raw.product), date(raw.day0));
        known.days += days.len() as u64;
        let paper = Paper::of(raw, &mut known.said);
        let (true, Some(mut paper)) = (is_whole, paper) else {
            self.installs.find(format!("{place}: does not read as it was written"));
            return;
        };
        for wrong in wrong(raw, &paper) {
            self.installs.find(format!("{place}: {wrong}"));
        }
        if !known.products.contains_key(&raw.product) {
            self.installs.find(format!("{place}: there is no such product"));
        }
        self.compare(&place, raw, &paper, days);
        keep_words(known, raw, days);
        let lately = known.yesterday - 27..=known.yesterday;
        for day in days.iter().filter(|day| lately.contains(&day.day)) {
            paper.keep_day(&day.packed, &mut known.said);
        }
        known.papers.entry(raw.product).or_default().push(paper);
    }

    /// The bits of an install against its day rows.
    fn compare(&mut self, place: &str, raw: &RawInstall, paper: &Paper, days: &[RawDay]) {
        let rows: BTreeSet<i64> = days.iter().map(|day| day.day).collect();
        let end = raw.last_day.min(raw.day0 + i64::from(DAYS) - 1);
        // Beyond the bits only the last day is known.
        for day in (raw.day0..=end).chain((raw.last_day > end).then_some(raw.last_day)) {
            if !paper.was_seen_on(day) || rows.contains(&day) {
                continue;
            }
            match self.expired.get_mut(&(raw.product, day)) {
                Some((missing, _)) => *missing += 1,
                None => {
                    let day = date(day);
                    self.days.find(format!("{place}: seen on {day}, which has no row"));
                }
            }
        }
        for day in days {
            let at = date(day.day);
            let is_known = paper.was_seen_on(day.day)
                || (day.day - raw.day0 >= i64::from(DAYS) && day.day <= raw.last_day);
            if !is_known {
                self.days.find(format!("{place}: a row of {at}, on which it was not seen"));
            }
            if !day.is_whole {
                self.days.find(format!("{place}: the row of {at} does not read as it was written"));
            } else if day.day == raw.last_day && !is_last(raw, day) {
                self.days
                    .find(format!("{place}: the row of {at} says another thing than its install"));
            }
        }
    }
}

/// Whether the row of the last day says what the install is now.
fn is_last(raw: &RawInstall, day: &RawDay) -> bool {
    let Some(cells) = plain::day(&day.packed) else { return false };
    let words: Vec<&str> = raw.now_facts.split(',').collect();
    [("kind", 0), ("launch", 3), ("version", 8)].into_iter().all(|(name, at)| {
        let word = words.get(at).copied().unwrap_or_default();
        cells.iter().any(|(cell, _)| *cell == format!("{name}.{word}"))
    })
}

/// What contradicts itself in the row of an install.
fn wrong(raw: &RawInstall, paper: &Paper) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let life = raw.day0..=raw.last_day;
    let bits = || (0..i64::from(DAYS)).filter(|n| paper.was_seen_on(raw.day0 + n));
    if raw.last_day < raw.day0 {
        wrong.push("its last day is before its first");
    }
    if !paper.was_seen_on(raw.day0) {
        wrong.push("it was not seen on its first day");
    }
    let last = bits().next_back().map_or(raw.day0, |n| raw.day0 + n);
    if last > raw.last_day || (raw.last_day - raw.day0 < i64::from(DAYS) && last != raw.last_day) {
        wrong.push("its last day is not the last on which it was seen");
    }
    if raw.steps.iter().flatten().any(|day| !life.contains(day)) {
        wrong.push("it reached a step outside of its life");
    }
    let versions: Vec<(&str, Option<i64>)> = raw
        .versions
        .split(',')
        .filter_map(|one| one.split_once('='))
        .map(|(name, day)| (name, day.parse().ok()))
        .collect();
    let days: Vec<i64> = versions.iter().filter_map(|(_, day)| *day).collect();
    let is_seen = |day: &i64| day - raw.day0 >= i64::from(DAYS) || paper.was_seen_on(*day);
    if days.len() != versions.len()
        || !days.is_sorted()
        || !days.iter().all(|day| life.contains(day) && is_seen(day))
        || versions.len() > VERSIONS
    {
        wrong.push("a version began on a day on which it was not seen");
    }
    let version = |facts: &str| facts.split(',').nth(8).unwrap_or_default().to_owned();
    let has = |name: &str| versions.iter().any(|(known, _)| *known == name);
    if versions.len() < VERSIONS
        && !(has(&version(&raw.first_facts)) && has(&version(&raw.now_facts)))
    {
        wrong.push("its versions lack one that it has");
    }
    let clients: Vec<&str> = raw.clients.split(',').filter(|name| !name.is_empty()).collect();
    if clients.len() > MAX_CLIENTS || !clients.is_sorted_by(|one, other| one < other) {
        wrong.push("its clients are not a sorted list");
    }
    wrong
}

fn keep_words(known: &mut Known, raw: &RawInstall, days: &[RawDay]) {
    let mut keep = |table: &'static str, word: &str| {
        // Most are known, and a set is asked with what it owns.
        let word = (table, word.to_owned());
        if !known.words.contains(&word) {
            known.words.insert(word);
        }
    };
    for facts in [&raw.first_facts, &raw.now_facts] {
        facts.split(',').for_each(|word| keep("installs", word));
    }
    let versions = raw.versions.split(',').filter_map(|one| one.split_once('='));
    versions.for_each(|(name, _)| keep("installs", name));
    raw.clients.split(',').for_each(|name| keep("installs", name));
    for day in days {
        for (cell, _) in plain::day(&day.packed).unwrap_or_default() {
            if let Some(version) = cell.strip_prefix("version.") {
                keep("days", version);
            }
        }
    }
}
