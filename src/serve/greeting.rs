//! What an `initialize` lacks.
//!
//! One rule: the client is told the member's name. The SDK takes such a request for one that it does not know,
//! and answers that a session or metadata is missing.

use rmcp::model::{InitializeRequestParams, RequestId};
use serde::Deserialize;
use serde_json::Value;

/// A greeting that cannot be answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Its id.
    pub id: Value,
    /// What is wrong.
    pub words: String,
}

/// The members, each below the one before its last dot, and whether it is an object.
const MEMBERS: [(&str, bool); 5] = [
    ("/protocolVersion", false),
    ("/capabilities", true),
    ("/clientInfo", true),
    ("/clientInfo/name", false),
    ("/clientInfo/version", false),
];

/// The version that the `initialize` in `body` asks for; `None` when it is something else.
pub fn of(body: &[u8]) -> Option<Result<String, Lacking>> {
    #[derive(Deserialize)]
    struct Message {
        id: RequestId,
        method: String,
        #[serde(default)]
        params: Value,
    }
    memchr::memmem::find(body, b"initialize")?;
    let message: Message = serde_json::from_slice(body).ok()?;
    if message.method != "initialize" {
        return None;
    }
    let version = message.params.pointer("/protocolVersion").and_then(Value::as_str);
    let version = version.unwrap_or_default().to_owned();
    Some(match lacking(&message.params) {
        None => Ok(version),
        Some(words) => Err(Lacking { id: message.id.into_json_value(), words }),
    })
}

/// What is wrong with the parameters of `initialize`, by name.
pub fn lacking(params: &Value) -> Option<String> {
    let wrong: Vec<String> = MEMBERS.iter().filter_map(|member| named(params, *member)).collect();
    if !wrong.is_empty() {
        return Some(format!("the parameters of initialize: {}", wrong.join(", ")));
    }
    let read = serde_json::from_value::<InitializeRequestParams>(params.clone());
    read.err().map(|error| format!("the parameters of initialize are malformed: {error}"))
}

fn named(params: &Value, (path, is_object): (&str, bool)) -> Option<String> {
    let name = path.trim_start_matches('/').replace('/', ".");
    let (parent, _) = path.rsplit_once('/')?;
    if !parent.is_empty() && !params.pointer(parent).is_some_and(Value::is_object) {
        // Of an object that is missing no members are.
        return None;
    }
    match params.pointer(path) {
        None | Some(Value::Null) => Some(format!("`{name}` is missing")),
        Some(value) if is_object && !value.is_object() => Some(format!("`{name}` is no object")),
        Some(value) if !is_object && !value.is_string() => Some(format!("`{name}` is no text")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(params: &Value) -> Result<String, Lacking> {
        let message =
            json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": params});
        of(message.to_string().as_bytes()).expect("a greeting")
    }

    #[test]
    fn what_is_missing_is_named_and_a_whole_one_is_read() {
        let whole = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}});
        assert_eq!(said(&whole), Ok("2025-06-18".to_owned()));
        for (pointer, value, part) in [
            ("/clientInfo", json!({"name": "x"}), "`clientInfo.version` is missing"),
            (
                "/clientInfo",
                json!({}),
                "`clientInfo.name` is missing, `clientInfo.version` is missing",
            ),
            ("/clientInfo", Value::Null, "initialize: `clientInfo` is missing"),
            ("/clientInfo/version", json!(1), "`clientInfo.version` is no text"),
            ("/capabilities", Value::Null, "`capabilities` is missing"),
            ("/capabilities", json!([]), "`capabilities` is no object"),
            ("/capabilities", json!({"roots": 5}), "malformed"),
            ("/protocolVersion", Value::Null, "`protocolVersion` is missing"),
        ] {
            let mut params = whole.clone();
            *params.pointer_mut(pointer).expect("a member") = value;
            let lacking = said(&params).expect_err(pointer);
            assert_eq!(lacking.id, "a");
            assert!(lacking.words.contains(part), "{pointer}: {}", lacking.words);
        }
        let all = said(&Value::Null).expect_err("nothing").words;
        for name in ["`protocolVersion`", "`capabilities`", "`clientInfo`"] {
            assert!(all.contains(name), "{all}");
        }
    }

    #[test]
    fn other_messages_are_none_of_its_business() {
        for other in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"initialize"}}"#,
            "initialize",
        ] {
            assert_eq!(of(other.as_bytes()), None, "{other}");
        }
    }
}
