//! login: see `crate::login`.

use std::io;

pub fn is_enabled(_name: &str) -> Option<bool> {
    None
}

pub fn set(_name: &str, _command_line: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn remove(_name: &str) -> io::Result<()> {
    Ok(())
}
