//! process: see `crate::process`. Standard library only: no signals, no tie between lives.

pub use super::input::Input;

use crate::process::{End, Spawned};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an ended child's pipe may stay silent before a descendant that holds it is suspected.
const SILENCE: Duration = Duration::from_millis(200);

/// An end to read from.
pub struct Source(Reading);

enum Reading {
    Standard(io::Stdin),
    Pipe(ChildStdout, Arc<AtomicBool>),
}

impl Read for Source {
    /// Reads what is there, waiting for the first byte.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Reading::Standard(input) => input.read(buffer),
            Reading::Pipe(pipe, waiting) => {
                waiting.store(true, Ordering::SeqCst);
                let result = pipe.read(buffer);
                waiting.store(false, Ordering::SeqCst);
                result
            }
        }
    }
}

/// An end to write to.
pub struct Sink(Writing);

enum Writing {
    Standard(io::Stdout),
    Pipe(ChildStdin),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Writing::Standard(output) => {
                let mut output = output.lock();
                let written = output.write(bytes)?;
                output.flush()?;
                Ok(written)
            }
            Writing::Pipe(pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The child process.
pub struct Server {
    child: Child,
    reading: Arc<AtomicBool>,
}

/// Starts `program`, without the variables named in `kept_back`.
///
/// # Errors
/// `NotFound` when there is no such program, any other kind when it cannot be started.
pub fn spawn(
    program: &OsStr,
    arguments: &[OsString],
    kept_back: &[OsString],
) -> io::Result<Spawned> {
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
    let reading = Arc::new(AtomicBool::new(false));
    Ok(Spawned {
        client_in: Source(Reading::Standard(io::stdin())),
        server_in: Sink(Writing::Pipe(input)),
        server_out: Source(Reading::Pipe(output, reading.clone())),
        client_out: Sink(Writing::Standard(io::stdout())),
        server: Server { child, reading },
    })
}

impl Server {
    /// Whether the child ended because it was told to: not known here.
    pub fn was_told(&mut self, _end: End) -> bool {
        false
    }

    /// Waits until the child has ended.
    pub fn wait(&mut self) -> End {
        match self.child.wait() {
            Ok(status) => End::Code(status.code().unwrap_or(1)),
            Err(_) => End::Code(1),
        }
    }

    /// Lets `pump`, the thread that reads the child's output, finish; gives up when a descendant
    /// keeps the pipe open and silent. A client that reads slowly is waited for.
    pub fn drain(&mut self, pump: &JoinHandle<()>) {
        let mut silent_since = Instant::now();
        while !pump.is_finished() {
            thread::sleep(Duration::from_millis(1));
            if !self.reading.load(Ordering::SeqCst) {
                silent_since = Instant::now();
            } else if silent_since.elapsed() > SILENCE {
                return;
            }
        }
    }
}

/// See [`End::is_violent`].
pub fn is_violent(end: End) -> bool {
    matches!(end, End::Signal(_))
}

/// See [`End::is_broken_pipe`].
pub fn is_broken_pipe(_end: End) -> bool {
    false
}

/// See [`End::leave`].
pub fn leave(end: End) -> ! {
    std::process::exit(match end {
        End::Code(code) => code,
        End::Signal(signal) => 128 + signal,
    })
}
