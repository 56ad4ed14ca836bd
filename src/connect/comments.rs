//! JSON with comments and trailing commas, made strict without moving a byte.
//!
//! One rule: what is not strict is blanked out, never cut out, so that every place in the strict text is
//! the same place in the file, and one strict reader serves both.

use crate::config::ConfigError;
use crate::json::{self, Value};
use std::ops::Range;

/// A text, and what a strict reader may see of it.
pub(super) struct Text {
    /// Without byte order mark.
    pub(super) original: String,
    /// Comments blanked out.
    uncommented: String,
    /// Comments and trailing commas blanked out.
    pub(super) strict: String,
    comments: Vec<Range<usize>>,
    pub(super) has_mark: bool,
}

impl Text {
    /// Takes over a file; one with nothing in it counts as an empty object.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, ConfigError> {
        let (stripped, has_mark) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => (rest, true),
            None => (bytes, false),
        };
        let text = std::str::from_utf8(stripped).map_err(|_| ConfigError::Utf8)?;
        let original = if text.trim().is_empty() { "{}\n" } else { text }.to_owned();
        let (uncommented, comments) = without_comments(&original);
        let strict = without_trailing_commas(&uncommented);
        Ok(Self { original, uncommented, strict, comments, has_mark })
    }

    /// The root, with places in the original.
    pub(super) fn root(&self) -> Result<Value<'_>, ConfigError> {
        let root = json::parse_of_others(self.strict.as_bytes()).map_err(ConfigError::Json)?;
        match root.members() {
            Some(_) => Ok(root),
            None => Err(ConfigError::NotAnObject),
        }
    }

    /// The first comma in a stretch between two values.
    pub(super) fn comma(&self, within: Range<usize>) -> Option<usize> {
        let start = within.start;
        self.uncommented.get(within)?.find(',').map(|at| start + at)
    }

    /// Whether a comment begins in a stretch between two values.
    pub(super) fn has_comment(&self, within: &Range<usize>) -> bool {
        self.comments.iter().any(|comment| within.contains(&comment.start))
    }

    /// Where the comments end that stand on the same line after `from`; `from` when there are none.
    pub(super) fn after_comments_of_line(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            let rest = self.original.get(at..).unwrap_or_default();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            let Some(comment) = self.comments.iter().find(|c| c.start == at + blanks) else {
                return at;
            };
            if self.original.get(comment.clone()).is_none_or(|text| text.contains('\n')) {
                return at;
            }
            at = comment.end;
        }
    }
}

/// The text with every comment blanked out, and where they were. Line ends stay.
fn without_comments(text: &str) -> (String, Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut comments: Vec<Range<usize>> = Vec::new();
    let (mut at, mut in_string) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        if in_string {
            at += if byte == b'\\' { 2 } else { 1 };
            in_string = byte != b'"';
            continue;
        }
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            // One without end stays, and the strict reader refuses it.
            text.get(at + 2..).and_then(|rest| rest.find("*/")).map_or(0, |length| length + 4)
        } else {
            0
        };
        if length > 0 {
            comments.push(at..at + length);
        } else {
            in_string = byte == b'"';
        }
        at += length.max(1);
    }
    let mut out = bytes.to_vec();
    for comment in &comments {
        if let Some(bytes) = out.get_mut(comment.clone()) {
            blank(bytes);
        }
    }
    (String::from_utf8(out).unwrap_or_default(), comments)
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

/// The text with every comma blanked out that only white space parts from a closing bracket.
fn without_trailing_commas(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let (mut in_string, mut is_escaped) = (false, false);
    let (mut comma, mut before): (Option<usize>, Option<u8>) = (None, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b',' => {
                // One comma after a value; two, or one after a bracket that opens, are no JSON of any kind.
                let follows_value = !matches!(before, None | Some(b',' | b'{' | b'[' | b':'));
                comma = follows_value.then_some(at);
                before = Some(byte);
                continue;
            }
            b'}' | b']' => {
                if let Some(slot) = comma.and_then(|at| out.get_mut(at)) {
                    *slot = b' ';
                }
            }
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            _ => {}
        }
        (comma, before) = (None, Some(byte));
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict(text: &str) -> String {
        Text::of(text.as_bytes()).unwrap().strict
    }

    #[test]
    fn comments_and_trailing_commas_become_blanks_of_the_same_length() {
        for (text, expected) in [
            ("{// \u{e4}\r\n}", "{     \r\n}"),
            ("{/*a\nb*/\"a\":1,/*,*/}", "{   \n   \"a\":1      }"),
            ("{\"a\":[1, 2 ,\n],}", "{\"a\":[1, 2  \n] }"),
            ("{\"//\":\"/*\\\"//\",\"b\":\",}\"}", "{\"//\":\"/*\\\"//\",\"b\":\",}\"}"),
            ("{\"a\":1,,}", "{\"a\":1,,}"),
            ("{,}", "{,}"),
            ("[,]", "[,]"),
            ("{\"a\":,}", "{\"a\":,}"),
            ("{/* x", "{/* x"),
            ("{}/", "{}/"),
        ] {
            assert_eq!(strict(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_moved_and_strict_json_stays_as_it_is(text in "[\\[\\]{}\",:/*\\\\ \n0-9a\u{e4}]{0,40}") {
            if let Ok(read) = Text::of(text.as_bytes()) && !text.trim().is_empty() {
                prop_assert_eq!(read.strict.len(), text.len());
                if json::parse(text.as_bytes()).is_ok() {
                    prop_assert_eq!(read.strict, text);
                }
            }
        }
    }
}
