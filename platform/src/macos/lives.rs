//! How the life of the child is tied to ours: by its pipes only.

#[cfg(feature = "process")]
use std::io;

/// macOS has no signal for the death of a parent: a child of a tap that was killed sees the end of its
/// standard input and a closed standard output.
#[cfg(feature = "process")]
pub fn die_with(_parent: libc::pid_t) -> io::Result<()> {
    Ok(())
}

/// The child has dumped its core already, if anybody wants one.
#[cfg(feature = "process")]
pub fn forbid_core_dump() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is initialised and lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
}

/// macOS names a process after its file.
#[cfg(feature = "service")]
pub fn be_called(_name: &std::ffi::CStr) {}

/// Whether a process of the group lives; what has ended and is not reaped does not.
#[cfg(feature = "service")]
pub fn is_group_alive(group: libc::pid_t) -> bool {
    /// `PROC_PGRP_ONLY` of `sys/proc_info.h`.
    const OF_GROUP: u32 = 2;
    let mut pids = [0 as libc::pid_t; 1024];
    let size = size_of_val(&pids) as libc::c_int;
    // SAFETY: the buffer is as long as is said and lives through the call.
    let length =
        unsafe { libc::proc_listpids(OF_GROUP, group as u32, pids.as_mut_ptr().cast(), size) };
    let count = usize::try_from(length).unwrap_or(0) / size_of::<libc::pid_t>();
    pids.iter().take(count).any(|pid| is_alive(*pid))
}

/// The system tells nothing of a process that has ended.
#[cfg(feature = "service")]
fn is_alive(pid: libc::pid_t) -> bool {
    // SAFETY: numbers only; all zeroes is a valid value.
    let mut info: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    let into = std::ptr::from_mut(&mut info).cast();
    // SAFETY: `info` is as long as is said and lives through the call.
    let length = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, into, size) };
    length == size && info.pbi_status != libc::SZOMB
}
