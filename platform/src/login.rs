//! Programs that the system starts at login, where that is no file: the `Run` key of Windows.
//!
//! One rule: only the entry of the given name is looked at or touched.

use crate::backend::login as backend;
use std::io;

/// Whether there is an entry of that name.
pub fn is_set(name: &str) -> bool {
    backend::is_set(name)
}

/// Makes or replaces the entry; `Unsupported` on systems that keep such entries in files.
pub fn set(name: &str, command_line: &str) -> io::Result<()> {
    backend::set(name, command_line)
}

/// Removes the entry; that there is none is fine.
pub fn remove(name: &str) -> io::Result<()> {
    backend::remove(name)
}
