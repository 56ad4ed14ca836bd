//! Which open files a child of this process gets: 0, 1 and 2.
//!
//! One rule: every other descriptor closes at `exec`, whoever opened it. The mark is set twice: on what we
//! open, when it is opened, and in every child of ours, between fork and exec, on all there is.

#[cfg(feature = "service")]
use std::sync::atomic::{AtomicU64, Ordering};

/// The first descriptor that is not a standard stream.
#[cfg(any(feature = "process", feature = "service"))]
const FIRST: libc::c_int = libc::STDERR_FILENO + 1;

/// Where the system tells no better, descriptors up to here are looked at.
#[cfg(any(feature = "process", feature = "service"))]
const MOST: libc::rlim_t = 65_536;

/// Between fork and exec: marks all descriptors but the standard streams, so that `exec` closes them. (They
/// are not closed here: `std` tells through one of them when `exec` fails.)
#[cfg(any(feature = "process", feature = "service"))]
pub fn keep_from_exec() {
    if !crate::backend::files::mark_all_from(FIRST) {
        mark_each();
    }
    // After the marks: they go up to the limit.
    #[cfg(feature = "service")]
    lower();
}

/// One call for each descriptor there may be.
#[cfg(any(feature = "process", feature = "service"))]
fn mark_each() {
    (FIRST..highest()).for_each(mark);
}

/// The limit that [`raise`] found; 0 before that.
#[cfg(feature = "service")]
static FOUND: AtomicU64 = AtomicU64::new(0);

/// How many files this process may open.
#[cfg(feature = "service")]
pub fn files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is writable and lives through the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur
}

/// Raises the soft limit of files to `most`, or to the hard limit; what it is then. It is never lowered.
#[cfg(feature = "service")]
pub fn raise(most: u64) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is writable, and lives through the calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return None;
        }
        let (found, wanted) = (limit.rlim_cur, most.min(limit.rlim_max));
        if found >= wanted {
            return Some(found);
        }
        limit.rlim_cur = wanted;
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
            return Some(found);
        }
        FOUND.store(found, Ordering::Relaxed);
    }
    Some(limit.rlim_cur)
}

/// Between fork and exec: the limit of files that this process was started with, or a child that looks at each
/// file up to its limit takes long, and one that uses `select` breaks.
#[cfg(feature = "service")]
fn lower() {
    let found = FOUND.load(Ordering::Relaxed);
    if found == 0 {
        return;
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls are safe between fork and exec; the limit lives through them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = found;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

#[cfg(any(feature = "process", feature = "service"))]
fn highest() -> libc::c_int {
    let mut limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
    // SAFETY: the limit is writable and lives through the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur.min(MOST) as libc::c_int
}

/// Closes all descriptors but the standard streams: for a process that never runs `exec`.
#[cfg(feature = "service")]
pub fn close_all() {
    if crate::backend::files::close_all_from(FIRST) {
        return;
    }
    for descriptor in FIRST..highest() {
        // SAFETY: nothing of this process uses them any more.
        unsafe { libc::close(descriptor) };
    }
}

/// Safe between fork and exec; on a closed descriptor it does nothing.
pub fn mark(descriptor: libc::c_int) {
    // SAFETY: fcntl with these commands touches no memory.
    unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFD);
        if flags != -1 && flags & libc::FD_CLOEXEC == 0 {
            libc::fcntl(descriptor, libc::F_SETFD, flags | libc::FD_CLOEXEC);
        }
    }
}

/// Marks every descriptor of `file`, whoever opened it: a library that we use opens one without the mark.
#[cfg(feature = "lmdb")]
pub fn mark_all_of(file: &std::fs::File) {
    use super::files::identity_of;
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd as _;

    let Ok(wanted) = identity_of(file) else { return };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let numbers: Vec<libc::c_int> = match std::fs::read_dir("/dev/fd") {
        Ok(names) => names.flatten().filter_map(number).collect(),
        Err(_) => (0..1024).collect(),
    };
    for descriptor in numbers.into_iter().filter(|number| *number > libc::STDERR_FILENO) {
        // SAFETY: it is never closed through this value; where it is no longer open, asking for its
        // identity fails.
        let open = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(descriptor) });
        if identity_of(&open).is_ok_and(|found| found == wanted) {
            mark(descriptor);
        }
    }
}

#[cfg(all(test, feature = "lmdb"))]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    fn is_marked(descriptor: libc::c_int) -> bool {
        // SAFETY: F_GETFD only asks.
        unsafe { libc::fcntl(descriptor, libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
    }

    #[test]
    fn every_descriptor_of_a_file_is_marked_and_no_other() {
        let mut unmarked = Vec::new();
        let (one, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        for file in [&one, &one, &other] {
            // SAFETY: the descriptor is open; `dup` gives a new one, without the mark, that is ours.
            let copy = unsafe { std::fs::File::from_raw_fd(libc::dup(file.as_raw_fd())) };
            assert!(!is_marked(copy.as_raw_fd()));
            unmarked.push(copy);
        }
        mark_all_of(&one);
        let marked: Vec<_> = unmarked.iter().map(|file| is_marked(file.as_raw_fd())).collect();
        assert_eq!(marked, [true, true, false]);
    }
}
