//! How long the texts of servers may be in the gateway's own answers.
//!
//! One rule: what is cut says so, and what has no room is named.

use super::backpressure::length;
use super::faults::shown;
use serde_json::{Map, Value};

/// What an answer holds of one description.
const MOST_DESCRIPTION: usize = 16 << 10;
/// What the tools of one answer come to, as JSON.
const MOST_ANSWERED: usize = 4 << 20;
/// So many of those that have no room are named.
const NAMED: usize = 10;

/// Cuts a text that is longer than `most` bytes; how long it was.
pub fn cut(text: &mut String, most: usize) -> Option<usize> {
    let length = text.len();
    if length <= most {
        return None;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    Some(length)
}

/// Cuts the descriptions that are too long, those in schemas as well, and says so in them.
pub fn descriptions(members: &mut Map<String, Value>) {
    for (key, value) in members {
        match value {
            Value::String(text) if key == "description" => {
                if let Some(length) = cut(text, MOST_DESCRIPTION) {
                    text.push_str(&format!("... (cut: the description is {length} bytes long)"));
                }
            }
            value => below(value),
        }
    }
}

fn below(value: &mut Value) {
    match value {
        Value::Object(members) => descriptions(members),
        Value::Array(items) => items.iter_mut().for_each(below),
        _ => {}
    }
}

/// The tools of an answer, best first, as far as there is room for them, and what is said of the others.
pub fn tools(found: impl Iterator<Item = Map<String, Value>>) -> (Vec<Value>, Option<String>) {
    let (mut left, mut others) = (MOST_ANSWERED, Vec::new());
    let mut tools = Vec::new();
    for mut tool in found {
        descriptions(&mut tool);
        let tool = Value::Object(tool);
        let length = length(&tool);
        if length > left {
            others.push(shown(tool["name"].as_str().unwrap_or_default()));
            continue;
        }
        left -= length;
        tools.push(tool);
    }
    if others.is_empty() {
        return (tools, None);
    }
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    others.truncate(NAMED);
    let names = others.join("`, `");
    let note = format!(
        "Found as well, and left out because this answer holds {} MiB: `{names}`{more}. A smaller `limit` leaves room.",
        MOST_ANSWERED >> 20
    );
    (tools, Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn long_descriptions_are_cut_wherever_they_are_and_say_so() {
        let long = "é".repeat(MOST_DESCRIPTION);
        let mut tool = object(json!({
            "name": "s:long", "description": long, "title": long,
            "inputSchema": {"properties": {"description": {"anyOf": [{"description": long}]}}},
            "outputSchema": {"description": "short", "enum": [long]},
        }));
        let before = tool.clone();
        descriptions(&mut tool);
        let below = &tool["inputSchema"]["properties"]["description"]["anyOf"][0]["description"];
        for text in [&tool["description"], below] {
            let text = text.as_str().expect("text");
            assert!(text.len() < MOST_DESCRIPTION + 80, "{}", text.len());
            assert!(text.ends_with("é... (cut: the description is 32768 bytes long)"), "{text}");
        }
        for same in ["name", "title", "outputSchema"] {
            assert_eq!(tool[same], before[same], "only descriptions are cut");
        }
        let mut odd = format!("x{long}");
        assert_eq!(cut(&mut odd, 4), Some(32769));
        assert_eq!(odd, "xé");
    }

    #[test]
    fn an_answer_ends_with_the_names_of_those_that_have_no_room() {
        let large = |name: &str| object(json!({"name": name, "enum": "x".repeat(3 << 20)}));
        let small = object(json!({"name": "s:c"}));
        let (found, note) = tools([large("s:a"), large("s:\u{202e}b"), small].into_iter());
        let names: Vec<_> = found.iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!(names, ["s:a", "s:c"], "a large one keeps no small one out");
        let note = note.expect("a note");
        assert!(note.contains("`s:\\u202eb`. A smaller"), "{note}");
        let (_, note) = tools((0..20).map(|at| large(&format!("s:{at}"))));
        assert!(note.expect("a note").contains("`s:10` and 9 more. A"), "the first has room");
    }
}
