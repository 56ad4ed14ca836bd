//! files: see `crate::files`. What is the same on every Unix.

#[cfg(feature = "lmdb")]
pub use super::descriptors::mark_all_of;

use super::owners;
use crate::files::Standing;
use std::ffi::CString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;
use std::time::Duration;

/// A lock keeps nobody from reading or renaming the file.
pub const LOCKS_ARE_ADVISORY: bool = true;

pub fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}

pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// A path as the kernel takes it.
#[derive(Debug)]
pub struct PreparedPath(CString);

impl PreparedPath {
    pub fn new(base: &Path, rest: &Path) -> io::Result<Self> {
        Ok(Self(CString::new(base.join(rest).into_os_string().into_vec())?))
    }

    // Linux has its own, which starts from an open directory.
    #[cfg(not(target_os = "linux"))]
    pub fn follow(&mut self) {}

    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let mut answer = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the path is NUL-terminated and `answer` a writable `stat`; both outlive the call.
        if unsafe { libc::stat(self.0.as_ptr(), answer.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `stat` returned 0, so it filled in `answer`.
        let answer = unsafe { answer.assume_init() };
        // macOS numbers devices with a sign; `std` extends it as this does.
        #[allow(clippy::unnecessary_cast)]
        Ok((answer.st_dev as u64, answer.st_ino))
    }
}

/// What a monotonic clock says; 0 where there is no such clock.
pub fn monotonic_time(clock: libc::clockid_t) -> Duration {
    let mut answer = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `answer` is a writable `timespec` that outlives the call. On failure it stays 0.
    unsafe { libc::clock_gettime(clock, &mut answer) };
    Duration::new(answer.tv_sec as u64, answer.tv_nsec as u32)
}

pub fn check_writable(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let wanted = libc::W_OK | libc::X_OK;
    // SAFETY: `path` is a NUL-terminated string that outlives the call.
    match unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), wanted, libc::AT_EACCESS) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn free_space(path: &Path) -> Option<u64> {
    let answer = statvfs(path)?;
    // One without blocks (in memory, without a limit) has nothing to count. The types differ between libcs.
    #[allow(clippy::unnecessary_cast)]
    let free = (answer.f_bavail as u64).saturating_mul(answer.f_frsize as u64);
    (answer.f_blocks > 0).then_some(free)
}

pub fn free_files(path: &Path) -> Option<u64> {
    let answer = statvfs(path)?;
    // One that makes inodes as it needs them has none to count.
    #[allow(clippy::unnecessary_cast)]
    (answer.f_files > 0).then_some(answer.f_favail as u64)
}

fn statvfs(path: &Path) -> Option<libc::statvfs> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `answer` a writable `statvfs`; both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: `statvfs` returned 0, so it filled in `answer`.
    Some(unsafe { answer.assume_init() })
}

pub fn create_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // The file stands in for another: it gets that one's mode whatever the umask is.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

pub fn take_after(path: &Path, model: &Metadata) -> io::Result<()> {
    let own = std::fs::symlink_metadata(path)?;
    let mut mode = model.mode() & 0o777;
    if (own.uid(), own.gid()) != (model.uid(), model.gid())
        && std::os::unix::fs::chown(path, Some(model.uid()), Some(model.gid())).is_err()
    {
        // Without the old group, its rights would go to another one.
        mode &= 0o707;
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

pub fn make_private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

pub fn mode_for_others(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
    (mode & 0o044 != 0).then_some(mode)
}

pub const HAS_OWNERS: bool = true;

pub fn standing(path: &Path) -> io::Result<Standing> {
    let found = std::fs::symlink_metadata(path)?;
    let (mode, is_link) = (found.mode(), found.is_symlink());
    let by_group = mode & 0o020 != 0 && !is_link && !owners::is_private(found.gid());
    Ok(Standing {
        is_link,
        owner: owners::owner(found.uid()),
        others_write: mode & 0o002 != 0 || by_group,
        is_sticky: mode & 0o1000 != 0,
    })
}

pub fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// What `statfs` says of the file system of `path`.
pub fn statfs(path: &Path) -> io::Result<libc::statfs> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `answer` a writable `statfs`; both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `statfs` returned 0, so it filled in `answer`.
    Ok(unsafe { answer.assume_init() })
}
