//! The config's lock and its replacement on disk.

use super::EditError;
use crate::paths::DataDir;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The lock; given back when dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held for its drop")] File);

pub(crate) fn lock(dir: &DataDir, deadline: Duration) -> Result<Lock, EditError> {
    fs::create_dir_all(dir.root()).map_err(|e| EditError::Directory(e.kind()))?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.config_lock())
        .map_err(|e| EditError::Lock(e.kind()))?;
    let until = Instant::now() + deadline;
    loop {
        if file.try_lock().is_ok() {
            return Ok(Lock(file));
        }
        if Instant::now() >= until {
            return Err(EditError::Busy);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(super) fn replace(path: &Path, _missing: bool, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let new = target.with_extension("json.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, &target)
}

pub(super) fn inode(_meta: &Metadata) -> u64 {
    0
}
