//! From one JSON value to a [`ServerEntry`].
//!
//! One rule: nothing that is wrong in an entry goes further than its `transport`.

use super::fields::Fields;
use super::{Protocol, STARTUP_TIMEOUT, ServerEntry, TOOL_TIMEOUT, Transport, url};
use crate::json::Value;
use std::path::PathBuf;

const PROTOCOL_KEYS: [&str; 3] = ["type", "transport", "protocol"];
const URL_KEYS: [&str; 3] = ["url", "serverUrl", "httpUrl"];
const DIRECTORY_KEYS: [&str; 2] = ["cwd", "working_dir"];

/// The entry of that name.
pub(super) fn read(name: String, value: &Value<'_>) -> ServerEntry {
    let Some(members) = value.members() else {
        return broken(name, "the entry must be an object with `command` or `url`");
    };
    let mut fields = Fields::new(members);
    let protocol = protocol(&mut fields);
    let enabled = fields.flag("enabled").unwrap_or(true);
    let disabled = fields.flag("disabled").unwrap_or(false);
    let startup_timeout = fields.seconds("startup_timeout_sec").unwrap_or(STARTUP_TIMEOUT);
    let tool_timeout = fields.seconds("tool_timeout_sec").unwrap_or(TOOL_TIMEOUT);
    let transport = transport(&mut fields, protocol);
    let transport = match (fields.trouble(), transport) {
        (None, Some(transport)) => Ok(transport),
        (trouble, _) => Err(trouble.unwrap_or_default()),
    };
    ServerEntry {
        name,
        // Whoever says either means it.
        enabled: enabled && !disabled,
        protocol,
        transport,
        startup_timeout,
        tool_timeout,
    }
}

/// An entry of which nothing can be used.
pub(super) fn broken(name: String, why: impl Into<String>) -> ServerEntry {
    ServerEntry {
        name,
        enabled: true,
        protocol: Protocol::Auto,
        transport: Err(why.into()),
        startup_timeout: STARTUP_TIMEOUT,
        tool_timeout: TOOL_TIMEOUT,
    }
}

fn protocol(fields: &mut Fields<'_, '_>) -> Protocol {
    let Some((key, text)) = fields.text(&PROTOCOL_KEYS) else { return Protocol::Auto };
    match text.to_ascii_lowercase().as_str() {
        "stdio" => Protocol::Stdio,
        "http" => Protocol::Http,
        "sse" => Protocol::Sse,
        "streamable-http" | "streamable_http" | "streamablehttp" => Protocol::StreamableHttp,
        "auto" => Protocol::Auto,
        _ => {
            fields.complain(format!(
                "`{key}` must be one of stdio, http, sse, streamable-http and auto"
            ));
            Protocol::Auto
        }
    }
}

/// `None` is a complaint.
fn transport(fields: &mut Fields<'_, '_>, protocol: Protocol) -> Option<Transport> {
    match (fields.text(&["command"]), fields.text(&URL_KEYS)) {
        (Some(_), Some((key, _))) => {
            fields.complain(format!("the entry has both `command` and `{key}`; keep one of them"));
            None
        }
        (None, None) => {
            fields.complain("the entry has neither `command` nor `url`; add one of them");
            None
        }
        (Some((_, command)), None) => {
            if !matches!(protocol, Protocol::Stdio | Protocol::Auto) {
                fields.complain(
                    "the entry has a `command`, but its type is not stdio; say stdio, or use `url`",
                );
            }
            Some(stdio(fields, command))
        }
        (None, Some((key, url))) => {
            if protocol == Protocol::Stdio {
                fields.complain(format!(
                    "the entry has a `{key}`, but its type is stdio; say http, or use `command`"
                ));
            }
            if let Some(why) = url::trouble(url, key) {
                fields.complain(why);
            }
            let headers = fields.pairs("headers", false);
            if let Some(why) = header_trouble(&headers) {
                fields.complain(why);
            }
            Some(Transport::Http { url: url.to_owned(), headers })
        }
    }
}

fn stdio(fields: &mut Fields<'_, '_>, command: &str) -> Transport {
    let args = fields.texts("args");
    let env = fields.pairs("env", true);
    // What is no name may be a whole `NAME=value`: it is not repeated.
    if env
        .iter()
        .any(|(name, _)| name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()))
    {
        fields
            .complain("`env` has a name that is empty or has a = in it; write \"NAME\": \"value\"");
    }
    let cwd = fields.text(&DIRECTORY_KEYS).map(|(_, cwd)| PathBuf::from(cwd));
    let texts = args.iter().chain(env.iter().map(|(_, value)| value)).map(String::as_str);
    if texts.chain([command]).any(|text| text.contains('\0')) {
        fields.complain("`command`, `args` or `env` has a NUL character (\\u0000); remove it");
    }
    Transport::Stdio { command: command.to_owned(), args, env, cwd }
}

/// What is wrong with headers; also asked once they are expanded.
pub(super) fn header_trouble(headers: &[(String, String)]) -> Option<String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for (name, value) in headers {
        // What is no name may be a whole `Name: value`: it is not repeated.
        if name.is_empty() || !name.bytes().all(is_token) {
            return Some(
                "`headers` has a name that is no HTTP header name; write \"Name\": \"value\""
                    .into(),
            );
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Some(format!("`headers.{name}` has control characters; write it on one line"));
        }
    }
    None
}
