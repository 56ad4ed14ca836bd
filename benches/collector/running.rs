//! A collector in a process of its own, and the time that it works.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends when it is dropped.
pub struct Collector {
    child: Child,
    pub address: SocketAddr,
}

impl Collector {
    pub fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
            .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", "notes-mcp"])
            .arg("--data-dir")
            .arg(dir)
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .expect("the built command");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|text| text.parse().ok());
        Self { address: address.unwrap_or_else(|| panic!("{line:?}")), child }
    }

    /// The processor time of all its threads until now; on systems without `/proc` none is known.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // Behind the name, which may hold anything.
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let ticks: u64 =
            rest.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.child.wait();
    }
}
