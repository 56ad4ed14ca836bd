//! One child process between two pipes: spawning, signals, draining, dying as it died.
//!
//! One rule: who watches from outside cannot tell this process from its child, neither by what it
//! answers to signals nor by how it ends.
//!
//! A session runs in this order: [`spawn`] on the main thread before any other thread exists, two
//! threads that copy [`Spawned::client_in`] to [`Spawned::server_in`] and [`Spawned::server_out`] to
//! [`Spawned::client_out`], one thread that calls [`Server::wait`], [`Server::drain`] and
//! [`End::leave`]. The main thread must live as long as the session: on Linux the child is killed
//! when the thread that spawned it ends.

pub use crate::backend::process::{Input, Server, Sink, Source, spawn};

/// How a child process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Code(i32),
    /// It died of this signal.
    Signal(i32),
}

impl End {
    /// Whether it is the end of a process that did what it was asked to.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Whether it died because it wrote to somebody who reads no more.
    pub fn is_broken_pipe(self) -> bool {
        crate::backend::process::is_broken_pipe(self)
    }

    /// Whether it died without a word of its own: of a signal, or of what takes its place on Windows.
    pub fn is_violent(self) -> bool {
        crate::backend::process::is_violent(self)
    }

    /// Ends this process as the child ended: with its exit code or, where the system has signals,
    /// of its signal (without a second core dump). Process 1 of a pid namespace cannot die of a
    /// signal; it exits with 128 + the signal's number. Works from any thread.
    pub fn leave(self) -> ! {
        crate::backend::process::leave(self)
    }
}

/// A child process and the four ends of its traffic. Standard error is inherited.
pub struct Spawned {
    /// Our standard input. Dropping it lets the client see a closed pipe.
    pub client_in: Source,
    /// The child's standard input. Dropping it is the end of file for the child.
    pub server_in: Sink,
    /// The child's standard output. Dropping it lets the child see a closed pipe.
    pub server_out: Source,
    /// Our standard output. Dropping it is the end of file for the client.
    pub client_out: Sink,
    /// The process itself.
    pub server: Server,
}
