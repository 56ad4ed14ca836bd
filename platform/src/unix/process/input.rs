//! input: see `crate::process::Input`.

use super::dispositions::{add, empty_set, is_ignored};
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};

/// What asks this process to end.
const ENDING: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// Reads after this process was asked to end: more than any pipe holds.
const LAST_READS: u32 = 32;

/// One of [`ENDING`] came.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

extern "C" fn told(_signal: libc::c_int) {
    IS_TOLD.store(true, Ordering::Relaxed);
}

/// Standard input, which ends when this process is asked to end.
pub struct Input {
    /// The signals that are blocked while this process waits.
    waiting: libc::sigset_t,
    /// Reads that are left since it was asked to end.
    left: Option<u32>,
}

impl Input {
    /// Takes the signals, except those that were ignored when this process started. Threads that are started
    /// later do not get them: they come only while this one waits.
    pub fn open() -> Self {
        let mut taken = empty_set();
        let mut waiting = empty_set();
        for signal in ENDING.into_iter().filter(|signal| !is_ignored(*signal)) {
            add(&mut taken, signal);
        }
        // SAFETY: both sets are initialised and live through the call.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &taken, &mut waiting) };
        for signal in ENDING.into_iter().filter(|signal| !is_ignored(*signal)) {
            // SAFETY: zeroed is a valid sigaction (no flags, empty mask); the handler stores to an atomic, which is
            // safe wherever it interrupts. `waiting` is initialised.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = told as extern "C" fn(libc::c_int) as libc::sighandler_t;
                libc::sigaction(signal, &action, null_mut());
                libc::sigdelset(&mut waiting, signal);
            }
        }
        Self { waiting, left: None }
    }

    /// The next bytes; none when the input has ended, or this process was asked to end and the input is empty.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.left.as_mut() {
                Some(0) => return Ok(0),
                Some(left) => *left -= 1,
                None => {}
            }
            let is_there = self.wait();
            if self.left.is_none() && IS_TOLD.load(Ordering::Relaxed) {
                self.left = Some(LAST_READS);
                continue;
            }
            match is_there {
                Ok(true) => match io::stdin().lock().read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => return read,
                },
                Ok(false) => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until there is something to read, or a signal; not at all once this process was asked to end.
    fn wait(&self) -> io::Result<bool> {
        let mut set = MaybeUninit::<libc::fd_set>::zeroed();
        // SAFETY: zeroed is a valid timespec, that of no time.
        let none: libc::timespec = unsafe { std::mem::zeroed() };
        let time = if self.left.is_some() { &raw const none } else { null() };
        // SAFETY: a zeroed set is valid and 0 is a place in it; set, time and mask live through the call.
        let ready = unsafe {
            libc::FD_ZERO(set.as_mut_ptr());
            libc::FD_SET(libc::STDIN_FILENO, set.as_mut_ptr());
            libc::pselect(1, set.as_mut_ptr(), null_mut(), null_mut(), time, &self.waiting)
        };
        if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(ready > 0) }
    }
}
