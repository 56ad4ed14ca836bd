//! Layer 2: does a free string identify someone?
//!
//! One rule: the text is judged as it stands, folded, and in every form behind its encodings; one
//! finding is enough, and a text that hides too deep is one.

use std::fmt;

use super::folding::{fold, fold_apart};
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
    /// Encoded so often that nobody can tell what it is.
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
    // Folding drops invisible characters, which as they stand are boundaries: with the words as they
    // are spelled, and with words that are known by their folded form.
    scan_form(&text.to_lowercase(), private).or_else(|| scan_form(&fold_apart(text), private))
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
