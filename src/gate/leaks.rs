//! Layer 2: does a free string identify someone?
//!
//! One rule: the text is judged as it stands, folded, and in every form behind its encodings; one
//! finding is enough, and a text that hides too deep is one.

use std::fmt;

use super::folding::{at_invisible, fold, fold_apart};
use super::private_words::PrivateWords;
use super::unwrapping::{Outcome, each_layer};
use super::{addresses, numbers, places, secrets};

/// What kind of leak a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeakKind {
    /// A path shape.
    Path,
    /// An e-mail address.
    Email,
    /// A URL with user info.
    Url,
    /// An IP or MAC address.
    Address,
    /// A secret token.
    Token,
    /// More digits than a version or a date has.
    Number,
    /// A private word of this machine.
    PrivateWord,
    /// Encoded too often to be judged.
    Encoded,
}

impl fmt::Display for LeakKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LeakKind::Path => "looks like a path",
            LeakKind::Email => "looks like an e-mail address",
            LeakKind::Url => "looks like a URL with user info",
            LeakKind::Address => "looks like an IP or MAC address",
            LeakKind::Token => "looks like a secret token",
            LeakKind::Number => "holds a long number",
            LeakKind::PrivateWord => "holds a name or an environment value of this machine",
            LeakKind::Encoded => "is encoded too often to be judged",
        })
    }
}

/// Invisible characters that one text may hold. Every stretch between two of them is scanned, so
/// their number is bounded; a text with more of them hides something.
const MOST_INVISIBLE: usize = 8;

/// Scans one string; `None` when it is clean.
pub fn scan(text: &str, private: &PrivateWords) -> Option<LeakKind> {
    match each_layer(text, |layer| scan_layer(layer, private)) {
        Outcome::Plain => None,
        Outcome::Found(kind) => Some(kind),
        Outcome::TooDeep => Some(LeakKind::Encoded),
    }
}

fn scan_layer(text: &str, private: &PrivateWords) -> Option<LeakKind> {
    let folded = fold(text);
    if let Some(kind) = scan_form(&folded, private) {
        return Some(kind);
    }
    if text.is_ascii() {
        return None;
    }
    // Folding drops invisible characters. Each of them may as well be read as a boundary, whatever
    // the others are read as: as boundaries everywhere, or at both ends of a secret only.
    scan_form(&text.to_lowercase(), private)
        .or_else(|| scan_form(&fold_apart(text), private))
        .or_else(|| scan_stretches(text, private))
}

fn scan_stretches(text: &str, private: &PrivateWords) -> Option<LeakKind> {
    let pieces: Vec<&str> = at_invisible(text).collect();
    if pieces.len() == 1 {
        return None;
    }
    if pieces.len() - 1 > MOST_INVISIBLE {
        return Some(LeakKind::Encoded);
    }
    (0..pieces.len()).find_map(|first| {
        (first + 1..=pieces.len())
            .find_map(|end| scan_form(&fold(&pieces[first..end].concat()), private))
    })
}

fn scan_form(text: &str, private: &PrivateWords) -> Option<LeakKind> {
    if places::has_path(text) {
        Some(LeakKind::Path)
    } else if places::has_user_info(text) {
        Some(LeakKind::Url)
    } else if places::has_email(text) {
        Some(LeakKind::Email)
    } else if addresses::has_address(text) {
        Some(LeakKind::Address)
    } else if secrets::has_token(text) {
        Some(LeakKind::Token)
    } else if numbers::has_long_number(text) {
        Some(LeakKind::Number)
    } else if private.occur_in(text) {
        Some(LeakKind::PrivateWord)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invisible_character_is_nothing_or_a_boundary_whichever_tells_more() {
        let private = PrivateWords::new(["Zoë"], [""; 0]);
        for text in [
            "agent\u{200b}Zoë",
            "agent\u{200b}zoe",
            "agent\u{200b}ZOÉ",
            "\u{feff}zоe\u{200b}s",
            "z\u{200b}o\u{ad}e",
        ] {
            assert_eq!(scan(text, &private), Some(LeakKind::PrivateWord), "{text:?}");
        }
        // Each on its own: a boundary here, nothing there.
        let private = PrivateWords::new([""; 0], ["1.2.3"]);
        for text in
            ["x\u{200b}1.\u{200d}2.3\u{2060}y", "x\u{200b}1.2.\u{200d}3", "1\u{200d}.2.3\u{200b}4"]
        {
            assert_eq!(scan(text, &private), Some(LeakKind::PrivateWord), "{text:?}");
        }
        // All of them boundaries: inside of what is found as well.
        assert_eq!(scan("c\u{200b}users\u{2060}bob", &private), Some(LeakKind::Path));
        let private = PrivateWords::new([""; 0], ["1.2 3.4"]);
        assert_eq!(scan("1.2\u{200b}3.4", &private), Some(LeakKind::PrivateWord));
        let token = "x\u{200b}gh\u{200d}p_0a1b2c3d4e5f6g7h8i9j";
        assert_eq!(scan(token, &PrivateWords::default()), Some(LeakKind::Token));
    }

    #[test]
    fn invisible_characters_alone_are_no_leak_until_there_are_too_many_to_judge() {
        let private = PrivateWords::new(["Zoë"], ["1.2.3"]);
        // A family is joined from three.
        for text in ["👨\u{200d}👩\u{200d}👧 agent", "می\u{200c}خواهم", "a\u{200b}b"] {
            assert_eq!(scan(text, &private), None, "{text:?}");
        }
        let hidden = |times| "a\u{200b}".repeat(times);
        assert_eq!(scan(&hidden(MOST_INVISIBLE), &private), None);
        assert_eq!(scan(&hidden(MOST_INVISIBLE + 1), &private), Some(LeakKind::Encoded));
        assert_eq!(scan(&"o\u{301}".repeat(20), &private), None, "marks belong to letters");
    }
}
