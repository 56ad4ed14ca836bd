//! Days and ISO weeks, all of UTC.
//!
//! One rule: a week belongs to the year of its Thursday (ISO 8601), so the days around New Year are never split.

use crate::contract::timestamp;
use std::fmt;

/// Seconds of a day.
const SECONDS: u64 = 86_400;
/// 1970-01-01 was a Thursday: the Monday of its week lies this many days before.
pub(super) const FROM_MONDAY: u32 = 3;

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

/// An ISO week, counted from the one that holds 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IsoWeek(pub u32);

/// The moment that numbers are made for, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

impl Now {
    /// The day that is not over yet.
    pub fn today(self) -> Day {
        Day(u32::try_from(self.0 / SECONDS).unwrap_or(u32::MAX))
    }

    /// Whether `hours` have passed since `day` ended.
    pub fn is_past(self, day: Day, hours: u64) -> bool {
        self.0 >= (u64::from(day.0) + 1) * SECONDS + hours * 3600
    }
}

/// `2026-11-28T15:31:00Z`
impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&timestamp::format(self.0))
    }
}

impl Day {
    /// The day `days` later.
    pub fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The day `days` earlier.
    pub fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day of the same number so many calendar months earlier; the last of a month that is shorter.
    pub fn months_earlier(self, months: u32) -> Self {
        let text = self.to_string();
        let mut parts = text.splitn(3, '-').filter_map(|part| part.parse::<u32>().ok());
        let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next())
        else {
            return self;
        };
        let Some(all) = (year * 12 + month - 1).checked_sub(months) else { return Self(0) };
        let (year, month) = (all / 12, all % 12 + 1);
        let mut days = (1..=day).rev();
        let found = days.find_map(|day| Self::parse(&format!("{year:04}-{month:02}-{day:02}")));
        found.unwrap_or(Self(0))
    }

    /// Days from `earlier` to this one; 0 if it is not earlier.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The ISO week that holds it.
    pub fn week(self) -> IsoWeek {
        IsoWeek(self.0.saturating_add(FROM_MONDAY) / 7)
    }

    /// The day that `2026-11-28` names.
    pub fn parse(text: &str) -> Option<Self> {
        let seconds = timestamp::parse(&format!("{text}T00:00:00Z"))?;
        u32::try_from(seconds / SECONDS).ok().map(Self)
    }
}

/// `2026-11-28`
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = timestamp::format(u64::from(self.0) * SECONDS);
        f.pad(text.split_once('T').map_or(text.as_str(), |(date, _)| date))
    }
}

impl IsoWeek {
    /// Its first day.
    pub fn monday(self) -> Day {
        Day((self.0 * 7).saturating_sub(FROM_MONDAY))
    }

    /// Its last day.
    pub fn sunday(self) -> Day {
        Day(self.0 * 7 + FROM_MONDAY)
    }

    /// The year and the number that ISO 8601 gives it.
    pub fn year_and_number(self) -> (u32, u32) {
        let thursday = Day(self.0 * 7);
        let year = thursday.to_string().split('-').next().and_then(|year| year.parse().ok());
        let year = year.unwrap_or_default();
        let first = Day::parse(&format!("{year:04}-01-01")).unwrap_or(thursday);
        (year, thursday.since(first) / 7 + 1)
    }
}

/// `2026-W48`
impl fmt::Display for IsoWeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, number) = self.year_and_number();
        f.pad(&format!("{year:04}-W{number:02}"))
    }
}
