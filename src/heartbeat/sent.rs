//! Copies of acknowledged payloads, for the user to read.
//!
//! One rule: best effort. A copy that cannot be written never changes what is recorded.

use crate::json;
use crate::paths::DataDir;
use mcpproxy_platform::files;
use std::io;
use std::path::{Path, PathBuf};

/// How many are kept.
pub const KEPT: usize = 30;

/// Keeps the exact bytes under their own timestamp, and drops the oldest copies.
pub fn keep(dir: &DataDir, bytes: &[u8]) {
    let _ = write(&dir.sent(), bytes);
}

/// The copies, oldest first.
pub fn copies(dir: &DataDir) -> Vec<PathBuf> {
    let mut found = list(&dir.sent()).unwrap_or_default();
    found.sort();
    found
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = name_of(bytes).ok_or(io::ErrorKind::InvalidData)?;
    files::create_private_dir(folder)?;
    files::write_atomically(&folder.join(name), bytes, 0o600)?;
    let mut all = list(folder)?;
    all.sort();
    let surplus = all.len().saturating_sub(KEPT);
    for old in all.iter().take(surplus) {
        std::fs::remove_file(old)?;
    }
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
