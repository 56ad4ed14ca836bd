//! The members of a payload with what they mean.
//!
//! One rule: the words are those of the contract.

use super::super::output::shortened;
use crate::contract::{self, SCHEMA_VERSION};
use crate::json::{self, Data, Value};
use std::fmt::Write as _;

/// Each member of `bytes` with its meaning below it. A provisional id is shown whole.
pub(super) fn of(bytes: &[u8], has_provisional_id: bool) -> String {
    let schema = contract::schema(SCHEMA_VERSION).map_or("{}", |schema| schema.text);
    let (Ok(payload), Ok(schema)) = (json::parse(bytes), json::parse(schema.as_bytes())) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut out = String::new();
    write(&mut out, bytes, &payload, schema.get("properties"), 0, has_provisional_id);
    out
}

fn write(
    out: &mut String,
    bytes: &[u8],
    object: &Value<'_>,
    schema: Option<&Value<'_>>,
    depth: usize,
    is_whole: bool,
) {
    let indent = "  ".repeat(depth);
    for member in object.members().unwrap_or_default() {
        let about = schema.and_then(|schema| schema.get(&member.key));
        let meaning = about.and_then(|about| about.get("description")).and_then(Value::as_str);
        let is_object = matches!(member.value.data, Data::Object(_));
        let shown = match &member.value.data {
            Data::Object(_) => String::new(),
            Data::String(id) if member.key == "anonymous_id" && !is_whole => {
                format!(" {}", shortened(id))
            }
            _ => format!(" {}", String::from_utf8_lossy(&bytes[member.value.span.clone()])),
        };
        let _ = writeln!(out, "{indent}{}:{shown}", member.key);
        if let Some(meaning) = meaning {
            for line in wrapped(meaning, 96 - 2 * depth) {
                let _ = writeln!(out, "{indent}    {line}");
            }
        }
        if is_object {
            let below = about.and_then(|about| about.get("properties"));
            write(out, bytes, &member.value, below, depth + 1, is_whole);
        }
    }
}

/// The text in lines of at most `width` characters; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_the_contract_has_a_meaning() {
        let bytes = br#"{"schema_version":4,"anonymous_id":"3f0c9f7e-8f0e-4c5a-9d7b-0c1b2a3d4e5f","env_markers":{"has_tty":true}}"#;
        let text = of(bytes, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "schema_version: 4");
        assert!(lines[1].starts_with("    The version of this contract"), "{text}");
        assert!(text.contains("anonymous_id: 3f0c9f7e...") && !text.contains("4c5a"), "{text}");
        assert!(text.contains("\n  has_tty: true\n      "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("a bb ccc dddddd e", 4), ["a bb", "ccc", "dddddd", "e"]);
        assert_eq!(wrapped("", 4), Vec::<String>::new());
    }
}
