//! group: see `crate::group`. Standard library only: the group is its first process.

use crate::group::{Exit, Pipes};
use std::ffi::OsStr;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub struct Group(Mutex<Child>);

impl Group {
    pub fn start(
        program: &OsStr,
        arguments: &[String],
        mut dress: impl FnMut(&mut Command) -> io::Result<()>,
    ) -> io::Result<(Self, Pipes)> {
        let mut command = Command::new(program);
        dress(command.args(arguments))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = Pipes::of(&mut child)?;
        Ok((Self(Mutex::new(child)), pipes))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Child) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn wait_for_first(&self) -> Option<Exit> {
        loop {
            match self.with(Child::try_wait) {
                Ok(None) => std::thread::sleep(Duration::from_millis(100)),
                ended => {
                    let code = ended.ok().flatten()?.code();
                    return Some(Exit { code, signal: None });
                }
            }
        }
    }

    pub fn is_alive(&self) -> bool {
        self.with(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub fn ask_to_end(&self) -> bool {
        false
    }

    pub fn kill(&self) {
        // One that has ended needs no more.
        let _ = self.with(Child::kill);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `std` knows no groups: the end of their standard input is all they are told.
pub fn kill_all() {}

#[derive(Debug)]
pub struct Guard;

pub fn guard() -> Guard {
    Guard
}
