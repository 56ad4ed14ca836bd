//! How the life of the child is tied to ours.

#[cfg(feature = "process")]
use std::io;

/// Between fork and exec: this process dies when the thread that forked it does.
#[cfg(feature = "process")]
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
#[cfg(feature = "process")]
pub fn forbid_core_dump() {
    // SAFETY: PR_SET_DUMPABLE takes a number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
}

/// Gives this process another name in lists of processes.
#[cfg(feature = "service")]
pub fn be_called(name: &std::ffi::CStr) {
    // SAFETY: PR_SET_NAME reads a string that ends in NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Whether a process of the group lives; what has ended and is not reaped does not. Without `/proc` it is
/// taken to.
#[cfg(feature = "service")]
pub fn is_group_alive(group: libc::pid_t) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    processes.flatten().any(|process| {
        let path = process.path();
        let is_number =
            process.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        is_number
            && std::fs::read_to_string(path.join("stat")).is_ok_and(|stat| is_member(&stat, group))
    })
}

/// `pid (name) state parent group ..`; the name may hold anything.
#[cfg(feature = "service")]
fn is_member(stat: &str, group: libc::pid_t) -> bool {
    let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let is_over = matches!(fields.next(), None | Some("Z" | "X"));
    !is_over && fields.nth(1).and_then(|number| number.parse().ok()) == Some(group)
}
