//! `mcpServers`: the upstream servers of the gateway.
//!
//! One rule: one broken entry is that entry's error, and no value of it is ever in a message.

mod change;
mod entry;
mod error;
mod expand;
pub mod faults;
mod fields;
mod form;
mod hint;
mod names;
pub mod relative;
#[cfg(test)]
mod tests;
mod url;
mod written;

pub use change::{ChangeError, add, check, remove, set_command, set_enabled};
pub use error::{EntryError, ServersError};
pub use hint::Hint;
pub use names::{NameError, SEPARATOR};
pub use url::{UrlError, is_sse_address};
pub use written::{Written, rehearse, written};

use super::{ConfigError, reader};
use crate::contract::Protocol;
use crate::environment::names::OBJECTIONS;
use crate::json::{Data, Value};
use crate::paths::{DataDir, HOME_VARIABLE};
use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to start and to say what it offers, unless its entry says otherwise.
pub const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a tool call may take without any sign of progress, unless its server's entry says otherwise.
pub const TOOL_TIMEOUT: Duration = Duration::from_secs(300);

/// The longest name of a server, in characters.
pub const MAX_NAME: usize = 128;
/// What there is to say about a server of [`Protocol::Sse`].
const SSE_UNSUPPORTED: &str = "HTTP with SSE (2024-11-05) is not supported; use streamable HTTP";

/// How many of [`VARIABLES`] are for every system.
const EVERYWHERE: usize = 24;
const VARIABLES: [&str; 37] = [
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "APPDATA",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
];

const OF_THIS_SYSTEM: &[&str] = match std::env::consts::OS.as_bytes() {
    b"windows" => &VARIABLES,
    _ => VARIABLES.split_at(EVERYWHERE).0,
};

/// The variables of the gateway's environment that a stdio server gets; its entry's `env` comes on top.
/// Everything else stays with the gateway: what one server needs is nothing that another one should read.
/// All objections are passed on, because a server may itself be a host of this library.
pub fn passed_variables() -> impl Iterator<Item = &'static str> {
    OF_THIS_SYSTEM.iter().chain(OBJECTIONS).copied()
}

/// How a server is reached. Texts are as written; [`ServerEntry::expanded`] expands variables in them.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport {
    /// A child process that speaks over its standard streams.
    Stdio {
        /// Looked up in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Added to the reduced environment it gets.
        env: Vec<(String, String)>,
        /// Its working directory.
        cwd: Option<PathBuf>,
    },
    /// An HTTP endpoint.
    Http {
        /// `http` or `https`.
        url: String,
        /// Sent with every request.
        headers: Vec<(String, String)>,
    },
}

/// Without values: they hold paths and secrets.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdio { .. } => "Stdio",
            Self::Http { .. } => "Http",
        })
    }
}

/// One upstream server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEntry {
    /// Its name: not empty, unique in the file. That of a usable entry has no colon.
    pub name: String,
    /// Whether it is to be connected.
    pub enabled: bool,
    /// What it says of its protocol.
    pub protocol: Protocol,
    /// How it is reached; else what is wrong with the entry.
    pub transport: Result<Transport, EntryError>,
    /// `startup_timeout_sec`
    pub startup_timeout: Duration,
    /// `tool_timeout_sec`
    pub tool_timeout: Duration,
}

impl ServerEntry {
    /// How the server is reached, with variables expanded; else why it cannot be connected.
    pub fn expanded(
        &self,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Transport, EntryError> {
        let transport = self.transport.as_ref().map_err(EntryError::clone)?;
        if self.protocol == Protocol::Sse {
            return Err(EntryError::Sse);
        }
        transport.expanded(lookup)
    }

    /// What keeps the server from being connected, whatever the variables hold.
    pub fn trouble(&self) -> Option<EntryError> {
        match &self.transport {
            Err(error) => Some(error.clone()),
            Ok(_) if self.protocol == Protocol::Sse => Some(EntryError::Sse),
            Ok(transport) => transport.foreign_reference().or_else(|| transport.form_error()),
        }
    }

    /// The member that holds a value which may be a secret, written out and not as `${NAME}`.
    pub fn secret(&self) -> Option<&'static str> {
        let is_written = |value: &str| !value.is_empty() && !value.contains("${");
        let holds = |values: &[(String, String)]| values.iter().any(|(_, value)| is_written(value));
        match self.transport.as_ref().ok()? {
            Transport::Stdio { env, .. } => holds(env).then_some("env"),
            Transport::Http { headers, .. } if holds(headers) => Some("headers"),
            Transport::Http { url, .. } => {
                (url.contains(['?', '@']) && is_written(url)).then_some("url")
            }
        }
    }

    /// How the server is spoken to: what the entry says, else what it holds.
    pub fn spoken(&self) -> Protocol {
        match (self.protocol, &self.transport) {
            (Protocol::Auto, Ok(Transport::Stdio { .. })) => Protocol::Stdio,
            (Protocol::Auto, Ok(Transport::Http { .. })) => Protocol::StreamableHttp,
            (protocol, _) => protocol,
        }
    }
}

impl Transport {
    /// What no variable that is set could make good: a reference of another program.
    fn foreign_reference(&self) -> Option<EntryError> {
        let error =
            |key: &str, text: &str| expand::expand(text, key, &|_| Some(String::new())).err();
        let pairs = |key: &str, pairs: &[(String, String)]| {
            pairs.iter().find_map(|(name, value)| error(&format!("{key}.{name}"), value))
        };
        match self {
            Self::Stdio { command, args, env, cwd } => error("command", command)
                .or_else(|| {
                    let mut args = args.iter().enumerate();
                    args.find_map(|(at, arg)| error(&format!("args[{at}]"), arg))
                })
                .or_else(|| pairs("env", env))
                .or_else(|| error("cwd", &cwd.as_ref()?.to_string_lossy())),
            Self::Http { url, headers } => error("url", url).or_else(|| pairs("headers", headers)),
        }
    }

    /// What is wrong with the form of the command; one with variables is judged once they are expanded.
    fn form_error(&self) -> Option<EntryError> {
        match self {
            Self::Stdio { command, args, .. } if !command.contains('$') => {
                form::error(command, args)
            }
            _ => None,
        }
    }

    /// Whether the URL ends as those of [`Protocol::Sse`] do.
    pub fn is_sse_address(&self) -> bool {
        matches!(self, Self::Http { url, .. } if is_sse_address(url))
    }

    /// What may be wrong with how it is reached, if it is not.
    pub fn hint(&self) -> Option<Hint> {
        self.relative_path().or_else(|| self.is_sse_address().then_some(Hint::SseAddress))
    }

    fn expanded(&self, lookup: expand::Lookup<'_>) -> Result<Self, EntryError> {
        let pairs = |key: &str, pairs: &[(String, String)]| {
            let pair = |(name, value): &(String, String)| {
                Ok((name.clone(), expand::expand(value, &format!("{key}.{name}"), lookup)?))
            };
            pairs.iter().map(pair).collect::<Result<Vec<_>, EntryError>>()
        };
        match self {
            Self::Stdio { command, args, env, cwd } => {
                let command = expand::expand_path(command, "command", lookup)?;
                if command.is_empty() {
                    return Err(EntryError::ExpandedToNothing);
                }
                let arg = |(at, arg): (usize, &String)| {
                    expand::expand(arg, &format!("args[{at}]"), lookup)
                };
                let args = args.iter().enumerate().map(arg).collect::<Result<Vec<_>, _>>()?;
                if let Some(error) = form::error(&command, &args) {
                    return Err(error);
                }
                let cwd = cwd.as_ref().map(|cwd| {
                    // Made from JSON text, so nothing is lost.
                    expand::expand_path(&cwd.to_string_lossy(), "cwd", lookup).map(PathBuf::from)
                });
                Ok(Self::Stdio { command, args, env: pairs("env", env)?, cwd: cwd.transpose()? })
            }
            Self::Http { url, headers } => {
                let url = expand::expand(url, "url", lookup)?;
                let headers = pairs("headers", headers)?;
                let error = url::expanded_error(&url);
                let error = error.map(|error| EntryError::Url { key: "url", error });
                match error.or_else(|| entry::header_error(&headers)) {
                    Some(error) => Err(error),
                    None => Ok(Self::Http { url, headers }),
                }
            }
        }
    }

    /// What may be shown of it: the first word of the command, or the URL's scheme, host and port.
    /// Arguments, paths and everything else can be secrets.
    pub fn shown(&self) -> String {
        match self {
            Self::Stdio { command, .. } => {
                let command = expand::without_defaults(command);
                let end = command.find(|c: char| c.is_whitespace() || c == '=');
                match end {
                    Some(end) => format!("{} ..", &command[..end]),
                    None => command,
                }
            }
            Self::Http { url, .. } => url::origin(url),
        }
    }
}

/// The servers of a config, in its order.
pub fn servers(dir: &DataDir) -> Result<Vec<ServerEntry>, ServersError> {
    match reader::load_trusted(dir)? {
        None => Ok(Vec::new()),
        Some(bytes) => parse(&bytes),
    }
}

/// The servers of a config text.
pub fn parse(bytes: &[u8]) -> Result<Vec<ServerEntry>, ServersError> {
    let root = reader::root(bytes)?;
    // What the places of values are counted from.
    let (bytes, _) = reader::without_bom(bytes);
    let Some(section) = root.get(SECTION) else {
        return match near_miss(&root) {
            Some(key) => Err(ServersError::NearMiss(key.to_owned())),
            None => Ok(Vec::new()),
        };
    };
    let named: Vec<(Option<&str>, &Value<'_>)> = match &section.data {
        Data::Object(members) => members.iter().map(|m| (Some(m.key.as_ref()), &m.value)).collect(),
        Data::Array(items) => items.iter().map(|item| (name_of(item), item)).collect(),
        _ => return Err(ServersError::NotAList),
    };
    let all: HashSet<&str> = named.iter().filter_map(|(name, _)| *name).collect();
    let (mut seen, mut looks) = (HashSet::new(), HashSet::new());
    let entries = named.iter().enumerate().map(|(at, (name, value))| {
        let error = match name {
            None if value.members().is_none() => EntryError::NotAnObject { is_item: true },
            None => EntryError::Nameless,
            Some(name) => {
                let is_first = seen.insert(*name);
                match names::error(name) {
                    // It can be named, and is told by its name.
                    Some(error) if is_first && names::can_be_shown(name) => {
                        return named_but_broken(name, value, bytes, EntryError::Name(error));
                    }
                    Some(error) => EntryError::Name(error),
                    None if !is_first => EntryError::NameTaken,
                    None if !looks.insert(names::folded(name)) => {
                        return named_but_broken(name, value, bytes, EntryError::LooksAlike);
                    }
                    None => return entry::read((*name).to_owned(), value, bytes),
                }
            }
        };
        entry::broken(stand_in(at, &all), error)
    });
    Ok(entries.collect())
}

/// An entry that is fine but for its name.
fn named_but_broken(name: &str, value: &Value<'_>, bytes: &[u8], error: EntryError) -> ServerEntry {
    ServerEntry { transport: Err(error), ..entry::read(name.to_owned(), value, bytes) }
}

/// The key of the config that holds the servers.
const SECTION: &str = "mcpServers";

/// What [`SECTION`] must be.
fn not_a_list() -> ConfigError {
    const LIST: &str = "an object (name to entry) or an array of entries";
    ConfigError::Wrong(SECTION.to_owned(), LIST)
}

/// The key of a config without [`SECTION`] that is meant to be it: another spelling of it, or the one that
/// VS Code and others give to a list of servers.
fn near_miss<'v>(root: &'v Value<'_>) -> Option<&'v str> {
    let is_entry = |value: &Value<'_>| value.get("command").or_else(|| value.get("url")).is_some();
    let is_list = |value: &Value<'_>| match &value.data {
        Data::Object(members) => members.iter().any(|member| is_entry(&member.value)),
        Data::Array(items) => items.iter().any(is_entry),
        _ => false,
    };
    let is_it = |key: &str, value: &Value<'_>| {
        let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        match letters.to_ascii_lowercase().as_str() {
            "mcpservers" | "mcpserver" => true,
            "servers" | "contextservers" => is_list(value),
            _ => false,
        }
    };
    let members = root.members().unwrap_or_default();
    members.iter().find(|member| is_it(&member.key, &member.value)).map(|member| &*member.key)
}

fn name_of<'v>(item: &'v Value<'_>) -> Option<&'v str> {
    item.get("name").and_then(Value::as_str)
}

/// What an entry is called that has no name of its own: its place, counted from 1.
fn stand_in(at: usize, taken: &HashSet<&str>) -> String {
    let mut name = format!("#{}", at + 1);
    while taken.contains(name.as_str()) {
        name.insert(0, '#');
    }
    name
}
