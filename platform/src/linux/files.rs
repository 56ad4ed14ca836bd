//! files: see `crate::files`.

pub use crate::unix::files::*;

use crate::files::FileSystem;
use crate::unix;
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A path as the kernel takes it.
#[derive(Debug)]
pub struct PreparedPath {
    base: PathBuf,
    /// Each step of a path costs about 0.1 us: those down to here are taken once.
    directory: Option<OwnedFd>,
    rest: CString,
    whole: unix::files::PreparedPath,
}

impl PreparedPath {
    pub fn new(base: &Path, rest: &Path) -> io::Result<Self> {
        let whole = unix::files::PreparedPath::new(base, rest)?;
        let rest = CString::new(rest.as_os_str().as_bytes())?;
        let base = if base.as_os_str().is_empty() { Path::new(".") } else { base }.to_owned();
        let mut path = Self { base, directory: None, rest, whole };
        path.follow();
        Ok(path)
    }

    pub fn follow(&mut self) {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let directory = OpenOptions::new().read(true).custom_flags(flags).open(&self.base);
        self.directory = directory.ok().map(OwnedFd::from);
    }

    /// Asks for no more than the identity. From Linux 6.13 on, who asks for a file's times makes the next
    /// write to it take the time anew and change the inode with it, which costs more than the question.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let Some(directory) = &self.directory else { return self.whole.identity() };
        let mut answer = MaybeUninit::<libc::statx>::zeroed();
        // By number: musl has no such function before 1.2.5.
        // SAFETY: the descriptor is open, the path NUL-terminated and `answer` a writable `statx`; all
        // outlive the call.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_statx,
                directory.as_raw_fd(),
                self.rest.as_ptr(),
                libc::AT_STATX_SYNC_AS_STAT,
                libc::STATX_INO,
                answer.as_mut_ptr(),
            )
        };
        // SAFETY: it was zeroed and holds integers only, so every bit pattern is one.
        let answer = unsafe { answer.assume_init() };
        if outcome != 0 || answer.stx_mask & libc::STATX_INO == 0 {
            // Kernels before 4.11 and some sandboxes have no such call; the answer of `stat` is final.
            return self.whole.identity();
        }
        Ok((libc::makedev(answer.stx_dev_major, answer.stx_dev_minor), answer.stx_ino))
    }
}

pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let one = CString::new(one.as_os_str().as_bytes())?;
    let other = CString::new(other.as_os_str().as_bytes())?;
    // By number: musl has no such function before 1.2.6.
    // SAFETY: both paths are NUL-terminated and outlive the call.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Marks all descriptors from `first` on, so that `exec` closes them; false where the kernel has no such call
/// (Linux before 5.11) and `/proc` does not list them. Safe between fork and exec.
#[cfg(any(feature = "process", feature = "service"))]
pub fn mark_all_from(first: libc::c_int) -> bool {
    close_range(first, libc::CLOSE_RANGE_CLOEXEC) || mark_listed_from(first)
}

/// Closes all descriptors from `first` on; false before Linux 5.9.
#[cfg(feature = "service")]
pub fn close_all_from(first: libc::c_int) -> bool {
    close_range(first, 0)
}

#[cfg(any(feature = "process", feature = "service"))]
fn close_range(first: libc::c_int, flags: libc::c_uint) -> bool {
    let (first, last) = (first as libc::c_uint, libc::c_uint::MAX);
    // By number: musl has no such function.
    // SAFETY: takes three numbers and touches no memory. What it closes or marks is the caller's concern.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) == 0 }
}

/// Marks what `/proc/self/fd` lists, without the allocations of `opendir`.
#[cfg(any(feature = "process", feature = "service"))]
fn mark_listed_from(first: libc::c_int) -> bool {
    /// Where the name begins in a `struct linux_dirent64`, after two numbers of 8 bytes, and its length
    /// of 2 and its type of 1.
    const NAME: usize = 19;
    // SAFETY: the path is NUL-terminated.
    let list = unsafe { libc::open(c"/proc/self/fd".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if list < 0 {
        return false;
    }
    let mut buffer = [0u8; 2048];
    let is_complete = loop {
        // SAFETY: the descriptor is open; the buffer is as long as is said and lives through the call.
        let length =
            unsafe { libc::syscall(libc::SYS_getdents64, list, buffer.as_mut_ptr(), buffer.len()) };
        let Ok(length @ 1..) = usize::try_from(length) else { break length == 0 };
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some(&[low, high]) = rest.get(16..18) {
            let size = usize::from(u16::from_ne_bytes([low, high]));
            let name = rest.get(NAME..size).unwrap_or_default();
            let digits = name.iter().take_while(|byte| byte.is_ascii_digit());
            let number = digits.fold(0, |number: libc::c_int, digit| {
                number.wrapping_mul(10).wrapping_add(libc::c_int::from(digit - b'0'))
            });
            if number >= first {
                crate::unix::descriptors::mark(number);
            }
            rest = rest.get(size.max(1)..).unwrap_or_default();
        }
    };
    // SAFETY: it is open and ours.
    unsafe { libc::close(list) };
    is_complete
}

pub fn coarse_time() -> Duration {
    monotonic_time(libc::CLOCK_MONOTONIC_COARSE)
}

pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    // The type of `f_type` and its sign differ between libcs; the number has 32 bits everywhere.
    Ok(name_of(statfs(path)?.f_type as u32))
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
            let path = PreparedPath::new(Path::new(""), Path::new(path)).unwrap();
            let (short, full) = (path.identity(), path.whole.identity());
            assert_eq!(short.map_err(|e| e.kind()), full.map_err(|e| e.kind()), "{path:?}");
        }
        let prepared = PreparedPath::new(Path::new("/dev"), Path::new("null")).unwrap();
        assert_eq!(prepared.identity().unwrap(), identity(Path::new("/dev/null")).unwrap());
    }

    #[cfg(feature = "process")]
    #[test]
    fn old_kernels_list_all_descriptors() {
        use std::os::fd::FromRawFd as _;
        let file = tempfile::tempfile().unwrap();
        let is_marked = |descriptor| {
            // SAFETY: F_GETFD only asks.
            unsafe { libc::fcntl(descriptor, libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
        };
        // More than one buffer of the kernel's answer; out of the way of the other tests' descriptors.
        let first = 500;
        let copies: Vec<_> = (first..first + 150)
            .map(|least| {
                // SAFETY: makes a new descriptor, without the mark, that is ours.
                unsafe {
                    let copy = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, least);
                    OwnedFd::from_raw_fd(copy)
                }
            })
            .collect();
        assert!(copies.iter().all(|copy| !is_marked(copy.as_raw_fd())));
        assert!(mark_listed_from(first));
        assert!(copies.iter().all(|copy| is_marked(copy.as_raw_fd())));
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
