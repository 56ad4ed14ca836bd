//! input: see `crate::process::Input`.

use std::io::{self, Read as _};

/// Standard input. What ends this process ends it at once.
pub struct Input(());

impl Input {
    /// Nothing to take.
    pub fn open() -> Self {
        Self(())
    }

    /// The next bytes; none when the input has ended.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match io::stdin().lock().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}
