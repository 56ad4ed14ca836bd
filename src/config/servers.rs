//! `mcpServers`: the upstream servers of the gateway.
//!
//! One rule: one broken entry is that entry's trouble, and no value of it is ever in a message.

use super::{DISPLAY_NAME, reader};
use crate::paths::DataDir;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a server may take to start and to say what it offers, unless its entry says otherwise.
pub const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a tool call may take without any sign of progress, unless its server's entry says otherwise.
pub const TOOL_TIMEOUT: Duration = Duration::from_secs(300);

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
    /// Its name: not empty, unique in the file.
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

/// The servers of a config, in its order. An error says what is wrong with the file, without values.
pub fn servers(dir: &DataDir) -> Result<Vec<ServerEntry>, String> {
    match reader::load(&dir.config()) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(bytes)) => parse(&bytes),
        Err(why) => Err(why),
    }
    .map_err(|why| format!("{DISPLAY_NAME}: {why}"))
}

fn parse(_bytes: &[u8]) -> Result<Vec<ServerEntry>, String> {
    Ok(Vec::new())
}

/// stub
pub const PASSED_VARIABLES: &[&str] = &["HOME", "PATH"];
impl ServerEntry {
    /// stub
    pub fn expanded(&self, _lookup: &dyn Fn(&str) -> Option<String>) -> Result<Transport, String> {
        self.transport.clone()
    }
}
