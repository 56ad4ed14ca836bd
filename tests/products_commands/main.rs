//! Consent for several products and data directories, and the commands about them, as a user meets them:
//! real hosts, a real receiver, real files.
#![cfg(all(target_os = "linux", feature = "heartbeat", feature = "tap"))]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod commands;
mod consent;
mod forget;
#[allow(dead_code)]
#[path = "../support/receiver.rs"]
mod receiver;
mod uninstall;
mod wrapped;

use receiver::Receiver;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use wrapped::Tap;

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// A home directory, and room beside it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The user's own config.
    fn users_config(&self) -> PathBuf {
        self.path("home/.mcpproxy/mcp_config.json")
    }

    /// The config of the data directory that is not the user's own.
    fn given_config(&self) -> PathBuf {
        self.path("given/mcp_config.json")
    }

    /// A command with the variables of a plain shell.
    fn command(&self, words: &[&str]) -> Command {
        std::fs::create_dir_all(self.path("home")).expect("made");
        let mut command = Command::new(MCPPROXY);
        command.args(words).env_clear().env("HOME", self.path("home"));
        command.env("PATH", std::env::var_os("PATH").expect("PATH")).stdin(Stdio::null());
        command
    }

    /// Runs a command in a plain shell.
    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("it starts")
    }

    /// As [`Self::run`], about the data directory that is not the user's own.
    fn run_given(&self, words: &[&str]) -> Output {
        let mut command = self.command(words);
        command.arg("--data-dir").arg(self.path("given")).output().expect("it starts")
    }

    /// `telemetry status` of one product in the data directory that is not the user's own, with these variables.
    fn status(&self, product: &str, variables: &[(&str, &str)]) -> Value {
        let mut command = self.command(&["telemetry", "status", "-o", "json", "--product"]);
        command.arg(product).arg("--data-dir").arg(self.path("given"));
        json(&command.envs(variables.iter().copied()).output().expect("it starts"))
    }
}

fn write(file: &Path, text: &str) {
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
    std::fs::write(file, text).expect("written");
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("read")
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// All that a command said.
fn said(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    both.concat()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Fails with code 1 and one line, which holds these parts.
#[track_caller]
fn fails(output: &Output, parts: &[&str]) {
    let line = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{}", said(output));
    for part in parts {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}
