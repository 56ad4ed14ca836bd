//! What the definitions know of one install.
//!
//! One rule: lifetime facts and days, counted from day 0; no id, no value that could tell one user from another.

use super::day::{Day, FROM_MONDAY, IsoWeek};
use super::frozen::Group;
use super::survival;
use super::who::{self, Audience, Who};
use crate::collector::row::{self, AgentEnv, Facts, InstallRow, STEPS, Step};

/// The step has not been reported.
pub const NEVER: u16 = u16::MAX;

/// Weeks of which the days fit into a word.
const NINE: u32 = 9;
/// The first day of each of them.
const MONDAYS: u64 = 0x0102_0408_1020_4081;

/// One install of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Install {
    /// The UTC day of its first heartbeat ever.
    pub day0: Day,
    /// The UTC day of its last heartbeat.
    pub last: Day,
    /// Bit n: a heartbeat of day 0 plus n.
    pub days: [u64; 6],
    /// Days from day 0 to the first report of each step, in the order of the funnel; [`NEVER`].
    pub steps: [u16; STEPS],
    /// Days from day 0 to its first lapse, whether its silent days are over or not.
    pub lapses: u32,
    /// Who it was at its first heartbeat.
    pub who: Who,
    /// The version of its first heartbeat was a release.
    pub is_release: bool,
    /// It lived before the first day that the collector knows of: in no cohort and no funnel.
    pub is_carried_over: bool,
    /// Its first heartbeat came two days after the install, or later.
    pub is_late_start: bool,
    /// It came with more new installs from one network than people make on a day.
    pub is_flood: bool,
}

impl From<&InstallRow> for Install {
    fn from(row: &InstallRow) -> Self {
        let life = Life {
            day0: row.day0,
            last_day: row.last_day,
            days: row.days,
            steps: row.steps,
            carried_over: row.carried_over,
            late_start: row.late_start,
            flood: row.flood,
        };
        let Origin { who, is_release } = Origin::from(&row.first);
        Self::new(&life, who, is_release)
    }
}

/// What the row of an install says of its life, without a word: see [`InstallRow`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each is described there")]
pub struct Life {
    pub day0: u32,
    pub last_day: u32,
    pub days: [u64; 6],
    pub steps: [Option<u32>; STEPS],
    pub carried_over: bool,
    pub late_start: bool,
    pub flood: bool,
}

/// What the facts of the first heartbeat make of an install.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// See [`Install::who`].
    pub who: Who,
    /// See [`Install::is_release`].
    pub is_release: bool,
}

impl From<&Facts> for Origin {
    fn from(first: &Facts) -> Self {
        // Schema 3 does not say: its kind alone decides.
        let is_agent = !matches!(first.agent_env, None | Some(AgentEnv::None));
        Self { who: Who::of(first.kind, is_agent), is_release: who::is_release(&first.version) }
    }
}

impl Install {
    /// An install of this life and origin.
    pub fn new(life: &Life, who: Who, is_release: bool) -> Self {
        let after = |day: Option<u32>| {
            // A step is reported by a heartbeat, and none is before day 0.
            let days = day.map(|day| u16::try_from(day.saturating_sub(life.day0)));
            days.map_or(NEVER, |days| days.unwrap_or(NEVER - 1))
        };
        let mut install = Self {
            day0: Day(life.day0),
            last: Day(life.last_day.max(life.day0)),
            days: life.days,
            steps: life.steps.map(after),
            lapses: 0,
            who,
            is_release,
            is_carried_over: life.carried_over,
            is_late_start: life.late_start,
            is_flood: life.flood,
        };
        install.lapses = survival::lapse(&install);
        install
    }

    /// Whether a view for `audience` counts it: by its group.
    pub fn is_shown_to(&self, audience: Audience) -> bool {
        Group::of(self).is_shown_to(audience)
    }

    /// Days from day 0 to the first heartbeat on day `n` or later.
    #[inline]
    pub fn first_seen_from(&self, n: u32) -> Option<u32> {
        // Ids are replaced after 365 days; of what lies beyond the bits only the last day is known.
        let last = self.last.since(self.day0);
        if n > last {
            return None;
        }
        let words = (0_u32..).zip(self.days).skip((n / 64) as usize);
        for (at, word) in words {
            let word = if at == n / 64 { word & (u64::MAX << (n % 64)) } else { word };
            if word != 0 {
                return Some(at * 64 + word.trailing_zeros());
            }
        }
        (last >= row::DAYS).then_some(last)
    }

    /// Whether a heartbeat of one of these days after day 0 was received.
    pub fn was_seen_within(&self, first: u32, last: u32) -> bool {
        self.first_seen_from(first).is_some_and(|n| n <= last)
    }

    /// Whether a heartbeat of one of these UTC days was received.
    #[inline]
    pub fn was_active(&self, first: Day, last: Day) -> bool {
        self.last >= first
            && self.day0 <= last
            && self.was_seen_within(first.since(self.day0), last.since(self.day0))
    }

    /// The ISO weeks in which a heartbeat of one of these UTC days was received, earliest first.
    pub fn weeks_active(&self, first: Day, last: Day) -> impl Iterator<Item = IsoWeek> {
        let (first, last) = (first.max(self.day0), last.min(self.last));
        // Nine weeks at once, from a Monday on: a year of many installs is read week by week on every page of theirs.
        let (mut next, mut week, mut weeks) = (first.week(), first.week(), 0_u64);
        std::iter::from_fn(move || {
            while weeks == 0 {
                let monday = i64::from(next.0) * 7 - i64::from(FROM_MONDAY);
                if first > last || monday > i64::from(last.0) {
                    return None;
                }
                let mut days = self.seen_from(monday) & (u64::MAX >> 1);
                if i64::from(first.0) > monday {
                    days &= u64::MAX << (i64::from(first.0) - monday);
                }
                if i64::from(last.0) < monday + 63 {
                    days &= (1 << (i64::from(last.0) + 1 - monday)) - 1;
                }
                (week, weeks) = (next, mondays(days));
                next = IsoWeek(next.0 + NINE);
            }
            let found = IsoWeek(week.0 + weeks.trailing_zeros() / 7);
            weeks &= weeks - 1;
            Some(found)
        })
    }

    /// The heartbeats of 64 days from a UTC day on: bit n is the n-th day after it.
    fn seen_from(&self, day: i64) -> u64 {
        let after = day - i64::from(self.day0.0);
        let word = |at: i64| {
            let word = usize::try_from(at).ok().and_then(|at| self.days.get(at));
            word.copied().unwrap_or(0)
        };
        let (at, bit) = (after.div_euclid(64), after.rem_euclid(64));
        let seen = match bit {
            0 => word(at),
            _ => word(at) >> bit | word(at + 1) << (64 - bit),
        };
        // Of what lies beyond the bits only the last day is known.
        let last = i64::from(self.last.0) - day;
        let is_beyond = self.last.since(self.day0) >= row::DAYS && (0..64).contains(&last);
        seen | u64::from(is_beyond) << (last & 63)
    }

    /// Days from day 0 to the first report of a step.
    pub fn step(&self, step: Step) -> Option<u32> {
        Some(self.steps[step as usize]).filter(|after| *after != NEVER).map(u32::from)
    }
}

/// Of days from a Monday on, for each week that has one: its Monday.
fn mondays(days: u64) -> u64 {
    // On each day: whether it or the next was one, then the next three, then the next six.
    let days = days | days >> 1;
    let days = days | days >> 2;
    (days | days >> 3) & MONDAYS
}
