//! Crashes, by the version that reported them.
//!
//! One rule: installs are counted, not crashes: one that crashes every hour is one.

use super::record::Record;
use super::share::Share;
use super::version::order;

/// Complete days that are looked back.
pub const DAYS: u32 = 28;

/// What the heartbeats of one version said in these days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crashes {
    /// The version.
    pub version: String,
    /// Installs that said with it that a host had crashed, of those that said it on one of the days.
    pub share: Share,
}

/// The crashes of `records`, all of one product: the newest version first.
pub fn crashes<'r>(records: impl Iterator<Item = Record<'r>>) -> Vec<Crashes> {
    let mut told = Told::default();
    records.for_each(|record| told.add(&record));
    told.end()
}

/// The crashes while the installs are read.
#[derive(Default)]
pub struct Told<'r> {
    words: &'r [String],
    /// By the place of the version.
    shares: Vec<Share>,
}

impl<'r> Told<'r> {
    /// Counts an install.
    pub fn add(&mut self, record: &Record<'r>) {
        self.words = record.words;
        for said in record.said {
            self.shares.resize(self.words.len(), Share::default());
            self.shares[said.version as usize].add(said.crashed.is_some());
        }
    }

    /// All of them.
    pub fn end(self) -> Vec<Crashes> {
        let all = self.words.iter().zip(self.shares).filter(|(_, share)| share.of > 0);
        let all = all.map(|(version, share)| Crashes { version: version.clone(), share });
        let mut all: Vec<Crashes> = all.collect();
        all.sort_by(|one, other| order(&other.version, &one.version));
        all
    }
}
