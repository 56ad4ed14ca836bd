//! Why the servers, or one of them, cannot be used.
//!
//! One rule: a sentence with the key and the remedy. Names of keys and variables are in it, values never.

use super::names::NameError;
use super::url::UrlError;
use super::{HOME_VARIABLE, SECTION};
use crate::config::{ConfigError, DISPLAY_NAME};
use crate::diagnostics::Code;
use crate::json;
use std::fmt;

/// Why there are no servers at all: the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersError {
    /// It cannot be read.
    Config(ConfigError),
    /// `mcpServers` is neither an object nor an array.
    NotAList,
    /// There is no `mcpServers`, but a key that is meant to be it.
    NearMiss(String),
}

impl ServersError {
    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        match self {
            Self::Config(error) => error.code(),
            Self::NotAList | Self::NearMiss(_) => Code::ConfigInvalidEntry,
        }
    }
}

impl fmt::Display for ServersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DISPLAY_NAME}: ")?;
        match self {
            Self::Config(error) => error.fmt(f),
            Self::NotAList => write!(f, "{}", super::not_a_list()),
            Self::NearMiss(key) => {
                write!(f, "`{key}` is not read; the key of the servers is `{SECTION}`")
            }
        }
    }
}

impl std::error::Error for ServersError {}

impl From<ConfigError> for ServersError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Why one server cannot be used: its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// It is no object; whether `name` should be in it.
    NotAnObject {
        /// It stands in an array.
        is_item: bool,
    },
    /// An entry to be added is no JSON.
    Json(json::Error),
    /// It has no name.
    Nameless,
    /// Its name is none that a server can have.
    Name(NameError),
    /// Another entry has its name.
    NameTaken,
    /// Another entry has a name that looks the same.
    LooksAlike,
    /// It has neither `command` nor `url`.
    Neither,
    /// It has `command` and this key, which means the same as `url`.
    Both(&'static str),
    /// It has a command, and a type that is not stdio.
    CommandOfHttp,
    /// It has this key, which means the same as `url`, and its type is stdio.
    UrlOfStdio(&'static str),
    /// The value of this key is no type of server.
    Protocol(&'static str),
    /// The value of `key` must be `what`.
    Wrong {
        /// The key.
        key: &'static str,
        /// What it must be.
        what: &'static str,
    },
    /// Two keys mean the same and say different things.
    Disagree(&'static str, &'static str),
    /// The value of this key is an empty text.
    Empty(&'static str),
    /// `env` has a name that is none.
    EnvName,
    /// A text has a NUL character.
    Nul,
    /// The value of `key` is no URL that can be used.
    Url {
        /// The key.
        key: &'static str,
        /// What is wrong.
        error: UrlError,
    },
    /// `headers` has a name that is none.
    HeaderName,
    /// The header of this name has control characters.
    HeaderValue(String),
    /// HTTP with SSE.
    Sse,
    /// The text at this place refers to something that only another program knows.
    ForeignReference(String),
    /// The text at `place` needs a variable that is not set.
    NotSet {
        /// The key, or the key and what is below it: `env.NAME`.
        place: String,
        /// The variable's name.
        variable: String,
    },
    /// The path at this place starts with `~`, and there is no home directory.
    Homeless(&'static str),
    /// Nothing is left of `command` once its variables are expanded.
    ExpandedToNothing,
    /// `command` holds what should be in `args`.
    CommandLine,
    /// `args` name no package for this program to run.
    NoPackage(&'static str),
}

impl EntryError {
    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        match self {
            Self::Empty("command")
            | Self::ExpandedToNothing
            | Self::CommandLine
            | Self::NoPackage(_)
            | Self::Url { error: UrlError::Image, .. } => Code::ConfigInvalidCommand,
            Self::NotSet { .. } | Self::Homeless(_) => Code::ConfigMissingSecret,
            _ => Code::ConfigInvalidEntry,
        }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAnObject { is_item: true } => {
                "the entry must be an object with `name`, and `command` or `url`"
            }
            Self::NotAnObject { is_item: false } => {
                "the entry must be an object with `command` or `url`"
            }
            Self::Json(error) => return write!(f, "the entry is no JSON: {error}"),
            Self::Nameless => "`name` is missing or no string; give the server a name",
            Self::Name(error) => return error.fmt(f),
            Self::NameTaken => "an entry before this one has the same `name`; rename one of them",
            Self::LooksAlike => {
                "an entry before this one has a name that looks the same; rename one of them"
            }
            Self::Neither => "the entry has neither `command` nor `url`; add one of them",
            Self::Both(key) => {
                return write!(f, "the entry has both `command` and `{key}`; keep one of them");
            }
            Self::CommandOfHttp => {
                "the entry has a `command`, but its type is not stdio; say stdio, or use `url`"
            }
            Self::UrlOfStdio(key) => {
                return write!(
                    f,
                    "the entry has a `{key}`, but its type is stdio; say http, or use `command`"
                );
            }
            Self::Protocol(key) => {
                return write!(
                    f,
                    "`{key}` must be one of stdio, http, sse, streamable-http and auto"
                );
            }
            Self::Wrong { key, what } => return write!(f, "`{key}` must be {what}"),
            Self::Disagree(key, other) => {
                return write!(f, "`{key}` and `{other}` disagree; keep one of them");
            }
            Self::Empty(key) => return write!(f, "`{key}` is empty; fill it in or remove it"),
            Self::EnvName => {
                "`env` has a name that is empty or has a = in it; write \"NAME\": \"value\""
            }
            Self::Nul => "`command`, `args` or `env` has a NUL character (\\u0000); remove it",
            Self::Url { key, error } => return write!(f, "`{key}` {error}"),
            Self::HeaderName => {
                "`headers` has a name that is no HTTP header name; write \"Name\": \"value\""
            }
            Self::HeaderValue(name) => {
                return write!(f, "`headers.{name}` has control characters; write it on one line");
            }
            Self::Sse => super::SSE_UNSUPPORTED,
            Self::ForeignReference(place) => {
                return write!(
                    f,
                    "`{place}` has a reference that is none of ${{NAME}}, ${{env:NAME}} and ${{NAME:-default}}; use one of these"
                );
            }
            Self::NotSet { place, variable } => {
                return write!(
                    f,
                    "`{place}` needs the variable {variable}, which is not set; set it, or write ${{{variable}:-default}}"
                );
            }
            Self::Homeless(key) => {
                return write!(
                    f,
                    "`{key}` starts with ~, but {HOME_VARIABLE} is not set or relative; set it, or write the path"
                );
            }
            Self::ExpandedToNothing => {
                "`command` is empty once its variables are expanded; set them"
            }
            Self::CommandLine => {
                "`command` is a whole command line; keep only the program in `command`, and write each argument as an item of `args`"
            }
            Self::NoPackage(program) => {
                return write!(
                    f,
                    "`command` is {program}, and `args` name no package that it could run; add the package to `args`"
                );
            }
        })
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::servers::parse;

    #[test]
    fn every_kind_of_error_has_its_code() {
        for (entry, code) in [
            (r#"{"command":""}"#, Code::ConfigInvalidCommand),
            (r#"{"command":"${EMPTY}"}"#, Code::ConfigInvalidCommand),
            (r#"{"command":"npx","args":[]}"#, Code::ConfigInvalidCommand),
            (r#"{"command":"npx -y x"}"#, Code::ConfigInvalidCommand),
            (r#"{"command":"${LINE}"}"#, Code::ConfigInvalidCommand),
            (r#"{"url":"docker://x"}"#, Code::ConfigInvalidCommand),
            (r#"{"url":"ftp://x"}"#, Code::ConfigInvalidEntry),
            (r#"{"url":""}"#, Code::ConfigInvalidEntry),
            (r#"{"command":"x","url":"http://h"}"#, Code::ConfigInvalidEntry),
            (r#"{"type":"sse","url":"http://h"}"#, Code::ConfigInvalidEntry),
            (r#"{"command":"x","env":{"K":"${MISSING}"}}"#, Code::ConfigMissingSecret),
            (r#"{"command":"x","env":{"K":"${input:x}"}}"#, Code::ConfigInvalidEntry),
        ] {
            let text = format!(r#"{{"mcpServers":{{"a":{entry}}}}}"#);
            let entry = parse(text.as_bytes()).expect("a config").remove(0);
            let variables = |name: &str| match name {
                "EMPTY" => Some(String::new()),
                "LINE" => Some("npx -y x".to_owned()),
                _ => None,
            };
            assert_eq!(
                entry.expanded(&variables).map_err(|error| error.code()),
                Err(code),
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_under_another_key_is_named_and_what_is_none_is_not() {
        let near_miss = |text: &str| match parse(text.as_bytes()) {
            Err(ServersError::NearMiss(key)) => Some(key),
            read => {
                assert_eq!(read, Ok(Vec::new()), "{text}");
                None
            }
        };
        for (text, key) in [
            (r#"{"mcpservers":{}}"#, Some("mcpservers")),
            (r#"{"mcp_servers":[]}"#, Some("mcp_servers")),
            (r#"{"mcp-server":7}"#, Some("mcp-server")),
            (r#"{"x":1,"servers":{"a":{"command":"x"}}}"#, Some("servers")),
            (r#"{"context_servers":[{"url":"http://h"}]}"#, Some("context_servers")),
            (r#"{"servers":{"a":{"port":1}}}"#, None),
            (r#"{"servers":7}"#, None),
            (r#"{"mcpServers":{},"servers":{"a":{"command":"x"}}}"#, None),
        ] {
            assert_eq!(near_miss(text).as_deref(), key, "{text}");
        }
        for (text, code) in [
            ("{", Code::ConfigUnreadable),
            ("[]", Code::ConfigUnreadable),
            (r#"{"mcpServers":"x"}"#, Code::ConfigInvalidEntry),
            (r#"{"mcpservers":{}}"#, Code::ConfigInvalidEntry),
        ] {
            assert_eq!(parse(text.as_bytes()).map_err(|error| error.code()), Err(code), "{text}");
        }
    }
}
