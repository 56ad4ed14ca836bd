//! The four ends of the traffic, as unbuffered readers and writers.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An end to read from.
pub struct Source(Reading);

enum Reading {
    Standard(ManuallyDrop<File>),
    Pipe(Arc<File>),
}

impl Source {
    pub(super) fn standard_input() -> Self {
        Self(Reading::Standard(standard(libc::STDIN_FILENO)))
    }

    pub(super) fn pipe(file: Arc<File>) -> Self {
        Self(Reading::Pipe(file))
    }
}

impl Read for Source {
    /// Reads what is there, waiting for the first byte. The child's pipe is made non-blocking only
    /// after the child has ended; nothing left in it is then its end. A client may well hand us a
    /// non-blocking standard input: that is waited for.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Reading::Pipe(file) => match (&**file).read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
                result => result,
            },
            Reading::Standard(file) => loop {
                match (&**file).read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        wait_for(file.as_raw_fd(), libc::POLLIN)?;
                    }
                    result => return result,
                }
            },
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Reading::Standard(file) = &self.0 {
            close_standard(file.as_raw_fd());
        }
    }
}

/// An end to write to.
pub struct Sink(Writing);

enum Writing {
    Standard(ManuallyDrop<File>, Arc<AtomicU64>),
    Pipe(File),
}

impl Sink {
    /// Counts its successful writes in `progress`.
    pub(super) fn standard_output(progress: Arc<AtomicU64>) -> Self {
        Self(Writing::Standard(standard(libc::STDOUT_FILENO), progress))
    }

    pub(super) fn pipe(file: File) -> Self {
        Self(Writing::Pipe(file))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Writing::Pipe(file) => (&*file).write(bytes),
            Writing::Standard(file, progress) => loop {
                match (&**file).write(bytes) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        wait_for(file.as_raw_fd(), libc::POLLOUT)?;
                    }
                    result => {
                        if result.is_ok() {
                            progress.fetch_add(1, Ordering::Relaxed);
                        }
                        return result;
                    }
                }
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Writing::Standard(file, _) = &self.0 {
            close_standard(file.as_raw_fd());
        }
    }
}

fn standard(fd: RawFd) -> ManuallyDrop<File> {
    // SAFETY: Rust's runtime opens the standard descriptors when they are closed at start, and
    // nothing ever closes them: `close_standard` replaces them. ManuallyDrop never does either.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd) })
}

/// Lets the peer of a standard descriptor see it closed, without freeing its number for a file that
/// somebody would then take for a standard stream: an end of a dead pipe takes its place.
fn close_standard(fd: RawFd) {
    let Ok((reader, writer)) = io::pipe() else { return };
    let end = if fd == libc::STDIN_FILENO { reader.as_raw_fd() } else { writer.as_raw_fd() };
    // SAFETY: both descriptors are open; dup2 replaces the second atomically.
    unsafe { libc::dup2(end, fd) };
}

fn wait_for(fd: RawFd, events: libc::c_short) -> io::Result<()> {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one pollfd, which lives through the call.
    if unsafe { libc::poll(&mut poll, 1, -1) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// From now on a read that would wait says so instead.
pub(super) fn make_nonblocking(fd: RawFd) {
    // SAFETY: fcntl with these commands touches no memory.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags >= 0 {
            libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
        }
    }
}
