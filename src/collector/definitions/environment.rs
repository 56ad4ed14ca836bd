//! Environments: where active installs run, and whether what they say of it agrees with what they see.
//!
//! One rule: the values of the last heartbeat, of installs that are there; only installs that were heard of once are
//! counted by their first.

use super::day::{Day, IsoWeek, Now};
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
    let mut mixes = Mixes::until(now);
    records.for_each(|record| mixes.add(&record));
    mixes.end()
}

/// The mix of each week while its installs are read.
pub struct Mixes {
    yesterday: Day,
    first: IsoWeek,
    last: IsoWeek,
    /// Of each week the installs of each kind, agent's environment and launch source together: one count for three.
    weeks: Vec<[u64; KINDS * AGENTS * LAUNCHES]>,
}

impl Mixes {
    /// None yet.
    pub fn until(now: Now) -> Self {
        let yesterday = now.today().minus(1);
        let last = yesterday.week();
        let first = IsoWeek(last.0.saturating_sub(WEEKS - 1));
        let weeks = (first.0..=last.0).map(|_| [0; KINDS * AGENTS * LAUNCHES]).collect();
        Self { yesterday, first, last, weeks }
    }

    /// Counts an install.
    pub fn add(&mut self, record: &Record<'_>) {
        let Self { yesterday, first, weeks, .. } = self;
        let now = together(record.now);
        for week in record.install.weeks_active(first.monday(), *yesterday) {
            weeks[(week.0 - first.0) as usize][now] += 1;
        }
    }

    /// All of them, from the first week with an install on.
    pub fn end(self) -> Vec<Mix> {
        let weeks = (self.first.0..=self.last.0).map(IsoWeek).zip(&self.weeks);
        let mixes = weeks.map(|(week, counts)| Mix::of(week, counts));
        mixes.skip_while(|mix| mix.installs == 0).collect()
    }
}

/// The place of a count.
fn together(now: Traits) -> usize {
    let agent = now.agent.map_or(AGENTS - 1, |agent| agent as usize);
    (now.kind as usize * AGENTS + agent) * LAUNCHES + now.launch as usize
}

impl Mix {
    fn of(week: IsoWeek, counts: &[u64; KINDS * AGENTS * LAUNCHES]) -> Self {
        let (kinds, agents, launches) = ([0; KINDS], [0; AGENTS], [0; LAUNCHES]);
        let mut mix = Self { week, installs: 0, kinds, agents, launches };
        for (at, count) in counts.iter().enumerate() {
            mix.installs += count;
            mix.kinds[at / LAUNCHES / AGENTS] += count;
            mix.agents[at / LAUNCHES % AGENTS] += count;
            mix.launches[at % LAUNCHES] += count;
        }
        mix
    }
}

/// Declared against recomputed kinds, of the installs that were active in the last 28 complete days.
pub fn transparency<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> Transparency {
    let mut all = Transparency::default();
    records.for_each(|record| all.add(&record, now));
    all
}

impl Transparency {
    /// Counts an install.
    pub fn add(&mut self, record: &Record<'_>, now: Now) {
        let yesterday = now.today().minus(1);
        if record.install.was_active(yesterday.minus(27), yesterday) {
            let declared = record.now.kind as usize;
            match record.now.recomputed {
                Some(kind) => self.cells[declared][kind as usize] += 1,
                None => self.unmarked[declared] += 1,
            }
        }
    }
}

/// Of the installs of each kind that began in the last year, at least seven days ago: those that were heard of on
/// day 0 and never again. In the order of [`EnvKind::ALL`].
pub fn once<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> [Share; KINDS] {
    let mut shares = [Share::default(); KINDS];
    records.for_each(|record| add_to_once(&mut shares, &record, now));
    shares
}

/// Counts an install in [`once`].
pub fn add_to_once(shares: &mut [Share; KINDS], record: &Record<'_>, now: Now) {
    let install = &record.install;
    let is_old_enough = (OLD_ENOUGH..=YEAR).contains(&now.today().since(install.day0));
    if !install.is_carried_over && is_old_enough {
        shares[record.first.kind as usize].add(install.first_seen_from(1).is_none());
    }
}
