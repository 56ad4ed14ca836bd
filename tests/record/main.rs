//! `mcpproxy record` as its host sees it: real processes, real pipes, real receivers.
#![cfg(all(target_os = "linux", feature = "record", feature = "heartbeat"))]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod clients;
mod lines;
#[allow(dead_code)]
#[path = "../support/receiver.rs"]
mod receiver;

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");
const PRODUCT: &str = "notes-mcp";
/// Longer than anything takes on a slow machine: what hangs fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A home directory, and a data directory beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        std::fs::create_dir(home.0.path().join("home")).expect("made");
        home
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A command with the variables of a plain shell.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).env_clear().env("HOME", self.0.path().join("home"));
        command.env("PATH", std::env::var_os("PATH").expect("PATH")).stdin(Stdio::null());
        command.env("MCPPROXY_HOME", self.data()).env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0");
        command
    }

    /// A recorder of the product, with more words, variables and this as its standard input.
    fn recorder(&self, words: &[&str], variables: &[(&str, &str)]) -> Recorder {
        let mut command = self.command(MCPPROXY, &["record", "--product", PRODUCT]);
        command.args(["--product-version", "1.4.0"]).args(words).envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        Recorder { input: child.stdin.take(), child }
    }

    /// What would be sent now.
    fn payload(&self) -> Value {
        let shown =
            self.command(MCPPROXY, &["telemetry", "show-payload", "--product", PRODUCT]).output();
        serde_json::from_slice(&shown.expect("it starts").stdout).expect("JSON")
    }
}

/// A running `mcpproxy record`.
struct Recorder {
    child: Child,
    input: Option<ChildStdin>,
}

impl Recorder {
    fn say(&mut self, lines: &[&str]) {
        let input = self.input.as_mut().expect("an open pipe");
        input.write_all((lines.join("\n") + "\n").as_bytes()).expect("a recorder that reads");
    }

    /// Closes its input and waits for its end: what it said on standard error.
    fn end(mut self) -> String {
        drop(self.input.take());
        said_at_the_end(self.child)
    }

    fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.child.id());
        std::fs::read_dir(tasks).expect("a process").count()
    }
}

/// Waits for the end of a process that succeeds and says nothing on standard output.
fn said_at_the_end(child: Child) -> String {
    let Output { status, stdout, stderr } = ended(child);
    assert!(status.success() && stdout.is_empty(), "{status}, {stdout:?}");
    String::from_utf8(stderr).expect("UTF-8")
}

fn ended(mut child: Child) -> Output {
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > until {
            _ = child.kill();
            panic!("it hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("its output")
}

/// Waits until `look` finds something.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
