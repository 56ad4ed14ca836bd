//! files: see `crate::files`.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::files::{FileSystem, Owner, Standing};

/// Not known to keep nobody from reading or renaming the file.
pub const LOCKS_ARE_ADVISORY: bool = false;

pub fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|metadata| birth(&metadata))
}

pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| birth(&metadata))
}

/// The time of birth tells a replaced file from its predecessor where nothing better is portable.
fn birth(metadata: &Metadata) -> (u64, u64) {
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (0, born.map_or(0, |since| since.as_nanos() as u64))
}

#[derive(Debug)]
pub struct PreparedPath(std::path::PathBuf);

impl PreparedPath {
    pub fn new(base: &Path, rest: &Path) -> io::Result<Self> {
        Ok(Self(base.join(rest)))
    }

    pub fn follow(&mut self) {}

    pub fn identity(&self) -> io::Result<(u64, u64)> {
        identity(&self.0)
    }
}

/// `std` knows no such mark.
#[cfg(feature = "lmdb")]
pub fn mark_all_of(_file: &File) {}

pub fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn coarse_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

pub fn check_writable(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.permissions().readonly() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

pub fn free_files(_path: &Path) -> Option<u64> {
    None
}

pub fn free_space(_path: &Path) -> Option<u64> {
    None
}

pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

pub fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub fn create_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub fn take_after(_path: &Path, _model: &Metadata) -> io::Result<()> {
    Ok(())
}

pub fn make_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub fn mode_for_others(_path: &Path) -> Option<u32> {
    None
}

pub const HAS_OWNERS: bool = false;

// Nothing here tells: access lists are not modes.
pub fn standing(path: &Path) -> io::Result<Standing> {
    let is_link = std::fs::symlink_metadata(path)?.is_symlink();
    Ok(Standing { is_link, owner: Owner::Trusted, others_write: false, is_sticky: false })
}

pub fn link(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

pub fn file_system(_path: &Path) -> io::Result<FileSystem> {
    Ok(FileSystem::RemoteOrUnknown("unknown on this system".to_owned()))
}
