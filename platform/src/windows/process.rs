//! process: see `crate::process`.

mod ends;
mod input;
mod job;

pub use ends::{Sink, Source};
pub use input::Input;

use super::lookup;
use crate::process::{End, Spawned};
use ends::Event;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// The longest pause between two looks at a thread that drains.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// How long a client that asked for the end may leave the rest of the output unread.
const PATIENCE: Duration = Duration::from_millis(500);
/// The system ends a console's processes after five seconds, whatever they do.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(10);

/// From here on exit codes are those of exceptions that nobody handled.
const FIRST_EXCEPTION: u32 = 0xC000_0000;
/// How a process ends that does not handle Ctrl-C.
const STATUS_CONTROL_C_EXIT: i32 = 0xC000_013A_u32 as i32;

/// The console asked this process, and everybody else on it, to end.
static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// The child process.
pub struct Server {
    child: Child,
    ended: Arc<Event>,
    /// Writes to the client.
    progress: Arc<AtomicU64>,
}

/// Starts `program`, looked up as a command prompt does: in `PATH`, with the endings of `PATHEXT`.
///
/// The child and what it starts end when this process is ended by somebody else, as if they had been
/// started in its place; when this process ends by itself, what is left lives on. What a console sends
/// (Ctrl-C) reaches the child without us, and does not end us before it. It gets none of the variables named
/// in `kept_back`.
///
/// # Errors
/// `NotFound` when there is no such program, any other kind when it cannot be started.
pub fn spawn(
    program: &OsStr,
    arguments: &[OsString],
    kept_back: &[OsString],
) -> io::Result<Spawned> {
    // Before the child exists: there is no moment in which it would outlive us.
    job::enter();
    // SAFETY: the handler is a function of this program and touches an atomic only.
    unsafe { SetConsoleCtrlHandler(Some(console_asks), 1) };
    let program = lookup::find(program).unwrap_or_else(|| program.to_owned());
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    for name in kept_back {
        command.env_remove(name);
    }
    crate::forget_descriptors(&mut command);
    let mut child = command.spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the child has no pipes"));
    };
    let ended = Arc::new(Event::new()?);
    let progress = Arc::new(AtomicU64::new(0));
    Ok(Spawned {
        client_in: Source::standard_input(),
        server_in: Sink::pipe(input),
        server_out: Source::pipe(output, ended.clone())?,
        client_out: Sink::standard_output(progress.clone()),
        server: Server { child, ended, progress },
    })
}

unsafe extern "system" fn console_asks(event: u32) -> BOOL {
    ASKED_TO_END.store(true, Ordering::SeqCst);
    if event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT {
        // To return would end this process at once; the child has a few seconds, and we end with it.
        thread::sleep(CONSOLE_PATIENCE);
    }
    1
}

impl Server {
    /// Whether the child ended (`end`) because the console told all its processes to.
    pub fn was_told(&mut self, end: End) -> bool {
        let is_exception = is_violent(end) && end != End::Code(STATUS_CONTROL_C_EXIT);
        ASKED_TO_END.load(Ordering::SeqCst) && !is_exception
    }

    /// Waits until the child has ended.
    pub fn wait(&mut self) -> End {
        match self.child.wait() {
            Ok(status) => End::Code(status.code().unwrap_or(1)),
            Err(_) => End::Code(1),
        }
    }

    /// Lets `pump`, the thread that reads the child's output, finish what the child has left in the
    /// pipe, and returns when it has. A descendant of the child that holds the pipe open is not waited
    /// for. A client that reads slowly is, unless the console asked for the end.
    pub fn drain(&mut self, pump: &JoinHandle<()>) {
        self.ended.set();
        let mut pause = Duration::from_micros(100);
        let mut progress = (self.progress.load(Ordering::Relaxed), Instant::now());
        while !pump.is_finished() {
            if ASKED_TO_END.load(Ordering::SeqCst) && progress.1.elapsed() > PATIENCE {
                return;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            let writes = self.progress.load(Ordering::Relaxed);
            if writes != progress.0 {
                progress = (writes, Instant::now());
            }
        }
    }
}

/// See [`End::is_violent`]: the code is that of an exception.
pub fn is_violent(end: End) -> bool {
    matches!(end, End::Code(code) if code as u32 >= FIRST_EXCEPTION)
}

/// See [`End::is_broken_pipe`].
pub fn is_broken_pipe(_end: End) -> bool {
    false
}

/// See [`End::leave`].
pub fn leave(end: End) -> ! {
    job::release();
    std::process::exit(match end {
        End::Code(code) => code,
        End::Signal(signal) => 128 + signal,
    })
}
