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
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".mcpproxy-backup");
    path.with_file_name(name)
}

/// Puts the original aside, readable for its owner only.
pub(super) fn put_aside(path: &Path, bytes: &[u8]) -> Result<(), Reason> {
    files::write_atomically(&backup_of(path), bytes, PRIVATE).map_err(|e| {
        format!("its original cannot be put aside: {}; make its directory writable", e.kind())
    })
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
