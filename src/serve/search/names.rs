//! Tools by their exact names: who knows the name shall find the tool first.

use super::fields::{NAME_BOUND, bounded};
use super::words::folded;

/// Words of a query that are looked up as names, and prefixes of one word that are taken away.
const IDENTIFIERS: usize = 64;
const PREFIXES: usize = 4;

/// How exactly a question names a tool; greater is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// In another spelling: `createIssue` for `create_issue`.
    Folded = 1,
    /// As it is called.
    Exact = 2,
    /// With its server: `github:create_issue`.
    Qualified = 3,
}

/// The names of all tools, in their order: an entry each, and nothing around it.
#[derive(Default)]
pub struct Names {
    sorted: Vec<(Box<str>, u32, Precision)>,
}

impl Names {
    /// Of tools with their servers, in the order of their positions.
    pub fn new<'a>(tools: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut names = Self::default();
        for (position, (server, name)) in (0..).zip(tools) {
            names.add(position, bounded(server, NAME_BOUND), bounded(name, NAME_BOUND));
        }
        names.sorted.sort_unstable();
        names.sorted.shrink_to_fit();
        names
    }

    fn add(&mut self, position: u32, server: &str, name: &str) {
        let qualified = format!("{server}:{name}");
        // Folded names contain no separator but the space.
        let (folded_name, folded_qualified) = (folded(name), folded(&qualified));
        if folded_name != name {
            self.insert(folded_name, position, Precision::Folded);
        }
        self.insert(name.to_owned(), position, Precision::Exact);
        self.insert(qualified, position, Precision::Qualified);
        self.insert(folded_qualified, position, Precision::Qualified);
    }

    fn insert(&mut self, name: String, position: u32, precision: Precision) {
        if !name.is_empty() {
            self.sorted.push((name.into(), position, precision));
        }
    }

    /// The tools that `query` names, each once, as precisely as it is named at best.
    pub fn named(&self, query: &str) -> Vec<(usize, Precision)> {
        let mut named = Vec::new();
        let whole = query.trim();
        self.find(whole, &mut named);
        self.find(&folded(whole), &mut named);
        let identifiers = whole.split_whitespace().flat_map(spellings);
        for (word, folded) in identifiers.take(IDENTIFIERS) {
            self.find(word, &mut named);
            self.find(&folded, &mut named);
        }
        named.sort_unstable_by(|a, b| b.cmp(a));
        named.dedup_by_key(|(position, _)| *position);
        named
    }

    fn find(&self, name: &str, named: &mut Vec<(usize, Precision)>) {
        let from = self.sorted.partition_point(|(known, ..)| **known < *name);
        let same = self.sorted[from..].iter().take_while(|(known, ..)| **known == *name);
        named.extend(same.map(|(_, position, precision)| (*position as usize, *precision)));
    }
}

/// A word of a sentence as it may be meant for a name, with its folded form: with and without what
/// clients put before names (`mcp__github__create_issue`). `fetch`, `query` and `click` are names and
/// words; inside a sentence they are words.
fn spellings(word: &str) -> impl Iterator<Item = (&str, String)> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let word = if word.len() > 2 * NAME_BOUND { "" } else { word };
    let prefixes = [":", "/", "__"].into_iter().flat_map(move |separator| {
        word.match_indices(separator).map(move |(at, _)| at + separator.len())
    });
    let starts = std::iter::once(0).chain(prefixes.take(PREFIXES));
    let spellings = starts.map(move |start| (&word[start..], folded(&word[start..])));
    spellings.filter(|(_, folded)| folded.contains(' '))
}
