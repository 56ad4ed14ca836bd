//! files: see `crate::files`.

pub use crate::unix::files::*;

use crate::files::FileSystem;
use std::io;
use std::path::Path;
use std::time::Duration;

pub fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn coarse_time() -> Duration {
    monotonic_time(libc::CLOCK_MONOTONIC_RAW_APPROX)
}

/// There is no such call.
#[cfg(any(feature = "process", feature = "service"))]
pub fn mark_all_from(_first: libc::c_int) -> bool {
    false
}

/// There is no such call.
#[cfg(feature = "service")]
pub fn close_all_from(_first: libc::c_int) -> bool {
    false
}

pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    let answer = statfs(path)?;
    let name = answer.f_fstypename.iter().map(|&c| c.to_ne_bytes()[0]);
    let name: Vec<u8> = name.take_while(|&byte| byte != 0).collect();
    let name = String::from_utf8_lossy(&name).into_owned();
    // User-space file systems say that they are local, too: the name decides as well.
    let is_local = answer.f_flags & libc::MNT_LOCAL as u32 != 0;
    Ok(named(name, is_local))
}

fn named(name: String, is_local: bool) -> FileSystem {
    const LOCAL: &[&str] = &["apfs", "hfs", "exfat", "msdos", "tmpfs", "zfs"];
    match LOCAL.iter().find(|local| is_local && **local == name) {
        Some(local) => FileSystem::Local(local),
        None => FileSystem::RemoteOrUnknown(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_systems_of_local_disks_are_local() {
        assert_eq!(named("apfs".to_owned(), true), FileSystem::Local("apfs"));
        for (name, is_local) in [("apfs", false), ("nfs", false), ("macfuse", true)] {
            assert_eq!(
                named(name.to_owned(), is_local),
                FileSystem::RemoteOrUnknown(name.to_owned())
            );
        }
    }
}
