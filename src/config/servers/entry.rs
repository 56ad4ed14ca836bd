//! From one JSON value to a [`ServerEntry`].
//!
//! One rule: nothing that is wrong in an entry goes further than its `transport`.

use super::fields::{Errors, RawEntry};
use super::{EntryError, Protocol, STARTUP_TIMEOUT, ServerEntry, TOOL_TIMEOUT, Transport, url};
use crate::json::Value;
use std::path::PathBuf;

/// What `env` and `headers` must be.
const PAIRS: &str = "an object whose values are strings";

/// The entry of that name: `value` of `text`.
pub(super) fn read(name: String, value: &Value<'_>, text: &[u8]) -> ServerEntry {
    let Some(text) = value.members().and_then(|_| text.get(value.span.clone())) else {
        return broken(name, EntryError::NotAnObject { is_item: false });
    };
    let raw = RawEntry::read(text);
    let mut errors = Errors::default();
    let protocol = protocol(&raw, &mut errors);
    let enabled = errors.flag("enabled", &raw.enabled).unwrap_or(true);
    let disabled = errors.flag("disabled", &raw.disabled).unwrap_or(false);
    let startup_timeout = errors.seconds("startup_timeout_sec", &raw.startup_timeout_sec);
    let tool_timeout = errors.seconds("tool_timeout_sec", &raw.tool_timeout_sec);
    let transport = transport(&raw, &mut errors, protocol);
    let transport = match errors.first() {
        Some(error) => Err(error),
        None => transport,
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
pub(super) fn broken(name: String, error: EntryError) -> ServerEntry {
    ServerEntry {
        name,
        enabled: true,
        protocol: Protocol::Auto,
        transport: Err(error),
        startup_timeout: STARTUP_TIMEOUT,
        tool_timeout: TOOL_TIMEOUT,
    }
}

fn protocol(raw: &RawEntry, errors: &mut Errors) -> Protocol {
    let Some((key, text)) = errors.text(&raw.protocols()) else { return Protocol::Auto };
    match text.to_ascii_lowercase().as_str() {
        "stdio" => Protocol::Stdio,
        "http" => Protocol::Http,
        "sse" => Protocol::Sse,
        "streamable-http" | "streamable_http" | "streamablehttp" => Protocol::StreamableHttp,
        "auto" => Protocol::Auto,
        _ => {
            errors.add(EntryError::Protocol(key));
            Protocol::Auto
        }
    }
}

fn transport(
    raw: &RawEntry,
    errors: &mut Errors,
    protocol: Protocol,
) -> Result<Transport, EntryError> {
    match (errors.text(&[("command", &raw.command)]), errors.text(&raw.urls())) {
        (Some(_), Some((key, _))) => Err(EntryError::Both(key)),
        (None, None) => Err(EntryError::Neither),
        (Some((_, command)), None) => {
            if !matches!(protocol, Protocol::Stdio | Protocol::Auto) {
                errors.add(EntryError::CommandOfHttp);
            }
            Ok(stdio(raw, errors, command))
        }
        (None, Some((key, url))) => {
            if protocol == Protocol::Stdio {
                errors.add(EntryError::UrlOfStdio(key));
            }
            if let Some(error) = url::error(url) {
                errors.add(EntryError::Url { key, error });
            }
            let headers = errors.typed("headers", PAIRS, &raw.headers);
            let headers = headers.map(|pairs| pairs.0.clone()).unwrap_or_default();
            if let Some(error) = header_error(&headers) {
                errors.add(error);
            }
            Ok(Transport::Http { url: url.to_owned(), headers })
        }
    }
}

fn stdio(raw: &RawEntry, errors: &mut Errors, command: &str) -> Transport {
    let args = errors.typed("args", "an array of strings", &raw.args);
    let args = args.cloned().unwrap_or_default();
    let env = errors.typed("env", PAIRS, &raw.env);
    let env = env.map(|pairs| pairs.0.clone()).unwrap_or_default();
    // What is no name may be a whole `NAME=value`: it is not repeated.
    if env
        .iter()
        .any(|(name, _)| name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()))
    {
        errors.add(EntryError::EnvName);
    }
    let cwd = errors.text(&raw.directories()).map(|(_, cwd)| PathBuf::from(cwd));
    let texts = args.iter().chain(env.iter().map(|(_, value)| value)).map(String::as_str);
    if texts.chain([command]).any(|text| text.contains('\0')) {
        errors.add(EntryError::Nul);
    }
    Transport::Stdio { command: command.to_owned(), args, env, cwd }
}

/// What is wrong with headers; also asked once they are expanded.
pub(super) fn header_error(headers: &[(String, String)]) -> Option<EntryError> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    for (name, value) in headers {
        // What is no name may be a whole `Name: value`: it is not repeated.
        if name.is_empty() || !name.bytes().all(is_token) {
            return Some(EntryError::HeaderName);
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Some(EntryError::HeaderValue(name.clone()));
        }
    }
    None
}
