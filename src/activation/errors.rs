//! The errors of an install: which codes it has met, how often in the last 24 hours, and what became of fixes.
//!
//! One rule: a code is its place in the catalog, which only grows at its end. A place that this program does not
//! know is a later program's code: it is kept like the others, and never sent by name.

use super::HourlyWindow;
use super::state::Applied;
use crate::diagnostics::Code;
use std::collections::BTreeMap;

#[cfg(feature = "activation")]
mod body;

/// Something that happened about errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorMark {
    /// Something changed into the state of this code. A state that goes on is no second change.
    Met(Code),
    /// A fix was tried.
    FixAttempted,
    /// A fix ended the state that it was for.
    FixSucceeded,
}

/// What is kept of them: at most one window for each code of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    /// Changes into the state of each code that was ever met, by its place.
    met: BTreeMap<u64, HourlyWindow>,
    /// The place of the code that was met last.
    last: Option<u64>,
    fixes_attempted: HourlyWindow,
    fixes_succeeded: HourlyWindow,
}

impl Errors {
    /// Applies one mark. A code that is met for the first time is worth syncing to disk.
    pub fn apply(&mut self, mark: ErrorMark, now: u64) -> Applied {
        let mut rare = false;
        match mark {
            ErrorMark::Met(code) => {
                let place = code as u64;
                rare = !self.met.contains_key(&place);
                // Hours that are over go for every code: the record stays small.
                self.met.values_mut().for_each(|window| window.forget_before(now));
                self.met.entry(place).or_default().add(now, 1);
                self.last = Some(place);
            }
            ErrorMark::FixAttempted => self.fixes_attempted.add(now, 1),
            ErrorMark::FixSucceeded => self.fixes_succeeded.add(now, 1),
        }
        Applied { changed: true, rare }
    }

    /// Adds what happened later and still counts at `now`; true when a code was never met before.
    pub fn merge(&mut self, later: &Self, now: u64) -> bool {
        let known = self.met.len();
        for (place, window) in &later.met {
            self.met.entry(*place).or_default().merge(window, now);
        }
        self.last = later.last.or(self.last);
        self.fixes_attempted.merge(&later.fixes_attempted, now);
        self.fixes_succeeded.merge(&later.fixes_succeeded, now);
        self.met.len() > known
    }

    /// Changes into the state of each code of the last 24 h as seen at `now`, in the order of the catalog.
    pub fn changes(&self, now: u64) -> impl Iterator<Item = (Code, u64)> {
        let of = move |(place, window): (&u64, &HourlyWindow)| {
            Some((code_at(*place)?, window.value(now)))
        };
        self.met.iter().filter_map(of)
    }

    /// How many codes were ever met, those of later programs included.
    pub fn ever(&self) -> u64 {
        self.met.len() as u64
    }

    /// The code that was met last, if this program knows it.
    pub fn last(&self) -> Option<Code> {
        code_at(self.last?)
    }

    /// Fixes of the last 24 h as seen at `now`: tried, and those that ended the state.
    pub fn fixes(&self, now: u64) -> [u64; 2] {
        [self.fixes_attempted.value(now), self.fixes_succeeded.value(now)]
    }
}

/// How many servers of a live host are in the state of each code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing(BTreeMap<u64, u64>);

impl Standing {
    /// The codes and their servers, in the order of the catalog.
    pub fn servers(&self) -> impl Iterator<Item = (Code, u64)> {
        self.0.iter().filter_map(|(place, servers)| Some((code_at(*place)?, *servers)))
    }
}

impl From<Vec<(Code, u32)>> for Standing {
    fn from(counts: Vec<(Code, u32)>) -> Self {
        let mut all = BTreeMap::new();
        for (code, servers) in counts.into_iter().filter(|(_, servers)| *servers > 0) {
            *all.entry(code as u64).or_default() += u64::from(servers);
        }
        Self(all)
    }
}

fn code_at(place: u64) -> Option<Code> {
    Code::ALL.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests;
