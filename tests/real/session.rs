//! Plays one session of a real client with a real server, recorded on both sides of the tap.

use crate::parts::{Client, Parts, Server, file};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// No session of these tests needs longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deeper than the ancestors the product looks at.
const SHELTER_DEPTH: &str = "8";

/// A fresh home directory with a data directory in it, and room for recordings.
pub struct Home {
    root: tempfile::TempDir,
}

impl Home {
    /// A home whose config sends to nobody: the only endpoint is a closed loopback port.
    pub fn new() -> Home {
        Home::with_config(r#"{"telemetry": {"endpoint": "http://127.0.0.1:9"}}"#)
    }

    /// A home with this `mcp_config.json`.
    pub fn with_config(config: &str) -> Home {
        let home = Home::without_data_dir();
        std::fs::create_dir(home.data_dir()).expect("create the data directory");
        std::fs::write(home.data_dir().join("mcp_config.json"), config).expect("write the config");
        home
    }

    /// A home where `mcpproxy` never ran.
    pub fn without_data_dir() -> Home {
        let home = Home { root: tempfile::tempdir().expect("a temporary directory") };
        std::fs::create_dir(home.tapes()).expect("create the directory of recordings");
        home
    }

    /// The directory all of it is in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `MCPPROXY_HOME` of the sessions here.
    pub fn data_dir(&self) -> PathBuf {
        self.root().join("data")
    }

    fn tapes(&self) -> PathBuf {
        self.root().join("tapes")
    }

    /// A command with a known environment, below ancestors with the same environment.
    pub fn shell(&self, exports: &[(&str, &str)], command: &[OsString]) -> Command {
        let mut shell = Command::new("sh");
        shell.arg(file("shelter.sh")).arg(SHELTER_DEPTH).args(command);
        shell.env_clear().process_group(0).stdin(Stdio::null());
        for name in ["PATH", "TMPDIR", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                shell.env(name, value);
            }
        }
        shell.env("HOME", self.root()).env("USER", "sam").env("LOGNAME", "sam");
        shell.env("SHELL", "/bin/sh").env("TERM", "dumb").env("MCPPROXY_HOME", self.data_dir());
        shell.envs(exports.iter().copied());
        shell
    }

    /// Runs `mcpproxy` with these arguments in this home.
    pub fn mcpproxy(&self, args: &[&str]) -> Ended {
        let command: Vec<OsString> =
            std::iter::once(MCPPROXY).chain(args.iter().copied()).map(OsString::from).collect();
        run(&mut self.shell(&[], &command))
    }

    /// `telemetry status -o json`, parsed.
    pub fn status(&self) -> serde_json::Value {
        let ended = self.mcpproxy(&["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
        assert!(ended.status.success(), "status failed: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("status prints JSON")
    }

    /// The recorder as `name` in front of `command`.
    pub fn recorded(&self, name: &str, command: Vec<OsString>) -> Vec<OsString> {
        let recorder = file("recorder.py").into();
        let mut line = vec!["python3".into(), "-S".into(), recorder, self.tapes().into()];
        line.push(name.into());
        line.extend(command);
        line
    }

    /// What the recorder called `name` saw: one tape for each process, in the order of their start.
    pub fn tapes_of(&self, name: &str) -> Vec<Tape> {
        let mut stems: Vec<String> = std::fs::read_dir(self.tapes())
            .expect("the directory of recordings")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .filter(|file| file.starts_with(&format!("{name}.")) && file.ends_with(".c2s"))
            .map(|file| file.trim_end_matches(".c2s").to_owned())
            .collect();
        stems.sort();
        stems.iter().map(|stem| self.tape(stem)).collect()
    }

    /// Waits for the end of the recorded process: the client need not have.
    fn tape(&self, stem: &str) -> Tape {
        let file = |ending: &str| self.tapes().join(format!("{stem}.{ending}"));
        assert!(happens(|| file("exit").exists()), "{stem}: the recorded process is still running");
        let read = |ending: &str| std::fs::read(file(ending)).expect("read a recording");
        let exit = String::from_utf8(read("exit")).expect("UTF-8").parse().expect("a code");
        Tape { to_server: read("c2s"), to_client: read("s2c"), exit }
    }
}

/// Everything that passed one recorder.
#[derive(PartialEq, Eq)]
pub struct Tape {
    /// What the client sent.
    pub to_server: Vec<u8>,
    /// What the server sent.
    pub to_client: Vec<u8>,
    /// How the recorded process ended: an exit code, or a negative signal.
    pub exit: i32,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to_server = String::from_utf8_lossy(&self.to_server);
        let to_client = String::from_utf8_lossy(&self.to_client);
        write!(f, "\n-- exit {}\n-> {to_server}\n<- {to_client}\n", self.exit)
    }
}

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a command to its end; a hanging one is killed with its process group and fails the test.
pub fn run(command: &mut Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    finish(child.expect("start the command"))
}

/// Waits for a child started in a process group of its own.
pub fn finish(mut child: Child) -> Ended {
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, PATIENCE);
    let (stdout, stderr) = (stdout.join().expect("stdout"), stderr.join().expect("stderr"));
    let status = status.unwrap_or_else(|| panic!("still running: {stdout}\n{stderr}"));
    Ended { status, stdout, stderr }
}

/// Waits at most so long, then kills the child's process group.
pub fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().expect("wait for the child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            signal("KILL", &format!("-{}", child.id()));
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process, or to a process group when `to` starts with `-`.
pub fn signal(name: &str, to: &str) {
    let sent = Command::new("kill").args(["-s", name, "--", to]).status();
    assert!(sent.expect("run kill").success(), "kill -s {name} {to}");
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("read a child's output");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A session and what it left.
pub struct Played {
    /// The client's end and output.
    pub client: Ended,
    /// What passed between the client and what it started.
    pub at_client: Vec<Tape>,
    /// What passed between the tap and the server; empty without a tap.
    pub at_server: Vec<Tape>,
}

/// What stands between client and server.
pub enum Between<'a> {
    /// Nothing.
    Nothing,
    /// This command in front of the server's.
    Tap(&'a [&'a str]),
}

/// `mcpproxy tap --`.
pub const TAP: Between<'static> = Between::Tap(&[MCPPROXY, "tap", "--"]);

/// Plays one session and asserts that the client was content.
pub fn play(
    parts: &Parts,
    home: &Home,
    client: &Client,
    server: &Server,
    between: Between<'_>,
) -> Played {
    let served = match between {
        Between::Nothing => server.command(parts),
        Between::Tap(tap) => {
            let server = home.recorded("server", server.command(parts));
            tap.iter().map(OsString::from).chain(server).collect()
        }
    };
    let command = client.command(parts, &home.recorded("client", served));
    let mut shell = home.shell(&[], &command);
    let client = run(shell.env("NODE_PATH", parts.node_modules()));
    assert!(client.status.success(), "the client failed: {}", client.stderr);
    Played { client, at_client: home.tapes_of("client"), at_server: home.tapes_of("server") }
}

/// Waits until it is so; false when it does not come to that.
pub fn happens(is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
