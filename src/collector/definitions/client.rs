//! Clients: which MCP clients speak to the installs.
//!
//! One rule: a name that few installs have seen could name one of them, so it is counted and not shown.

use super::day::Now;
use super::environment::YEAR;
use super::record::Record;
use super::share::Share;
use std::collections::BTreeMap;

/// Installs that must have seen a name before it is shown.
pub const K: u64 = 5;
/// Days that an install must be old, so that a name cannot be made known in one go.
pub const OLD: u32 = 2;

/// The clients of the installs that were heard of in the last year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// Each name that is shown, those that most have seen first.
    pub names: Vec<(String, Share)>,
    /// Names that are not shown.
    pub hidden: u64,
    /// Installs that have seen none.
    pub without: Share,
}

/// The clients of `records`: of installs that are two days old and came in no flood.
pub fn clients<'r>(records: impl Iterator<Item = Record<'r>>, now: Now, k: u64) -> Clients {
    let mut seen = Seen::default();
    records.for_each(|record| seen.add(&record, now));
    seen.end(k)
}

/// The clients while the installs are read.
#[derive(Default)]
pub struct Seen<'r> {
    counts: BTreeMap<&'r str, u64>,
    without: Share,
    /// Those of the product at hand, and of each how many.
    words: &'r [String],
    places: Vec<u64>,
}

impl<'r> Seen<'r> {
    /// Counts an install.
    pub fn add(&mut self, record: &Record<'r>, now: Now) {
        if !std::ptr::eq(self.words, record.words) {
            self.take();
            self.words = record.words;
            self.places.resize(self.words.len(), 0);
        }
        let yesterday = now.today().minus(1);
        let install = &record.install;
        let is_old = now.today().since(install.day0) >= OLD;
        if is_old && !install.is_flood && install.was_active(yesterday.minus(YEAR - 1), yesterday) {
            self.without.add(record.clients.is_empty());
            record.clients.iter().for_each(|word| self.places[*word as usize] += 1);
        }
    }

    /// Those that `k` have seen.
    pub fn end(mut self, k: u64) -> Clients {
        self.take();
        let Self { counts, without, .. } = self;
        let all = counts.len();
        let shown = counts.into_iter().filter(|(_, count)| *count >= k);
        let of = without.of;
        let mut names: Vec<(String, Share)> =
            shown.map(|(name, count)| (name.to_owned(), Share { count, of })).collect();
        // By name where as many have seen it.
        names.sort_by_key(|(_, share)| std::cmp::Reverse(share.count));
        let hidden = (all - names.len()) as u64;
        Clients { names, hidden, without }
    }

    /// Adds the counts of places to those of names.
    fn take(&mut self) {
        let words = self.words.iter().zip(self.places.drain(..));
        for (word, count) in words.filter(|(_, count)| *count > 0) {
            *self.counts.entry(word).or_default() += count;
        }
    }
}
