//! Why a client's file cannot be changed as asked.
//!
//! One rule: never a value of the file; what a user can do about it stands in the words.

use super::document::ENTRY;
use crate::config::ConfigError;
use std::fmt;

/// Why a file cannot be changed as asked. Never holds a value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It cannot be read as what it should be.
    Malformed(ConfigError),
    /// It is no TOML; the line, where it is known.
    Toml(Option<usize>),
    /// There is an entry of our name that is not ours.
    Taken,
    /// Our entry was changed after `connect` wrote it.
    Edited,
    /// There is no server of that name.
    NoServer,
    /// Several projects have a server of that name: their directories.
    Projects(Vec<String>),
    /// The client keeps no servers for single projects.
    NoProjects,
    /// The server is reached by URL.
    NotStdio,
    /// The server is our gateway itself.
    OwnEntry,
    /// It is wrapped in a way that we cannot take apart.
    ForeignWrap,
    /// The client knows no such entry.
    NoUrl,
    /// It is written in a way that cannot be added to safely.
    Form,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "{error}; repair it, then try again"),
            Self::Toml(Some(line)) => {
                write!(f, "it is not valid TOML at line {line}; repair it, then try again")
            }
            Self::Toml(None) => f.write_str("it is not valid TOML; repair it, then try again"),
            Self::Taken => write!(
                f,
                "it has an entry `{ENTRY}` that does not start this program or that `connect` did not write; rename or remove it by hand first"
            ),
            Self::Edited => write!(
                f,
                "its entry `{ENTRY}` was changed after `connect` wrote it, and stays as it is; remove it by hand"
            ),
            Self::NoServer => f.write_str("it has no server of that name; see `mcpproxy connect --list`"),
            Self::Projects(all) => write!(
                f,
                "several projects have a server of that name; say which with --project DIR: {}",
                all.join(", ")
            ),
            Self::NoProjects => f.write_str("this client keeps no servers for single projects; leave out --project"),
            Self::NotStdio => f.write_str("that server is not started by a command; only those can be wrapped"),
            Self::OwnEntry => f.write_str("that server is mcpproxy itself; it needs no tap"),
            Self::ForeignWrap => f.write_str(
                "that server runs through `mcpproxy tap` with options and without `--`; take it apart by hand",
            ),
            Self::NoUrl => f.write_str("this client only starts servers; leave out --http and --url"),
            Self::Form => f.write_str(
                "its servers are written in a form that cannot be changed without touching the rest; change it by hand",
            ),
        }
    }
}

impl std::error::Error for Problem {}
