//! The process that ends our groups when we could not.
//!
//! One rule: it knows the numbers of living groups and nothing else. It is forked before this process has
//! threads, never runs `exec`, never allocates, and ends with us.
//!
//! No signal of the kernel reaches a group when a process ends (Linux has one for a direct child). The
//! guardian sees the end of a socket instead, whose other end only we hold.

use std::os::fd::{AsRawFd as _, IntoRawFd as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// What it is told: a start, and the number of its group; the negative number once the group is no more,
/// whatever its start; 0 for a group that has not come into being.
type Message = [i32; 2];
const LENGTH: usize = size_of::<Message>();

/// As many groups are guarded.
const MOST: usize = 4096;
/// How long a group may take to end by itself, and once more when it was asked to.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// How long we wait for it at our own end.
const LAST: Duration = Duration::from_millis(300);

/// Our end of the socket; -1 without a guardian.
static SOCKET: AtomicI32 = AtomicI32::new(-1);

/// The guardian, as long as it is wanted.
#[derive(Debug)]
pub struct Guard;

/// Starts the guardian, before there are threads. It is no child of ours, for those are
/// servers; only process 1 adopts it, and does not wait for it.
pub fn guard() -> Guard {
    let Ok((ours, its)) = UnixStream::pair() else { return Guard };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = never_signal(&ours);
    // SAFETY: there are no other threads. The child forks once more and ends; its child runs only `serve`,
    // which never returns. A null status is allowed.
    unsafe {
        match libc::fork() {
            0 => match libc::fork() {
                0 => serve(its.as_raw_fd()),
                _ => libc::_exit(0),
            },
            -1 => {}
            pid => {
                SOCKET.store(ours.into_raw_fd(), Ordering::Release);
                while libc::waitpid(pid, std::ptr::null_mut(), 0) == -1
                    && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
                {
                }
            }
        }
    }
    Guard
}

impl Drop for Guard {
    /// Waits for the guardian's end, which closes its end of the socket.
    fn drop(&mut self) {
        let socket = SOCKET.load(Ordering::Acquire);
        let mut poll = libc::pollfd { fd: socket, events: libc::POLLIN, revents: 0 };
        // SAFETY: the descriptor is open and stays so (its number never means another file to `tell`), or it
        // is -1, which both calls refuse or pass over at once; one pollfd, which lives through the call.
        unsafe {
            if libc::shutdown(socket, libc::SHUT_WR) == 0 {
                libc::poll(&mut poll, 1, LAST.as_millis() as libc::c_int);
            }
        }
    }
}

/// One start of a group. Several may be on their way at once, and the number of one that fails is not known
/// to us.
#[derive(Clone, Copy)]
pub struct Start(i32);

impl Start {
    pub fn new() -> Self {
        static NEXT: AtomicI32 = AtomicI32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// For the first process of the group, between fork and exec.
    pub fn tell_began(self, group: libc::pid_t) {
        tell([self.0, group]);
    }

    pub fn tell_failed(self) {
        tell([self.0, 0]);
    }
}

/// Before the number of the group is free for others.
pub fn tell_over(group: libc::pid_t) {
    tell([0, -group]);
}

/// Safe between fork and exec; never waits.
fn tell(message: Message) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT;
    let socket = SOCKET.load(Ordering::Acquire);
    if socket >= 0 {
        // SAFETY: the message is as long as is said and lives through the call.
        unsafe { libc::send(socket, message.as_ptr().cast(), LENGTH, FLAGS) };
    }
}

/// A guardian that is gone is no reason to die.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn never_signal(socket: &UnixStream) -> bool {
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let option = libc::SO_NOSIGPIPE;
    // SAFETY: the descriptor is open; the value is as long as is said and lives through the call.
    unsafe {
        let on = std::ptr::from_ref(&on).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, on, size) == 0
    }
}

/// The life of the guardian.
fn serve(socket: libc::c_int) -> ! {
    apart(socket);
    let mut groups = Groups { begun: [[0; 2]; MOST], count: 0 };
    let mut message: Message = [0; 2];
    loop {
        // SAFETY: the buffer is as long as is said. The messages are of one length and never split.
        match unsafe { libc::read(libc::STDIN_FILENO, message.as_mut_ptr().cast(), LENGTH) } {
            length if length == LENGTH as isize => groups.hear(message),
            -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    groups.end_within(PATIENCE);
    groups.signal(libc::SIGTERM);
    groups.end_within(PATIENCE);
    groups.signal(libc::SIGKILL);
    // SAFETY: ends this process and runs nothing of the one it was forked from.
    unsafe { libc::_exit(0) }
}

/// Leaves the session, the directory and the files of the process that it was forked from, and ends only by
/// the end of that process.
fn apart(socket: libc::c_int) {
    crate::backend::lives::be_called(c"mcp-guardian");
    // SAFETY: all of these take numbers and strings that end in NUL, and touch no other memory.
    unsafe {
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::dup2(socket, libc::STDIN_FILENO);
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for ours in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            if libc::dup2(nothing, ours) == -1 {
                libc::close(ours);
            }
        }
    }
    crate::unix::descriptors::close_all();
}

struct Groups {
    /// What was told when they began.
    begun: [Message; MOST],
    count: usize,
}

impl Groups {
    fn hear(&mut self, message: Message) {
        let [start, group] = message;
        if group > 0 {
            if let Some(free) = self.begun.get_mut(self.count) {
                *free = message;
                self.count += 1;
            }
        } else if group == 0 {
            self.forget(|begun| begun[0] == start);
        } else {
            self.forget(|begun| begun[1] == -group);
        }
    }

    fn forget(&mut self, is_over: impl Fn(Message) -> bool) {
        let mut at = 0;
        while at < self.count {
            if self.begun.get(at).is_some_and(|begun| is_over(*begun)) {
                self.count -= 1;
                self.begun.swap(at, self.count);
            } else {
                at += 1;
            }
        }
    }

    /// Waits until no group has a process any more, or `patience` is over. Looks often, because the number
    /// of a group that has ended is free for others.
    fn end_within(&mut self, patience: Duration) {
        let mut left = patience;
        loop {
            // SAFETY: signal 0 only asks.
            self.forget(|[_, number]| unsafe { libc::killpg(number, 0) } != 0);
            if self.count == 0 || left.is_zero() {
                return;
            }
            std::thread::sleep(LOOK);
            left = left.saturating_sub(LOOK);
        }
    }

    fn signal(&self, signal: libc::c_int) {
        for [_, number] in self.begun.iter().take(self.count) {
            // SAFETY: killpg touches no memory; the group had a process a moment ago.
            unsafe { libc::killpg(*number, signal) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_their_way_at_once_are_told_apart() {
        let mut groups = Groups { begun: [[0; 2]; MOST], count: 0 };
        // The third has the number that the first one no longer needed.
        for message in [[1, 700], [2, 800], [3, 700], [1, 0], [0, -800], [4, 900], [5, 0]] {
            groups.hear(message);
        }
        assert_eq!(groups.begun.get(..groups.count), Some(&[[3, 700], [4, 900]][..]));
    }
}
