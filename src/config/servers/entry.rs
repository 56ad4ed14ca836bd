//! From one JSON value to a [`ServerEntry`].
//!
//! One rule: nothing that is wrong in an entry goes further than its `transport`.

use super::fields::{RawEntry, Troubles};
use super::{Protocol, STARTUP_TIMEOUT, ServerEntry, TOOL_TIMEOUT, Transport, url};
use crate::json::Value;
use std::path::PathBuf;

/// What `env` and `headers` must be.
const PAIRS: &str = "an object whose values are strings";

/// The entry of that name: `value` of `text`.
pub(super) fn read(name: String, value: &Value<'_>, text: &[u8]) -> ServerEntry {
    let Some(text) = value.members().and_then(|_| text.get(value.span.clone())) else {
        return broken(name, "the entry must be an object with `command` or `url`");
    };
    let raw = RawEntry::read(text);
    let mut troubles = Troubles::default();
    let protocol = protocol(&raw, &mut troubles);
    let enabled = troubles.flag("enabled", &raw.enabled).unwrap_or(true);
    let disabled = troubles.flag("disabled", &raw.disabled).unwrap_or(false);
    let startup_timeout = troubles.seconds("startup_timeout_sec", &raw.startup_timeout_sec);
    let tool_timeout = troubles.seconds("tool_timeout_sec", &raw.tool_timeout_sec);
    let transport = transport(&raw, &mut troubles, protocol);
    let transport = match (troubles.first(), transport) {
        (None, Some(transport)) => Ok(transport),
        (trouble, _) => Err(trouble.unwrap_or_default()),
    };
    ServerEntry {
        name,
        // Whoever says either means it.
        enabled: enabled && !disabled,
        protocol,
        transport,
        startup_timeout: startup_timeout.unwrap_or(STARTUP_TIMEOUT),
        tool_timeout: tool_timeout.unwrap_or(TOOL_TIMEOUT),
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

fn protocol(raw: &RawEntry, troubles: &mut Troubles) -> Protocol {
    let Some((key, text)) = troubles.text(&raw.protocols()) else { return Protocol::Auto };
    match text.to_ascii_lowercase().as_str() {
        "stdio" => Protocol::Stdio,
        "http" => Protocol::Http,
        "sse" => Protocol::Sse,
        "streamable-http" | "streamable_http" | "streamablehttp" => Protocol::StreamableHttp,
        "auto" => Protocol::Auto,
        _ => {
            troubles.complain(format!(
                "`{key}` must be one of stdio, http, sse, streamable-http and auto"
            ));
            Protocol::Auto
        }
    }
}

/// `None` is a complaint.
fn transport(raw: &RawEntry, troubles: &mut Troubles, protocol: Protocol) -> Option<Transport> {
    match (troubles.text(&[("command", &raw.command)]), troubles.text(&raw.urls())) {
        (Some(_), Some((key, _))) => {
            troubles
                .complain(format!("the entry has both `command` and `{key}`; keep one of them"));
            None
        }
        (None, None) => {
            troubles.complain("the entry has neither `command` nor `url`; add one of them");
            None
        }
        (Some((_, command)), None) => {
            if !matches!(protocol, Protocol::Stdio | Protocol::Auto) {
                troubles.complain(
                    "the entry has a `command`, but its type is not stdio; say stdio, or use `url`",
                );
            }
            Some(stdio(raw, troubles, command))
        }
        (None, Some((key, url))) => {
            if protocol == Protocol::Stdio {
                troubles.complain(format!(
                    "the entry has a `{key}`, but its type is stdio; say http, or use `command`"
                ));
            }
            if let Some(why) = url::trouble(url, key) {
                troubles.complain(why);
            }
            let headers = troubles.typed("headers", PAIRS, &raw.headers);
            let headers = headers.map(|pairs| pairs.0.clone()).unwrap_or_default();
            if let Some(why) = header_trouble(&headers) {
                troubles.complain(why);
            }
            Some(Transport::Http { url: url.to_owned(), headers })
        }
    }
}

fn stdio(raw: &RawEntry, troubles: &mut Troubles, command: &str) -> Transport {
    let args = troubles.typed("args", "an array of strings", &raw.args);
    let args = args.cloned().unwrap_or_default();
    let env = troubles.typed("env", PAIRS, &raw.env);
    let env = env.map(|pairs| pairs.0.clone()).unwrap_or_default();
    // What is no name may be a whole `NAME=value`: it is not repeated.
    if env
        .iter()
        .any(|(name, _)| name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()))
    {
        troubles
            .complain("`env` has a name that is empty or has a = in it; write \"NAME\": \"value\"");
    }
    let cwd = troubles.text(&raw.directories()).map(|(_, cwd)| PathBuf::from(cwd));
    let texts = args.iter().chain(env.iter().map(|(_, value)| value)).map(String::as_str);
    if texts.chain([command]).any(|text| text.contains('\0')) {
        troubles.complain("`command`, `args` or `env` has a NUL character (\\u0000); remove it");
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
