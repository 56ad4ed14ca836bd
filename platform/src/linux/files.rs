//! files: see `crate::files`.

use std::ffi::CString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;
use std::time::Duration;

use crate::files::FileSystem;

pub fn device_and_inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| device_and_inode(&metadata))
}

/// A path as the kernel takes it.
#[derive(Debug)]
pub struct PreparedPath(CString);

impl PreparedPath {
    pub fn new(path: &Path) -> io::Result<Self> {
        Ok(Self(CString::new(path.as_os_str().as_bytes())?))
    }

    /// Asks for no more than the identity. From Linux 6.13 on, who asks for a file's times makes the next
    /// write to it take the time anew and change the inode with it, which costs more than the question.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let mut answer = MaybeUninit::<libc::statx>::zeroed();
        // By number: musl has no such function before 1.2.5.
        // SAFETY: the path is NUL-terminated and `answer` a writable `statx`; both outlive the call.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_statx,
                libc::AT_FDCWD,
                self.0.as_ptr(),
                libc::AT_STATX_SYNC_AS_STAT,
                libc::STATX_INO,
                answer.as_mut_ptr(),
            )
        };
        // SAFETY: it was zeroed and holds integers only, so every bit pattern is one.
        let answer = unsafe { answer.assume_init() };
        if outcome != 0 || answer.stx_mask & libc::STATX_INO == 0 {
            // Kernels before 4.11 and some sandboxes have no such call; the answer of `stat` is final.
            return self.identity_with_stat();
        }
        Ok((libc::makedev(answer.stx_dev_major, answer.stx_dev_minor), answer.stx_ino))
    }

    fn identity_with_stat(&self) -> io::Result<(u64, u64)> {
        let mut answer = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the path is NUL-terminated and `answer` a writable `stat`; both outlive the call.
        if unsafe { libc::stat(self.0.as_ptr(), answer.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `stat` returned 0, so it filled in `answer`.
        let answer = unsafe { answer.assume_init() };
        Ok((answer.st_dev, answer.st_ino))
    }
}

pub fn coarse_time() -> Duration {
    let mut answer = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `answer` is a writable `timespec` that outlives the call. On failure, which a clock that
    // Linux has had since 2.6.32 knows no reason for, it stays 0.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut answer) };
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
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `answer` a writable `statvfs`; both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: `statvfs` returned 0, so it filled in `answer`.
    let answer = unsafe { answer.assume_init() };
    // One without blocks (in memory, without a limit) has nothing to count. The types differ between libcs.
    #[allow(clippy::unnecessary_cast)]
    let free = (answer.f_bavail as u64).saturating_mul(answer.f_frsize as u64);
    (answer.f_blocks > 0).then_some(free)
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

pub fn is_readable_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o044 != 0)
}

pub fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

pub fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut answer = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `path` is a NUL-terminated string and `answer` a writable `statfs`; both outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `statfs` returned 0, so it filled in `answer`.
    let magic = unsafe { answer.assume_init() }.f_type;
    // The type of `f_type` and its sign differ between libcs; the number has 32 bits everywhere.
    Ok(name_of(magic as u32))
}

/// Magic numbers of `statfs(2)` and `linux/magic.h`.
fn name_of(magic: u32) -> FileSystem {
    let local = match magic {
        0xef53 => "ext",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0xf2f5_2010 => "f2fs",
        0x2fc1_2fc1 => "zfs",
        0xca45_1a4e => "bcachefs",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0x794c_7630 => "overlay",
        0xf15f => "ecryptfs",
        0x3153_464a => "jfs",
        0x5265_4973 => "reiserfs",
        0x3434 => "nilfs",
        0x0001_1954 => "ufs",
        0x4d44 => "vfat",
        0x2011_bab0 => "exfat",
        0x7366_746e => "ntfs3",
        0x2405_1905 => "ubifs",
        0x72b6 => "jffs2",
        _ => {
            return FileSystem::RemoteOrUnknown(match remote_name(magic) {
                Some(name) => name.to_owned(),
                None => format!("unknown type {magic:#x}"),
            });
        }
    };
    FileSystem::Local(local)
}

/// Names for messages only: whatever is not local gets no store.
fn remote_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x517b => "smb",
        0x0102_1997 => "9p",
        0x6573_5546 => "fuse",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x7461_636f => "ocfs2",
        0x0116_1970 => "gfs2",
        0x7375_7245 => "coda",
        0x786f_4256 => "vboxsf",
        0x4750_4653 => "gpfs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_ask_name_the_same_file() {
        for path in ["/", "/proc/self/status", "/dev/null", file!()] {
            let path = PreparedPath::new(Path::new(path)).unwrap();
            let (short, full) = (path.identity(), path.identity_with_stat());
            assert_eq!(short.map_err(|e| e.kind()), full.map_err(|e| e.kind()), "{path:?}");
        }
        let metadata = std::fs::metadata("/dev/null").unwrap();
        let path = PreparedPath::new(Path::new("/dev/null")).unwrap();
        assert_eq!(path.identity().unwrap(), device_and_inode(&metadata));
    }

    #[test]
    fn local_disks_memory_and_overlays_are_local() {
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert!(matches!(name_of(magic), FileSystem::Local(_)), "{magic:#x}");
        }
    }

    #[test]
    fn network_user_space_and_unheard_of_file_systems_are_not_local() {
        for (magic, name) in [(0x6969, "nfs"), (0x0102_1997, "9p"), (0x6573_5546, "fuse")] {
            assert_eq!(name_of(magic), FileSystem::RemoteOrUnknown(name.to_owned()));
        }
        assert_eq!(
            name_of(0x1234_5678),
            FileSystem::RemoteOrUnknown("unknown type 0x12345678".to_owned())
        );
    }
}
