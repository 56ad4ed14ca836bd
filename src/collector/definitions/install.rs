//! What the definitions know of one install.
//!
//! One rule: lifetime facts and days, counted from day 0; no id, no value that could tell one user from another.

use super::day::{Day, IsoWeek};
use super::frozen::Group;
use super::survival;
use super::who::{self, Audience, Who};
use crate::collector::row::{self, AgentEnv, InstallRow, STEPS, Step};

/// The step has not been reported.
pub const NEVER: u16 = u16::MAX;

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
        let after = |day: Option<u32>| {
            // A step is reported by a heartbeat, and none is before day 0.
            let days = day.map(|day| u16::try_from(day.saturating_sub(row.day0)));
            days.map_or(NEVER, |days| days.unwrap_or(NEVER - 1))
        };
        // Schema 3 does not say: its kind alone decides.
        let is_agent = !matches!(row.first.agent_env, None | Some(AgentEnv::None));
        let mut install = Self {
            day0: Day(row.day0),
            last: Day(row.last_day.max(row.day0)),
            days: row.days,
            steps: row.steps.map(after),
            lapses: 0,
            who: Who::of(row.first.kind, is_agent),
            is_release: who::is_release(&row.first.version),
            is_carried_over: row.carried_over,
            is_late_start: row.late_start,
            is_flood: row.flood,
        };
        install.lapses = survival::lapse(&install);
        install
    }
}

impl Install {
    /// Whether a view for `audience` counts it: by its group.
    pub fn is_shown_to(&self, audience: Audience) -> bool {
        Group::of(self).is_shown_to(audience)
    }

    /// Days from day 0 to the first heartbeat on day `n` or later.
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
    pub fn was_active(&self, first: Day, last: Day) -> bool {
        self.last >= first
            && self.day0 <= last
            && self.was_seen_within(first.since(self.day0), last.since(self.day0))
    }

    /// The ISO weeks in which a heartbeat of one of these UTC days was received, earliest first.
    pub fn weeks_active(self, first: Day, last: Day) -> impl Iterator<Item = IsoWeek> {
        let mut from = first;
        std::iter::from_fn(move || {
            let day = self.day0.plus(self.first_seen_from(from.since(self.day0))?);
            from = day.week().sunday().plus(1);
            (day <= last).then(|| day.week())
        })
    }

    /// Days from day 0 to the first report of a step.
    pub fn step(&self, step: Step) -> Option<u32> {
        Some(self.steps[step as usize]).filter(|after| *after != NEVER).map(u32::from)
    }
}
