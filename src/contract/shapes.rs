//! The shapes of strings: the pattern that the schema has, and a matcher without a regex engine.
//!
//! One rule: a matcher accepts nothing that its pattern refuses; beyond that it refuses only dates that no
//! calendar has, client names with `..`, and product names that are no names of files. `tests/contract/shapes.rs` compares both.

use super::table::Text;
use super::{client_name, product, timestamp};

impl Text {
    /// The pattern of the schema's `$defs` for this shape; a regular expression of ECMA 262.
    pub const fn pattern(self) -> &'static str {
        match self {
            Text::Uuid => {
                "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
            }
            Text::Version => {
                "^v(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,7})\
                 (-((alpha|beta|canary|dev|next|nightly|pre|preview|rc|snapshot|test)\
                 (\\.?(0|[1-9][0-9]{0,7}))?|(0|[1-9][0-9]{0,7})))?$"
            }
            Text::OptionalVersion => {
                "^(v(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,7})\
                 (-((alpha|beta|canary|dev|next|nightly|pre|preview|rc|snapshot|test)\
                 (\\.?(0|[1-9][0-9]{0,7}))?|(0|[1-9][0-9]{0,7})))?)?$"
            }
            Text::Timestamp => {
                "^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                 T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
            }
            Text::ClientName | Text::ProductName => "^[a-z0-9][a-z0-9._-]{0,63}$",
            Text::Day => {
                "^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                 T00:00:00Z$"
            }
            Text::ProductVersion => {
                "^v?(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,4})\\.(0|[1-9][0-9]{0,4})\
                 (-(alpha|beta|rc|dev|next|canary|pre)(\\.?(0|[1-9][0-9]{0,4}))?)?$"
            }
        }
    }

    /// Whether `text` is a string of this shape. A timestamp must also be a real date, a client name must
    /// be free of `..`, and a product name must be one of [`product::is_name`].
    pub fn matches(self, text: &str) -> bool {
        match self {
            Text::Uuid => is_uuid(text.as_bytes()),
            Text::Version => is_version(text.as_bytes()),
            Text::OptionalVersion => text.is_empty() || is_version(text.as_bytes()),
            Text::Timestamp => timestamp::parse(text).is_some(),
            Text::ClientName => client_name::is_canonical(text),
            Text::Day => timestamp::parse(text).is_some_and(|second| second % timestamp::DAY == 0),
            Text::ProductName => product::is_name(text),
            Text::ProductVersion => product::is_version(text),
        }
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The tags a version may carry: a closed list, because a free tag could be a name.
const PRE_RELEASE_TAGS: [&str; 11] = [
    "alpha", "beta", "canary", "dev", "next", "nightly", "pre", "preview", "rc", "snapshot", "test",
];

/// Constant, so that a build of a version that the gate would refuse does not come into being.
pub(crate) const fn is_version(text: &[u8]) -> bool {
    let Some(at) = after_byte(text, Some(0), b'v') else { return false };
    let major = after_number(text, at, 5);
    let Some(at) = after_byte(text, major, b'.') else { return false };
    let minor = after_number(text, at, 5);
    let Some(at) = after_byte(text, minor, b'.') else { return false };
    let Some(end) = after_number(text, at, 8) else { return false };
    match after_byte(text, Some(end), b'-') {
        Some(tag) => is_pre_release(text, tag),
        None => end == text.len(),
    }
}

/// Whether `text` from `at` on is a number, or a tag that may be followed by one.
const fn is_pre_release(text: &[u8], at: usize) -> bool {
    if let Some(end) = after_number(text, at, 8) {
        return end == text.len();
    }
    let mut i = 0;
    while i < PRE_RELEASE_TAGS.len() {
        if let Some(end) = after_tag(text, at, PRE_RELEASE_TAGS[i].as_bytes()) {
            let digits = match after_byte(text, Some(end), b'.') {
                Some(digits) => digits,
                None => end,
            };
            let number = after_number(text, digits, 8);
            if end == text.len() || matches!(number, Some(end) if end == text.len()) {
                return true;
            }
        }
        i += 1;
    }
    false
}

/// The place after `byte` at `at`; `None` when something else stands there.
const fn after_byte(text: &[u8], at: Option<usize>, byte: u8) -> Option<usize> {
    match at {
        Some(at) if at < text.len() && text[at] == byte => Some(at + 1),
        _ => None,
    }
}

/// The place after `tag` at `at`.
const fn after_tag(text: &[u8], at: usize, tag: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i < tag.len() {
        if at + i >= text.len() || text[at + i] != tag[i] {
            return None;
        }
        i += 1;
    }
    Some(at + i)
}

/// The place after a decimal number at `at`, of at most `most` digits and without a leading zero.
const fn after_number(text: &[u8], at: usize, most: usize) -> Option<usize> {
    let mut end = at;
    while end < text.len() && text[end].is_ascii_digit() {
        end += 1;
    }
    let digits = end - at;
    if digits == 0 || digits > most || (digits > 1 && text[at] == b'0') { None } else { Some(end) }
}
