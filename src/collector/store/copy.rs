//! A copy of a database, made while it is in use.
//!
//! One rule: the copy has its name after it was checked and is on disk, and is one file.

use super::error::StoreError;
use super::{check, products};
use crate::collector::row::Product;
use mcpproxy_platform::files;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Why there is no copy.
#[derive(Debug)]
pub enum CopyError {
    /// It cannot be written.
    Write(StoreError),
    /// It was written, and is not well: its original is not.
    Check(StoreError),
}

/// `path` with something behind its last part.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a copy of the database `from`, as it is at one moment, to `to`, in place of what is there, and says what
/// it holds. The writers of `from` go on.
pub fn copy(from: &Connection, to: &Path) -> Result<Vec<Product>, CopyError> {
    let part = beside(to, ".part");
    remove(&part);
    let made = write(from, &part).and_then(|products| {
        let named = fs::rename(&part, to).and_then(|()| sync_directory_of(to));
        named.map(|()| products).map_err(unwritten)
    });
    if made.is_err() {
        remove(&part);
    }
    made
}

fn write(from: &Connection, part: &Path) -> Result<Vec<Product>, CopyError> {
    let write = |error: rusqlite::Error| match StoreError::from(error) {
        error @ (StoreError::Damaged | StoreError::Foreign) => CopyError::Check(error),
        error => CopyError::Write(error),
    };
    drop(files::open_private(part).map_err(unwritten)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part, flags).map_err(write)?;
    {
        // All of it in one step: after every step but the last, a busy writer would make it begin anew.
        let backup = Backup::new(from, &mut copy).map_err(write)?;
        match backup.step(-1).map_err(write)? {
            StepResult::Done => {}
            _ => return Err(CopyError::Write(StoreError::Busy)),
        }
    }
    // The original says that it has a write-ahead log; the copy is one file.
    let mode: String = copy
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))
        .map_err(write)?;
    if mode != "delete" {
        return Err(CopyError::Write(StoreError::Busy));
    }
    check::whole(&copy).map_err(CopyError::Check)?;
    let products = products::list(&copy).map_err(CopyError::Check)?;
    copy.close().map_err(|(_, error)| write(error))?;
    let synced = File::options().write(true).open(part).and_then(|file| file.sync_all());
    synced.map(|()| products).map_err(unwritten)
}

/// Makes the new name of a file last.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => files::sync_directory(parent),
        _ => files::sync_directory(Path::new(".")),
    }
}

fn unwritten(error: io::Error) -> CopyError {
    CopyError::Write(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        kind => StoreError::Directory(kind),
    })
}

/// What an attempt that was killed has left.
fn remove(part: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(part, suffix));
    }
}

/// As an error of the database that is copied.
impl From<CopyError> for StoreError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Write(error) => Self::Copy(Box::new(error)),
            CopyError::Check(error) => error,
        }
    }
}
