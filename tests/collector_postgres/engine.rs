//! Where the collectors of the shared tests keep their rows: on a server, a database for each directory.
//!
//! One rule: the server ends with the process of the tests, however that ends.

use crate::server::{self, Server, USER, versions};
use mcpproxy::collector::store::{Environment, Server as At};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

struct Shared {
    server: Server,
    /// The database of each directory.
    databases: Mutex<HashMap<PathBuf, String>>,
    /// Ends the server when this process is gone.
    _end: Child,
}

/// The address and the server of the collectors in a directory. Without a server the shared tests look at a file once
/// more.
pub fn of(dir: &Path) -> Option<(String, At)> {
    static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let server = Server::start_with(versions().last()?, &["-c", "max_connections=150"])?;
        let (pid, dir) = (server.pid().to_string(), server.dir().to_owned());
        let script = "cat; kill -QUIT $0; while kill -0 $0; do sleep 0.1; done; rm -rf \"$1\"";
        let mut end = Command::new("sh");
        end.args(["-c", script, &pid]).arg(dir).stdin(Stdio::piped());
        let end = end.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh");
        Some(Shared { server, databases: Mutex::default(), _end: end })
    });
    let shared = shared.as_ref()?;
    let mut databases = shared.databases.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = std::path::absolute(dir).expect("a current directory");
    let number = databases.len();
    let name = databases.entry(dir).or_insert_with(|| {
        let name = format!("of_a_test_{number}");
        shared.server.sql("postgres", &format!("CREATE DATABASE {name} OWNER {USER}"));
        name
    });
    let address = shared.server.address(name);
    let at = At::read(&address, &Environment::default()).expect("an address");
    Some((address, at))
}

/// Whether the shared tests run on a server.
#[test]
fn the_shared_tests_run_on_a_server() {
    let place = tempfile::tempdir().expect("a directory");
    if of(place.path()).is_none() {
        server::skip("there is no server for the tests that both engines share");
    }
}
