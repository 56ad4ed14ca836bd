//! `tap` under load: large lines, slow readers, half-closed pipes, sides that die at any byte.
//!
//! A little of it with `cargo test`; `scripts/endure` runs it for as long as wanted. What is random follows
//! from a seed that is printed.
#![cfg(all(target_os = "linux", feature = "tap"))]

mod deaths;
#[path = "../support/endure.rs"]
mod endure;
mod soak;
mod stream;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// For something that takes milliseconds, on a machine that does a dozen other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tap with its two pipes; killed when the test ends.
struct Session {
    tap: Child,
    to_server: Option<ChildStdin>,
    from_server: Option<ChildStdout>,
}

impl Session {
    /// `telemetry`: the data directory to record into, or off.
    fn start(server: &[&OsStr], telemetry: Option<&Path>, settings: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.args(["tap", "--"]).args(server).envs(settings.iter().map(|(n, v)| (n, v)));
        command.env("MCPPROXY_HOME", telemetry.unwrap_or(Path::new("/nonexistent/mcpproxy")));
        if telemetry.is_none() {
            command.env("MCPPROXY_TELEMETRY", "0");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut tap = command.spawn().expect("it starts");
        let (to_server, from_server) = (tap.stdin.take(), tap.stdout.take());
        Self { tap, to_server, from_server }
    }

    /// How it ended; `servers` are gone by then or soon after.
    fn end(&mut self, servers: &[u32]) -> std::process::ExitStatus {
        let status = endure::end_within(&mut self.tap, PATIENCE).expect("tap hangs");
        let give_up = Instant::now() + PATIENCE;
        while servers.iter().any(|pid| is_alive(*pid)) {
            assert!(Instant::now() < give_up, "the server outlives its tap");
            std::thread::sleep(Duration::from_millis(1));
        }
        status
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.tap.kill();
        let _ = self.tap.wait();
    }
}

/// The state letter of a process; `None` when there is none.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The children of a process, whatever their state.
fn children_of(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}
