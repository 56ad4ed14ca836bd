//! A child process and all that it starts, as one group: its start, its end, and what is left of it.
//!
//! One rule: a group is signalled only while its number is certainly its own. Its first process is reaped
//! last, when nothing of the group lives any more.
//!
//! A process that leaves the group (`setsid`, a job control shell) is beyond it.

use crate::backend::group as backend;
use std::ffi::OsStr;
use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// How a process ended. One of the two is known, or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// With this code.
    pub code: Option<i32>,
    /// By this signal (Unix).
    pub signal: Option<i32>,
}

/// Our ends of the standard streams of a group.
#[derive(Debug)]
pub struct Pipes {
    /// Its standard input.
    pub input: ChildStdin,
    /// Its standard output.
    pub output: ChildStdout,
    /// Its standard error.
    pub error: ChildStderr,
}

/// A running group. Dropping it kills what is left of it.
#[derive(Debug)]
pub struct Group(backend::Group);

impl Group {
    /// Starts `program` in a group of its own, with pipes for its standard streams. `dress` gives the command its
    /// environment and its directory; a script without `#!` takes two. Of our descriptors it gets the standard
    /// streams, and no variable that tells of others. On Windows `program` is looked up as a command prompt does:
    /// `npx` is `npx.cmd` there.
    ///
    /// # Errors
    /// `NotFound` when there is no such program, any other kind when it cannot be started.
    pub fn start(
        program: &OsStr,
        arguments: &[String],
        mut dress: impl FnMut(&mut Command) -> io::Result<()>,
    ) -> io::Result<(Self, Pipes)> {
        let dress = |command: &mut Command| {
            dress(command)?;
            crate::forget_descriptors(command);
            Ok(())
        };
        let (group, pipes) = backend::Group::start(program, arguments, dress)?;
        Ok((Self(group), pipes))
    }

    /// Waits until its first process has ended; others may live on. Says how it ended, where the system does.
    pub fn wait_for_first(&self) -> Option<Exit> {
        self.0.wait_for_first()
    }

    /// Whether a process of the group lives.
    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Asks all of the group to end; false where the system has no way to ask.
    pub fn ask_to_end(&self) -> bool {
        self.0.ask_to_end()
    }

    /// Kills all of the group.
    pub fn kill(&self) {
        self.0.kill();
    }
}

impl Pipes {
    /// Those of a child that was started with all three.
    pub(crate) fn of(child: &mut Child) -> io::Result<Self> {
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(error)) => Ok(Self { input, output, error }),
            _ => Err(io::Error::other("the child has no pipes")),
        }
    }
}

/// Kills all groups of this process: for one that ends at once.
pub fn kill_all() {
    backend::kill_all();
}

/// From now on groups end when this process does, however it ends: asked to first (3 s after their standard
/// input has ended), killed 3 s later. Until the value is dropped, which is for the end of the process.
///
/// On Unix a small process of ours sees to that; it must be called before there are other threads. Where it
/// cannot be started, the end of standard input is all that a group is told.
pub fn guard() -> Guard {
    Guard(backend::guard())
}

/// See [`guard`].
#[derive(Debug)]
pub struct Guard(#[allow(dead_code, reason = "it is there to be dropped")] backend::Guard);
