//! Copies of acknowledged payloads, for the user to read.
//!
//! One rule: a copy is on disk before its payload is sent, under no name yet. What could not be read afterwards
//! does not leave.

use crate::activation::Store;
use crate::json;
use crate::paths::Place;
use mcpproxy_platform::files::{self, Replacement};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How many are kept.
pub const KEPT: usize = 30;

/// A copy of what is about to be sent. Dropped without [`Copy::keep`], it is removed.
pub struct Copy {
    folder: PathBuf,
    file: Replacement,
}

/// Why no copy can be kept. Never holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyError(String);

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self(files::reason(&error))
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no copy of what is sent can be kept in <data dir>/sent ({}): nothing is sent; make it a directory that can be written, or remove it",
            self.0
        )
    }
}

impl std::error::Error for CopyError {}

/// Puts the exact bytes on disk.
pub fn prepare(dir: &Place, bytes: &[u8]) -> Result<Copy, CopyError> {
    let folder = dir.sent();
    let prepare = || {
        let name = name_of(bytes).ok_or(io::ErrorKind::InvalidData)?;
        files::create_private_dir(&folder)?;
        // Of processes that ended between sending and the answer: whether it arrived, nobody knows, and the
        // same bytes are sent again.
        files::remove_leftovers_of(&folder, OsStr::new("."));
        Replacement::prepare(&folder.join(name), bytes, 0o600)
    };
    match prepare() {
        Ok(file) => Ok(Copy { folder, file }),
        Err(error) => Err(error.into()),
    }
}

/// Why no copy could be kept, as far as it can be known without side effects.
pub fn obstacle(dir: &Place) -> Option<CopyError> {
    let folder = dir.sent();
    let looked = match std::fs::metadata(&folder) {
        Ok(found) if found.is_dir() => files::check_writable(&folder),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        // It will be made, unless a link to nothing is in its place.
        Err(_) if folder.symlink_metadata().is_err() => Ok(()),
        Err(error) => Err(error),
    };
    looked.err().map(CopyError::from)
}

impl Copy {
    /// Keeps it under the payload's own timestamp, and drops the oldest copies. Best effort: what is recorded
    /// does not depend on it.
    pub fn keep(self) {
        if self.file.publish().is_ok() {
            let _ = drop_surplus(&self.folder);
        }
    }
}

fn drop_surplus(folder: &Path) -> io::Result<()> {
    let mut all = list(folder)?;
    all.sort();
    let surplus = all.len().saturating_sub(KEPT);
    for old in all.iter().take(surplus) {
        std::fs::remove_file(old)?;
    }
    Ok(())
}

/// The copies, oldest first.
pub fn copies(dir: &Place) -> Vec<PathBuf> {
    let mut found = list(&dir.sent()).unwrap_or_default();
    found.sort();
    found
}

/// Whether something may have left from here, an attempt whose answer is not known included; `None` when nothing
/// tells, because the store is not there or was lost.
pub fn may_have_left(dir: &Place) -> Option<bool> {
    if !copies(dir).is_empty() {
        return Some(true);
    }
    let state = Store::peek(dir, 0).ok().flatten().or_else(|| Store::remembered(dir));
    state.map(|state| state.sender.last_attempt != 0)
}

/// Removes every copy, and the directory if nothing else lies in it; else which one is still there, and why.
pub fn remove_all(dir: &Place) -> Result<(), (PathBuf, io::ErrorKind)> {
    for copy in copies(dir) {
        match std::fs::remove_file(&copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err((copy, error.kind()));
            }
            _ => {}
        }
    }
    files::remove_leftovers_of(&dir.sent(), OsStr::new("."));
    let _ = std::fs::remove_dir(dir.sent());
    Ok(())
}

/// `<timestamp>.json`; without colons, which Windows does not allow. Sorts by time.
fn name_of(bytes: &[u8]) -> Option<String> {
    let value = json::parse(bytes).ok()?;
    let timestamp = value.get("timestamp")?.as_str()?;
    crate::contract::timestamp::parse(timestamp)?;
    Some(format!("{}.json", timestamp.replace(':', "")))
}

/// Only names of ours: whatever else lies there is somebody's.
fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.len() == "2026-11-22T144600Z.json".len() && name.ends_with("Z.json") {
            found.push(path);
        }
    }
    Ok(found)
}
