//! Processes that are measured: how they are started, what memory they hold, how they end.

use crate::figures::megabytes;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
pub use std::process::Command;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The gateway that is measured: this build, or (to compare builds) the one that `MCPPROXY_BINARY` names.
fn mcpproxy() -> OsString {
    std::env::var_os("MCPPROXY_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_mcpproxy").into())
}

/// A home directory with a config of these servers.
pub struct Home(tempfile::TempDir);

impl Home {
    /// `servers` as in `mcpServers`.
    pub fn with(servers: Value) -> Self {
        let home = Self(tempfile::tempdir().expect("a temporary directory"));
        let config = home.0.path().join("mcp_config.json");
        std::fs::write(config, json!({"mcpServers": servers}).to_string()).expect("a config");
        home
    }

    /// Our gateway in it, with nothing else in its environment. No heartbeat falls into a run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(mcpproxy());
        command.arg("serve").args(arguments).env_clear();
        command.env("HOME", self.0.path()).env("MCPPROXY_HOME", self.0.path());
        command.env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "86400");
        for name in ["PATH", "MALLOC_ARENA_MAX"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

/// A process that ends with this.
pub struct Running(pub Child);

impl Running {
    /// Silent, whatever it has to say.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if cfg!(unix) {
            let pid = self.0.id().to_string();
            let _ = Command::new("kill").arg(pid).status();
            let until = Instant::now() + Duration::from_secs(10);
            while Instant::now() < until {
                if matches!(self.0.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Our gateway, listening.
pub struct Gateway {
    pub address: String,
    pub started: Instant,
    /// From its start until it said where it listens.
    pub until_listening: Duration,
    key: String,
    running: Running,
    _home: Home,
}

impl Gateway {
    /// In front of these servers.
    pub fn start(servers: Value) -> Self {
        let home = Home::with(servers);
        let started = Instant::now();
        let mut child = home
            .command(&["--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the gateway starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut after = |mark: &str| {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            line.split_once(mark).expect("it says where it listens").1.to_owned()
        };
        let address = after("http://").trim_end_matches("/mcp").to_owned();
        let key = after("#key=");
        let until_listening = started.elapsed();
        Self { address, started, until_listening, key, running: Running(child), _home: home }
    }

    pub fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// How many servers are connected, and how many tools they have.
    pub fn connected(&self) -> (u64, u64) {
        let head = format!("GET /api/v1/status HTTP/1.1\r\nX-API-Key: {}\r\n", self.key);
        let (_, body) = request(&self.address, &head, "");
        let status: Value = serde_json::from_str(&body).unwrap_or_default();
        let number = |name: &str| status["data"][name].as_u64().unwrap_or_default();
        (number("connected_server_count"), number("tool_count"))
    }

    /// Waits until so many servers are connected; how long that took from the start.
    pub fn until_connected(&self, servers: u64) -> Duration {
        while self.connected().0 < servers {
            assert!(self.started.elapsed() < Duration::from_secs(120), "servers do not connect");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.started.elapsed()
    }

    pub fn memory(&self) -> Memory {
        Memory::of(self.pid())
    }
}

/// One request on a connection of its own; head and body of the answer.
pub fn request(address: &str, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let length = body.len();
    let text = format!(
        "{head}Host: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    (head.to_owned(), body.to_owned())
}

/// Kilobytes of a process and all below it, our upstream servers left out.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    pub now: u64,
    pub peak: u64,
    pub processes: usize,
}

impl Memory {
    /// Zero where there is no `/proc`.
    pub fn of(pid: u32) -> Self {
        let me = std::env::current_exe().ok();
        let proc = Path::new("/proc").join(pid.to_string());
        let mut sum = Self::default();
        if me.is_some() && std::fs::read_link(proc.join("exe")).ok() == me {
            return sum;
        }
        let status = std::fs::read_to_string(proc.join("status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
        };
        sum.now += field("VmRSS:");
        sum.peak += field("VmHWM:");
        sum.processes += 1;
        let tasks = std::fs::read_dir(proc.join("task")).into_iter().flatten().flatten();
        for task in tasks {
            let children =
                std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                let below = Self::of(child);
                sum.now += below.now;
                sum.peak += below.peak;
                sum.processes += below.processes;
            }
        }
        sum
    }
}

/// What a gateway without servers costs.
pub fn idle() {
    println!("A gateway without servers");
    let mut starts = crate::figures::Times::default();
    let mut memory = Memory::default();
    for _ in 0..20 {
        let gateway = Gateway::start(json!({}));
        starts.add(gateway.until_listening);
        std::thread::sleep(Duration::from_millis(200));
        memory = gateway.memory();
    }
    println!(
        "  from the start until it listens: p50 {:.1} ms; it holds {}\n",
        starts.at(50) / 1e3,
        megabytes(memory.now)
    );
}
