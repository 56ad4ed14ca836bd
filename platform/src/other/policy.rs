//! policy: see `crate::policy`. A file that root writes.

use std::io;

pub const PLACE: &str = "/etc/mcpproxy/policy.json";
pub const IS_FILE: bool = true;

pub fn read() -> io::Result<Option<Vec<u8>>> {
    crate::policy::read_file(PLACE)
}
