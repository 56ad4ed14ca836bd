//! How the life of the child is tied to ours.

use std::io;

/// Between fork and exec: this process dies when the thread that forked it does.
pub fn die_with(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both only read or end this process. A parent that died before the call above is
    // noticed here: getppid then names somebody else.
    unsafe {
        if libc::getppid() != parent {
            libc::_exit(128 + libc::SIGKILL);
        }
    }
    Ok(())
}

/// The child has dumped its core already, if anybody wants one.
pub fn forbid_core_dump() {
    // SAFETY: PR_SET_DUMPABLE takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
}
