//! Undoing what hides a text: JSON escapes and percent-encoding.
//!
//! One rule: every layer is shown, the outermost too, because undoing one encoding can destroy what
//! another meant (`C:\tim` holds a JSON escape only by accident).

/// Rounds of undoing. Honest texts need one; a text that still changes after these hides something.
const MAX_ROUNDS: usize = 8;

/// What became of a text after all layers were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<T> {
    /// Nothing is left to undo, and `show` found nothing.
    Plain,
    /// `show` found this.
    Found(T),
    /// Encoded more often than [`MAX_ROUNDS`].
    TooDeep,
}

/// Shows `text` and every text behind it, until `show` finds something.
pub(super) fn each_layer<T>(text: &str, mut show: impl FnMut(&str) -> Option<T>) -> Outcome<T> {
    if let Some(found) = show(text) {
        return Outcome::Found(found);
    }
    let mut current: Option<String> = None;
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for undo in [undo_percent, undo_escapes] {
            if let Some(undone) = undo(current.as_deref().unwrap_or(text)) {
                if let Some(found) = show(&undone) {
                    return Outcome::Found(found);
                }
                current = Some(undone);
                changed = true;
            }
        }
        if !changed {
            return Outcome::Plain;
        }
    }
    Outcome::TooDeep
}

/// `text` with one layer of percent-encoding undone; `None` when it has none.
fn undo_percent(text: &str) -> Option<String> {
    memchr::memchr(b'%', text.as_bytes())?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match tail {
            [high, low, after @ ..] if byte == b'%' => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    rest = after;
                    continue;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
        rest = tail;
    }
    (out.len() < text.len()).then(|| String::from_utf8_lossy(&out).into_owned())
}

/// `text` with one layer of JSON escapes undone; `None` when it has none. A malformed escape stays.
fn undo_escapes(text: &str) -> Option<String> {
    memchr::memchr(b'\\', text.as_bytes())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (c, length) = match escape.as_bytes().get(1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => (char::from(*byte), 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => code_point(escape.as_bytes()).unwrap_or(('\\', 1)),
            _ => ('\\', 1),
        };
        out.push(c);
        rest = &escape[length..];
    }
    out.push_str(rest);
    (out != text).then_some(out)
}

/// The character of `\uXXXX` or a surrogate pair at the start of `escape`, and its length.
fn code_point(escape: &[u8]) -> Option<(char, usize)> {
    let high = unit(escape)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6));
    }
    match escape.get(6..).and_then(unit) {
        Some(low @ 0xdc00..0xe000) => {
            Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12))
        }
        _ => Some((char::REPLACEMENT_CHARACTER, 6)),
    }
}

fn unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + hex(*digit)?))
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        assert_eq!(
            each_layer::<()>(text, |layer| {
                seen.push(layer.to_owned());
                None
            }),
            Outcome::Plain
        );
        seen
    }

    #[test]
    fn every_layer_is_shown() {
        assert_eq!(layers("plain"), ["plain"]);
        assert_eq!(layers("%74im"), ["%74im", "tim"]);
        assert_eq!(layers("\\u0074im"), ["\\u0074im", "tim"]);
        assert_eq!(layers("%2574im"), ["%2574im", "%74im", "tim"]);
        assert_eq!(layers("\\u002574im"), ["\\u002574im", "%74im", "tim"]);
        assert_eq!(layers("%5Cu0074im"), ["%5Cu0074im", "\\u0074im", "tim"]);
        assert_eq!(layers("\\ud83d\\ude00"), ["\\ud83d\\ude00", "\u{1f600}"]);
    }

    #[test]
    fn every_escape_of_json_is_undone() {
        let text = r#"\"a\/b\bc\fd\ne\rf\tg\\q"#;
        assert_eq!(layers(text), [text, "\"a/b\u{8}c\u{c}d\ne\rf\tg\\q"]);
    }

    #[test]
    fn what_is_no_encoding_stays() {
        for text in ["100%", "%", "%zz", "%4", "\\", "\\q", "\\u12", "\\u00é0", "%é1"] {
            assert_eq!(layers(text), [text], "{text}");
        }
    }

    #[test]
    fn a_text_that_never_ends_changing_is_too_deep() {
        let deep = format!("%{}41", "25".repeat(60));
        assert_eq!(each_layer::<()>(&deep, |_| None), Outcome::TooDeep);
    }
}
