//! The four ends of the traffic, as unbuffered readers and writers.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::{ChildStdin, ChildStdout};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, HANDLE,
    INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::ReadFile;
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects,
};

/// Something that happens once and stays.
pub struct Event(OwnedHandle);

impl Event {
    /// One that has not happened. Reset by hand, and by the system when it begins an operation with it.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no attributes and no name; asks for a handle.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is open and nobody else's.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    /// It happens.
    pub fn set(&self) {
        // SAFETY: the handle is open; touches no memory.
        unsafe { SetEvent(self.handle()) };
    }

    fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}

/// An end to read from.
pub struct Source(Reading);

enum Reading {
    Nothing,
    Standard(File),
    /// What is typed is text: `std` turns it into UTF-8.
    Console(io::Stdin),
    Pipe(Pipe),
}

struct Pipe {
    pipe: ChildStdout,
    arrival: Event,
    /// The child has ended: what is not in the pipe now does not count any more.
    ended: Arc<Event>,
}

impl Source {
    pub(super) fn standard_input() -> Self {
        if io::stdin().is_terminal() {
            return Self(Reading::Console(io::stdin()));
        }
        Self(take_standard(STD_INPUT_HANDLE).map_or(Reading::Nothing, Reading::Standard))
    }

    pub(super) fn pipe(pipe: ChildStdout, ended: Arc<Event>) -> io::Result<Self> {
        Ok(Self(Reading::Pipe(Pipe { pipe, arrival: Event::new()?, ended })))
    }
}

impl Read for Source {
    /// Reads what is there, waiting for the first byte.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Reading::Nothing => Ok(0),
            Reading::Standard(file) => file.read(buffer),
            Reading::Console(input) => input.read(buffer),
            Reading::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

impl Pipe {
    /// Waits for bytes or for the end of the child, whichever comes first.
    ///
    /// `std` opens this end of the pipe for overlapped operations; were it not so, the read would
    /// wait in the system, and only a descendant that holds the pipe open would be waited for, too.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let handle = self.pipe.as_raw_handle();
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        loop {
            // SAFETY: numbers and a handle; all zeroes is a valid value.
            let mut operation: OVERLAPPED = unsafe { std::mem::zeroed() };
            operation.hEvent = self.arrival.handle();
            let mut is_late = false;
            // SAFETY: `buffer` is as long as is said. It and `operation` are given back by the system
            // before this function goes on: every path below waits for the end of the operation.
            let is_done = unsafe {
                ReadFile(handle, buffer.as_mut_ptr(), length, ptr::null_mut(), &mut operation)
            };
            if is_done == 0 {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) {
                    return end_of(error);
                }
                let either = [self.arrival.handle(), self.ended.handle()];
                // SAFETY: two open handles, as is said.
                let first = unsafe { WaitForMultipleObjects(2, either.as_ptr(), 0, INFINITE) };
                if first != WAIT_OBJECT_0 {
                    is_late = true;
                    // SAFETY: the handle is open; `operation` is what was begun with it.
                    unsafe { CancelIoEx(handle, &operation) };
                }
            }
            let mut read = 0;
            // SAFETY: `operation` was begun with this handle; waits until it has ended.
            if unsafe { GetOverlappedResult(handle, &operation, &mut read, 1) } == 0 {
                return end_of(io::Error::last_os_error());
            }
            // A writer may write nothing, and a pipe tells; that is not the end.
            if read > 0 || is_late || length == 0 {
                return Ok(read as usize);
            }
        }
    }
}

fn end_of(error: io::Error) -> io::Result<usize> {
    match error.raw_os_error().map(|code| code as u32) {
        Some(ERROR_BROKEN_PIPE | ERROR_HANDLE_EOF | ERROR_OPERATION_ABORTED) => Ok(0),
        _ => Err(error),
    }
}

/// An end to write to.
pub struct Sink(Writing);

enum Writing {
    Nothing,
    Standard(File, Arc<AtomicU64>),
    Console(io::Stdout),
    Pipe(ChildStdin),
}

impl Sink {
    /// Counts its successful writes in `progress`.
    pub(super) fn standard_output(progress: Arc<AtomicU64>) -> Self {
        if io::stdout().is_terminal() {
            return Self(Writing::Console(io::stdout()));
        }
        let file = take_standard(STD_OUTPUT_HANDLE);
        Self(file.map_or(Writing::Nothing, |file| Writing::Standard(file, progress)))
    }

    pub(super) fn pipe(pipe: ChildStdin) -> Self {
        Self(Writing::Pipe(pipe))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Writing::Nothing => Ok(bytes.len()),
            Writing::Standard(file, progress) => {
                let written = file.write(bytes)?;
                progress.fetch_add(1, Ordering::Relaxed);
                Ok(written)
            }
            Writing::Console(output) => {
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

/// A standard handle, out of the hands of everybody else: dropped, it is closed, and whoever asks for
/// it later is told that there is none.
fn take_standard(which: STD_HANDLE) -> Option<File> {
    // SAFETY: asks for a handle and touches no memory.
    let handle = unsafe { GetStdHandle(which) };
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: nobody else gets this handle from now on, and no other thread exists yet that had it.
    unsafe {
        SetStdHandle(which, ptr::null_mut());
        Some(File::from_raw_handle(handle))
    }
}
