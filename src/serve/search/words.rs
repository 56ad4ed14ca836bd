//! From text to words: identifiers in their parts, without stop words, stemmed.

use bm25::{DefaultTokenizer, Language, Tokenizer};
use std::collections::HashMap;

/// Longer words are read in pieces of this many characters: nobody asks for them, and they would
/// make the vocabulary as large as the text.
const LONGEST_WORD: usize = 64;

/// Calls `each` with the words of `text`, in lower case.
///
/// Identifiers come apart where their writer put a seam: `create_issue`, `create-issue` and
/// `createIssue` are `create issue`, `HTTPServer` is `http server`, `v2` is `v 2`. What was written in
/// one piece is a word as well, after its parts: a person who asks for `javascript` means `JavaScript`.
pub fn split(text: &str, mut each: impl FnMut(&str)) {
    let mut run: Vec<char> = Vec::with_capacity(LONGEST_WORD);
    let mut word = String::with_capacity(LONGEST_WORD);
    for character in text.chars() {
        if !is_of_a_word(character) {
            run_of(&run, &mut word, &mut each);
            run.clear();
            continue;
        }
        if run.len() == LONGEST_WORD {
            run_of(&run, &mut word, &mut each);
            run.clear();
        }
        run.push(character);
    }
    run_of(&run, &mut word, &mut each);
}

/// Letters, digits, and the accents that are characters of their own.
fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&character)
}

/// The words of one run of letters and digits.
fn run_of(run: &[char], word: &mut String, each: &mut impl FnMut(&str)) {
    let mut emit = |characters: &[char]| {
        if !characters.is_empty() {
            word.clear();
            word.extend(characters.iter().flat_map(|character| character.to_lowercase()));
            each(word);
        }
    };
    let mut start = 0;
    for at in 1..run.len() {
        if is_seam(run, at) {
            emit(&run[start..at]);
            start = at;
        }
    }
    emit(&run[start..]);
    if start > 0 {
        emit(run);
    }
}

/// Whether a new part begins at `at`, which is neither the first nor past the last.
fn is_seam(run: &[char], at: usize) -> bool {
    let (before, here) = (run[at - 1], run[at]);
    if before.is_numeric() != here.is_numeric() {
        return true;
    }
    if !here.is_uppercase() {
        return false;
    }
    if !before.is_uppercase() {
        return true;
    }
    // The last capital of `HTTPServer` begins a word; that of the plural `URLs` does not.
    let rest = &run[at + 1..];
    rest.first().is_some_and(|next| next.is_lowercase()) && rest != ['s']
}

/// Words in lower case with single spaces, the same for all spellings of an identifier.
pub fn folded(text: &str) -> String {
    let mut folded = String::new();
    let mut parts = Vec::new();
    for run in text.split(|character| !is_of_a_word(character)) {
        parts.clear();
        split(run, |word| parts.push(word.to_owned()));
        // The last of several is the run in one piece.
        let several = parts.len() > 1 && run.chars().count() <= LONGEST_WORD;
        for part in &parts[..parts.len() - usize::from(several)] {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(part);
        }
    }
    folded
}

/// Stems words and drops the stop words of English.
pub struct Stemmer(DefaultTokenizer);

impl Stemmer {
    pub fn new() -> Self {
        Self(DefaultTokenizer::new(Language::English))
    }

    /// What `word` is searched as: nothing for a stop word, more than one for a run of a script
    /// without spaces.
    pub fn stems(&self, word: &str) -> Vec<String> {
        self.0.tokenize(singular(word))
    }
}

/// Without its `s` an abbreviation such as `PRs`: English stemmers take it only from a word with a vowel.
fn singular(word: &str) -> &str {
    let vowel = |c: char| "aeiouy".contains(c);
    match word.strip_suffix('s') {
        Some(rest) if rest.len() > 1 && !rest.ends_with('s') && !rest.contains(vowel) => rest,
        _ => word,
    }
}

/// The number of a stem.
pub type Term = u32;

/// Numbers stems in the order in which they come.
pub struct Vocabulary {
    stemmer: Stemmer,
    terms: HashMap<String, Term>,
    /// Terms by the root of their stems; not those that are the only one of their root, and are the root.
    family: HashMap<String, Vec<Term>>,
}

impl Vocabulary {
    /// The term of a stem that some tool has.
    pub fn term(&self, stem: &str) -> Option<Term> {
        self.terms.get(stem).copied()
    }

    /// The terms that have the root of `stem`: that of `watch` is also the root of `watcher`.
    pub fn family(&self, stem: &str) -> &[Term] {
        let root = root(stem);
        match self.family.get(root) {
            Some(family) => family,
            None => self.terms.get(root).map_or(&[], std::slice::from_ref),
        }
    }

    /// The stems, in the order of their terms.
    pub fn stems(&self) -> Vec<&str> {
        let mut stems: Vec<(&str, Term)> =
            self.terms.iter().map(|(stem, term)| (stem.as_str(), *term)).collect();
        stems.sort_unstable_by_key(|(_, term)| *term);
        stems.into_iter().map(|(stem, _)| stem).collect()
    }

    pub fn stemmer(&self) -> &Stemmer {
        &self.stemmer
    }
}

/// Derivations that the stemmer leaves: `watcher`, `connector`, `edition`, `payment`, `modifi`(ed).
const DERIVATIONS: [&str; 5] = ["er", "or", "ion", "ment", "i"];
/// Shorter roots are of too many words.
const SHORTEST_ROOT: usize = 4;

/// A stem without its last derivation.
fn root(stem: &str) -> &str {
    let roots = DERIVATIONS.iter().filter_map(|derivation| stem.strip_suffix(derivation));
    let mut roots = roots.filter(|root| root.len() >= SHORTEST_ROOT);
    roots.next().unwrap_or(stem)
}

/// Makes a vocabulary; stems every word once, because stemming costs more than all the rest.
pub struct VocabularyBuilder {
    vocabulary: Vocabulary,
    words: HashMap<String, Vec<Term>>,
}

impl VocabularyBuilder {
    pub fn new() -> Self {
        let vocabulary =
            Vocabulary { stemmer: Stemmer::new(), terms: HashMap::new(), family: HashMap::new() };
        Self { vocabulary, words: HashMap::new() }
    }

    /// Calls `each` with the terms of `text`.
    pub fn read(&mut self, text: &str, mut each: impl FnMut(Term)) {
        let Self { vocabulary: Vocabulary { stemmer, terms, .. }, words } = self;
        split(text, |word| {
            if let Some(known) = words.get(word) {
                known.iter().copied().for_each(&mut each);
                return;
            }
            let mut numbered = Vec::new();
            for stem in stemmer.stems(word) {
                let next = Term::try_from(terms.len()).unwrap_or(Term::MAX);
                numbered.push(*terms.entry(stem).or_insert(next));
            }
            numbered.iter().copied().for_each(&mut each);
            words.insert(word.to_owned(), numbered);
        });
    }

    /// The vocabulary, and how many terms it has.
    pub fn finish(self) -> (Vocabulary, usize) {
        let Self { mut vocabulary, .. } = self;
        let mut families: HashMap<&str, Vec<Term>> = HashMap::new();
        for (stem, term) in &vocabulary.terms {
            families.entry(root(stem)).or_default().push(*term);
        }
        let is_alone = |root: &str, family: &[Term]| match family {
            [term] => vocabulary.terms.get(root) == Some(term),
            _ => false,
        };
        families.retain(|root, family| !is_alone(root, family));
        let owned = families.into_iter().map(|(root, family)| (root.to_owned(), family));
        vocabulary.family = owned.collect();
        vocabulary.terms.shrink_to_fit();
        let count = vocabulary.terms.len();
        (vocabulary, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        split(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn identifiers_come_apart_and_stay_whole() {
        assert_eq!(words("create_issue create-issue"), ["create", "issue", "create", "issue"]);
        assert_eq!(words("createIssue"), ["create", "issue", "createissue"]);
        assert_eq!(words("HTTPServer"), ["http", "server", "httpserver"]);
        assert_eq!(words("v2"), ["v", "2", "v2"]);
        assert_eq!(words("GET URLs"), ["get", "urls"]);
        assert_eq!(words("re\u{301}sume\u{301} 北京"), ["re\u{301}sume\u{301}", "北京"]);
    }

    #[test]
    fn long_words_come_in_pieces() {
        let pieces = words(&"x".repeat(150));
        assert_eq!(pieces.iter().map(String::len).collect::<Vec<_>>(), [64, 64, 22]);
    }

    #[test]
    fn all_spellings_of_an_identifier_fold_to_the_same() {
        for text in
            ["create_issue", "createIssue", "CREATE-ISSUE", " create  issue?", "CreateIssue"]
        {
            assert_eq!(folded(text), "create issue", "{text}");
        }
        assert_eq!(folded("🍕"), "");
    }

    #[test]
    fn stop_words_have_no_stem_and_forms_share_one() {
        let stemmer = Stemmer::new();
        assert_eq!(stemmer.stems("the"), [""; 0]);
        assert_eq!(stemmer.stems("running"), stemmer.stems("runs"));
        assert_eq!(stemmer.stems("北京"), ["bei", "jing"]);
        assert_eq!(stemmer.stems("prs"), ["pr"]);
        assert_eq!(stemmer.stems("css"), ["css"]);
    }

    #[test]
    fn derived_words_have_one_root() {
        for (a, b) in [("watch", "watcher"), ("connect", "connector"), ("modif", "modifi")] {
            assert_eq!(root(a), root(b));
        }
        assert_eq!(root("user"), "user");
    }
}
