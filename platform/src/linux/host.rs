//! host: see `crate::host`. Everything comes from `/proc`, three system calls and `/etc/passwd`.

pub use crate::unix::host::{has_stderr, host_name, os_release, parent_id, read_bounded, user_id};

use crate::host::{MAX_ANCESTORS, MAX_ENVIRONMENT_BYTES, MAX_HOPS, User, VariableVisitor};
use crate::unix::host::{each_variable, fill, fill_growing, full_name, text};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// `/proc/self/cgroup` has one line per hierarchy.
const MAX_CGROUP_BYTES: usize = 64 * 1024;
/// A node that runs many containers has thousands of mounts; ours are among the first.
const MAX_MOUNTINFO_BYTES: usize = 4 * 1024 * 1024;
/// Larger than the user database of any machine that keeps it in a file.
const MAX_PASSWD_BYTES: usize = 4 * 1024 * 1024;

pub fn process_name(pid: u32) -> Option<String> {
    let mut name = read_bounded(Path::new(&format!("/proc/{pid}/comm")), 256).ok()?;
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    Some(text(name))
}

pub fn has_controlling_terminal() -> bool {
    has_terminal("self")
}

fn has_terminal(pid: &str) -> bool {
    field_of(pid, TERMINAL).is_some_and(|terminal| terminal != 0)
}

/// A session and its controlling terminal go together: of each session one process is asked. `None` for a session
/// whose leader is outside of this PID namespace; those are not told apart.
fn session_of(pid: u32) -> Option<libc::pid_t> {
    // SAFETY: takes a number and touches no memory.
    let session = unsafe { libc::getsid(pid.try_into().ok()?) };
    Some(session).filter(|&session| session > 0)
}

pub fn visit_ancestors(visit: VariableVisitor<'_>, terminal: &mut Option<usize>) -> bool {
    let Some(me) = user_id() else { return false };
    let Some(mut pid) = parent_id() else {
        // The first process of a PID namespace has no ancestors to read; that is not a refusal.
        return Path::new("/proc/self").exists();
    };
    // Grown when one does not fit: touching megabytes costs more than all the rest.
    let mut environment = vec![0; 32 << 10];
    let (mut ancestors, mut read, mut walked) = (0, 0, false);
    // This process's own has none, or there is nothing to look for.
    let mut session = session_of(0);
    for _ in 0..MAX_HOPS {
        let Some(process) = asked_of_the_kernel(pid).or_else(|| read_in_proc(pid)) else { break };
        if process.user == me {
            ancestors += 1;
            if terminal.is_none() {
                let asked = std::mem::replace(&mut session, session_of(pid));
                if (session.is_none() || session != asked) && has_terminal(&pid.to_string()) {
                    *terminal = Some(ancestors);
                }
            }
            if let Some(length) = read_environment(pid, &mut environment) {
                read += 1;
                each_variable(&environment[..length], |name, value| visit(ancestors, name, value));
            }
            if ancestors == MAX_ANCESTORS {
                walked = true;
                break;
            }
        }
        let Some(parent) = process.parent else { break };
        walked = true;
        if parent == 0 {
            break;
        }
        pid = parent;
    }
    read > 0 || (walked && ancestors == 0)
}

fn read_environment(pid: u32, buffer: &mut Vec<u8>) -> Option<usize> {
    let mut file = File::open(format!("/proc/{pid}/environ")).ok()?;
    fill_growing(&mut file, buffer, MAX_ENVIRONMENT_BYTES).ok()
}

/// What the walk has to know of a process.
#[derive(Debug, PartialEq)]
struct Process {
    /// Its effective user.
    user: u32,
    /// 0 is a parent outside of this PID namespace.
    parent: Option<u32>,
}

/// In a quarter of the time that `/proc` takes, which prints fifty numbers to tell one. `None` before
/// Linux 6.13, or where a sandbox forbids it.
fn asked_of_the_kernel(pid: u32) -> Option<Process> {
    // SAFETY: takes two numbers and touches no memory.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0) };
    let opened = RawFd::try_from(opened).ok().filter(|&fd| fd >= 0)?;
    // SAFETY: the kernel has just made this descriptor, close-on-exec, for us alone.
    let process = unsafe { OwnedFd::from_raw_fd(opened) };
    let told = u64::from(libc::PIDFD_INFO_PID | libc::PIDFD_INFO_CREDS);
    // SAFETY: pidfd_info is numbers; all zeroes is a valid value.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = told;
    // SAFETY: `info` lives through the call, and the request says how large it is.
    let failed = unsafe { libc::ioctl(process.as_raw_fd(), libc::PIDFD_GET_INFO, &mut info) } != 0;
    let complete = !failed && info.mask & told == told;
    complete.then_some(Process { user: info.euid, parent: Some(info.ppid) })
}

fn read_in_proc(pid: u32) -> Option<Process> {
    // The directory, not a file in it: its owner is the effective user even where a process that is
    // not dumpable hands its files to root.
    let user = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    Some(Process { user, parent: parent_of(pid) })
}

/// Behind the name of a process in its `stat`, from 0: its parent.
const PARENT: usize = 1;
/// The device number of its controlling terminal, 0 without one.
const TERMINAL: usize = 4;

fn parent_of(pid: u32) -> Option<u32> {
    field_of(&pid.to_string(), PARENT)?.try_into().ok()
}

fn field_of(pid: &str, number: usize) -> Option<i64> {
    let mut buffer = [0; 1024];
    let length = fill(&mut File::open(format!("/proc/{pid}/stat")).ok()?, &mut buffer).ok()?;
    field_in_stat(&buffer[..length], number)
}

/// `1234 (a name) of) any kind) S 1000 ..`: only numbers follow the state behind the last parenthesis.
fn field_in_stat(stat: &[u8], number: usize) -> Option<i64> {
    let after_name = stat.iter().rposition(|&byte| byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    fields.split_ascii_whitespace().nth(number)?.parse().ok()
}

pub fn user() -> Option<User> {
    let passwd = read_bounded(Path::new("/etc/passwd"), MAX_PASSWD_BYTES).ok()?;
    user_in_passwd(&passwd, user_id()?)
}

/// `name:password:uid:gid:comment:home:shell`, the first line of this user.
fn user_in_passwd(passwd: &[u8], uid: u32) -> Option<User> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id: u32 = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        let comment = fields.nth(1)?;
        let home = fields.next()?;
        (id == uid).then(|| User {
            name: text(name.to_vec()),
            full_name: full_name(comment),
            home: text(home.to_vec()),
        })
    })
}

pub fn display_socket() -> Option<String> {
    let me = user_id()?;
    wayland_socket(&format!("/run/user/{me}"), me).or_else(|| x_socket("/tmp/.X11-unix", me))
}

fn wayland_socket(directory: &str, me: u32) -> Option<String> {
    own_socket(directory, me, |name| name.starts_with(b"wayland-") && !name.ends_with(b".lock"))
}

fn x_socket(directory: &str, me: u32) -> Option<String> {
    own_socket(directory, me, |name| match name.strip_prefix(b"X") {
        Some(number) => !number.is_empty() && number.iter().all(u8::is_ascii_digit),
        None => false,
    })
}

/// The first such socket of this user; a lock, a left-over file or another user's is none.
fn own_socket(directory: &str, me: u32, is_display: impl Fn(&[u8]) -> bool) -> Option<String> {
    fs::read_dir(directory).ok()?.flatten().find_map(|entry| {
        if !is_display(entry.file_name().as_bytes()) {
            return None;
        }
        let metadata = fs::symlink_metadata(entry.path()).ok()?;
        let ours = metadata.file_type().is_socket() && metadata.uid() == me;
        ours.then(|| entry.path().to_string_lossy().into_owned())
    })
}

pub fn seconds_after_parent() -> Option<u64> {
    None
}

pub fn cgroup() -> Option<String> {
    read_bounded(Path::new("/proc/self/cgroup"), MAX_CGROUP_BYTES).ok().map(text)
}

pub fn mountinfo() -> Option<String> {
    read_bounded(Path::new("/proc/self/mountinfo"), MAX_MOUNTINFO_BYTES).ok().map(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_parent_is_found_behind_any_process_name() {
        for name in ["sh", "a b", "a) S 7 (b", "(sd-pam)", ")))"] {
            let stat = format!("1234 ({name}) S 1000 1234 1234 0 -1 4194560 0");
            assert_eq!(field_in_stat(stat.as_bytes(), PARENT), Some(1000), "{name}");
        }
        let on_a_terminal = b"1234 (a) 0 b) S 1000 1234 1234 34816 -1 4194560 0";
        assert_eq!(field_in_stat(on_a_terminal, TERMINAL), Some(34816));
        assert_eq!(field_in_stat(b"1234 (sh) S 1000 1234 1234 0 -1", TERMINAL), Some(0));
        assert_eq!(field_in_stat(b"1234 (sh) S 1000 1234 1234", TERMINAL), None);
        assert_eq!(field_in_stat(b"", PARENT), None);
        assert_eq!(field_in_stat(b"1 (x)", PARENT), None);
    }

    #[test]
    fn the_kernel_and_proc_tell_the_same_of_a_process() {
        let me = std::process::id();
        let parent = Some(std::os::unix::process::parent_id());
        let read = read_in_proc(me).unwrap();
        assert_eq!(read, Process { user: user_id().unwrap(), parent });
        for pid in [me, 1, read.parent.unwrap()] {
            if let Some(asked) = asked_of_the_kernel(pid) {
                assert_eq!(Some(asked), read_in_proc(pid), "{pid}");
            }
        }
        assert_eq!((asked_of_the_kernel(0), read_in_proc(0)), (None, None));
        assert_eq!((asked_of_the_kernel(u32::MAX), read_in_proc(u32::MAX)), (None, None));
    }

    #[test]
    fn the_first_passwd_line_of_the_user_counts() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken\n:x:7:7::/x:\ntim:x:1000:1000:T B,x,:/home/tim:/bin/sh\nalias:x:1000:1000::/other:/bin/sh";
        let tim = user_in_passwd(passwd, 1000).unwrap();
        assert_eq!((tim.name.as_str(), tim.home.as_str()), ("tim", "/home/tim"));
        assert_eq!(tim.full_name, "T B");
        assert!(user_in_passwd(passwd, 7).is_none());
        assert!(user_in_passwd(passwd, 42).is_none());
    }

    #[test]
    fn only_sockets_of_this_user_are_displays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        let me = user_id().unwrap();
        fs::write(dir.path().join("wayland-0"), "").unwrap();
        fs::write(dir.path().join("X0"), "").unwrap();
        let _lock = UnixListener::bind(dir.path().join("wayland-1.lock")).unwrap();
        let _not_a_display = UnixListener::bind(dir.path().join("X1_")).unwrap();
        assert_eq!((wayland_socket(path, me), x_socket(path, me)), (None, None));
        let _wayland = UnixListener::bind(dir.path().join("wayland-7")).unwrap();
        let _x = UnixListener::bind(dir.path().join("X7")).unwrap();
        assert_eq!(wayland_socket(path, me), Some(format!("{path}/wayland-7")));
        assert_eq!(x_socket(path, me), Some(format!("{path}/X7")));
        assert_eq!((wayland_socket(path, me + 1), x_socket(path, me + 1)), (None, None));
    }
}
