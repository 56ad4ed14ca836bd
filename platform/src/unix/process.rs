//! process: see `crate::process`.

pub mod dispositions;
mod ends;
mod input;

pub use ends::{Sink, Source};
pub use input::Input;

use crate::backend::lives;
use crate::backend::signals::Signals;
use crate::process::{End, Spawned};
use crate::unix::{descriptors, script};
use dispositions::{FORWARDED, Received};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::os::unix::thread::JoinHandleExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest pause between two looks at a thread that drains.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How long a client that asked for the end may leave the rest of the output unread.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a signal takes from one process of a group to the next, at most.
const A_MOMENT: Duration = Duration::from_millis(5);

/// The child process.
pub struct Server {
    pid: libc::pid_t,
    signals: Signals,
    /// The read end of the child's output, as long as its [`Source`] lives.
    output: Weak<File>,
    /// Writes to the client.
    progress: Arc<AtomicU64>,
    /// Somebody asked this process to end.
    asked_to_end: bool,
    /// Bit n: signal n came to this process.
    came: u64,
}

/// Starts `program` (looked up in `PATH`) and takes over the signals of this process.
///
/// The child begins life with the signal mask and the dispositions that this process was started
/// with, except SIGPIPE, which Rust's runtime has already replaced: it gets the default. On Linux it
/// dies when the calling thread does. Of our descriptors it gets the standard streams, and
/// no variable that tells of others, nor those named in `kept_back`.
///
/// # Errors
/// `NotFound` when there is no such program (or its interpreter is missing), any other kind when
/// it cannot be started.
pub fn spawn(
    program: &OsStr,
    arguments: &[OsString],
    kept_back: &[OsString],
) -> io::Result<Spawned> {
    keep_large_blocks_apart();
    let signals = Signals::take()?;
    // SAFETY: getpid only returns a number.
    let parent = unsafe { libc::getpid() };
    let dress = |command: &mut Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for name in kept_back {
            command.env_remove(name);
        }
        crate::forget_descriptors(command);
        let for_child = signals.clone();
        // SAFETY: the closure calls only functions that are safe between fork and exec (prctl, getppid,
        // _exit, sigaction, pthread_sigmask, close_range and in its place open, getdents64, getrlimit, fcntl
        // and close) and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                for_child.give_back();
                descriptors::keep_from_exec();
                lives::die_with(parent)
            });
        }
        Ok(())
    };
    let mut child = script::start(program, arguments, dress, Command::spawn)?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no pipes"));
    };
    let progress = Arc::new(AtomicU64::new(0));
    let output = Arc::new(File::from(OwnedFd::from(output)));
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    Ok(Spawned {
        client_in: Source::standard_input(),
        server_in: Sink::pipe(File::from(OwnedFd::from(input))),
        client_out: Sink::standard_output(progress.clone()),
        server: Server {
            pid,
            signals,
            output: Arc::downgrade(&output),
            progress,
            asked_to_end: false,
            came: 0,
        },
        server_out: Source::pipe(output),
    })
}

/// What a burst of traffic needs goes back to the system when it is over. By default glibc raises the size
/// from which blocks are mapped alone whenever such a block is freed, up to 32 MiB; buffers of a few MiB
/// then come from heaps that fragment, and a tap of 20 MiB had 100 MiB after eight minutes of bursts. Other
/// libcs map large blocks alone whatever happens.
fn keep_large_blocks_apart() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes two numbers; it is called before this process has threads that allocate.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 256 << 10);
    }
}

impl Server {
    /// Waits until the child has ended. Until then every signal that somebody sent to this process
    /// is sent on to the child; what the kernel generated (a terminal's Ctrl-C, a hang-up) is not,
    /// because the child is in the same process group and has received it already. Reaps orphans.
    pub fn wait(&mut self) -> End {
        loop {
            if let Some(end) = self.reap() {
                return end;
            }
            let received = self.signals.next();
            self.note(received);
            if let Received::Sent(signal) = received {
                // SAFETY: kill touches no memory; the pid is ours as long as `reap`, in this same
                // thread, has not returned its end.
                unsafe { libc::kill(self.pid, signal) };
            }
        }
    }

    /// Lets `pump`, the thread that reads the child's output, finish what the child has left in the
    /// pipe, and returns when it has. A descendant of the child that holds the pipe open is not
    /// waited for. A client that reads slowly is; but one that asked for the end, by a signal, and
    /// reads nothing any more would wait for a process that waits for it: it gets half a second.
    pub fn drain(&mut self, pump: &JoinHandle<()>) {
        if let Some(output) = self.output.upgrade() {
            ends::make_nonblocking(output.as_raw_fd());
        }
        let mut pause = Duration::from_micros(50);
        let mut progress = (self.progress.load(Ordering::Relaxed), Instant::now());
        while !pump.is_finished() {
            if self.asked_to_end && progress.1.elapsed() > PATIENCE {
                return;
            }
            // The thread has not been joined or detached, so its handle is valid; the signal has a
            // handler that does nothing but interrupt a blocked call.
            // (`std` and the C library do not agree everywhere whether it is a number or a pointer.)
            #[allow(clippy::unnecessary_cast)]
            let thread = pump.as_pthread_t() as libc::pthread_t;
            // SAFETY: as above.
            unsafe { libc::pthread_kill(thread, dispositions::WAKE) };
            match self.signals.next_within(pause) {
                Some(Received::Child) => while reap_any().is_some() {},
                Some(received) => self.note(received),
                None => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            let writes = self.progress.load(Ordering::Relaxed);
            if writes != progress.0 {
                progress = (writes, Instant::now());
            }
        }
    }

    fn note(&mut self, received: Received) {
        self.asked_to_end |= self.signals.ask_to_end(received);
        if let Received::Sent(signal) | Received::Generated(signal) = received {
            self.came |= bit(signal);
        }
    }

    /// Whether the child ended (`end`) because it was told to, and not of itself: the signal that it died of came to
    /// this process, too (it was sent on, or a terminal gave it to the whole group), or before it exited anything
    /// came that normally ends a process.
    pub fn was_told(&mut self, end: End) -> bool {
        match end {
            End::Signal(signal) => {
                if FORWARDED.contains(&signal) {
                    self.look_until(|server| server.came & bit(signal) != 0);
                }
                self.came & bit(signal) != 0
            }
            End::Code(_) => {
                self.look_until(|server| server.asked_to_end);
                self.asked_to_end
            }
        }
    }

    /// A signal to the whole group may reach the child first, and end it before we have ours.
    fn look_until(&mut self, is_known: impl Fn(&Self) -> bool) {
        while !is_known(self) {
            match self.signals.next_within(A_MOMENT) {
                Some(received) => self.note(received),
                None => return,
            }
        }
    }

    /// Reaps every child that has ended, adopted ones included; the child's end if it is among them.
    fn reap(&self) -> Option<End> {
        let mut end = None;
        while let Some((pid, status)) = reap_any() {
            if pid == self.pid {
                end = Some(if libc::WIFSIGNALED(status) {
                    End::Signal(libc::WTERMSIG(status))
                } else {
                    End::Code(libc::WEXITSTATUS(status))
                });
            }
        }
        end
    }
}

/// One ended child of this process, if there is any.
fn reap_any() -> Option<(libc::pid_t, libc::c_int)> {
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

fn bit(signal: libc::c_int) -> u64 {
    u32::try_from(signal).ok().and_then(|signal| 1_u64.checked_shl(signal)).unwrap_or(0)
}

/// See [`End::is_violent`].
pub fn is_violent(end: End) -> bool {
    matches!(end, End::Signal(_))
}

/// See [`End::is_broken_pipe`].
pub fn is_broken_pipe(end: End) -> bool {
    end == End::Signal(libc::SIGPIPE)
}

/// See [`End::leave`].
pub fn leave(end: End) -> ! {
    match end {
        End::Code(code) => std::process::exit(code),
        End::Signal(signal) => {
            lives::forbid_core_dump();
            // SAFETY: getpid only returns a number.
            if unsafe { libc::getpid() } != 1 {
                dispositions::die_of(signal);
            }
            std::process::exit(128 + signal)
        }
    }
}
