//! Answers that share their line with other text: what a server prints before a message without an end of line, or
//! right after it.
//!
//! One rule: only a whole answer counts. A request that is found in other text may be one that the server quotes.

use rmcp::model::RequestId;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// So many objects of a line are looked at: text that is no message may hold any number of braces.
const MOST: usize = 16;

/// What is said of a server whose answers share their lines.
pub const JOINED: &str = "it writes other text on the lines of its messages: standard output is for messages alone, \
                          one a line, and all other text belongs on standard error";
/// What is said of a server that does not end its lines.
pub const UNENDED: &str =
    "it does not end the lines of its messages: each one ends with a line feed";

/// The answers in `text`, which is no JSON as a whole, or not known to be.
pub fn answers(text: &str) -> Vec<&str> {
    let (mut found, mut at) = (Vec::new(), 0);
    for _ in 0..MOST {
        let rest = text.get(at..).unwrap_or_default();
        let Some(rest) = rest.find('{').and_then(|open| rest.get(open..)) else { break };
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        at = text.len() - rest.len();
        match values.next() {
            Some(Ok(value)) => {
                at += values.byte_offset();
                found.extend(is_answer(value.get()).then(|| value.get()));
            }
            _ => at += 1,
        }
    }
    found
}

fn is_answer(text: &str) -> bool {
    let Ok(members) = serde_json::from_str::<HashMap<String, &RawValue>>(text) else {
        return false;
    };
    let has = |name: &str| members.contains_key(name);
    let has_id = || {
        let id = members.get("id").map(|id| id.get());
        id.is_some_and(|id| serde_json::from_str::<RequestId>(id).is_ok())
    };
    has("jsonrpc") && !has("method") && (has("result") || has("error")) && has_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"result":{"a":{"b":"}"}},"jsonrpc":"2.0","id":7}"#;
    const TWO: &str = r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"{"}}"#;

    #[test]
    fn answers_are_found_wherever_they_stand_on_a_line() {
        for (text, expected) in [
            (format!("Starting...{ONE}"), vec![ONE]),
            (format!("{ONE}Server is ready"), vec![ONE]),
            (format!("{{info}} port \"80{ONE} ready {TWO}."), vec![ONE, TWO]),
            (format!("{ONE}{TWO}"), vec![ONE, TWO]),
            (ONE.to_owned(), vec![ONE]),
        ] {
            assert_eq!(answers(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        for text in [
            "Starting...",
            r#"got {"jsonrpc":"2.0","id":7,"method":"tools/call"}"#,
            r#"got {"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
            r#"cut {"jsonrpc":"2.0","id":7,"result":{"#,
            r#"{"level":"info","id":7,"result":1} {}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":1}x"#,
        ] {
            assert!(answers(text).is_empty(), "{text}");
        }
        // Bounded: this would be looked at for each of its braces.
        assert!(answers(&format!("{}{ONE}", "{".repeat(100_000))).is_empty());
    }
}
