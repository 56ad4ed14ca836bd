//! Environments: where active installs run, and whether what they say of it agrees with what they see.
//!
//! One rule: the values of the last heartbeat, of installs that are there; only installs that were heard of once are
//! counted by their first.

use super::day::{IsoWeek, Now};
use super::record::{Record, Traits};
use super::share::Share;
use crate::collector::row::AgentEnv;
use crate::contract::{EnvKind, LaunchSource};

/// Weeks that are looked back, the present one among them.
pub const WEEKS: u32 = 52;
/// Days that they are at most.
pub const YEAR: u32 = 364;
/// An install that is younger had no time for a second heartbeat.
pub const OLD_ENOUGH: u32 = 7;

/// Kinds, agents' environments and launch sources.
const KINDS: usize = EnvKind::ALL.len();
const AGENTS: usize = AgentEnv::ALL.len() + 1;
const LAUNCHES: usize = LaunchSource::ALL.len();

/// The installs that were active in one week, by what they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// The week.
    pub week: IsoWeek,
    /// Heard of on a complete day of it.
    pub installs: u64,
    /// In the order of [`EnvKind::ALL`].
    pub kinds: [u64; KINDS],
    /// In the order of [`AgentEnv::ALL`], then those that do not say.
    pub agents: [u64; AGENTS],
    /// In the order of [`LaunchSource::ALL`].
    pub launches: [u64; LAUNCHES],
}

/// Declared against recomputed kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transparency {
    /// Of each declared kind, by the recomputed one, both in the order of [`EnvKind::ALL`].
    pub cells: [[u64; KINDS]; KINDS],
    /// Of each declared kind, those whose last heartbeat says no markers.
    pub unmarked: [u64; KINDS],
}

/// The mix of each week of the last year, from the first that has an install on.
pub fn mix<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> Vec<Mix> {
    let yesterday = now.today().minus(1);
    let last = yesterday.week();
    let first = IsoWeek(last.0.saturating_sub(WEEKS - 1));
    let mut weeks: Vec<Mix> = (first.0..=last.0).map(|week| Mix::of(IsoWeek(week))).collect();
    for record in records {
        for week in record.install.weeks_active(first.monday(), yesterday) {
            weeks[(week.0 - first.0) as usize].add(record.now);
        }
    }
    let empty = weeks.iter().take_while(|mix| mix.installs == 0).count();
    weeks.split_off(empty)
}

impl Mix {
    fn of(week: IsoWeek) -> Self {
        let (kinds, agents, launches) = ([0; KINDS], [0; AGENTS], [0; LAUNCHES]);
        Self { week, installs: 0, kinds, agents, launches }
    }

    fn add(&mut self, now: Traits) {
        self.installs += 1;
        self.kinds[now.kind as usize] += 1;
        self.agents[now.agent.map_or(AGENTS - 1, |agent| agent as usize)] += 1;
        self.launches[now.launch as usize] += 1;
    }
}

/// Declared against recomputed kinds, of the installs that were active in the last 28 complete days.
pub fn transparency<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> Transparency {
    let yesterday = now.today().minus(1);
    let mut all = Transparency::default();
    for record in records.filter(|one| one.install.was_active(yesterday.minus(27), yesterday)) {
        let declared = record.now.kind as usize;
        match record.now.recomputed {
            Some(kind) => all.cells[declared][kind as usize] += 1,
            None => all.unmarked[declared] += 1,
        }
    }
    all
}

/// Of the installs of each kind that began in the last year, at least seven days ago: those that were heard of on
/// day 0 and never again. In the order of [`EnvKind::ALL`].
pub fn once<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> [Share; KINDS] {
    let mut shares = [Share::default(); KINDS];
    for record in records.filter(|one| !one.install.is_carried_over) {
        let install = &record.install;
        if (OLD_ENOUGH..=YEAR).contains(&now.today().since(install.day0)) {
            shares[record.first.kind as usize].add(install.first_seen_from(1).is_none());
        }
    }
    shares
}
