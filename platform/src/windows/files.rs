//! files: see `crate::files`.
//!
//! Privacy is what the data directory inherits: a user's profile is readable by that user, by
//! administrators and by the system. Modes have no meaning here.

use super::wide;
use crate::files::{FileSystem, Owner, Standing};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_READ_ATTRIBUTES, GetDiskFreeSpaceExW, GetDriveTypeW, GetFileInformationByHandle,
    GetVolumeInformationW, GetVolumePathNameW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::WindowsProgramming::{
    DRIVE_FIXED, DRIVE_RAMDISK, DRIVE_REMOTE, DRIVE_REMOVABLE,
};

/// Longer than the path of any volume's root.
const ROOT_UNITS: usize = 1024;

/// A lock keeps others from reading the file.
pub const LOCKS_ARE_ADVISORY: bool = false;

pub fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    let mut answer = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::uninit();
    // SAFETY: the handle is open as long as `file` lives, and `answer` is writable through the call.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), answer.as_mut_ptr()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled in `answer`.
    let answer = unsafe { answer.assume_init() };
    let index = u64::from(answer.nFileIndexHigh) << 32 | u64::from(answer.nFileIndexLow);
    Ok((u64::from(answer.dwVolumeSerialNumber), index))
}

pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    identity_of(&look_at(path, FILE_READ_ATTRIBUTES)?)
}

/// Opens a file or a directory for `access` only; shares everything with everybody.
fn look_at(path: &Path, access: u32) -> io::Result<File> {
    OpenOptions::new().access_mode(access).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// A path that is looked up often.
#[derive(Debug)]
pub struct PreparedPath(PathBuf);

impl PreparedPath {
    pub fn new(base: &Path, rest: &Path) -> io::Result<Self> {
        let path = base.join(rest);
        wide::with_zero(path.as_os_str())?;
        Ok(Self(path))
    }

    pub fn follow(&mut self) {}

    pub fn identity(&self) -> io::Result<(u64, u64)> {
        identity(&self.0)
    }
}

/// A child gets no handle that was not made for it.
#[cfg(feature = "lmdb")]
pub fn mark_all_of(_file: &File) {}

pub fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn coarse_time() -> Duration {
    // SAFETY: takes nothing and returns milliseconds since the start of the system.
    Duration::from_millis(unsafe { GetTickCount64() })
}

pub fn check_writable(path: &Path) -> io::Result<()> {
    // A directory opens for these only if its access list lets us do both; nothing is made.
    look_at(path, FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY).map(drop)
}

pub fn free_files(_path: &Path) -> Option<u64> {
    None
}

pub fn free_space(path: &Path) -> Option<u64> {
    let path = wide::with_zero(path.as_os_str()).ok()?;
    let mut free = 0;
    // SAFETY: `path` ends with a zero and `free` is writable; the other two answers are not wanted.
    let is_known = unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &mut free, std::ptr::null_mut(), std::ptr::null_mut())
    };
    (is_known != 0).then_some(free)
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
    // Windows has symbolic links, but most users may not make one.
    Err(io::ErrorKind::Unsupported.into())
}

pub fn sync_directory(_directory: &Path) -> io::Result<()> {
    // NTFS journals names; there is nothing to flush.
    Ok(())
}

pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    let path = wide::with_zero(std::path::absolute(path)?.as_os_str())?;
    let mut root = [0_u16; ROOT_UNITS];
    // SAFETY: `path` ends with a zero; `root` is as long as is said, and both outlive the call.
    if unsafe { GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), ROOT_UNITS as u32) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call before succeeded, so `root` ends with a zero.
    match unsafe { GetDriveTypeW(root.as_ptr()) } {
        DRIVE_FIXED | DRIVE_REMOVABLE | DRIVE_RAMDISK => {}
        DRIVE_REMOTE => return Ok(FileSystem::RemoteOrUnknown("network drive".to_owned())),
        _ => return Ok(FileSystem::RemoteOrUnknown("unknown kind of drive".to_owned())),
    }
    let mut name = [0_u16; 64];
    // SAFETY: `root` ends with a zero, `name` is as long as is said, all else is not wanted.
    let is_known = unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            name.as_mut_ptr(),
            name.len() as u32,
        )
    };
    if is_known == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(named(wide::until_zero(&name)))
}

/// File systems that Windows itself keeps on local disks, by the name that the volume gives.
fn named(name: String) -> FileSystem {
    const LOCAL: &[&str] = &["NTFS", "ReFS", "exFAT", "FAT32", "FAT"];
    match LOCAL.iter().find(|local| local.eq_ignore_ascii_case(&name)) {
        Some(local) => FileSystem::Local(local),
        None => FileSystem::RemoteOrUnknown(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_file_systems_of_local_disks_are_local() {
        assert_eq!(named("ntfs".to_owned()), FileSystem::Local("NTFS"));
        for name in ["CDFS", "VBoxSharedFolderFS", "WinFsp", ""] {
            assert_eq!(named(name.to_owned()), FileSystem::RemoteOrUnknown(name.to_owned()));
        }
    }

    #[test]
    fn the_disk_of_the_temporary_directory_has_a_name_and_room() {
        let dir = tempfile::tempdir().unwrap();
        file_system(dir.path()).unwrap();
        assert!(free_space(dir.path()).unwrap() > 0);
        check_writable(dir.path()).unwrap();
        assert!(check_writable(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn two_files_have_two_identities_and_two_names_of_one_have_one() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        std::fs::write(&first, "").unwrap();
        std::fs::write(&second, "").unwrap();
        assert_ne!(identity(&first).unwrap(), identity(&second).unwrap());
        assert_eq!(identity(&first).unwrap(), identity_of(&File::open(&first).unwrap()).unwrap());
        assert_ne!(identity(dir.path()).unwrap(), identity(&first).unwrap());
    }
}
