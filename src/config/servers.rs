//! `mcpServers`: the upstream servers of the gateway.
//!
//! One rule: one broken entry is that entry's trouble, and no value of it is ever in a message.

mod change;
mod entry;
mod expand;
pub mod faults;
mod fields;
mod names;
pub mod relative;
#[cfg(test)]
mod tests;
mod url;

pub use change::{ChangeError, add, check, remove, set_enabled};
pub use names::SEPARATOR;
pub use url::is_sse_address;

use super::{DISPLAY_NAME, reader};
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
pub const SSE_UNSUPPORTED: &str =
    "HTTP with SSE (2024-11-05) is not supported; use streamable HTTP";

/// What there is to say about a URL that ends as those of [`Protocol::Sse`] do.
pub const SSE_ADDRESS: &str = "its URL ends in /sse, as those of HTTP with SSE (2024-11-05) do, which is not supported; \
                               if the server speaks streamable HTTP, give that URL, which often ends in /mcp";

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

/// What an entry says of its protocol, in the terms of the heartbeat's `server_protocol_counts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A child process.
    Stdio,
    /// HTTP, not said which kind.
    Http,
    /// HTTP with server-sent events (protocol 2024-11-05).
    Sse,
    /// Streamable HTTP.
    StreamableHttp,
    /// Not said: decided by what the entry holds.
    Auto,
}

impl Protocol {
    /// The protocol's name, as the heartbeat spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Sse => "sse",
            Self::StreamableHttp => "streamable_http",
            Self::Auto => "auto",
        }
    }
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
    /// How it is reached; else what is wrong with the entry (a whole sentence, without values).
    pub transport: Result<Transport, String>,
    /// `startup_timeout_sec`
    pub startup_timeout: Duration,
    /// `tool_timeout_sec`
    pub tool_timeout: Duration,
}

impl ServerEntry {
    /// How the server is reached, with variables expanded; else what is wrong (a whole sentence, with
    /// the names of variables and keys, without values).
    pub fn expanded(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Transport, String> {
        let transport = self.transport.as_ref().map_err(String::clone)?;
        if self.protocol == Protocol::Sse {
            return Err(SSE_UNSUPPORTED.into());
        }
        transport.expanded(lookup)
    }

    /// What keeps the server from being connected, as far as the file alone tells.
    pub fn trouble(&self) -> Option<String> {
        match &self.transport {
            Err(why) => Some(why.clone()),
            Ok(_) if self.protocol == Protocol::Sse => Some(SSE_UNSUPPORTED.to_owned()),
            Ok(transport) => transport.foreign_reference(),
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
    fn foreign_reference(&self) -> Option<String> {
        let trouble =
            |key: &str, text: &str| expand::expand(text, key, &|_| Some(String::new())).err();
        let pairs = |key: &str, pairs: &[(String, String)]| {
            pairs.iter().find_map(|(name, value)| trouble(&format!("{key}.{name}"), value))
        };
        match self {
            Self::Stdio { command, args, env, cwd } => trouble("command", command)
                .or_else(|| {
                    let mut args = args.iter().enumerate();
                    args.find_map(|(at, arg)| trouble(&format!("args[{at}]"), arg))
                })
                .or_else(|| pairs("env", env))
                .or_else(|| trouble("cwd", &cwd.as_ref()?.to_string_lossy())),
            Self::Http { url, headers } => {
                trouble("url", url).or_else(|| pairs("headers", headers))
            }
        }
    }

    /// Whether the URL ends as those of [`Protocol::Sse`] do.
    pub fn is_sse_address(&self) -> bool {
        matches!(self, Self::Http { url, .. } if is_sse_address(url))
    }

    /// What may be wrong with how it is reached, if it is not.
    pub fn hint(&self) -> Option<String> {
        self.relative_path().or_else(|| self.is_sse_address().then(|| SSE_ADDRESS.to_owned()))
    }

    fn expanded(&self, lookup: expand::Lookup<'_>) -> Result<Self, String> {
        let pairs = |key: &str, pairs: &[(String, String)]| {
            let pair = |(name, value): &(String, String)| {
                Ok((name.clone(), expand::expand(value, &format!("{key}.{name}"), lookup)?))
            };
            pairs.iter().map(pair).collect::<Result<Vec<_>, String>>()
        };
        match self {
            Self::Stdio { command, args, env, cwd } => {
                let command = expand::expand_path(command, "command", lookup)?;
                if command.is_empty() {
                    return Err(
                        "`command` is empty once its variables are expanded; set them".into()
                    );
                }
                let arg = |(at, arg): (usize, &String)| {
                    expand::expand(arg, &format!("args[{at}]"), lookup)
                };
                let args = args.iter().enumerate().map(arg).collect::<Result<_, _>>()?;
                let cwd = cwd.as_ref().map(|cwd| {
                    // Made from JSON text, so nothing is lost.
                    expand::expand_path(&cwd.to_string_lossy(), "cwd", lookup).map(PathBuf::from)
                });
                Ok(Self::Stdio { command, args, env: pairs("env", env)?, cwd: cwd.transpose()? })
            }
            Self::Http { url, headers } => {
                let url = expand::expand(url, "url", lookup)?;
                let headers = pairs("headers", headers)?;
                match url::expanded_trouble(&url, "url").or_else(|| entry::header_trouble(&headers))
                {
                    Some(why) => Err(why),
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

/// The servers of a config, in its order. An error says what is wrong with the file, without values.
pub fn servers(dir: &DataDir) -> Result<Vec<ServerEntry>, String> {
    match reader::load_trusted(dir) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(bytes)) => parse(&bytes),
        Err(why) => Err(why),
    }
    .map_err(|why| format!("{DISPLAY_NAME}: {why}"))
}

/// The servers of a config text.
pub fn parse(bytes: &[u8]) -> Result<Vec<ServerEntry>, String> {
    let root = reader::root(bytes)?;
    // What the places of values are counted from.
    let (bytes, _) = reader::without_bom(bytes);
    let Some(section) = root.get(SECTION) else { return Ok(Vec::new()) };
    let named: Vec<(Option<&str>, &Value<'_>)> = match &section.data {
        Data::Object(members) => members.iter().map(|m| (Some(m.key.as_ref()), &m.value)).collect(),
        Data::Array(items) => items.iter().map(|item| (name_of(item), item)).collect(),
        _ => return Err(NOT_A_LIST.into()),
    };
    let all: HashSet<&str> = named.iter().filter_map(|(name, _)| *name).collect();
    let (mut seen, mut looks) = (HashSet::new(), HashSet::new());
    let entries = named.iter().enumerate().map(|(at, (name, value))| {
        let why = match name {
            None if value.members().is_none() => {
                "the entry must be an object with `name`, and `command` or `url`"
            }
            None => "`name` is missing or no string; give the server a name",
            Some(name) => {
                let is_first = seen.insert(*name);
                match names::trouble(name) {
                    // It can be named, and is told by its name.
                    Some(why) if is_first && names::can_be_shown(name) => {
                        return named_but_broken(name, value, bytes, why);
                    }
                    Some(why) => why,
                    None if !is_first => {
                        "an entry before this one has the same `name`; rename one of them"
                    }
                    None if !looks.insert(names::folded(name)) => {
                        let why = "an entry before this one has a name that looks the same; rename one of them";
                        return named_but_broken(name, value, bytes, why);
                    }
                    None => return entry::read((*name).to_owned(), value, bytes),
                }
            }
        };
        entry::broken(stand_in(at, &all), why)
    });
    Ok(entries.collect())
}

/// An entry that is fine but for its name.
fn named_but_broken(name: &str, value: &Value<'_>, bytes: &[u8], why: &str) -> ServerEntry {
    let read = entry::read(name.to_owned(), value, bytes);
    ServerEntry { transport: Err(why.to_owned()), ..read }
}

/// The key of the config that holds the servers.
const SECTION: &str = "mcpServers";
const NOT_A_LIST: &str = "`mcpServers` must be an object (name to entry) or an array of entries";

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
