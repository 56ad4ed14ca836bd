//! ISO weeks against counting on paper.

use super::{MONDAY, Paper, paper};
use crate::collector::definitions::{Day, IsoWeek};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Weeks from Monday 1969-12-29 on, counted on: the year is that of the Thursday, the number begins anew with it.
fn weeks_on_paper(weeks: u32) -> Vec<(u32, u32)> {
    let is_leap = |year: u32| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut day_of_year, mut number) = (1970, 0, 0);
    let mut all = Vec::new();
    for _ in 0..weeks {
        number += 1;
        let length = if is_leap(year) { 366 } else { 365 };
        if day_of_year >= length {
            (year, day_of_year, number) = (year + 1, day_of_year - length, 1);
        }
        all.push((year, number));
        day_of_year += 7;
    }
    all
}

#[test]
fn every_day_of_two_centuries_lies_in_its_iso_week() {
    let paper = weeks_on_paper(10_500);
    for day in 0..73_000 {
        let week = Day(day).week();
        assert_eq!(week.year_and_number(), paper[((day + 3) / 7) as usize], "day {day}");
        assert!(week.monday().0 <= day && day <= week.sunday().0);
    }
}

#[test]
fn known_days_around_new_year_lie_in_known_weeks() {
    for (day, week) in [
        ("2024-12-29", "2024-W52"),
        ("2024-12-30", "2025-W01"),
        ("2026-09-28", "2026-W40"),
        ("2026-12-31", "2026-W53"),
        ("2027-01-01", "2026-W53"),
        ("2027-01-03", "2026-W53"),
        ("2027-01-04", "2027-W01"),
    ] {
        let parsed = Day::parse(day).expect("a day");
        assert_eq!(parsed.week().to_string(), week, "{day}");
        assert_eq!(parsed.to_string(), day);
    }
    for no_day in ["2026-13-01", "2026-02-29", "2026-1-01", "yesterday", "", "2026-11-28T"] {
        assert_eq!(Day::parse(no_day), None, "{no_day}");
    }
}

/// Weeks in which an install was heard of, day by day.
fn weeks_of(paper: &Paper, first: u32, last: u32) -> Vec<IsoWeek> {
    let known = paper.seen.iter().filter(|day| (first..=last).contains(day));
    let weeks: BTreeSet<u32> = known.map(|day| (day + 3) / 7).collect();
    weeks.into_iter().map(IsoWeek).collect()
}

proptest! {
    #[test]
    fn the_weeks_of_an_install_are_those_of_its_days(
        mut paper in paper(),
        // Some begin in the first weeks that there are.
        earlier in prop_oneof![Just(0), Just(MONDAY)],
        first in 0_u32..700,
        length in 0_u32..700,
    ) {
        paper.seen = paper.seen.iter().map(|day| day - earlier).collect();
        let first = (MONDAY - earlier).saturating_sub(150) + first;
        let weeks: Vec<_> = paper.install().weeks_active(Day(first), Day(first + length)).collect();
        prop_assert_eq!(weeks, weeks_of(&paper, first, first + length));
    }
}
