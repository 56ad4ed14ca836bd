//! login: see `crate::login`.

use std::io;

pub fn is_set(_name: &str) -> bool {
    false
}

pub fn set(_name: &str, _command_line: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn remove(_name: &str) -> io::Result<()> {
    Ok(())
}
