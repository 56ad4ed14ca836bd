//! Programs that the system starts at login, where that is no file: the `Run` key of Windows.
//!
//! One rule: only the entry of the given name is looked at or touched.

use crate::backend::login as backend;
use std::io;

/// Whether the entry of that name starts its program: `Some(false)` when the user has switched it off in
/// the system's settings, `None` without an entry.
pub fn is_enabled(name: &str) -> Option<bool> {
    backend::is_enabled(name)
}

/// Makes or replaces the entry; `Unsupported` on systems that keep such entries in files. What the user
/// chose in the system's settings stays as it is.
pub fn set(name: &str, command_line: &str) -> io::Result<()> {
    backend::set(name, command_line)
}

/// Removes the entry; that there is none is fine.
pub fn remove(name: &str) -> io::Result<()> {
    backend::remove(name)
}
