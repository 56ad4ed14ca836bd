//! `mcpproxy collector --demo`: what may be said beside it, and where its database lies.
//!
//! One rule: a demo lives in a new directory of the system's temporary one, and is removed with it. The directory
//! of a collector is never looked at.

use super::{Call, Failure};
use std::path::{Path, PathBuf};

/// What a demo and a collector have in common: everything else is about receiving and keeping.
const SHARED: [&str; 8] =
    ["demo", "listen", "base-path", "password-file", "public", "tls-cert", "tls-key", "log-format"];

/// The directory of a demo. It is removed, with everything in it, when this is dropped.
pub(super) struct Place(PathBuf);

impl Place {
    /// A place for the demo that `call` asks for; `None` where it asks for a collector. Nothing is made yet.
    pub(super) fn of(call: &Call) -> Result<Option<Self>, Failure> {
        if !call.has("demo") {
            return Ok(None);
        }
        let mut other = call.options.iter().map(|(name, _)| *name);
        let other = other.find(|name| !SHARED.contains(name));
        let other = other.or(call.data_dir.as_ref().map(|_| "data-dir"));
        if let Some(other) = other {
            return Err(Failure::usage(
                "collector",
                format!(
                    "--demo has a database of its own and receives nothing: leave out --{other}"
                ),
            ));
        }
        // So that nobody else can have made it.
        let random = getrandom::u64().map_err(|_| {
            Failure::failed("the system gave no random bytes for the name of a directory")
        })?;
        Ok(Some(Self(std::env::temp_dir().join(format!("mcpproxy-demo-{random:016x}")))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left of it is the system's to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
