//! What a server says of itself when a session begins, where it does not keep to the schema.
//!
//! One rule: a member that is off costs itself and no other, and is named. A capability that is there in any form
//! but `false` and `null` is there.

use rmcp::model::{ClientRequest, CustomResult, ServerResult};
use serde_json::{Map, Value, json};

/// Requests whose answers the SDK itself reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// `initialize`
    Initialize,
    /// `server/discover`
    Discover,
    /// Others of the SDK's own: what it listens to, and whether the server is there.
    Own,
}

impl Opening {
    /// What `request` opens.
    pub fn of(request: &ClientRequest) -> Option<Self> {
        match request {
            ClientRequest::InitializeRequest(_) => Some(Self::Initialize),
            ClientRequest::DiscoverRequest(_) => Some(Self::Discover),
            ClientRequest::PingRequest(_) | ClientRequest::SubscriptionsListenRequest(_) => {
                Some(Self::Own)
            }
            _ => None,
        }
    }
}

/// The result as the SDK reads it; what had to be left out for that is among `faults`.
pub fn read(opening: Opening, text: &str, faults: &mut Vec<String>) -> ServerResult {
    let none = || ServerResult::CustomResult(CustomResult(Value::Null));
    if opening == Opening::Own {
        return serde_json::from_str(text).unwrap_or_else(|_| none());
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return none() };
    if let Some(result) = of_kind(opening, value.clone()) {
        return result;
    }
    if let Some(members) = value.as_object_mut() {
        mend(opening, members, faults);
    }
    of_kind(opening, value).unwrap_or_else(none)
}

fn of_kind(opening: Opening, value: Value) -> Option<ServerResult> {
    match opening {
        Opening::Discover => serde_json::from_value(value).ok().map(ServerResult::DiscoverResult),
        _ => serde_json::from_value(value).ok().map(ServerResult::InitializeResult),
    }
}

fn mend(opening: Opening, members: &mut Map<String, Value>, faults: &mut Vec<String>) {
    let mut off = |what: &str| faults.push(format!("{what} is not as the protocol has it"));
    match members.get_mut("capabilities") {
        Some(Value::Object(capabilities)) => mend_capabilities(capabilities, &mut off),
        // A server that says nothing of what it offers is asked for its tools.
        _ => {
            off("its `capabilities`");
            members.insert("capabilities".into(), json!({"tools": {}}));
        }
    }
    if members.get("instructions").is_some_and(|it| !it.is_string() && !it.is_null()) {
        off("its `instructions`");
        members.remove("instructions");
    }
    if members.get("_meta").is_some_and(|meta| !meta.is_object() && !meta.is_null()) {
        off("its `_meta`");
        members.remove("_meta");
    }
    if opening == Opening::Initialize {
        mend_info(members, &mut off);
    }
}

/// Only the name and the version are read.
fn mend_info(members: &mut Map<String, Value>, off: &mut impl FnMut(&str)) {
    let info = members.get("serverInfo");
    let text = |key: &str| info.and_then(|info| info.get(key)).and_then(Value::as_str);
    if text("name").is_none() || text("version").is_none() {
        off("its `serverInfo`");
    }
    let mended = json!({
        "name": text("name").unwrap_or_default(),
        "version": text("version").unwrap_or_default(),
    });
    members.insert("serverInfo".into(), mended);
}

fn mend_capabilities(capabilities: &mut Map<String, Value>, off: &mut impl FnMut(&str)) {
    capabilities.retain(|_, value| !matches!(value, Value::Null | Value::Bool(false)));
    for (name, value) in capabilities {
        let is_free = matches!(name.as_str(), "experimental" | "extensions");
        let is_right =
            |member: &Value| if is_free { member.is_object() } else { !member.is_null() };
        match value {
            Value::Object(members) if members.values().all(is_right) && !is_flagged(members) => {}
            Value::Object(members) => {
                off(&format!("its capability `{}`", super::faults::shown(name)));
                if is_free {
                    members
                        .values_mut()
                        .filter(|it| !it.is_object())
                        .for_each(|it| *it = json!({}));
                } else {
                    let is_flag = |key: &String| FLAGS.contains(&key.as_str());
                    members.retain(|key, it| it.is_boolean() || (it.is_object() && !is_flag(key)));
                }
            }
            value => {
                off(&format!("its capability `{}`", super::faults::shown(name)));
                *value = json!({});
            }
        }
    }
}

/// Members that are `true` or `false`.
const FLAGS: [&str; 2] = ["listChanged", "subscribe"];

fn is_flagged(members: &Map<String, Value>) -> bool {
    FLAGS.iter().any(|flag| members.get(*flag).is_some_and(|it| !it.is_boolean()))
}
