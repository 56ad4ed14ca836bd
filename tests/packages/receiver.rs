//! A real collector on loopback, and which installs it has counted.

use crate::npm_tree::PATIENCE;
use mcpproxy::collector::store::Reader;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The product of the packages here.
pub const PRODUCT: &str = "notes-mcp";

pub struct Collector {
    child: Child,
    place: tempfile::TempDir,
    /// What a maintainer writes into the line.
    pub endpoint: String,
}

impl Collector {
    /// Starts one, and waits until it receives.
    pub fn start() -> Collector {
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT]);
        command.arg("--data-dir").arg(place.path()).env_clear().stdout(Stdio::piped());
        let mut child = command.spawn().expect("the built command");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let endpoint = line.trim().strip_prefix("Receiving heartbeats at ");
        let endpoint = endpoint.and_then(|url| url.strip_suffix("/heartbeat"));
        let endpoint = endpoint.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Collector { child, place, endpoint }
    }

    /// The version that each install of the product said first.
    pub fn versions(&self) -> Vec<String> {
        let rows = Reader::open(self.place.path()).expect("its database").rows(PRODUCT);
        rows.expect("rows").iter().map(|row| row.first.version.to_string()).collect()
    }

    /// Waits until it has counted so many installs.
    pub fn has_counted(&self, installs: usize) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.versions().len() < installs {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
