//! What this process does with signals, and how it dies of one.

use std::io;
use std::mem::MaybeUninit;

/// Interrupts a blocked system call of one thread, and does nothing else. Its default is to be
/// ignored, so nobody means anything else by it.
pub const WAKE: libc::c_int = libc::SIGURG;

/// What somebody may send to a server and the server may handle.
pub const FORWARDED: [libc::c_int; 6] =
    [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// A signal that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A child has ended.
    Child,
    /// A process sent this signal.
    Sent(libc::c_int),
    /// The kernel made this signal, for a terminal.
    Generated(libc::c_int),
}

impl Received {
    /// Whether a process that was started ignoring `ignored` normally ends by this.
    pub fn asks_to_end(self, ignored: &libc::sigset_t) -> bool {
        match self {
            Self::Child => false,
            Self::Sent(libc::SIGUSR1 | libc::SIGUSR2) => false,
            Self::Sent(signal) | Self::Generated(signal) => !contains(ignored, signal),
        }
    }
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Ends this process by `signal`; returns only where that is not possible.
pub fn die_of(signal: libc::c_int) {
    set_default(signal);
    let mut set = empty_set();
    add(&mut set, signal);
    // SAFETY: the set is initialised and lives through the call; raise touches no memory. The
    // signal is delivered to this thread before raise returns, and ends the whole process.
    unsafe {
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
    }
}

/// A set without any signal.
pub fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: sigemptyset initialises the set it is given; zeroed is a valid one anyway.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Adds `signal` to `set`.
pub fn add(set: &mut libc::sigset_t, signal: libc::c_int) {
    // SAFETY: the set is initialised and lives through the call.
    unsafe { libc::sigaddset(set, signal) };
}

/// Whether `signal` is in `set`. Safe between fork and exec.
pub fn contains(set: &libc::sigset_t, signal: libc::c_int) -> bool {
    // SAFETY: the set is initialised and lives through the call.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Whether `signal` is ignored.
pub fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads; zeroed is a valid sigaction.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// A handler that does nothing and, without SA_RESTART, interrupts.
pub fn handle(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: zeroed is a valid sigaction (no flags, empty mask); the handler does nothing, which
    // is safe wherever it interrupts.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_NOCLDSTOP;
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Ignores `signal` from now on. Safe between fork and exec.
pub fn ignore(signal: libc::c_int) {
    set_disposition(signal, libc::SIG_IGN);
}

/// Gives `signal` its default. Safe between fork and exec.
pub fn set_default(signal: libc::c_int) {
    set_disposition(signal, libc::SIG_DFL);
}

fn set_disposition(signal: libc::c_int, disposition: libc::sighandler_t) {
    // SAFETY: zeroed is a valid sigaction; the disposition is SIG_DFL or SIG_IGN.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = disposition;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}
