//! Which versions installs have, how long an upgrade takes, and what went wrong, a second way.
//!
//! One rule: versions are put into one line first, in the order of semantic versions, and compared by their places.

use super::paper::{Paper, fact, is_release};
use super::{Numbers, Question, add};
use std::collections::BTreeMap;

pub(super) fn count(all: &mut Numbers, product: &str, papers: &[&Paper], question: Question<'_>) {
    let yesterday = question.yesterday();
    let mut first_days: BTreeMap<&str, i64> = BTreeMap::new();
    for (version, day) in papers.iter().flat_map(|paper| &paper.versions) {
        let first = first_days.entry(version).or_insert(*day);
        *first = (*first).min(*day);
    }
    // A year ago, installs that have expired may have been the first.
    let came_up = |version: &str| {
        let day = first_days.get(version).copied()?;
        (yesterday + 1 - day <= 364).then_some(day)
    };
    let name = |what: String| format!("versions.{product}.{what}");

    let mut in_use: BTreeMap<&str, u64> = BTreeMap::new();
    for paper in papers.iter().filter(|paper| paper.was_active(28, yesterday)) {
        *in_use.entry(fact(&paper.now, "version")).or_default() += 1;
    }
    for (version, n) in &in_use {
        add(all, name(format!("in_use|{version}")), *n);
        add(all, name("active".to_owned()), *n);
        let day = came_up(version).and_then(|day| u64::try_from(day).ok());
        add(all, name(format!("came_up|{version}")), day.unwrap_or(0));
    }
    let releases = in_use.keys().filter(|version| is_release(version));
    if let Some(newest) = releases.max_by_key(|version| key(version)) {
        add(all, name(format!("newest|{newest}")), in_use[newest]);
    }

    let mut line: Vec<&str> = first_days.keys().copied().collect();
    line.sort_by_key(|version| key(version));
    let place: BTreeMap<&str, usize> =
        line.iter().enumerate().map(|(at, one)| (*one, at)).collect();
    for target in line.iter().filter(|version| is_release(version)) {
        let Some(first) = came_up(target) else { continue };
        for paper in papers.iter().filter(|paper| paper.last_day >= first) {
            let mut older = None;
            let mut taken = None;
            for (version, day) in &paper.versions {
                if *day < first {
                    older = Some(place[&**version] < place[target]);
                } else if taken.is_none() && place[&**version] >= place[target] {
                    taken = Some(*day - first);
                }
            }
            if older == Some(true) {
                let after = match taken {
                    None => "never",
                    Some(0) => "day_0",
                    Some(1) => "day_1",
                    Some(2..=6) => "days_2_to_6",
                    Some(7..=27) => "days_7_to_27",
                    Some(_) => "day_28_or_later",
                };
                add(all, name(format!("upgrade|{target}.{after}")), 1);
            }
        }
    }

    let mut weeks: BTreeMap<(i64, &str), u64> = BTreeMap::new();
    let mut said: BTreeMap<&str, u64> = BTreeMap::new();
    for paper in papers {
        for monday in paper.weeks(yesterday) {
            let end = (monday + 6).min(yesterday);
            let then = paper.versions.iter().rfind(|(_, day)| *day <= end);
            if let Some((version, _)) = then {
                *weeks.entry((monday, version)).or_default() += 1;
            }
        }
        // `version.`, `crashed.`, `met.` and `standing.`, each once for each version that it said.
        for cell in &paper.said {
            *said.entry(cell).or_default() += 1;
        }
    }
    for ((monday, version), n) in weeks {
        add(all, name(format!("week.{monday}|{version}")), n);
        add(all, name(format!("week.{monday}.active")), n);
    }
    for (cell, n) in said {
        add(all, name(format!("said.{}", cell.replacen('.', "|", 1))), n);
    }
}

/// A part of a pre-release: numbers come before words.
type Part = (bool, u64, String);

/// What orders a version: its numbers, then what is no release, then its parts, then all of it.
fn key(version: &str) -> (Vec<u64>, bool, Vec<Part>, String) {
    let bare = version.split('+').next().unwrap_or_default();
    let (core, pre) = bare.split_once('-').unwrap_or((bare, ""));
    let core = core.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    let parts = pre.split('.').filter(|part| !part.is_empty());
    let parts = parts.map(|part| match part.parse() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, part.to_owned()),
    });
    (core, pre.is_empty(), parts.collect(), version.to_owned())
}
