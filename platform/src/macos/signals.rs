//! The signals of this process, taken from the kernel's hands and read one by one.
//!
//! One rule: what is forwarded is ignored here, and a kernel queue tells that it came. The queue sees a
//! signal before anything looks whether it is blocked or ignored.

use crate::unix::process::dispositions::{
    FORWARDED, Received, WAKE, add, contains, empty_set, handle, ignore, is_ignored, set_default,
};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// The signals taken, and what the process had before.
#[derive(Clone)]
pub struct Signals {
    queue: Arc<OwnedFd>,
    mask_before: libc::sigset_t,
    /// What the process ignored when it was started (`nohup`, a job in the background).
    ignored_before: libc::sigset_t,
}

impl Signals {
    /// Takes what is forwarded. A signal that is ignored (`nohup`, a job in the background) is
    /// forwarded, too: the child inherits that it is ignored, and is free to handle it all the same.
    pub fn take() -> io::Result<Self> {
        // SAFETY: makes a descriptor and touches no memory.
        let queue = unsafe { libc::kqueue() };
        if queue < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open and nobody else's. The child does not inherit a kernel queue.
        let queue = Arc::new(unsafe { OwnedFd::from_raw_fd(queue) });
        let mut ignored_before = empty_set();
        for signal in FORWARDED {
            if is_ignored(signal) {
                add(&mut ignored_before, signal);
            }
            watch(&queue, signal)?;
            ignore(signal);
        }
        if is_ignored(libc::SIGCHLD) {
            add(&mut ignored_before, libc::SIGCHLD);
        }
        // Ignored, children would vanish without telling how they ended; by default they do not.
        set_default(libc::SIGCHLD);
        watch(&queue, libc::SIGCHLD)?;
        handle(WAKE)?;
        let mut mask_before = empty_set();
        // SAFETY: a null new mask only reads; the old one lives through the call.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut mask_before) } {
            0 => Ok(Self { queue, mask_before, ignored_before }),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Between fork and exec: what the process had before. Safe there: no allocation, no lock.
    pub fn give_back(&self) {
        for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
            if contains(&self.ignored_before, signal) {
                ignore(signal);
            } else {
                set_default(signal);
            }
        }
        // SAFETY: the set is initialised and lives through the call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask_before, ptr::null_mut()) };
    }

    /// Whether a process that was started like this one normally ends by what was received.
    pub fn ask_to_end(&self, received: Received) -> bool {
        received.asks_to_end(&self.ignored_before)
    }

    /// The next signal.
    pub fn next(&self) -> Received {
        loop {
            if let Some(received) = self.wait(None) {
                return received;
            }
        }
    }

    /// The next signal, if there is one within `limit`.
    pub fn next_within(&self, limit: Duration) -> Option<Received> {
        self.wait(Some(limit))
    }

    fn wait(&self, limit: Option<Duration>) -> Option<Received> {
        let time = limit.map(|limit| libc::timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(i32::MAX.into()),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut event = MaybeUninit::<libc::kevent>::zeroed();
        // SAFETY: nothing is changed, one event is writable, and the time is null or lives through the call.
        let count = unsafe {
            libc::kevent(self.queue.as_raw_fd(), ptr::null(), 0, event.as_mut_ptr(), 1, time)
        };
        if count != 1 {
            return None;
        }
        // SAFETY: the call filled in one event.
        let signal = unsafe { event.assume_init() }.ident as libc::c_int;
        Some(match signal {
            libc::SIGCHLD => Received::Child,
            libc::SIGINT | libc::SIGQUIT | libc::SIGHUP if is_in_front() => {
                Received::Generated(signal)
            }
            _ => Received::Sent(signal),
        })
    }
}

fn watch(queue: &OwnedFd, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: numbers and a pointer that is only ever given back; all zeroes is a valid value.
    let mut event: libc::kevent = unsafe { std::mem::zeroed() };
    event.ident = signal as usize;
    event.filter = libc::EVFILT_SIGNAL;
    event.flags = libc::EV_ADD | libc::EV_CLEAR;
    // SAFETY: one change, which lives through the call; no event is asked for.
    let outcome =
        unsafe { libc::kevent(queue.as_raw_fd(), &event, 1, ptr::null_mut(), 0, ptr::null()) };
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether a terminal has this process in the foreground. The queue does not tell who made a signal, so
/// there what a terminal makes is taken to be made by it: the child, in the same group, has had it
/// already. Without a terminal (a client started us) all signals are somebody's.
fn is_in_front() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    // SAFETY: both only ask; the descriptor is open.
    unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) == libc::getpgrp() }
}
