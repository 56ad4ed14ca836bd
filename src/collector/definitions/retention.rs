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
    /// Seen on any of days 1 to 28: the first of the rolling ones, which ask for any of days n to n + 27.
    From1,
    /// Seen on any of days 28 to 55.
    From28,
    /// Seen on any of days 84 to 111.
    From84,
    /// Seen on any of days 168 to 195.
    From168,
    /// Seen on any of days 336 to 363, the last before an id is replaced.
    From336,
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
pub struct Cohort<const N: usize = 3> {
    /// The ISO week of their day 0.
    pub week: IsoWeek,
    /// How many they are.
    pub installs: u64,
    /// In the order of the measures.
    pub cells: [Cell; N],
}

/// All weeks, from the first that has an install to the present one, without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention<const N: usize = 3> {
    /// What is asked.
    pub measures: [Measure; N],
    /// The oldest week first.
    pub cohorts: Vec<Cohort<N>>,
    /// Over all final cells of a measure, in the order of the measures.
    pub pooled: [Share; N],
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
    /// Those that everything speaks of.
    pub const ALL: [Self; 3] = [Self::Day1, Self::Week1, Self::Week4];
    /// The rolling ones: any of 28 days.
    pub const ROLLING: [Self; 5] =
        [Self::From1, Self::From28, Self::From84, Self::From168, Self::From336];

    /// Its first and last day after day 0.
    pub fn days(self) -> (u32, u32) {
        match self {
            Self::Day1 => (1, 1),
            Self::Week1 => (7, 13),
            Self::Week4 => (28, 34),
            Self::From1 => (1, 28),
            Self::From28 => (28, 55),
            Self::From84 => (84, 111),
            Self::From168 => (168, 195),
            Self::From336 => (336, 363),
        }
    }

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day1 => "day_1",
            Self::Week1 => "week_1",
            Self::Week4 => "week_4",
            Self::From1 => "days_1_to_28",
            Self::From28 => "days_28_to_55",
            Self::From84 => "days_84_to_111",
            Self::From168 => "days_168_to_195",
            Self::From336 => "days_336_to_363",
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
    retained(installs, Measure::ALL, now)
}

/// The rolling retention of `installs`: a week without a heartbeat is no loss, four are.
pub fn rolling(installs: impl Iterator<Item = Install>, now: Now) -> Retention<5> {
    retained(installs, Measure::ROLLING, now)
}

fn retained<const N: usize>(
    installs: impl Iterator<Item = Install>,
    measures: [Measure; N],
    now: Now,
) -> Retention<N> {
    let mut cohorts = Cohorts::of(measures);
    installs.for_each(|install| cohorts.add(&install));
    cohorts.end(now)
}

/// Retention while its installs are read.
pub struct Cohorts<const N: usize> {
    measures: [Measure; N],
    weeks: Weeks<N>,
}

impl<const N: usize> Cohorts<N> {
    /// None yet.
    pub fn of(measures: [Measure; N]) -> Self {
        Self { measures, weeks: Weeks::default() }
    }

    /// Counts an install.
    pub fn add(&mut self, install: &Install) {
        if !install.is_carried_over {
            let (of, counts) = self.weeks.at(install.day0.week());
            *of += 1;
            for (count, measure) in counts.iter_mut().zip(self.measures) {
                *count += u64::from(measure.is_retained(install));
            }
        }
    }

    /// All of them.
    pub fn end(self, now: Now) -> Retention<N> {
        self.weeks.retention(self.measures, now)
    }
}

impl<const N: usize> Retention<N> {
    /// With expired installs: each in the week of its day 0.
    pub fn with_frozen<'f>(self, frozen: impl Iterator<Item = &'f Frozen>, now: Now) -> Self {
        let mut weeks = Weeks::default();
        let known = self.cohorts.iter().map(|cohort| {
            (cohort.week, cohort.installs, cohort.cells.map(|cell| cell.share.count))
        });
        let frozen = frozen.map(|frozen| {
            let (of, counts) = frozen.retained(self.measures);
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
        weeks.retention(self.measures, now)
    }
}

/// Installs of each week, and of them those retained by each measure: from the first week on, without a gap.
struct Weeks<const N: usize> {
    first: Option<IsoWeek>,
    counts: Vec<(u64, [u64; N])>,
}

impl<const N: usize> Default for Weeks<N> {
    fn default() -> Self {
        Self { first: None, counts: Vec::new() }
    }
}

impl<const N: usize> Weeks<N> {
    fn at(&mut self, week: IsoWeek) -> &mut (u64, [u64; N]) {
        let base = *self.first.get_or_insert(week);
        if week < base {
            // Rows come in no order: make room in front.
            let before = (base.0 - week.0) as usize;
            self.counts.splice(0..0, std::iter::repeat_n((0, [0; N]), before));
            self.first = Some(week);
        }
        let at = (week.0 - base.0.min(week.0)) as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, (0, [0; N]));
        }
        &mut self.counts[at]
    }

    fn retention(mut self, measures: [Measure; N], now: Now) -> Retention<N> {
        let Some(first) = self.first else {
            return Retention { measures, cohorts: Vec::new(), pooled: [Share::default(); N] };
        };
        let present = now.today().week();
        let wanted = (present.0.saturating_sub(first.0) + 1) as usize;
        self.counts.resize(self.counts.len().max(wanted), (0, [0; N]));
        states(measures, first, self.counts, now)
    }
}

fn states<const N: usize>(
    measures: [Measure; N],
    first: IsoWeek,
    weeks: Vec<(u64, [u64; N])>,
    now: Now,
) -> Retention<N> {
    let mut pooled = [Share::default(); N];
    let weeks = (first.0..).map(IsoWeek).zip(weeks);
    let cohorts = weeks.map(|(week, (of, counts))| {
        let mut cells = [Cell { state: State::Empty, share: Share::default() }; N];
        for (at, measure) in measures.into_iter().enumerate() {
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
    Retention { measures, cohorts, pooled }
}
