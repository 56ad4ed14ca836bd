//! Crashes, by the version that reported them.
//!
//! One rule: installs are counted, not crashes: one that crashes every hour is one.

use super::record::Record;
use super::share::Share;
use super::version::order;
use std::collections::BTreeMap;

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
    let mut shares: BTreeMap<&str, Share> = BTreeMap::new();
    for record in records {
        for said in record.said {
            let share = shares.entry(&record.words[said.version as usize]).or_default();
            share.add(said.crashed.is_some());
        }
    }
    let all = shares.into_iter();
    let all = all.map(|(version, share)| Crashes { version: version.to_owned(), share });
    let mut all: Vec<Crashes> = all.collect();
    all.sort_by(|one, other| order(&other.version, &one.version));
    all
}
