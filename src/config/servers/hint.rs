//! What may be wrong with an entry, and need not be.
//!
//! One rule: it is told beside what is known, and keeps nothing from being tried.

use std::fmt;

/// What may be wrong with how a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// `cwd` is a relative path.
    RelativeDirectory,
    /// `command` is a relative path.
    RelativeCommand,
    /// The argument at this place, from 0, is a relative path.
    RelativeArgument(usize),
    /// The URL ends as those of HTTP with SSE do.
    SseAddress,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RELATIVE: &str = "is a relative path, which counts from the directory the gateway was started in; write the \
                                whole path";
        const OR: &str = "or the directory as `cwd`";
        match self {
            Self::RelativeDirectory => write!(f, "`cwd` {RELATIVE}"),
            Self::RelativeCommand => write!(f, "`command` {RELATIVE}, {OR}"),
            Self::RelativeArgument(at) => write!(f, "`args[{at}]` {RELATIVE}, {OR}"),
            Self::SseAddress => f.write_str(
                "its URL ends in /sse, as those of HTTP with SSE (2024-11-05) do, which is not supported; if the server \
                 speaks streamable HTTP, give that URL, which often ends in /mcp",
            ),
        }
    }
}
