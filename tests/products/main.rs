//! Products: several of them in one data directory, each with its own id, state, notice and receiver. Real hosts,
//! real receivers, real files.
#![cfg(all(target_os = "linux", feature = "heartbeat", feature = "tap"))]

mod first_version;
mod hosts;
mod notices;
#[path = "../support/packed.rs"]
mod packed;
mod places;
#[allow(dead_code)]
#[path = "../support/receiver.rs"]
mod receiver;
mod session;

use receiver::{Receiver, Request};
use serde_json::Value;
use session::Tap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");
/// For what takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home directory and a data directory beside it, whose name a shell would take apart.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        std::fs::create_dir(home.0.path().join("home")).expect("made");
        home
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data of 'all'")
    }

    fn dir(&self) -> mcpproxy::paths::DataDir {
        mcpproxy::paths::DataDir::at(self.data())
    }

    /// A command with the variables of a plain shell.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).env_clear().env("HOME", self.0.path().join("home"));
        command.env("PATH", std::env::var_os("PATH").expect("PATH")).stdin(Stdio::null());
        command
    }

    /// Runs `mcpproxy` about the data directory.
    fn run(&self, words: &[&str]) -> Output {
        let mut command = self.command(MCPPROXY, words);
        command.arg("--data-dir").arg(self.data()).output().expect("it starts")
    }

    /// Whether a heartbeat is due, as the state says.
    fn send(&self, product: &str) -> String {
        said(&self.run(&["telemetry", "send", "--product", product]))
    }
}

/// All that a command said.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// The different payloads that arrived: the same bytes may come twice, and a receiver drops the second.
fn payloads(receiver: &Receiver) -> Vec<Value> {
    let bodies: BTreeSet<Vec<u8>> =
        receiver.requests().into_iter().map(|request| request.body).collect();
    bodies.iter().map(|bytes| serde_json::from_slice(bytes).expect("JSON")).collect()
}

fn text(payload: &Value, pointer: &str) -> String {
    payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
