//! The first-run notice.
//!
//! One rule: stderr only (stdout belongs to MCP), once per install, and only what was really written
//! counts as shown. Nothing is sent before.

use crate::activation::{Store, StoreError};
use crate::config::{self, EDIT_DEADLINE, EditError};
use crate::paths::DataDir;
use mcpproxy_platform::host;
use std::fmt;
use std::io::{self, Write};

/// What is shown.
pub const TEXT: &str = concat!(
    "mcpproxy: one anonymous heartbeat a day says that this install is in use. It holds no names, paths,\n",
    "mcpproxy: prompts or tool arguments.\n",
    "mcpproxy:   every field   ",
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/payload.md\n",
    "mcpproxy:   your payload  mcpproxy telemetry show-payload\n",
    "mcpproxy:   switch off    mcpproxy telemetry disable   (or DO_NOT_TRACK=1)\n",
);

/// What became of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It was shown now.
    Shown,
    /// It had been shown.
    ShownBefore,
}

/// Why the notice does not count as shown. It is tried again by the next host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeError {
    /// The config's lock was not had: someone else may be showing it.
    Lock(EditError),
    /// The store could not remember it.
    Store(StoreError),
    /// It could not be written.
    Write(io::ErrorKind),
}

impl fmt::Display for NoticeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(error) => write!(f, "the first-run notice was not shown: {error}"),
            Self::Store(_) => {
                f.write_str("that the first-run notice was shown cannot be remembered")
            }
            Self::Write(kind) => write!(f, "the first-run notice was not shown: {kind}"),
        }
    }
}

impl std::error::Error for NoticeError {}

/// Shows the notice on stderr unless this install has shown it.
pub fn show_once(dir: &DataDir, store: &Store, now: u64) -> Result<Notice, NoticeError> {
    show_once_to(&mut Stderr, dir, store, now)
}

/// Standard error; an error where there is none, so that the notice does not count as shown.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if host::has_stderr() {
            io::stderr().write(bytes)
        } else {
            Err(io::ErrorKind::NotConnected.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// As [`show_once`], to any writer.
pub fn show_once_to(
    out: &mut dyn Write,
    dir: &DataDir,
    store: &Store,
    now: u64,
) -> Result<Notice, NoticeError> {
    let shown = || store.read().map(|state| state.install.notice_shown_at != 0);
    if shown().map_err(NoticeError::Store)? {
        return Ok(Notice::ShownBefore);
    }
    let _lock = config::lock(dir, EDIT_DEADLINE).map_err(NoticeError::Lock)?;
    if shown().map_err(NoticeError::Store)? {
        return Ok(Notice::ShownBefore);
    }
    // In one write, so that lines of other processes do not come between.
    out.write_all(TEXT.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| NoticeError::Write(e.kind()))?;
    store
        .update(true, |state| state.install.notice_shown_at = now.max(1))
        .map_err(NoticeError::Store)?;
    Ok(Notice::Shown)
}
