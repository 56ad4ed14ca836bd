//! What a change would do to a file, to be shown.
//!
//! One rule: only lines that change, and of those only what changes. The rest can hold secrets.

use crate::visible;
use similar::{DiffOp, TextDiff};
use std::fmt::Write as _;

/// A unified diff without context. Parts that two versions of a line share are left out, and so are their
/// values; `...` stands for them. It is for people, not for `patch`.
pub fn unified(name: &str, before: &[u8], after: &[u8]) -> String {
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
    let mut out = format!("--- {name}\n+++ {name}\n");
    for op in diff.ops() {
        let (old, new) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let start = |range: &std::ops::Range<usize>| range.start + usize::from(!range.is_empty());
        let _ =
            writeln!(out, "@@ -{},{} +{},{} @@", start(&old), old.len(), start(&new), new.len());
        let olds: Vec<&str> =
            before.split_inclusive('\n').skip(old.start).take(old.len()).collect();
        let news: Vec<&str> = after.split_inclusive('\n').skip(new.start).take(new.len()).collect();
        for (at, line) in olds.iter().enumerate() {
            show(&mut out, '-', line, news.get(at).copied());
        }
        for (at, line) in news.iter().enumerate() {
            show(&mut out, '+', line, olds.get(at).copied());
        }
    }
    out
}

fn show(out: &mut String, sign: char, line: &str, other: Option<&str>) {
    let line = line.trim_end_matches(['\n', '\r']);
    let shown = other.map_or_else(|| line.to_owned(), |other| without_common(line, other));
    let _ = writeln!(out, "{sign}{}", visible::lines(&shown));
}

/// The line without what it shares with the other, unless that holds no value.
fn without_common(line: &str, other: &str) -> String {
    let other = other.trim_end_matches(['\n', '\r']);
    let shared = line.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let head: usize = shared.map(|(c, _)| c.len_utf8()).sum();
    let (line_rest, other_rest) = (&line[head..], &other[head..]);
    let shared = line_rest.chars().rev().zip(other_rest.chars().rev()).take_while(|(a, b)| a == b);
    let tail: usize = shared.map(|(c, _)| c.len_utf8()).sum();
    // Half a word tells nobody anything.
    let shared = &line_rest[line_rest.len() - tail..];
    let is_cut = [line_rest, other_rest]
        .iter()
        .any(|rest| rest[..rest.len() - tail].ends_with(char::is_alphanumeric));
    let half = if is_cut { shared.find(|c: char| !c.is_alphanumeric()).unwrap_or(tail) } else { 0 };
    let tail = tail - half;
    let (middle, tail) = line_rest.split_at(line_rest.len() - tail);
    let head = if holds_no_value(&line[..head]) { &line[..head] } else { "..." };
    let tail = if tail.chars().all(is_punctuation) { tail } else { "..." };
    format!("{head}{middle}{tail}")
}

fn is_punctuation(c: char) -> bool {
    " \t\"',[]{}".contains(c)
}

/// Whether the start of a line is a key at most, and what opens its value.
fn holds_no_value(head: &str) -> bool {
    let rest = head.trim_start();
    let (key, rest) = match rest.strip_prefix('"') {
        Some(rest) => rest.split_once('"').unwrap_or((rest, "")),
        None => rest.split_at(
            rest.find(|c: char| !c.is_alphanumeric() && !"._-".contains(c)).unwrap_or(rest.len()),
        ),
    };
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix([':', '=']) {
        Some(value) => value,
        // An item of an array is a value itself.
        None if key.is_empty() => rest,
        None => return false,
    };
    rest.chars().all(is_punctuation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_shares_with_its_other_version_is_not_shown() {
        for (one, other, shown) in [
            ("  }", "  },", "  }"),
            ("  },", "  }", "  },"),
            (
                "{\"a\":{\"env\":{\"T\":\"SECRET\"}}}",
                "{\"a\":{\"env\":{\"T\":\"SECRET\"}},\"b\":{}}",
                "...}",
            ),
            (
                "  \"args\": [\"tap\", \"--\", \"npx\", \"-k\", \"SECRET\"],",
                "  \"args\": [\"-k\", \"SECRET\"],",
                "  \"args\": [\"tap\", \"--\", \"npx\", \"...",
            ),
            ("  \"command\": \"npx\",", "  \"command\": \"/bin/x\",", "  \"command\": \"npx\","),
            ("    \"SECRET\", \"a\"", "    \"SECRET\", \"b\"", "...a\""),
            ("T = \"SECRET\" # a", "T = \"SECRET\" # b", "...a"),
        ] {
            assert_eq!(without_common(one, other), shown, "{one}");
        }
    }

    #[test]
    fn only_lines_that_change_are_shown() {
        let diff = unified("f", b"a\nSECRET\nb\n", b"a\nSECRET\nb\nc\n");
        assert_eq!(diff, "--- f\n+++ f\n@@ -3,0 +4,1 @@\n+c\n");
    }
}
