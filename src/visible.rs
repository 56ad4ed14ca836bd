//! Text of others as it may be shown: on a terminal, and in a log.
//!
//! One rule: a character that is invisible, turns the direction of text or commands a terminal is spelled out as JSON
//! and the status page spell it, `\u202e`; all others stay. What is shown is what is there.

use std::borrow::Cow;

/// Characters without width (joiners, directions, fillers, selectors, tags), and blanks that look like a space and
/// are none.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What is spelled out where text stands on one line.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// `text` on one line.
pub fn line(text: &str) -> Cow<'_, str> {
    spelled(text, is_hidden)
}

/// `text` on as many lines as it has, tabs included. Lines of CSV end with `\r\n`.
pub fn lines(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    if !text.contains("\r\n") {
        return spelled(text, is_hidden);
    }
    let parts: Vec<_> = text.split("\r\n").map(|part| spelled(part, is_hidden)).collect();
    Cow::Owned(parts.join("\r\n"))
}

fn spelled(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    // Most text is plain.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out_and_all_else_stays() {
        for (text, shown) in [
            ("plain: å, 日本, \"q\" \\", "plain: å, 日本, \"q\" \\"),
            ("a\u{202e}b\u{2066}c", "a\\u202eb\\u2066c"),
            ("gh\u{200b}p\u{feff}", "gh\\u200bp\\ufeff"),
            ("\u{1b}[31mred\r\n", "\\u001b[31mred\\u000d\\u000a"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
            ("\u{9b}2J", "\\u009b2J"),
            ("no\u{a0}space", "no\\u00a0space"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(lines("a\tb\nc\u{202e}\r"), "a\tb\nc\\u202e\\u000d");
        assert_eq!(lines("a,b\r\nc\u{202e}\rd\r\n"), "a,b\r\nc\\u202e\\u000dd\r\n");
    }
}
