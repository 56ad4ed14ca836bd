//! Why a server is not connected: what happened, as a type that has a code and a sentence.
//!
//! One rule: made from what the system, a status line or the protocol says, never from loose words of a server. Its
//! sentence holds nothing that a server wrote and no value of an entry.

use super::offer::ListError;
use super::unreachable::Unreachable;
use crate::config::servers::{EntryError, Hint};
use crate::diagnostics::Code;
use std::fmt;
use std::time::Duration;

/// What went wrong with a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its entry gives nothing that could be tried.
    Entry(EntryError),
    /// A header of its entry holds what HTTP does not allow. Its name.
    Header(String),
    /// Its working directory is not there.
    NoDirectory,
    /// Its program is not there: of a command that is a path, or of a name.
    NotFound {
        /// Whether the command is a path.
        is_path: bool,
    },
    /// Its program is that of a container engine, and not there.
    NoEngine,
    /// Its program may not be run.
    NoPermission,
    /// Its program is there, and is none that this system runs; or what its first line names is not there.
    NotExecutable,
    /// The system started nothing, in words.
    NotStarted(String),
    /// It ended before it answered.
    EndedEarly,
    /// It ended.
    Ended,
    /// It did not start in time.
    Slow {
        /// How long it had.
        within: Duration,
        /// Whether it is reached over HTTP.
        is_http: bool,
    },
    /// It refused to start a session, with this error of JSON-RPC.
    Refused {
        /// The number of the error.
        error: i32,
        /// Whether it is reached over HTTP.
        is_http: bool,
    },
    /// What it answered is no answer of an MCP server.
    NotMcp {
        /// Why, where that is known.
        why: Option<&'static str>,
        /// Whether it is reached over HTTP.
        is_http: bool,
    },
    /// It refused the version that it was offered.
    RefusedVersion,
    /// It has no version in common with us.
    NoVersion,
    /// It answered with this HTTP status.
    Status {
        /// The status.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether its address looks like one of the older HTTP transport.
        is_sse_address: bool,
    },
    /// It wants a person to sign in.
    Login,
    /// It was not reached.
    Unreachable(Unreachable),
    /// It did not say what it offers.
    Lists {
        /// Why.
        error: ListError,
        /// Whether it is reached over HTTP.
        is_http: bool,
    },
    /// Its connection ended.
    Lost,
    /// It does not know its session any more.
    Forgotten,
    /// It does not answer any more.
    Silent {
        /// Whether it is reached over HTTP.
        is_http: bool,
    },
    /// It refuses what it allowed before.
    Gone,
    /// It was given up, for what it does with its answers.
    GivenUp(&'static str),
    /// It was told to stop.
    Stopped,
}

impl Reason {
    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        match self {
            Self::Entry(error) => error.code(),
            Self::Header(_) | Self::NoDirectory => Code::ConfigInvalidEntry,
            Self::NotFound { .. } => Code::StdioNotFound,
            Self::NoEngine => Code::ContainerEngineNotFound,
            Self::NoPermission => Code::StdioNoPermission,
            Self::NotExecutable => Code::StdioNotExecutable,
            Self::EndedEarly => Code::StdioExitedEarly,
            Self::Ended => Code::StdioExited,
            Self::Slow { is_http: true, .. } | Self::Silent { is_http: true } => Code::HttpTimeout,
            Self::Slow { is_http: false, .. } => Code::StdioHandshakeTimeout,
            Self::Silent { is_http: false } => Code::ProtocolCallTimeout,
            Self::Refused { is_http: false, .. } | Self::NotMcp { is_http: false, .. } => {
                Code::StdioHandshakeInvalid
            }
            Self::Refused { .. } | Self::NotMcp { .. } => Code::ProtocolInvalidAnswer,
            Self::RefusedVersion | Self::NoVersion => Code::ProtocolVersion,
            Self::Status { status, is_sse_address, .. } => of_status(*status, *is_sse_address),
            Self::Login => Code::HttpLoginRequired,
            Self::Unreachable(why) => why.code(),
            Self::Lists { error, is_http } => error.code(*is_http),
            Self::Lost => Code::HttpReset,
            // The session is gone, the server is there.
            Self::Forgotten | Self::Gone => Code::HttpNotFound,
            Self::NotStarted(_) | Self::GivenUp(_) | Self::Stopped => Code::Unknown,
        }
    }

    /// Whether another attempt is pointless until the entry or its program changes.
    pub fn is_parked(&self) -> bool {
        self.code().is_permanent()
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it answered, if only to refuse.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::NotMcp { .. } => true,
            Self::Status { status, .. } => !matches!(status, 401 | 403),
            _ => false,
        }
    }
}

/// The code of a status that is no success. (A server of the older HTTP transport has no POST at the address of its
/// events: some say so with 405, others know no such path.)
fn of_status(status: u16, is_sse_address: bool) -> Code {
    match status {
        405 => Code::HttpLegacySse,
        400 | 404 if is_sse_address => Code::HttpLegacySse,
        300..=399 => Code::HttpRedirected,
        401 => Code::HttpUnauthorized,
        403 => Code::HttpForbidden,
        404 => Code::HttpNotFound,
        407 => Code::NetworkProxy,
        429 => Code::HttpRateLimited,
        400..=499 => Code::HttpClientError,
        500..=599 => Code::HttpServerError,
        _ => Code::ProtocolInvalidAnswer,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(error) => error.fmt(f),
            Self::Header(name) => write!(
                f,
                "its header `{name}` cannot be sent: it holds characters that HTTP does not allow"
            ),
            Self::NoDirectory => f.write_str("its working directory (`cwd`) does not exist"),
            Self::NotFound { is_path: true } => {
                f.write_str("its command cannot be started: no such file")
            }
            Self::NotFound { is_path: false } => f.write_str(
                "its command cannot be started: no such command; is it installed and in PATH?",
            ),
            Self::NoEngine => f.write_str(
                "its command cannot be started: the container engine that it names is not installed, or not in PATH",
            ),
            Self::NoPermission => f.write_str("its command cannot be started: permission denied"),
            Self::NotExecutable => f.write_str(
                "its command cannot be started: the file is no program that this system can run, or the program that \
                 its first line names is missing",
            ),
            Self::NotStarted(why) => write!(f, "its command cannot be started: {why}"),
            Self::EndedEarly => f.write_str("it ended before it answered"),
            Self::Ended | Self::Lost => f.write_str("its connection ended"),
            Self::Slow { within, .. } => write!(
                f,
                "it did not start within {} s; a larger `startup_timeout_sec` in its entry gives it more time",
                within.as_secs_f64()
            ),
            Self::Refused { error, .. } => {
                write!(f, "it refused to start a session (error {error})")
            }
            Self::NotMcp { why: Some(why), .. } => f.write_str(why),
            Self::NotMcp { why: None, .. } => f.write_str("it did not answer as an MCP server does"),
            Self::RefusedVersion => {
                f.write_str("it refused the protocol version that it was offered")
            }
            Self::NoVersion => {
                f.write_str("it speaks no protocol version that this build speaks")
            }
            Self::Status { status, .. } => write_status(f, *status, self.code()),
            Self::Login => f.write_str(
                "it wants authorization by a sign-in (OAuth), which the gateway does not do: add a token to `headers` \
                 of its entry",
            ),
            Self::Unreachable(why) => why.fmt(f),
            Self::Lists { error, .. } => error.fmt(f),
            Self::Forgotten => f.write_str("it does not know its session any more"),
            Self::Silent { .. } => f.write_str("it does not answer any more"),
            Self::Gone => f.write_str("it is gone"),
            Self::GivenUp(why) => f.write_str(why),
            Self::Stopped => f.write_str("it was stopped"),
        }
    }
}

fn write_status(f: &mut fmt::Formatter<'_>, status: u16, code: Code) -> fmt::Result {
    match (status, code) {
        (401, _) => {
            write!(f, "it wants authorization (HTTP status 401): add it to `headers` of its entry")
        }
        (403, _) => write!(
            f,
            "it refuses access (HTTP status 403): look at the authorization in `headers` of its entry"
        ),
        (_, Code::HttpRedirected) => write!(
            f,
            "it redirects (HTTP status {status}) and is not followed there, because its headers are for its own \
             address alone: put the address it redirects to into `url` of its entry"
        ),
        (_, Code::NetworkProxy) => {
            write!(f, "the proxy on the way wants authorization (HTTP status {status})")
        }
        _ => write!(f, "it answered with HTTP status {status}"),
    }
}

/// A reason, and what may be wrong with the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened.
    pub reason: Reason,
    /// What may be wrong with the entry.
    pub hint: Option<Hint>,
}

impl From<Reason> for Diagnosis {
    fn from(reason: Reason) -> Self {
        Self { reason, hint: None }
    }
}

impl Diagnosis {
    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        self.reason.code()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
