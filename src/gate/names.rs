//! Names of people and machines, in the spellings by which somebody would still know them.
//!
//! One rule: a short name is ordinary letters (`tim` is in `timestamp`), so it counts at boundaries only;
//! a longer one counts wherever it stands.

use super::encodings;

/// Letters from which a name counts inside longer words as well.
const LEAST_INSIDE: usize = 5;
/// Bytes from which a name is looked for in encodings: those of shorter ones are like ordinary words.
const LEAST_ENCODED: usize = 5;

/// One name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    letters: Vec<char>,
    counts_inside: bool,
    /// The name in hexadecimal, base 32 and base 64, in lower case.
    encoded: Vec<Vec<char>>,
}

/// The letters and digits of a text, each with whether it stands apart from the one before it.
pub(super) struct Letters(Vec<(char, bool)>);

impl Letters {
    /// Those of `folded` text.
    pub(super) fn of(folded: &str) -> Self {
        let mut apart = true;
        let mut letters = Vec::with_capacity(folded.len());
        for c in folded.chars() {
            if c.is_alphanumeric() {
                letters.push((c, apart));
            }
            apart = !c.is_alphanumeric();
        }
        Self(letters)
    }
}

impl Name {
    /// `letters`: the folded name without separators; `written`: as its owner writes it.
    pub(super) fn new(letters: &str, written: &str) -> Self {
        let mut encoded = Vec::new();
        if letters.len() >= LEAST_ENCODED {
            // Encodings tell capitals apart.
            for spelling in [written, letters, &letters.to_uppercase(), &capitalised(letters)] {
                encoded.extend(encodings::all(spelling.as_bytes()));
            }
        }
        encoded.sort_unstable();
        encoded.dedup();
        let counts_inside = letters.chars().filter(|c| c.is_alphabetic()).count() >= LEAST_INSIDE;
        Self { letters: letters.chars().collect(), counts_inside, encoded }
    }

    /// Whether it stands in the text.
    pub(super) fn is_in(&self, text: &Letters) -> bool {
        stands_in(text, self.letters.len(), self.counts_inside, |found| {
            reads_as(&self.letters, found)
        }) || self.encoded.iter().any(|encoded| {
            stands_in(text, encoded.len(), true, |found| {
                encoded.iter().zip(found).all(|(digit, (c, _))| digit == c)
            })
        })
    }
}

fn capitalised(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Whether a word of that many letters, which `is_it` knows, stands in `text`: at boundaries, whatever
/// separators tear it apart; in one piece `inside` of a longer word as well.
fn stands_in(
    text: &Letters,
    length: usize,
    inside: bool,
    is_it: impl Fn(&[(char, bool)]) -> bool,
) -> bool {
    text.0.windows(length.max(1)).enumerate().any(|(start, found)| {
        is_it(found)
            && (inside && !found[1..].iter().any(|(_, apart)| *apart)
                || opens(&text.0, start) && closes(&text.0, start + length))
    })
}

/// Whether a reader takes `found` for `word`. Digits alone (`808`) spell no name (`bob`).
fn reads_as(word: &[char], found: &[(char, bool)]) -> bool {
    let pairs = || word.iter().zip(found).map(|(letter, (c, _))| (*letter, *c));
    pairs().all(|(letter, c)| looks_like(letter, c)) && pairs().any(|(_, c)| c.is_alphabetic())
}

/// Whether a word can begin at `at`: at a boundary, or where letters and digits meet.
fn opens(text: &[(char, bool)], at: usize) -> bool {
    let (first, apart) = text[at];
    apart || is_seam(text[at - 1].0, first)
}

/// Whether a word can end before `at`: as it can begin, or with the `s` of a genitive or plural.
fn closes(text: &[(char, bool)], at: usize) -> bool {
    let ends = |at: usize| match text.get(at) {
        None => true,
        Some((next, apart)) => *apart || is_seam(text[at - 1].0, *next),
    };
    ends(at) || matches!(text[at], ('s', false)) && ends(at + 1)
}

fn is_seam(left: char, right: char) -> bool {
    left.is_numeric() != right.is_numeric()
}

/// Whether a reader takes `c` for `letter`: `al1ce` is Alice.
fn looks_like(letter: char, c: char) -> bool {
    letter == c
        || matches!(
            (c, letter),
            ('0', 'o')
                | ('1', 'i' | 'l')
                | ('2', 'z')
                | ('3', 'e')
                | ('4', 'a')
                | ('5', 's')
                | ('7', 't')
                | ('8', 'b')
                | ('9', 'g')
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> bool {
        Name::new(name, name).is_in(&Letters::of(text))
    }

    #[test]
    fn a_short_name_counts_at_boundaries() {
        for text in [
            "tim", "x-tim", "tim.x", "tim2", "2tim", "x2tim3y", "tims", "tims-x", "tims2", "t-i-m",
            "x.t-im_y", "ti-ms", "t1m", "71m", "-tim-", "xtim-tim",
        ] {
            assert!(found("tim", text), "{text}");
        }
        for text in [
            "", "ti", "im", "timx", "xtim", "timsx", "timss", "optimal", "xt-im", "t-imx", "tlm",
            "711", "t-im-e", "ti",
        ] {
            assert!(found("tim", text) == (text == "t-im-e"), "{text}");
        }
    }

    #[test]
    fn a_longer_name_counts_inside_of_words_as_well_but_not_torn_apart_there() {
        for text in
            ["alice", "xalicex", "my-xalice", "4l1cex", "al-ice", "x-a-l-i-c-e-x", "al-ices"]
        {
            assert!(found("alice", text), "{text}");
        }
        for text in ["xal-ice", "al-icex", "alic", "lice", "alxice"] {
            assert!(!found("alice", text), "{text}");
        }
        assert!(found("zoe", "my-2oe") && !found("zoe", "my-2oex"));
        assert!(!found("anna", "xannax") && found("annah", "xannahx"), "from five letters on");
        assert!(!found("a1234", "xa1234x"), "letters, not digits");
    }

    #[test]
    fn digits_alone_are_no_name() {
        assert!(!found("bob", "808") && found("bob", "80b") && !found("ali", "411"));
        assert!(!found("a1b", "418") && found("a1b", "41b"));
        // In hexadecimal they are: of `peter`.
        assert!(found("peter", "7065746572"));
        assert!(!found("b0b", "bob"), "what looks alike does so in one direction");
    }

    #[test]
    fn digits_next_to_digits_are_one_number() {
        assert!(found("host7", "host7") && found("7up", "7up") && found("7up", "x7up"));
        assert!(!found("ab7", "ab77") && !found("7ab", "77ab"));
    }

    #[test]
    fn encodings_of_names_from_five_bytes_on_are_found() {
        // Of `alice`, of `/Users/alice` and of `xalice`.
        for text in
            ["616c696365", "x616c696365x", "mfwgsy3f", "ywxpy2u", "l1vzzxjzl2fsawnl", "egfsawnl"]
        {
            assert!(found("alice", text), "{text}");
        }
        // `Alice`, `ALICE`, and `aLICE` as its owner writes it.
        assert!(found("alice", "qwxpy2u") && found("alice", "quxjq0u"));
        assert!(!found("alice", "yuxjq0u"));
        assert!(Name::new("alice", "aLICE").is_in(&Letters::of("yuxjq0u")));
        assert!(!found("anna", "616e6e61") && !found("anna", "yw5uyq"));
    }
}
