//! How the life of the child is tied to ours: by its pipes only.

use std::io;

/// macOS has no signal for the death of a parent: a child of a tap that was killed sees the end of its
/// standard input and a closed standard output.
pub fn die_with(_parent: libc::pid_t) -> io::Result<()> {
    Ok(())
}

/// The child has dumped its core already, if anybody wants one.
pub fn forbid_core_dump() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is initialised and lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}
