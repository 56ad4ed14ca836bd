//! The words of this machine that must never leave it.
//!
//! One rule: they are compared and nothing else; no output of any kind holds one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::folding::{fold, transliterate};
use super::names::{Letters, Name};

/// Characters from which a name (user, host, home directory) is compared.
const LEAST_NAME: usize = 3;
/// Characters from which an environment value is compared.
const LEAST_VALUE: usize = 4;
/// Characters from which a part of a value is compared, if it looks like a secret.
const LEAST_SECRET: usize = 8;
/// Words that any environment is full of and that identify no person.
const BOOLEANS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "y", "n", "t", "f"];

/// What must never leave: names (>= 3 characters) and environment values (>= 4), prepared for comparison.
///
/// An empty one costs nothing, and [`PrivateWords::lazy`] costs nothing until the first comparison.
#[derive(Clone, Default)]
pub struct PrivateWords {
    prepared: OnceLock<Arc<Prepared>>,
    read: Option<Arc<Read>>,
}

/// Gathers names and values when they are needed.
type Read = dyn Fn() -> (Vec<String>, Vec<String>) + Send + Sync;

#[derive(Default)]
struct Prepared {
    /// Names of people and machines: few, and looked for in every spelling.
    names: Vec<Name>,
    /// Values, as their letters and digits, sorted. What stands between those is not compared: a value
    /// `Down The Hole` is also in `down-the-hole` and in `downthehole`.
    values: Vec<Box<str>>,
    /// Words with next to no letters (`:0.0`, `1.2.3`): only the very same characters are a match.
    literals: Vec<Box<str>>,
    /// Bytes of the longest value.
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
            prepared.add_name(name);
            let segment = name.rsplit(['/', '\\']).find(|segment| !segment.is_empty());
            if let Some(segment) = segment {
                prepared.add_name(segment);
                prepared.add_name(segment.split('.').next().unwrap_or_default());
            }
        }
        for value in values {
            prepared.add_value(value.as_ref());
        }
        prepared.finish();
        Self { prepared: OnceLock::from(Arc::new(prepared)), read: None }
    }

    /// Words that `read` gathers (names, values) when the first string has to be compared, and never if
    /// none has.
    pub fn lazy(read: impl Fn() -> (Vec<String>, Vec<String>) + Send + Sync + 'static) -> Self {
        Self { prepared: OnceLock::new(), read: Some(Arc::new(read)) }
    }

    /// Whether one of the words stands in `folded` (see [`fold`]) at boundaries.
    pub(super) fn occur_in(&self, folded: &str) -> bool {
        let prepared = self.prepared();
        let letters = Letters::of(folded);
        prepared.names.iter().any(|name| name.is_in(&letters))
            || prepared.value_in(folded)
            || prepared.literals.iter().any(|word| stands_in(word, folded))
    }

    fn prepared(&self) -> &Arc<Prepared> {
        self.prepared.get_or_init(|| match &self.read {
            Some(read) => {
                let (names, values) = read();
                Arc::clone(Self::new(names, values).prepared())
            }
            None => Arc::default(),
        })
    }
}

/// Says how many words there are: never the words.
impl fmt::Debug for PrivateWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prepared.get() {
            Some(prepared) => {
                let values = prepared.values.len() + prepared.literals.len();
                write!(f, "PrivateWords({})", prepared.names.len() + values)
            }
            None => f.write_str("PrivateWords(not read)"),
        }
    }
}

impl Prepared {
    fn add_name(&mut self, word: &str) {
        match worth_comparing(word, LEAST_NAME) {
            Some(Form::Letters(letters)) => {
                let spelled_out = transliterate(word).map(|word| squash(&fold(&word)));
                self.names.push(Name::new(&letters, word.trim()));
                self.names.extend(spelled_out.map(|letters| Name::new(&letters, &letters)));
            }
            Some(Form::Literal(word)) => self.literals.push(word.into()),
            None => {}
        }
    }

    fn add_value(&mut self, word: &str) {
        match worth_comparing(word, LEAST_VALUE) {
            Some(Form::Letters(letters)) => {
                let spelled_out = transliterate(word).map(|word| squash(&fold(&word)));
                self.values.push(letters.into());
                self.values.extend(spelled_out.map(Into::into));
            }
            Some(Form::Literal(word)) => self.literals.push(word.into()),
            None => {}
        }
        // `postgres://user:pa55word@host/` holds one that is a secret by itself.
        let folded = fold(word);
        self.values.extend(runs(&folded).filter(|run| is_like_a_secret(run)).map(Box::from));
    }

    fn finish(&mut self) {
        for words in [&mut self.values, &mut self.literals] {
            words.sort_unstable();
            words.dedup();
        }
        self.names.sort_unstable();
        self.names.dedup();
        self.longest = self.values.iter().map(|value| value.len()).max().unwrap_or(0);
    }

    /// Whether consecutive runs of `folded` make up one of the values.
    fn value_in(&self, folded: &str) -> bool {
        if self.values.is_empty() {
            return false;
        }
        let runs: Vec<&str> = runs(folded).collect();
        let mut candidate = String::with_capacity(self.longest);
        (0..runs.len()).any(|first| {
            candidate.clear();
            for run in &runs[first..] {
                candidate.push_str(run);
                if candidate.len() > self.longest {
                    return false;
                }
                if self.values.binary_search_by(|value| (**value).cmp(candidate.as_str())).is_ok() {
                    return true;
                }
            }
            false
        })
    }
}

/// How a word is compared.
enum Form {
    /// By its letters and digits, whatever stands between them.
    Letters(String),
    /// By every character.
    Literal(String),
}

/// The form of `word`; `None` when it is too short or too common to identify anyone.
fn worth_comparing(word: &str, least: usize) -> Option<Form> {
    let word = word.trim();
    if word.chars().count() < least || word.chars().all(char::is_numeric) {
        return None;
    }
    let folded = fold(word);
    if BOOLEANS.contains(&folded.as_str()) {
        return None;
    }
    let letters = squash(&folded);
    if letters.chars().any(char::is_alphabetic) && letters.chars().count() >= least {
        Some(Form::Letters(letters))
    } else {
        (!folded.is_empty()).then_some(Form::Literal(folded))
    }
}

/// Letters and digits mixed, long enough not to be a word with a number: passwords and ids are.
fn is_like_a_secret(run: &str) -> bool {
    run.chars().count() >= LEAST_SECRET
        && run.chars().any(char::is_alphabetic)
        && run.chars().any(char::is_numeric)
}

/// The letters and digits of `text`.
fn squash(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
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
            assert!(found(&[], &["Timo"], &text.replace("tim", "timo").replace("TIM", "TIMO")));
        }
        for text in ["", "timestamp", "optimal", "étim", "multim"] {
            assert!(!found(&["tim"], &[], text), "{text}");
        }
        for text in ["timo2", "2timo", "timos", "timon", "xtimo", "t1mo"] {
            assert!(!found(&[], &["timo"], text), "values are not names: {text}");
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
        assert!(found(&[], &["12.34"], "12.34") && !found(&[], &["12.34"], "12-34"));
        assert!(found(&["a.b"], &[], "a.b") && !found(&["a.b"], &[], "ab"));
        // The first place has no boundary, the one that overlaps it has both.
        assert!(found(&[], &["7.7.7"], "17.7.7.7"));
    }

    #[test]
    fn separators_do_not_hide_a_word() {
        for text in ["john doe", "john-doe", "x-john_doe", "John.Doe", "/home/john-doe/x"] {
            assert!(found(&["John Doe"], &[], text), "{text}");
        }
        assert!(!found(&["John Doe"], &[], "john-x-doe"));
        for text in ["s3cret", "s-3cret", "s.3.c_ret", "x-s3-cret-y"] {
            assert!(found(&[], &["s3 cret"], text), "{text}");
        }
        assert!(!found(&[], &["s3 cret"], "s3cretx") && !found(&[], &["s3 cret"], "s3-cretx"));
        assert!(!found(&["John Doe"], &[], "john"));
        assert!(found(&[], &["/usr/bin/zsh"], "usr-bin-zsh"));
        assert!(!found(&[], &["/usr/bin/zsh"], "zsh"));
        // As those write it who have only ASCII.
        assert!(found(&[], &["Zürich"], "zuerich") && found(&[], &["Zürich"], "x-zurich"));
        assert!(found(&["Jörg"], &[], "joerg") && !found(&[], &["Zürich"], "zrich"));
    }

    #[test]
    fn a_part_of_a_value_is_a_secret_when_it_looks_like_one() {
        let url = "postgres://rabbit:hole1234@db.example/x86_64";
        assert!(found(&[], &[url], "hole1234") && found(&[], &[url], "x-HOLE1234"));
        for text in ["rabbit", "example", "x86", "hole123", "hole12345"] {
            assert!(!found(&[], &[url], text), "{text}");
        }
        assert!(!found(&[], &["a hole123"], "hole123"), "seven characters");
        assert!(!found(&[], &["a 12345678"], "12345678"), "a number");
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
            (vec!["tim".to_owned()], ["secret", "1.2.3"].map(str::to_owned).into())
        });
        assert_eq!(format!("{words:?}"), "PrivateWords(not read)");
        assert_eq!(READ.load(Ordering::Relaxed), 0);
        assert!(words.occur_in("tim") && words.occur_in("secret") && !words.occur_in("other"));
        assert_eq!(READ.load(Ordering::Relaxed), 1);
        assert_eq!(format!("{words:?}"), "PrivateWords(3)");
    }
}
