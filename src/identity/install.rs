//! `install.json`: what the place of a product holds beside its store.
//!
//! One rule: written as a whole, under a lock, and members that this program does not know keep their bytes.
//! An unreadable file is never replaced: the id in it may be one that was sent.

use super::Kept;
use crate::config::trust::{self, Distrust};
use crate::config::{self, ConfigError, EDIT_DEADLINE, EditError, Lock, set_member};
use crate::contract::timestamp;
use crate::json::{self, Value, write_str};
use crate::paths::Place;
use mcpproxy_platform::files;
use std::fmt;
use std::io;
use std::time::Duration;

/// Longer than any file of ours.
const MAX_BYTES: usize = 64 * 1024;

/// What `install.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallFile {
    /// The id. That of our own product is in the config.
    pub kept: Kept,
    /// The endpoint that a host named last, `None` when it named none.
    pub endpoint: Option<String>,
    /// The product's version that ran last.
    pub version: Option<String>,
    /// When a host last made this the newest place of its product, in seconds since 1970; 0 is never.
    pub used_at: u64,
    /// Its last host wants nothing sent before a person could see the notice.
    pub require_visible_notice: bool,
    /// The notice that was shown.
    pub notice: Option<ShownNotice>,
}

/// A notice that was shown: it counts for this id and this endpoint host alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownNotice {
    /// The id of the install.
    pub anonymous_id: String,
    /// The endpoint's host, as `Target::authority` writes it.
    pub host: String,
    /// When its full text went to standard error, in seconds since 1970.
    pub written_at: u64,
    /// When a person could see it; 0 is never.
    pub visible_at: u64,
}

/// Why `install.json` could not be read or written. Never holds a path or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallError {
    /// Another process held the lock for the whole wait.
    Busy,
    /// It is not what a program of ours writes.
    Damaged(ConfigError),
    /// It or a directory on the way to it is in the hands of others.
    Untrusted(Distrust),
    /// The directory of the product is gone.
    Missing,
    /// The lock could not be used.
    Lock(String),
    /// An I/O error.
    Io(io::ErrorKind),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = "install.json of the product";
        match self {
            Self::Busy => write!(
                f,
                "{name} was not changed: another process held <data dir>/products/.lock; try again"
            ),
            Self::Damaged(why) => write!(
                f,
                "{name} is damaged ({why}): nothing is sent; `mcpproxy telemetry reset-id --product NAME` makes a new one"
            ),
            Self::Untrusted(why) => {
                write!(f, "{name} is not used: {}", why.in_words(config::Which::Given))
            }
            Self::Missing => f.write_str("the directory of the product was removed"),
            Self::Lock(why) => write!(
                f,
                "{name} was not changed: <data dir>/products/.lock cannot be used: {why}; make the data directory writable, or move what is in the way"
            ),
            Self::Io(kind) => {
                write!(f, "{name} cannot be used: {kind}; make the data directory writable")
            }
        }
    }
}

impl std::error::Error for InstallError {}

impl From<io::Error> for InstallError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<EditError> for InstallError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Busy => Self::Busy,
            EditError::Untrusted(why) => Self::Untrusted(why),
            EditError::Directory(kind) => Self::Io(kind),
            other => Self::Lock(other.to_string()),
        }
    }
}

/// The file of `place`; `None` when there is none.
pub fn read(place: &Place) -> Result<Option<InstallFile>, InstallError> {
    trust::check_place(place).map_err(InstallError::Untrusted)?;
    let Some(bytes) = load(place)? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(InstallError::Damaged)
}

fn load(place: &Place) -> Result<Option<Vec<u8>>, InstallError> {
    match mcpproxy_platform::host::read_bounded(&place.install(), MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn parse(bytes: &[u8]) -> Result<InstallFile, ConfigError> {
    let root = json::parse(bytes).map_err(ConfigError::Json)?;
    if root.members().is_none() {
        return Err(ConfigError::NotAnObject);
    }
    let notice = root.get("notice").filter(|notice| notice.members().is_some());
    Ok(InstallFile {
        kept: Kept {
            anonymous_id: text(&root, "anonymous_id")?,
            created_at: text(&root, "anonymous_id_created_at")?,
            rotated_from: text(&root, "rotated_from")?,
            carried_over: flag(&root, "carried_over"),
        },
        endpoint: text(&root, "endpoint")?,
        version: text(&root, "version")?,
        used_at: time(&root, "used_at"),
        require_visible_notice: flag(&root, VISIBLE),
        notice: match notice {
            None => None,
            Some(notice) => Some(ShownNotice {
                anonymous_id: text(notice, "anonymous_id")?.unwrap_or_default(),
                host: text(notice, "host")?.unwrap_or_default(),
                written_at: time(notice, "written_at"),
                visible_at: time(notice, "visible_at"),
            }),
        },
    })
}

fn text(object: &Value<'_>, key: &str) -> Result<Option<String>, ConfigError> {
    match object.get(key) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some("") => Ok(None),
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(ConfigError::Wrong(key.to_owned(), "a string")),
        },
    }
}

const VISIBLE: &str = "require_visible_notice";

fn flag(object: &Value<'_>, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// A time that cannot be read is none.
fn time(object: &Value<'_>, key: &str) -> u64 {
    object.get(key).and_then(Value::as_str).and_then(timestamp::parse).unwrap_or_default()
}

/// Locks what is edited beside the store of `place`, and the names of products: of our own product by the
/// config's lock, of all others by the one in `products`.
pub fn lock(place: &Place, deadline: Duration) -> Result<Lock, InstallError> {
    let dir = place.data_dir();
    if place.is_own() {
        return Ok(config::lock(&dir, deadline)?);
    }
    trust::check_place(place).map_err(InstallError::Untrusted)?;
    Ok(config::lock_file(&dir.products(), &dir.products_lock(), deadline)?)
}

/// `install.json` under the lock.
#[derive(Debug)]
pub struct Editing {
    bytes: Vec<u8>,
    file: InstallFile,
    changed: bool,
}

impl Editing {
    /// The file as it is now, changes of this edit included.
    pub fn file(&self) -> &InstallFile {
        &self.file
    }

    /// Sets the member at `path` to a string.
    pub fn set_str(&mut self, path: &[&str], value: &str) -> Result<(), InstallError> {
        let mut literal = String::new();
        write_str(&mut literal, value);
        self.set(path, &literal)
    }

    /// Sets the member at `path` to a time; 0 is never.
    pub fn set_time(&mut self, path: &[&str], seconds: u64) -> Result<(), InstallError> {
        let text = if seconds == 0 { String::new() } else { timestamp::format(seconds) };
        self.set_str(path, &text)
    }

    /// Sets the member at `path` to a boolean.
    pub fn set_bool(&mut self, path: &[&str], value: bool) -> Result<(), InstallError> {
        self.set(path, if value { "true" } else { "false" })
    }

    /// Sets what a host says about itself beside the state, and when it did.
    pub fn set_said(
        &mut self,
        endpoint: Option<&str>,
        version: Option<&str>,
        require_visible_notice: bool,
        used_at: u64,
    ) -> Result<(), InstallError> {
        // Most hosts never say it.
        if require_visible_notice != self.file.require_visible_notice {
            self.set_bool(&[VISIBLE], require_visible_notice)?;
        }
        self.set_str(&["endpoint"], endpoint.unwrap_or_default())?;
        self.set_str(&["version"], version.unwrap_or_default())?;
        self.set_time(&["used_at"], used_at)
    }

    fn set(&mut self, path: &[&str], literal: &str) -> Result<(), InstallError> {
        let new = set_member(&self.bytes, path, literal).map_err(InstallError::Damaged)?;
        if new != self.bytes {
            self.file = parse(&new).map_err(InstallError::Damaged)?;
            self.bytes = new;
            self.changed = true;
        }
        Ok(())
    }
}

/// What an edit begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// The file that is there, or an empty one.
    AsItIs,
    /// An empty one, whatever is there.
    Anew,
}

/// Edits the file of `place` under the lock, waiting for it at most `deadline`. Nothing is written when
/// `change` fails or changes nothing; the directory of the place is not made.
pub fn edit<R, E: From<InstallError>>(
    place: &Place,
    deadline: Duration,
    change: impl FnOnce(&mut Editing) -> Result<R, E>,
) -> Result<R, E> {
    let _lock = lock(place, deadline)?;
    edit_locked(place, Begin::AsItIs, change)
}

/// As [`edit`], waiting as a person would, and beginning with an empty file.
pub fn replace<R, E: From<InstallError>>(
    place: &Place,
    change: impl FnOnce(&mut Editing) -> Result<R, E>,
) -> Result<R, E> {
    let _lock = lock(place, EDIT_DEADLINE)?;
    edit_locked(place, Begin::Anew, change)
}

/// As [`edit`], of a caller that holds the lock.
pub fn edit_locked<R, E: From<InstallError>>(
    place: &Place,
    begin: Begin,
    change: impl FnOnce(&mut Editing) -> Result<R, E>,
) -> Result<R, E> {
    trust::check_place(place).map_err(InstallError::Untrusted)?;
    if !place.root().is_dir() {
        return Err(InstallError::Missing.into());
    }
    let found = match begin {
        Begin::AsItIs => load(place)?,
        Begin::Anew => None,
    };
    let bytes = found.unwrap_or_else(|| b"{}\n".to_vec());
    let file = parse(&bytes).map_err(InstallError::Damaged)?;
    let mut editing = Editing { bytes, file, changed: false };
    let result = change(&mut editing)?;
    if editing.changed {
        files::write_atomically(&place.install(), &editing.bytes, 0o600)
            .map_err(InstallError::from)?;
    }
    Ok(result)
}
