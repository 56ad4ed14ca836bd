//! host: see `crate::host`. Nothing is observed that plain `std` cannot tell.

use crate::host::{User, VariableVisitor};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub fn parent_id() -> Option<u32> {
    None
}

pub fn process_name(_pid: u32) -> Option<String> {
    None
}

pub fn has_controlling_terminal() -> bool {
    false
}

pub fn visit_ancestors(_visit: VariableVisitor<'_>, _terminal: &mut Option<usize>) -> bool {
    false
}

pub fn user_id() -> Option<u32> {
    None
}

pub fn user() -> Option<User> {
    None
}

pub fn host_name() -> Option<String> {
    None
}

pub fn os_release() -> Option<String> {
    None
}

pub fn display_socket() -> Option<String> {
    None
}

pub fn cgroup() -> Option<String> {
    None
}

pub fn mountinfo() -> Option<String> {
    None
}

pub fn seconds_after_parent() -> Option<u64> {
    None
}

pub fn has_stderr() -> bool {
    true
}

pub fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
