//! A client's file on disk: reading it within bounds, the copy of the original, putting a new text in place.
//!
//! One rule: what is written is written beside the file and renamed over it, with its mode and owner, and
//! only if the file still holds what the change was made from.

use mcpproxy_platform::{files, host};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is edited.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// The mode of a file that we make: what an entry holds can be secret.
const PRIVATE: u32 = 0o600;

/// Why a file could not be read or replaced; what is wrong, without values.
pub(super) type Reason = String;

/// The bytes of a file, opened for reading only; `None` when there is none.
pub(super) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Reason> {
    let unreadable = |e: io::Error| format!("it cannot be read: {}", e.kind());
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err("it is not a regular file".into()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return match path.is_symlink() {
                true => Err("it is a link to something that does not exist".into()),
                false => Ok(None),
            };
        }
        Err(e) => return Err(unreadable(e)),
    }
    let bytes = host::read_bounded(path, limit + 1).map_err(unreadable)?;
    match bytes.len() > limit {
        true => Err(format!("it is larger than {} MiB", limit >> 20)),
        false => Ok(Some(bytes)),
    }
}

/// The file that a name leads to: where it is a link, its target.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        found => found,
    }
}

/// Where the original of a file is put aside: beside the name, not beside a link's target.
pub(super) fn backup_of(path: &Path) -> PathBuf {
    beside(path, ".mcpproxy-backup")
}

/// Where the copy of an original is kept that another one has replaced.
pub(super) fn oldest_of(path: &Path) -> PathBuf {
    beside(path, ".mcpproxy-original")
}

/// The name beside a file that ends in `end`.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(end);
    path.with_file_name(name)
}

/// What was written beside a file before the file itself. Dropped without [`Prepared::keep`], everything is
/// as it was: a change that fails leaves no copy of a file that can hold secrets.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Files, and what they held before.
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
    /// Directories that were made, outermost first.
    directories: Vec<PathBuf>,
}

impl Prepared {
    /// Makes the directory and its missing parents.
    pub(super) fn directory(&mut self, path: &Path) -> Result<(), Reason> {
        let missing = path.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists());
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        self.directories.extend(missing);
        files::create_private_dir(path)
            .map_err(|e| format!("its directory cannot be made: {}", e.kind()))
    }

    /// Writes a file, readable for its owner only; `what` says what it is.
    pub(super) fn write(&mut self, path: PathBuf, bytes: &[u8], what: &str) -> Result<(), Reason> {
        let failed = |why: String| format!("{what} cannot be put aside: {why}");
        let before = read(&path, MAX_BYTES).map_err(failed)?;
        files::write_atomically(&path, bytes, PRIVATE)
            .map_err(|e| failed(format!("{}; make its directory writable", e.kind())))?;
        self.files.push((path, before));
        Ok(())
    }

    /// What was written stays.
    pub(super) fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Best effort: an error was told already, and this is what is left to do.
        for (path, before) in self.files.drain(..).rev() {
            let _ = match before {
                Some(before) => files::write_atomically(&path, &before, PRIVATE),
                None => fs::remove_file(&path),
            };
        }
        for directory in self.directories.drain(..).rev() {
            // Only an empty one goes.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Forgets the original.
pub(super) fn forget_original(path: &Path) {
    // A copy that stays is no harm: it is replaced before the next change.
    let _ = fs::remove_file(backup_of(path));
}

/// Puts `new` in the place of `old`, which `None` says is no file. The same for `new`.
pub(super) fn replace(path: &Path, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), Reason> {
    let failed =
        |e: io::Error| format!("it cannot be replaced: {}; make its directory writable", e.kind());
    let target = target(path).map_err(failed)?;
    let busy = || "another program is writing it; try again".to_owned();
    let is_current = |at: &Path| read(at, MAX_BYTES).is_ok_and(|found| found.as_deref() == old);
    match new {
        Some(new) => match files::replace_in_kind(&target, new, is_current).map_err(failed)? {
            true => Ok(()),
            false => Err(busy()),
        },
        None if is_current(path) => fs::remove_file(&target).map_err(failed),
        None => Err(busy()),
    }
}
