//! What a server may be called.
//!
//! One rule: a full name such as `server:tool` leads to one server, however it is read: by the gateway, which
//! compares bytes, by a model, and by a person.

use super::MAX_NAME;
use crate::visible::is_invisible;
use std::fmt;

/// What stands between the name of a server and its own name for a tool or prompt.
pub const SEPARATOR: char = ':';

/// Characters that are drawn like the separator, or nearly so: those that Unicode calls confusable with it, its
/// compatibility forms, and other marks of two dots one above the other.
const LIKE_SEPARATOR: [char; 24] = [
    '\u{2d0}',
    '\u{2f8}',
    '\u{589}',
    '\u{5c3}',
    '\u{703}',
    '\u{704}',
    '\u{903}',
    '\u{a83}',
    '\u{1361}',
    '\u{16ec}',
    '\u{17d6}',
    '\u{1803}',
    '\u{1804}',
    '\u{1809}',
    '\u{205a}',
    '\u{205d}',
    '\u{2236}',
    '\u{a4fd}',
    '\u{a789}',
    '\u{fe13}',
    '\u{fe30}',
    '\u{fe55}',
    '\u{ff1a}',
    '\u{1029a}',
];

/// Why a server cannot have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing is in it.
    Empty,
    /// It has control characters.
    Control,
    /// It has more than [`MAX_NAME`] characters.
    TooLong,
    /// It has blanks at an end, or characters that cannot be seen.
    Invisible,
    /// It has the separator, or a character that looks like it.
    Separator,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty; give the server a name",
            Self::Control => {
                "the name has control characters; use letters, digits, dashes and the like"
            }
            Self::TooLong => {
                return write!(f, "the name is longer than {MAX_NAME} characters; shorten it");
            }
            Self::Invisible => {
                "the name begins or ends with a blank, or has characters that cannot be seen; use letters, digits, dashes and the like"
            }
            Self::Separator => {
                "the name has a colon, which stands between a server and its tools; use letters, digits, dashes and the like"
            }
        })
    }
}

impl std::error::Error for NameError {}

/// What is wrong with a name.
pub(super) fn error(name: &str) -> Option<NameError> {
    if name.is_empty() {
        Some(NameError::Empty)
    } else if name.chars().any(char::is_control) {
        Some(NameError::Control)
    } else if name.chars().count() > MAX_NAME {
        Some(NameError::TooLong)
    } else if !is_plain(name) {
        Some(NameError::Invisible)
    } else {
        has_separator(name).then_some(NameError::Separator)
    }
}

/// Whether a name can be shown as it is: then it names its entry, whatever else is wrong with it.
pub(super) fn can_be_shown(name: &str) -> bool {
    error(name).is_none()
        || (is_plain(name) && has_separator(name) && name.chars().count() <= MAX_NAME)
}

/// What two names have in common that cannot be told apart at a glance: case, and marks above letters, whichever
/// way they are written.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase).map(base).collect()
}

fn has_separator(name: &str) -> bool {
    name.contains(SEPARATOR) || name.contains(LIKE_SEPARATOR)
}

/// Whether every character can be seen. A blank inside is seen, if it is the usual one.
fn is_plain(name: &str) -> bool {
    name.trim() == name
        && !name
            .chars()
            .any(|c| c.is_control() || is_invisible(c) || (c.is_whitespace() && c != ' '))
}

/// Marks that combine with the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// The letter below the mark, for the letters that have both ways of being written and are common.
fn base(c: char) -> char {
    const MARKED: [(char, &str); 14] = [
        ('a', "\u{e0}\u{e1}\u{e2}\u{e3}\u{e4}\u{e5}\u{101}\u{103}\u{105}"),
        ('c', "\u{e7}\u{107}\u{109}\u{10b}\u{10d}"),
        ('d', "\u{10f}"),
        ('e', "\u{e8}\u{e9}\u{ea}\u{eb}\u{113}\u{115}\u{117}\u{119}\u{11b}"),
        ('g', "\u{11d}\u{11f}\u{121}\u{123}"),
        ('i', "\u{ec}\u{ed}\u{ee}\u{ef}\u{129}\u{12b}\u{12d}\u{12f}"),
        ('l', "\u{13a}\u{13c}\u{13e}"),
        ('n', "\u{f1}\u{144}\u{146}\u{148}"),
        ('o', "\u{f2}\u{f3}\u{f4}\u{f5}\u{f6}\u{14d}\u{14f}\u{151}"),
        ('r', "\u{155}\u{157}\u{159}"),
        ('s', "\u{15b}\u{15d}\u{15f}\u{161}"),
        ('u', "\u{f9}\u{fa}\u{fb}\u{fc}\u{169}\u{16b}\u{16d}\u{16f}\u{171}\u{173}"),
        ('y', "\u{fd}\u{ff}"),
        ('z', "\u{17a}\u{17c}\u{17e}"),
    ];
    MARKED.iter().find(|(_, marked)| marked.contains(c)).map_or(c, |(base, _)| *base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_makes_full_names_ambiguous_is_refused() {
        for name in [
            "a",
            "my server",
            "\u{e4}\u{f6}",
            "#2",
            "a/b",
            "a.b-c_d",
            "retrieve_tools",
            "\u{65e5}\u{672c}",
        ] {
            assert_eq!(error(name), None, "{name:?}");
        }
        for (name, part) in [
            ("github:work", "colon"),
            (":", "colon"),
            ("a:", "colon"),
            ("a\u{ff1a}b", "colon"),
            ("a\u{fe13}b", "colon"),
            ("a\u{205a}b", "colon"),
            ("a\u{1029a}b", "colon"),
            ("", "empty"),
            (" ", "blank"),
            (" a", "blank"),
            ("a ", "blank"),
            ("a\u{a0}b", "cannot be seen"),
            ("a\u{200b}", "cannot be seen"),
            ("\u{feff}a", "cannot be seen"),
            ("a\u{202e}b", "cannot be seen"),
            ("a\tb", "control"),
        ] {
            assert!(error(name).is_some_and(|why| why.to_string().contains(part)), "{name:?}");
        }
        assert!(can_be_shown("github:work") && !can_be_shown("a\u{200b}:") && !can_be_shown(""));
    }

    #[test]
    fn names_that_look_alike_fold_to_one() {
        for (one, other) in [
            ("GitHub", "github"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("\u{c9}T\u{c9}", "e\u{301}te\u{301}"),
            ("\u{212a}ey", "key"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("github-work"), folded("github"));
    }
}
