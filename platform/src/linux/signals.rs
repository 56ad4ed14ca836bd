//! The signals of this process, taken from the kernel's hands and read one by one.

use crate::unix::process::dispositions::{
    FORWARDED, Received, WAKE, add, contains, empty_set, handle, ignore, is_ignored,
};
use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The signals taken, and what the process had before.
#[derive(Clone)]
pub struct Signals {
    taken: libc::sigset_t,
    mask_before: libc::sigset_t,
    /// What the process ignored when it was started (`nohup`, a job in the background).
    ignored_before: libc::sigset_t,
}

impl Signals {
    /// Blocks what is forwarded in this thread and all it starts from now on. A signal that is
    /// ignored (`nohup`, a job in the background) is forwarded, too: the child inherits that it is
    /// ignored, and is free to handle it all the same, as Node.js does.
    ///
    /// Handlers are installed although blocked signals never run them: the kernel drops signals to
    /// process 1 that have none, and an `exec` turns them back into defaults.
    pub fn take() -> io::Result<Self> {
        let (mut taken, mut ignored_before) = (empty_set(), empty_set());
        for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
            if is_ignored(signal) {
                add(&mut ignored_before, signal);
            }
            handle(signal)?;
            add(&mut taken, signal);
        }
        handle(WAKE)?;
        let mut mask_before = empty_set();
        // SAFETY: both sets are initialised and live through the call.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &taken, &mut mask_before) } {
            0 => Ok(Self { taken, mask_before, ignored_before }),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Between fork and exec: what the process had before. Safe there: no allocation, no lock.
    pub fn give_back(&self) {
        for signal in FORWARDED.into_iter().chain([libc::SIGCHLD]) {
            if contains(&self.ignored_before, signal) {
                ignore(signal);
            }
        }
        // SAFETY: the set is initialised and lives through the call.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask_before, std::ptr::null_mut())
        };
    }

    /// Whether a process that was started like this one normally ends by what was received.
    pub fn ask_to_end(&self, received: Received) -> bool {
        received.asks_to_end(&self.ignored_before)
    }

    /// The next signal.
    pub fn next(&self) -> Received {
        loop {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            // SAFETY: the set is initialised; `info` lives through the call.
            let signal = unsafe { libc::sigwaitinfo(&self.taken, info.as_mut_ptr()) };
            if signal > 0 {
                // SAFETY: zeroed is a valid siginfo_t, and the call has filled it.
                return received(signal, unsafe { info.assume_init() }.si_code);
            }
        }
    }

    /// The next signal, if there is one within `limit`.
    pub fn next_within(&self, limit: Duration) -> Option<Received> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: zeroed is a valid timespec.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        time.tv_sec = limit.as_secs().try_into().unwrap_or(i32::MAX.into());
        time.tv_nsec = limit.subsec_nanos() as _;
        // SAFETY: set and time are initialised; all three live through the call.
        let signal = unsafe { libc::sigtimedwait(&self.taken, info.as_mut_ptr(), &time) };
        // SAFETY: as in `next`.
        (signal > 0).then(|| received(signal, unsafe { info.assume_init() }.si_code))
    }
}

fn received(signal: libc::c_int, code: libc::c_int) -> Received {
    match signal {
        libc::SIGCHLD => Received::Child,
        _ if code == libc::SI_KERNEL => Received::Generated(signal),
        _ => Received::Sent(signal),
    }
}
