//! Editing the config file: lock, re-read, change, replace.
//!
//! One rule: nobody edits outside the lock, and what cannot be read is never written.

use super::trust::Distrust;
use super::{ConfigError, NewValue, Step, TelemetryConfig, Which, reader, text};
use crate::json::write_str;
use crate::paths::DataDir;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long an edit waits for another one.
pub const EDIT_DEADLINE: Duration = Duration::from_secs(5);

/// Why an edit did not happen. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditError {
    /// Another process held the lock for the whole wait.
    Busy,
    /// Somebody who does not know the lock has changed the config meanwhile.
    Changed,
    /// The config is unreadable or corrupt; what is wrong with it.
    Unusable(ConfigError),
    /// The config or its directory is in the hands of others.
    Untrusted(Distrust),
    /// The data directory could not be made.
    Directory(io::ErrorKind),
    /// The lock file could not be made.
    Lock(String),
    /// The new text could not be put in place.
    Write(io::ErrorKind),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of(Which::Given))
    }
}

impl EditError {
    /// In words, about this config.
    pub fn of(&self, which: Which) -> String {
        let (file, lock) = (which.file(), which.lock());
        match self {
            Self::Busy => {
                format!("{file} is being edited by another process ({lock} is held): try again")
            }
            Self::Changed => format!(
                "{file} was changed by another program at the same moment and was left alone: try again"
            ),
            Self::Unusable(why) => {
                format!("{file} was not changed: {why}; repair it or move it away, then try again")
            }
            Self::Untrusted(why) => format!("{file} was not changed: {}", why.in_words(which)),
            Self::Directory(io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
                format!(
                    "{} is a file, or its path leads through one; {}",
                    which.directory(),
                    match which {
                        Which::Given => "use --data-dir or MCPPROXY_HOME to name a directory",
                        Which::Users => "move the file away",
                    }
                )
            }
            Self::Directory(kind) => format!(
                "{} cannot be made: {kind}; {}",
                which.directory(),
                match which {
                    Which::Given => "use --data-dir or MCPPROXY_HOME to name a writable one",
                    Which::Users => "make the home directory writable",
                }
            ),
            Self::Lock(why) => format!(
                "{file} was not changed: {lock} cannot be used: {why}; make {} writable, or move what is in the way",
                which.directory()
            ),
            Self::Write(kind) => format!(
                "{file} was not changed: it cannot be replaced: {kind}; make its directory writable"
            ),
        }
    }
}

impl std::error::Error for EditError {}

/// The config under its lock.
#[derive(Debug)]
pub struct Editing {
    bytes: Vec<u8>,
    telemetry: TelemetryConfig,
    changed: bool,
}

impl Editing {
    /// An edit of a text. Public for the fuzz targets, which have no time for files; here, for what is only shown.
    /// Files are edited under the lock, with [`edit`].
    #[doc(hidden)]
    pub fn of(bytes: Vec<u8>) -> Result<Self, EditError> {
        let telemetry = reader::parse_section(&bytes).map_err(EditError::Unusable)?;
        Ok(Self { bytes, telemetry, changed: false })
    }

    /// Our section as it is now, changes of this edit included.
    pub fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    /// The whole text as it is now, changes of this edit included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sets the member at `path` to a JSON text.
    pub fn set(&mut self, path: &[&str], literal: &str) -> Result<(), EditError> {
        self.put(text::set_member(&self.bytes, path, literal))
    }

    /// Sets what is at `path`, laid out like its neighbours. Missing objects on the way are made.
    pub fn set_at(&mut self, path: &[Step<'_>], value: &NewValue) -> Result<(), EditError> {
        self.put(text::set(&self.bytes, path, value))
    }

    /// Appends an item to the array at `path`.
    pub fn push(&mut self, path: &[Step<'_>], value: &NewValue) -> Result<(), EditError> {
        self.put(text::push(&self.bytes, path, value))
    }

    /// Removes the member or item at `path`.
    pub fn remove(&mut self, path: &[Step<'_>]) -> Result<(), EditError> {
        self.put(text::remove(&self.bytes, path))
    }

    fn put(&mut self, new: Result<Vec<u8>, ConfigError>) -> Result<(), EditError> {
        let new = new.map_err(EditError::Unusable)?;
        if new != self.bytes {
            self.telemetry = reader::parse_section(&new).map_err(EditError::Unusable)?;
            self.bytes = new;
            self.changed = true;
        }
        Ok(())
    }

    /// Sets `telemetry.<key>` to a boolean.
    pub fn set_bool(&mut self, key: &str, value: bool) -> Result<(), EditError> {
        self.set(&["telemetry", key], if value { "true" } else { "false" })
    }

    /// Sets `telemetry.<key>` to a string.
    pub fn set_str(&mut self, key: &str, value: &str) -> Result<(), EditError> {
        let mut literal = String::new();
        write_str(&mut literal, value);
        self.set(&["telemetry", key], &literal)
    }
}

/// Edits the config under its lock, waiting for it at most `deadline`. A missing config (and data
/// directory) is made. Nothing is written when `change` fails or changes nothing.
pub fn edit<R, E: From<EditError>>(
    dir: &DataDir,
    deadline: Duration,
    change: impl FnOnce(&mut Editing) -> Result<R, E>,
) -> Result<R, E> {
    let _lock = super::file::lock(dir, deadline)?;
    let path = dir.config();
    let found = reader::load(&path).map_err(EditError::Unusable)?;
    let mut editing = Editing::of(found.clone().unwrap_or_else(|| b"{}\n".to_vec()))?;
    let result = change(&mut editing)?;
    if editing.changed {
        let is_current = |at: &Path| reader::load(at).is_ok_and(|now| now == found);
        match super::file::replace(&path, &editing.bytes, is_current) {
            Ok(true) => {}
            Ok(false) => return Err(EditError::Changed.into()),
            Err(e) => return Err(EditError::Write(e.kind()).into()),
        }
    }
    Ok(result)
}
