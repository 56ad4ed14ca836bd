//! Every way of switching telemetry off, as the kernel saw it: with each of them no host makes a telemetry
//! file, a socket or a telemetry thread (`strace -f`).
#![cfg(all(target_os = "linux", feature = "heartbeat", feature = "tap"))]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

#[path = "../support/endure.rs"]
mod endure;
mod hosts;
mod notice;
mod policy;
#[allow(dead_code)]
#[path = "../support/receiver.rs"]
mod receiver;
mod running;
mod trouble;
mod ways;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");
/// For something that takes a tenth of a second, on a machine that does a dozen other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// Names a client and calls the discovery tool: it would count.
const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve_tools","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"1"}}}}
"#;
/// A user who owns nothing.
const NOBODY: u32 = 65_534;

/// A home with a place for a data directory.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        std::fs::write(home.path("input"), REQUEST).expect("written");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn config(&self, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.data()).expect("a directory");
        std::fs::write(self.data().join("mcp_config.json"), bytes).expect("written");
    }

    /// `command` below eight shells that export `exports`; itself it sees `own` and little else, as the
    /// official MCP SDKs start servers.
    fn shell(&self, exports: &[(&str, &str)], own: &[(&str, &str)], command: &[&OsStr]) -> Command {
        let shelter = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/shelter.sh");
        let mut shell = Command::new("sh");
        shell.arg(shelter).args(["7", "sh", "-c", r#"env -i "$@"; exit $?"#, "sh"]);
        let path = std::env::var("PATH").expect("PATH");
        for (name, value) in [("PATH", path.as_str()), ("HOME", self.text())].iter().chain(own) {
            shell.arg(format!("{name}={value}"));
        }
        shell.arg(format!("MCPPROXY_HOME={}", self.data().display())).args(command);
        shell.env_clear().env("PATH", path).envs(exports.iter().copied()).current_dir("/");
        shell
    }

    fn text(&self) -> &str {
        self.0.path().to_str().expect("text")
    }
}

/// Whether the output may be looked at: how it ended, and what it said.
fn run(command: &mut Command, home: &Home, name: &str) -> (ExitStatus, String) {
    let said = home.path(name);
    command.stdin(File::open(home.path("input")).expect("the input"));
    command.stdout(File::create(&said).expect("a file")).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let ended = endure::end_within(&mut child, PATIENCE).expect("it hangs");
    (ended, std::fs::read_to_string(said).expect("text"))
}

/// `false`, said aloud, where there is no `strace` or it may not trace.
fn strace_works(options: &[&str]) -> bool {
    let mut command = Command::new("strace");
    command.args(options).args(["-o", "/dev/null", "true"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    if !works {
        skipped!("strace is not installed, or may not trace here ({options:?})");
        assert!(std::env::var_os("MCPPROXY_STRACE_REQUIRED").is_none(), "strace is required");
    }
    works
}

/// Whether another user can run this program.
fn nobody_can_run() -> bool {
    let mut program = Command::new(MCPPROXY);
    program.arg("--version").uid(NOBODY).gid(NOBODY).current_dir("/").stdout(Stdio::null());
    let can = program.status().is_ok_and(|status| status.success());
    if !can {
        skipped!("another user cannot run this program (not root, or out of its reach)");
    }
    can
}
