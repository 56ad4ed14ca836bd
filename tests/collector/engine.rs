//! Where the collectors of these tests keep their rows: in a file, each in its directory.
//!
//! One rule: the tests of a collector on a server have another module of this name, and share the rest.

use mcpproxy::collector::store::Server;
use std::path::Path;

/// The address and the server of the collectors in a directory, if their rows are not in it.
pub fn of(_dir: &Path) -> Option<(String, Server)> {
    None
}
