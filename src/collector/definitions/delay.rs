//! Delays: how long installs took to each step.
//!
//! One rule: from day 0 to the first heartbeat that reports the step. Never means not yet, too.

use super::activation::Step;
use super::frozen::Frozen;
use super::install::Install;

/// Days until something, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delay {
    /// On day 0.
    Day0,
    /// On day 1.
    Day1,
    /// On days 2 to 6.
    Days2To6,
    /// On days 7 to 27.
    Days7To27,
    /// On day 28 or later.
    Days28,
    /// Not until now.
    Never,
}

/// How long the installs took to one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayRow {
    /// The step.
    pub step: Step,
    /// Installs, in the order of [`Delay::ALL`]. Their sum is all of them.
    pub counts: [u64; 6],
}

impl Delay {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Day0, Self::Day1, Self::Days2To6, Self::Days7To27, Self::Days28, Self::Never];

    /// Where so many days fall; `None`: it did not happen.
    pub fn of(days: Option<u32>) -> Self {
        match days {
            Some(0) => Self::Day0,
            Some(1) => Self::Day1,
            Some(2..=6) => Self::Days2To6,
            Some(7..=27) => Self::Days7To27,
            Some(_) => Self::Days28,
            None => Self::Never,
        }
    }

    /// The name that exports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day0 => "day_0",
            Self::Day1 => "day_1",
            Self::Days2To6 => "days_2_to_6",
            Self::Days7To27 => "days_7_to_27",
            Self::Days28 => "day_28_or_later",
            Self::Never => "never",
        }
    }
}

/// How long `installs` took to each of `steps`; those that were carried over are not asked.
pub fn delays(installs: impl Iterator<Item = Install>, steps: &[Step]) -> Vec<DelayRow> {
    let mut rows: Vec<_> = steps.iter().copied().map(DelayRow::of).collect();
    for install in installs {
        rows.iter_mut().for_each(|row| row.add(&install));
    }
    rows
}

impl DelayRow {
    /// Of no installs yet.
    pub fn of(step: Step) -> Self {
        Self { step, counts: [0; 6] }
    }

    /// Counts an install.
    pub fn add(&mut self, install: &Install) {
        if !install.is_carried_over {
            self.counts[Delay::of(self.step.reached_after(install)) as usize] += 1;
        }
    }

    /// Takes expired installs in.
    pub fn add_frozen(&mut self, frozen: &Frozen) {
        let mut rest = frozen.measured();
        for delay in Delay::ALL.into_iter().filter(|delay| *delay != Delay::Never) {
            let n = frozen.delayed(delay, self.step);
            self.counts[delay as usize] += n;
            rest = rest.saturating_sub(n);
        }
        self.counts[Delay::Never as usize] += rest;
    }
}
