//! Halves of surrogate pairs in a JSON text, as JavaScript leaves them where it cuts a string.
//!
//! One rule: a half becomes U+FFFD in the text itself, so that readers that refuse halves read the rest.

use memchr::memchr;

/// Half a pair is replaced by an escape of the same length.
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// Replaces every half of a surrogate pair. The text need not be JSON, nor UTF-8.
pub fn replace_halves(text: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += found;
        match unit(text, at) {
            Some(0xd800..0xdc00) if matches!(unit(text, at + 6), Some(0xdc00..0xe000)) => at += 12,
            Some(0xd800..0xe000) => {
                if let Some(half) = text.get_mut(at..at + 6) {
                    half.copy_from_slice(REPLACEMENT);
                }
                at += 6;
            }
            // Any other escape; of a backslash the second one begins none.
            _ => at += 2,
        }
    }
}

/// The number in the escape `\uXXXX` at that place.
fn unit(text: &[u8], at: usize) -> Option<u32> {
    let escape = text.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replaced(text: &str) -> String {
        let mut text = text.as_bytes().to_vec();
        replace_halves(&mut text);
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn halves_are_replaced_and_pairs_stay() {
        for (text, expected) in [
            (r"cut \ud83d", r"cut \ufffd"),
            (r"\uDC00\u0041", r"\ufffd\u0041"),
            (r"\ud83d\ude00", r"\ud83d\ude00"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\\ud83d \n\ud8", r"\\ud83d \n\ud8"),
            (r"\\\ud83d", r"\\\ufffd"),
            ("plain \u{1f600}", "plain \u{1f600}"),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
        }
    }

    proptest! {
        /// As `serde_json` reads what is left, and as our own reader reads the text.
        #[test]
        fn what_is_left_is_read_by_everyone(escapes in "(\\\\u(d83d|de00|dc00|0041)|\\\\\\\\|x){0,8}") {
            let text = format!("\"{escapes}\"");
            let ours = crate::json::parse(text.as_bytes()).expect("a string");
            let theirs: String = serde_json::from_str(&replaced(&text)).expect("a string");
            prop_assert_eq!(ours.as_str(), Some(theirs.as_str()));
        }
    }
}
