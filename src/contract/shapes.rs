//! The shapes of strings: the pattern that the schema has, and a matcher without a regex engine.
//!
//! One rule: a matcher accepts nothing that its pattern refuses (and refuses only dates that no
//! calendar has beyond that); `tests/contract.rs` compares both.

use super::table::Text;
use super::timestamp;

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
            Text::ClientName => "^[a-z0-9][a-z0-9._-]{0,63}$",
        }
    }

    /// Whether `text` is a string of this shape. A timestamp must also be a real date.
    pub fn matches(self, text: &str) -> bool {
        match self {
            Text::Uuid => is_uuid(text.as_bytes()),
            Text::Version => is_version(text),
            Text::OptionalVersion => text.is_empty() || is_version(text),
            Text::Timestamp => timestamp::parse(text).is_some(),
            Text::ClientName => is_client_name(text.as_bytes()),
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

fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else { return false };
    let (core, pre_release) = match rest.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (rest, None),
    };
    let mut parts = core.split('.');
    let digits = [parts.next(), parts.next(), parts.next()];
    digits.iter().zip([5, 5, 8]).all(|(part, most)| part.is_some_and(|p| is_number(p, most)))
        && parts.next().is_none()
        && pre_release.is_none_or(is_pre_release)
}

fn is_pre_release(text: &str) -> bool {
    if is_number(text, 8) {
        return true;
    }
    let letters = text.bytes().take_while(u8::is_ascii_lowercase).count();
    let (tag, number) = text.split_at(letters);
    PRE_RELEASE_TAGS.contains(&tag)
        && (number.is_empty() || is_number(number.strip_prefix('.').unwrap_or(number), 8))
}

/// A decimal number of at most `most` digits without a leading zero.
fn is_number(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'))
}

fn is_client_name(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.first().is_some_and(plain)
        && text.iter().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}
