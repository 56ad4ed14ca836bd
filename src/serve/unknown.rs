//! Methods that the gateway does not answer, and why.
//!
//! One rule: an error says more than the name of the method. The SDK says nothing else.

use rmcp::model::{ErrorCode, ErrorData};

/// What is answered: requests of these names that the SDK cannot read have wrong parameters. (Not
/// `initialize`: to a client of the modern era it is a method that does not exist.)
pub const ANSWERED: [&str; 8] = [
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
];

/// The error for a method that is not answered.
pub fn method(name: &str) -> ErrorData {
    let why = match name {
        "logging/setLevel" => "the gateway hands on no log messages of servers",
        "resources/subscribe" | "resources/unsubscribe" => {
            "the gateway has no subscriptions to single resources; it tells when the list of resources changes"
        }
        "subscriptions/listen" => "it belongs to protocol version 2026-07-28",
        "initialize" | "ping" => "protocol version 2026-07-28 does not have it",
        _ if name.starts_with("tasks/") => "the gateway has no tasks",
        _ => "the gateway answers tools, prompts, resources and completions",
    };
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("method not found: {name} ({why})"), None)
}

/// Puts the reason into an error of the SDK. What a server said stays: nothing of these names reaches one.
pub fn explain(error: &mut ErrorData) -> bool {
    let name = &*error.message;
    let is_bare = error.code == ErrorCode::METHOD_NOT_FOUND
        && error.data.is_none()
        && !name.is_empty()
        && !name.contains(char::is_whitespace)
        && !ANSWERED.contains(&name);
    if is_bare {
        *error = method(name);
    }
    is_bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_gets_its_reason_and_other_errors_stay() {
        let bare = |name: &'static str| ErrorData::new(ErrorCode::METHOD_NOT_FOUND, name, None);
        for (name, part) in [
            ("logging/setLevel", "log messages"),
            ("resources/subscribe", "subscriptions"),
            ("tasks/get", "tasks"),
            ("ping", "2026-07-28"),
            ("no/such", "tools, prompts"),
        ] {
            let mut error = bare(name);
            assert!(explain(&mut error));
            assert!(error.message.contains(name) && error.message.contains(part), "{error:?}");
            assert!(!explain(&mut error), "explained twice");
        }
        for mut other in [
            bare("Method not found"),
            bare("tools/call"),
            bare(""),
            ErrorData::new(ErrorCode::INTERNAL_ERROR, "ping", None),
        ] {
            let before = other.clone();
            assert!(!explain(&mut other));
            assert_eq!(other, before);
        }
    }
}
