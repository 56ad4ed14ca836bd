//! A host that panics crashed, also where a panic aborts: in a build of its own. (`hosts` has those that unwind.)

#[path = "../support/scratch.rs"]
mod scratch;

use scratch::copy_folder;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds a host that embeds this library and aborts on panics, as released programs of ours do.
fn host() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panicking-host");
    let copy = root.join("mcpproxy");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).expect("removed");
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy_folder(here, &copy);
    std::fs::create_dir_all(copy.join("src/bin")).expect("a folder");
    let driver = here.join("tests/heartbeat/panicking_host.rs");
    std::fs::copy(driver, copy.join("src/bin/panicking_host.rs")).expect("a copy");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--bin", "panicking_host", "--no-default-features", "--features"])
        .args(["activation", "--offline", "--color=never", "--target-dir"])
        .arg(root.join("target"))
        .current_dir(copy)
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    root.join("target/debug/panicking_host")
}

/// Runs the host to its end; what the next heartbeat says of it, and what it said itself.
fn ended(host: &Path, how: &str) -> (String, String) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", home.path()).env("MCPPROXY_HOME", home.path().join("data"));
        command
    };
    let mut running = command(host);
    running.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = running.spawn().expect("it starts");
    writeln!(running.stdin.take().expect("a pipe"), "{how}").expect("a pipe");
    let output = running.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = command(Path::new(env!("CARGO_BIN_EXE_mcpproxy")))
        .args(["telemetry", "show-payload"])
        .output()
        .expect("it starts");
    let payload: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("a payload");
    (payload["previous_shutdown"].as_str().expect("text").to_owned(), said)
}

#[test]
fn a_panic_that_aborts_the_host_is_a_crash() {
    let host = host();
    for (how, expected) in [
        ("return", "clean"),
        ("exit", "unknown"),
        ("panic", "crash"),
        ("panic while recording", "crash"),
    ] {
        let (ending, said) = ended(&host, how);
        assert_eq!(ending, expected, "{how}: {said}");
        assert_eq!(said.contains("as it was told"), how.starts_with("panic"), "{said}");
    }
}
