//! The config's lock and its replacement on disk.
//!
//! One rule: the lock is held from before reading until after the rename.

use super::{EditError, trust};
use crate::paths::DataDir;
use mcpproxy_platform::files::{self, FileLock, HeldLock, LockMode};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// The config's lock; given back when dropped, and when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _held: HeldLock,
}

/// Takes the config's lock, waiting at most `deadline`. Makes the data directory if it is missing, and nothing in
/// one that is in the hands of others.
pub fn lock(dir: &DataDir, deadline: Duration) -> Result<Lock, EditError> {
    // What is in the way of the lock is in the way of everybody, and is told first.
    check_lock(dir)?;
    trust::check(dir).map_err(EditError::Untrusted)?;
    lock_file(dir.root(), &dir.config_lock(), deadline)
}

/// As [`lock`], by another file in another directory.
pub(crate) fn lock_file(dir: &Path, file: &Path, deadline: Duration) -> Result<Lock, EditError> {
    let until = Instant::now() + deadline;
    files::create_private_dir(dir).map_err(|e| EditError::Directory(e.kind()))?;
    loop {
        let failed = |e: io::Error| EditError::Lock(files::reason(&e));
        let lock = FileLock::open(file).map_err(failed)?;
        let left = until.saturating_duration_since(Instant::now());
        let Some(held) = lock.acquire(LockMode::Exclusive, left).map_err(failed)? else {
            return Err(EditError::Busy);
        };
        // Someone may have removed the file while we waited: others would lock a new one.
        if lock.is_still_at(file) {
            return Ok(Lock { _held: held });
        }
        if left.is_zero() {
            return Err(EditError::Busy);
        }
    }
}

/// What keeps the lock from being opened, found without making it. A data directory that cannot be made is
/// told by [`lock`].
fn check_lock(dir: &DataDir) -> Result<(), EditError> {
    match FileLock::open_existing(&dir.config_lock()) {
        Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(EditError::Lock(files::reason(&e)))
        }
        _ => Ok(()),
    }
}

/// Removes what killed processes left of edits of the config, unless it is being edited.
pub(crate) fn remove_leftovers(dir: &DataDir) {
    // Without a lock file nothing was ever edited, and none is made.
    let Ok(lock) = FileLock::open_existing(&dir.config_lock()) else { return };
    let Ok(Some(_held)) = lock.acquire(LockMode::Exclusive, Duration::ZERO) else { return };
    let path = dir.config();
    files::remove_leftovers(&fs::canonicalize(&path).unwrap_or(path));
}

/// Puts `bytes` in place of the config; where it is a symbolic link, in place of its target. False, and
/// nothing done, when `is_current` says at the last moment that what has a name is not what was
/// read any more: an editor does not know our lock, and what it wrote may be an objection.
pub(super) fn replace(
    path: &Path,
    bytes: &[u8],
    is_current: impl Fn(&Path) -> bool,
) -> io::Result<bool> {
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(e) if e.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(e) => return Err(e),
    };
    files::replace_in_kind(&target, bytes, is_current)
}
