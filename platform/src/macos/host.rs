//! host: see `crate::host`. `sysctl`, `proc_pidinfo` and the user database; no process is ever started.

pub use crate::unix::host::{has_stderr, host_name, os_release, parent_id, read_bounded, user_id};

use super::process_arguments;
use crate::host::{MAX_ANCESTORS, MAX_HOPS, User, VariableVisitor};
use crate::unix::host::{each_variable, full_name, text};
use std::ffi::CStr;
use std::mem::{MaybeUninit, size_of};
use std::ptr;

pub fn process_name(pid: u32) -> Option<String> {
    let info = info_of(pid)?;
    // The long name is not set for every process.
    let name =
        [info.pbi_name.as_slice(), info.pbi_comm.as_slice()].into_iter().find_map(|name| {
            let bytes: Vec<u8> =
                name.iter().map(|&c| c.to_ne_bytes()[0]).take_while(|&byte| byte != 0).collect();
            (!bytes.is_empty()).then_some(bytes)
        })?;
    Some(text(name))
}

fn info_of(pid: u32) -> Option<libc::proc_bsdinfo> {
    let pid = libc::c_int::try_from(pid).ok()?;
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::uninit();
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    // SAFETY: `info` is writable, as long as is said, and outlives the call.
    let filled = unsafe {
        libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size)
    };
    // SAFETY: the call filled in all of it.
    (filled == size).then(|| unsafe { info.assume_init() })
}

/// Each macOS counts as a person's: nothing depends on a terminal there.
pub fn has_controlling_terminal() -> bool {
    false
}

pub fn visit_ancestors(visit: VariableVisitor<'_>, _terminal: &mut Option<usize>) -> bool {
    let Some(me) = user_id() else { return false };
    let Some(mut pid) = parent_id() else { return false };
    let (mut ancestors, mut read, mut walked) = (0, 0, false);
    for _ in 0..MAX_HOPS {
        let Some(info) = info_of(pid) else { break };
        // `launchd` is everybody's, and root's.
        if info.pbi_uid == me && pid != 1 {
            ancestors += 1;
            if let Some(answer) = arguments_of(pid) {
                // Processes that the system protects show their arguments only.
                if let Some(environment) = process_arguments::environment(&answer)
                    && !environment.is_empty()
                {
                    read += 1;
                    each_variable(environment, |name, value| visit(ancestors, name, value));
                }
            }
            if ancestors == MAX_ANCESTORS {
                walked = true;
                break;
            }
        }
        walked = true;
        if info.pbi_ppid == 0 || info.pbi_ppid == pid {
            break;
        }
        pid = info.pbi_ppid;
    }
    read > 0 || (walked && ancestors == 0)
}

/// What the kernel tells of the start of a process of this user.
fn arguments_of(pid: u32) -> Option<Vec<u8>> {
    let pid = libc::c_int::try_from(pid).ok()?;
    let mut answer = vec![0_u8; longest_arguments()];
    let mut length = answer.len();
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    // SAFETY: `name` has three parts, `answer` is as long as `length` says, and all outlive the call.
    let outcome = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            answer.as_mut_ptr().cast(),
            &mut length,
            ptr::null_mut(),
            0,
        )
    };
    answer.truncate(length);
    (outcome == 0).then_some(answer)
}

/// Bytes of arguments and environment that a process may be started with (one MiB on every version so
/// far); asked for less, the kernel answers with the end of them instead of the beginning.
fn longest_arguments() -> usize {
    let (mut longest, mut length) = (0 as libc::c_int, size_of::<libc::c_int>());
    let mut name = [libc::CTL_KERN, libc::KERN_ARGMAX];
    // SAFETY: `name` has two parts, `longest` is as long as `length` says, and all outlive the call.
    let outcome = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            name.len() as libc::c_uint,
            ptr::from_mut(&mut longest).cast(),
            &mut length,
            ptr::null_mut(),
            0,
        )
    };
    match usize::try_from(longest) {
        Ok(longest) if outcome == 0 && longest > 0 => longest,
        _ => 1 << 20,
    }
}

pub fn user() -> Option<User> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut strings = vec![0 as libc::c_char; 16 << 10];
    let mut found = ptr::null_mut();
    // SAFETY: `entry` and `found` are writable, `strings` is as long as is said, and all outlive the call.
    let outcome = unsafe {
        libc::getpwuid_r(
            user_id()?,
            entry.as_mut_ptr(),
            strings.as_mut_ptr(),
            strings.len(),
            &mut found,
        )
    };
    if outcome != 0 || found.is_null() {
        return None;
    }
    // SAFETY: `found` points to `entry`, which is filled in; its texts lie in `strings` and end with a zero.
    let (name, comment, home) = unsafe {
        let entry = entry.assume_init();
        let comment = if entry.pw_gecos.is_null() { c"" } else { CStr::from_ptr(entry.pw_gecos) };
        (CStr::from_ptr(entry.pw_name), comment, CStr::from_ptr(entry.pw_dir))
    };
    Some(User {
        name: text(name.to_bytes().to_vec()),
        full_name: full_name(comment.to_bytes()),
        home: text(home.to_bytes().to_vec()),
    })
}

pub fn display_socket() -> Option<String> {
    None
}

pub fn cgroup() -> Option<String> {
    None
}

pub fn mountinfo() -> Option<String> {
    None
}

pub fn seconds_after_parent() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_environment_is_read_as_it_was_started() {
        let mut child = std::process::Command::new("/usr/bin/env")
            .args(["sleep", "60"])
            .env("MCPPROXY_TEST_MARK", "x=y")
            .spawn()
            .unwrap();
        let mut seen = None;
        if let Some(answer) = arguments_of(child.id()) {
            each_variable(process_arguments::environment(&answer).unwrap(), |name, value| {
                if name == b"MCPPROXY_TEST_MARK" {
                    seen = Some(value.to_vec());
                }
            });
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen.as_deref(), Some(b"x=y".as_slice()));
    }

    #[test]
    fn this_process_and_its_user_have_names() {
        assert!(process_name(std::process::id()).is_some());
        assert!(!user().unwrap().name.is_empty());
    }
}
