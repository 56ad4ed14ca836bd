//! Retention: of the installs of an ISO week, how many came back.
//!
//! One rule: a cell counts in a mean once it is final, 48 h after the last of its days has ended for a first
//! heartbeat on that week's Sunday. From then on no heartbeat can change it.

use super::day::{IsoWeek, Now};
use super::frozen::Frozen;
use super::install::Install;
use super::share::Share;

/// Late heartbeats may claim a day that ended 26 h ago; this is later than that.
pub const SETTLED_AFTER_HOURS: u64 = 48;

/// What an install has to do to count as retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Seen on day 1.
    Day1,
    /// Seen on any of days 7 to 13.
    Week1,
    /// Seen on any of days 28 to 34.
    Week4,
}

/// Whether a cell can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It does not change any more.
    Final,
    /// Some of its days are not over: in no mean.
    Open,
    /// No installs, which is not 0 %.
    Empty,
}

/// One week's installs under one measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Whether it can be believed.
    pub state: State,
    /// Retained installs of the week's installs.
    pub share: Share,
}

/// The installs of one week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// The ISO week of their day 0.
    pub week: IsoWeek,
    /// How many they are.
    pub installs: u64,
    /// In the order of [`Measure::ALL`].
    pub cells: [Cell; 3],
}

/// All weeks, from the first that has an install to the present one, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The oldest week first.
    pub cohorts: Vec<Cohort>,
    /// Over all final cells of a measure, in the order of [`Measure::ALL`].
    pub pooled: [Share; 3],
}

impl State {
    /// The name that exports and pages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Open => "open",
            Self::Empty => "empty",
        }
    }
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day1, Self::Week1, Self::Week4];

    /// Its first and last day after day 0.
    pub fn days(self) -> (u32, u32) {
        match self {
            Self::Day1 => (1, 1),
            Self::Week1 => (7, 13),
            Self::Week4 => (28, 34),
        }
    }

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day1 => "day_1",
            Self::Week1 => "week_1",
            Self::Week4 => "week_4",
        }
    }

    /// Whether it is fulfilled.
    pub fn is_retained(self, install: &Install) -> bool {
        let (first, last) = self.days();
        install.was_seen_within(first, last)
    }

    /// Whether the cell of a week can not change any more.
    pub fn is_settled(self, week: IsoWeek, now: Now) -> bool {
        now.is_past(week.sunday().plus(self.days().1), SETTLED_AFTER_HOURS)
    }
}

/// The retention of `installs`, of which those that were carried over are in no cohort.
pub fn retention(installs: impl Iterator<Item = Install>, now: Now) -> Retention {
    let mut weeks = Weeks::default();
    for install in installs.filter(|install| !install.is_carried_over) {
        let (of, counts) = weeks.at(install.day0.week());
        *of += 1;
        for (count, measure) in counts.iter_mut().zip(Measure::ALL) {
            *count += u64::from(measure.is_retained(&install));
        }
    }
    weeks.retention(now)
}

impl Retention {
    /// With expired installs: each in the week of its day 0.
    pub fn with_frozen<'f>(self, frozen: impl Iterator<Item = &'f Frozen>, now: Now) -> Self {
        let mut weeks = Weeks::default();
        let known = self.cohorts.iter().map(|cohort| {
            (cohort.week, cohort.installs, cohort.cells.map(|cell| cell.share.count))
        });
        let frozen = frozen.map(|frozen| {
            let (of, counts) = frozen.retained();
            (frozen.week, of, counts)
        });
        // A week of nothing but installs that were carried over is no cohort.
        for (week, of, counts) in known.chain(frozen).filter(|(_, of, _)| *of > 0) {
            let (sum_of, sums) = weeks.at(week);
            *sum_of += of;
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        weeks.retention(now)
    }
}

/// Installs of each week, and of them those retained by each measure: from the first week on, without a gap.
#[derive(Default)]
struct Weeks {
    first: Option<IsoWeek>,
    counts: Vec<(u64, [u64; 3])>,
}

impl Weeks {
    fn at(&mut self, week: IsoWeek) -> &mut (u64, [u64; 3]) {
        let base = *self.first.get_or_insert(week);
        if week < base {
            // Rows come in no order: make room in front.
            let before = (base.0 - week.0) as usize;
            self.counts.splice(0..0, std::iter::repeat_n((0, [0; 3]), before));
            self.first = Some(week);
        }
        let at = (week.0 - base.0.min(week.0)) as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, (0, [0; 3]));
        }
        &mut self.counts[at]
    }

    fn retention(mut self, now: Now) -> Retention {
        let Some(first) = self.first else {
            return Retention { cohorts: Vec::new(), pooled: [Share::default(); 3] };
        };
        let present = now.today().week();
        let wanted = (present.0.saturating_sub(first.0) + 1) as usize;
        self.counts.resize(self.counts.len().max(wanted), (0, [0; 3]));
        states(first, self.counts, now)
    }
}

fn states(first: IsoWeek, weeks: Vec<(u64, [u64; 3])>, now: Now) -> Retention {
    let mut pooled = [Share::default(); 3];
    let weeks = (first.0..).map(IsoWeek).zip(weeks);
    let cohorts = weeks.map(|(week, (of, counts))| {
        let mut cells = [Cell { state: State::Empty, share: Share::default() }; 3];
        for (at, measure) in Measure::ALL.into_iter().enumerate() {
            let share = Share { count: counts[at], of };
            let state = match of {
                0 => State::Empty,
                _ if measure.is_settled(week, now) => State::Final,
                _ => State::Open,
            };
            if state == State::Final {
                pooled[at].pool(share);
            }
            cells[at] = Cell { state, share };
        }
        Cohort { week, installs: of, cells }
    });
    let cohorts = cohorts.collect();
    Retention { cohorts, pooled }
}
