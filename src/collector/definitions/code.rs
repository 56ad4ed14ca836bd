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
    let mut of: BTreeMap<u32, u64> = BTreeMap::new();
    let mut counts: BTreeMap<(u32, Code), [u64; 2]> = BTreeMap::new();
    let mut words: &[String] = &[];
    for record in records {
        words = record.words;
        for said in record.said {
            *of.entry(said.version).or_default() += 1;
        }
        for said in record.codes {
            let [met, standing] = counts.entry((said.version, said.code)).or_default();
            *met += u64::from(said.met.is_some());
            *standing += u64::from(said.standing.is_some());
        }
    }
    let all = counts.into_iter().map(|((version, code), [met, standing])| {
        let share = |count| Share { count, of: of.get(&version).copied().unwrap_or_default() };
        let version = words[version as usize].clone();
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
