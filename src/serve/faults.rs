//! What is off in what a server offers: sentences for the log, the status and `upstream list`.
//!
//! One rule: bounded in number and length, and nothing in them acts on a terminal. Names are a server's own words.

use crate::diagnostics::Code;
use crate::visible;
use std::fmt;

/// Sentences that are kept of one server.
const MOST: usize = 20;
/// Characters of a name that are shown.
const LONGEST: usize = 64;

/// The fault of a server that writes other things among its messages.
pub const POLLUTED: &str = "it prints lines that are no messages on its standard output; they are skipped, and belong on standard error";

/// The faults of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    kept: Vec<String>,
    more: usize,
}

impl Faults {
    /// One more.
    pub fn add(&mut self, fault: String) {
        if self.kept.len() < MOST { self.kept.push(fault) } else { self.more += 1 }
    }

    /// The code of what is left out or taken otherwise than it is written.
    pub fn code(&self) -> Option<Code> {
        code(&self.kept)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The sentences; the last one says how many are left out.
    pub fn sentences(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.kept.iter().cloned().chain(more).collect()
    }
}

/// The code of these sentences.
pub fn code(sentences: &[String]) -> Option<Code> {
    let is_polluted = sentences.iter().all(|fault| fault == POLLUTED);
    (!sentences.is_empty()).then_some(match is_polluted {
        true => Code::StdioStdoutPolluted,
        false => Code::ProtocolInvalidList,
    })
}

impl Extend<String> for Faults {
    fn extend<I: IntoIterator<Item = String>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.add(fault));
    }
}

impl Faults {
    /// Those of `other` as well.
    pub fn append(&mut self, other: Self) {
        self.extend(other.kept);
        self.more += other.more;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences().join("; "))
    }
}

/// A name of a server's own, as it may be shown: the beginning of it.
pub fn shown(name: &str) -> String {
    let beginning: String = name.chars().take(LONGEST).collect();
    let mut shown = visible::line(&beginning).into_owned();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_acting_on_a_terminal() {
        assert_eq!(shown("read_file"), "read_file");
        assert_eq!(shown("a\u{1b}[2J\u{202e}b\nc"), "a\\u001b[2J\\u202eb\\u000ac");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn sentences_are_bounded_and_the_rest_is_counted() {
        let mut faults = Faults::default();
        faults.extend((0..25).map(|number| format!("fault {number}")));
        let sentences = faults.sentences();
        assert_eq!((sentences.len(), sentences[20].as_str()), (21, "and 5 more"));
    }
}
