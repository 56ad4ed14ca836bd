//! The words of this machine that must never leave it.
//!
//! One rule: they are compared and nothing else; no output of any kind holds one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::folding::fold;

/// Characters from which a name (user, host, home directory) is compared.
const LEAST_NAME: usize = 3;
/// Characters from which an environment value is compared.
const LEAST_VALUE: usize = 4;
/// Words that any environment is full of and that identify nobody.
const BOOLEANS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "t", "f"];

/// What must never leave: names (>= 3 characters) and environment values (>= 4), prepared for comparison.
///
/// An empty one costs nothing, and [`PrivateWords::lazy`] costs nothing until the first comparison.
#[derive(Clone, Default)]
pub struct PrivateWords {
    prepared: OnceLock<Arc<Prepared>>,
    read: Option<Arc<dyn Fn() -> PrivateWords + Send + Sync>>,
}

#[derive(Default)]
struct Prepared {
    /// Words as runs of letters and digits with single spaces between them, sorted. What stands
    /// between the runs is not compared: a user called `John Doe` is also in `john-doe`.
    phrases: Vec<Box<str>>,
    /// Words with next to no letters (`:0.0`, `1.2.3`): only the very same characters are a match.
    literals: Vec<Box<str>>,
    /// Bytes of the longest phrase.
    longest: usize,
}

impl PrivateWords {
    /// Prepares `names` (user, host, home directory) and `values` (environment).
    ///
    /// Surrounding white space is not part of a word. Of a name that is a path the last segment is
    /// compared too, and of a name with dots (`laptop.example.com`) the first label.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(
        names: impl IntoIterator<Item = N>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let mut prepared = Prepared::default();
        for name in names {
            let name = name.as_ref().trim();
            prepared.add(name, LEAST_NAME);
            let segment = name.rsplit(['/', '\\']).find(|segment| !segment.is_empty());
            if let Some(segment) = segment {
                prepared.add(segment, LEAST_NAME);
                prepared.add(segment.split('.').next().unwrap_or_default(), LEAST_NAME);
            }
        }
        for value in values {
            prepared.add(value.as_ref(), LEAST_VALUE);
        }
        prepared.finish();
        Self { prepared: OnceLock::from(Arc::new(prepared)), read: None }
    }

    /// Words that `read` gathers when the first string has to be compared, and never if none has.
    pub fn lazy(read: impl Fn() -> PrivateWords + Send + Sync + 'static) -> Self {
        Self { prepared: OnceLock::new(), read: Some(Arc::new(read)) }
    }

    /// Whether one of the words stands in `folded` (see [`fold`]) at boundaries.
    pub(super) fn occur_in(&self, folded: &str) -> bool {
        let prepared = self.prepared();
        prepared.phrase_in(folded) || prepared.literals.iter().any(|word| stands_in(word, folded))
    }

    fn prepared(&self) -> &Arc<Prepared> {
        self.prepared.get_or_init(|| match &self.read {
            Some(read) => Arc::clone(read().prepared()),
            None => Arc::default(),
        })
    }
}

/// Says how many words there are: never the words.
impl fmt::Debug for PrivateWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prepared.get() {
            Some(prepared) => {
                write!(f, "PrivateWords({})", prepared.phrases.len() + prepared.literals.len())
            }
            None => f.write_str("PrivateWords(not read)"),
        }
    }
}

impl Prepared {
    fn add(&mut self, word: &str, least: usize) {
        let word = word.trim();
        if word.chars().count() < least || word.chars().all(char::is_numeric) {
            return;
        }
        let folded = fold(word);
        if BOOLEANS.contains(&folded.as_str()) {
            return;
        }
        let phrase = runs(&folded).collect::<Vec<_>>().join(" ");
        let letters = phrase.chars().any(char::is_alphabetic);
        if letters && phrase.chars().filter(|c| c.is_alphanumeric()).count() >= least {
            self.phrases.push(phrase.into());
        } else if !folded.is_empty() {
            self.literals.push(folded.into());
        }
    }

    fn finish(&mut self) {
        for words in [&mut self.phrases, &mut self.literals] {
            words.sort_unstable();
            words.dedup();
        }
        self.longest = self.phrases.iter().map(|phrase| phrase.len()).max().unwrap_or(0);
    }

    /// Whether consecutive runs of `folded` make up one of the phrases.
    fn phrase_in(&self, folded: &str) -> bool {
        if self.phrases.is_empty() {
            return false;
        }
        let runs: Vec<&str> = runs(folded).collect();
        let mut candidate = String::with_capacity(self.longest);
        (0..runs.len()).any(|first| {
            candidate.clear();
            for run in &runs[first..] {
                if !candidate.is_empty() {
                    candidate.push(' ');
                }
                candidate.push_str(run);
                if candidate.len() > self.longest {
                    return false;
                }
                if self
                    .phrases
                    .binary_search_by(|phrase| phrase.as_ref().cmp(candidate.as_str()))
                    .is_ok()
                {
                    return true;
                }
            }
            false
        })
    }
}

/// The runs of letters and digits in `text`.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty())
}

/// Whether `word` stands in `text` with a boundary on either side: an edge of the text, or a
/// character that is no letter or digit, the word's own first and last included.
fn stands_in(word: &str, text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric();
    // Every place, those that overlap an earlier one too: `7.7.7` stands in `17.7.7.7`.
    let mut places = text.char_indices().filter(|(at, _)| text[*at..].starts_with(word));
    places.any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_plain);
        let after = text[at + word.len()..].chars().next().is_some_and(is_plain);
        let opens = word.chars().next().is_some_and(is_plain);
        let closes = word.chars().next_back().is_some_and(is_plain);
        !(before && opens || after && closes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn found(names: &[&str], values: &[&str], text: &str) -> bool {
        PrivateWords::new(names, values).occur_in(&fold(text))
    }

    #[test]
    fn a_word_is_found_at_boundaries_only() {
        for text in
            ["tim", "TIM", "x-tim", "tim-x", "x_tim_y", "x.tim.y", "a/tim", "é tim", "tim\u{301}"]
        {
            assert!(found(&["Tim"], &[], text), "{text}");
        }
        for text in ["", "timestamp", "optimal", "tim2", "2tim", "étim", "ti-m", "multim"] {
            assert!(!found(&["tim"], &[], text), "{text}");
        }
    }

    #[test]
    fn names_count_from_three_characters_and_values_from_four() {
        assert!(found(&["abc"], &[], "abc"));
        assert!(!found(&["ab"], &[], "ab"));
        assert!(found(&[], &["abcd"], "abcd"));
        assert!(!found(&[], &["abc"], "abc"));
        assert!(!found(&["éa"], &[], "éa"), "characters, not bytes");
        assert!(found(&["éab"], &[], "éab"));
    }

    #[test]
    fn numbers_and_booleans_are_nobody() {
        for value in ["2026", "11111", "true", "FALSE", "Yes", " on ", "off", ""] {
            assert!(!found(&[value], &[value], value), "{value}");
        }
        assert!(found(&[], &["1.2.3"], "x-1.2.3"));
        assert!(!found(&[], &["1.2.3"], "x-1-2-3"));
        assert!(!found(&[], &["1.2.3"], "x-1.2.34"));
        assert!(found(&[], &["a1b2"], "a1b2"));
        // The first place has no boundary, the one that overlaps it has both.
        assert!(found(&[], &["7.7.7"], "17.7.7.7"));
    }

    #[test]
    fn separators_do_not_hide_a_word() {
        for text in ["john doe", "john-doe", "x-john_doe", "John.Doe", "/home/john-doe/x"] {
            assert!(found(&["John Doe"], &[], text), "{text}");
        }
        assert!(!found(&["John Doe"], &[], "john-x-doe"));
        assert!(!found(&["John Doe"], &[], "john"));
        assert!(found(&[], &["/usr/bin/zsh"], "usr-bin-zsh"));
        assert!(!found(&[], &["/usr/bin/zsh"], "zsh"));
    }

    #[test]
    fn parts_of_names_that_stand_alone_are_names() {
        assert!(found(&["laptop.example.com"], &[], "my-laptop"));
        assert!(found(&["/home/tim"], &[], "tim"));
        assert!(found(&["C:\\Users\\tim\\"], &[], "tim"));
        assert!(!found(&["laptop.example.com"], &[], "example"));
    }

    #[test]
    fn words_are_read_once_and_only_when_compared() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        let words = PrivateWords::lazy(|| {
            READ.fetch_add(1, Ordering::Relaxed);
            PrivateWords::new(["tim"], ["secret"])
        });
        assert_eq!(format!("{words:?}"), "PrivateWords(not read)");
        assert_eq!(READ.load(Ordering::Relaxed), 0);
        assert!(words.occur_in("tim") && words.occur_in("secret") && !words.occur_in("other"));
        assert_eq!(READ.load(Ordering::Relaxed), 1);
        assert_eq!(format!("{words:?}"), "PrivateWords(2)");
    }
}
