//! Error codes, by the version that reported them.
//!
//! One rule: installs are counted, not errors: one whose server fails every minute is one.

use super::record::Record;
use super::share::Share;
use super::version::order;
use crate::collector::code::Code;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What the days of one version said of one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// The version.
    pub version: String,
    /// The code.
    pub code: Code,
    /// Installs that said with it that something changed into the state, of those that said it on one of the days.
    pub met: Share,
    /// Of the same, those that said with it that a server was in the state.
    pub standing: Share,
}

/// The codes of `records`, all of one product: the newest version first, and of each those that most have met.
pub fn codes<'r>(records: impl Iterator<Item = Record<'r>>) -> Vec<Codes> {
    let mut reported = Reported::default();
    records.for_each(|record| reported.add(&record));
    reported.end()
}

/// The codes while the installs are read.
#[derive(Default)]
pub struct Reported<'r> {
    words: &'r [String],
    /// Installs by the place of the version.
    of: Vec<u64>,
    counts: BTreeMap<(u32, Code), [u64; 2]>,
}

impl<'r> Reported<'r> {
    /// Counts an install.
    pub fn add(&mut self, record: &Record<'r>) {
        self.words = record.words;
        for said in record.said {
            self.of.resize(self.words.len(), 0);
            self.of[said.version as usize] += 1;
        }
        for said in record.codes {
            let [met, standing] = self.counts.entry((said.version, said.code)).or_default();
            *met += u64::from(said.met.is_some());
            *standing += u64::from(said.standing.is_some());
        }
    }

    /// All of them.
    pub fn end(self) -> Vec<Codes> {
        let Self { words, of, counts } = self;
        let all = counts.into_iter().map(|((version, code), [met, standing])| {
            let version = version as usize;
            let share = |count| Share { count, of: of.get(version).copied().unwrap_or_default() };
            let version = words[version].clone();
            Codes { version, code, met: share(met), standing: share(standing) }
        });
        let mut all: Vec<Codes> = all.collect();
        all.sort_by(|one, other| {
            let most = |of: &Codes| Reverse((of.met.count, of.standing.count));
            let versions = order(&other.version, &one.version);
            versions.then(most(one).cmp(&most(other))).then(one.code.cmp(&other.code))
        });
        all
    }
}
