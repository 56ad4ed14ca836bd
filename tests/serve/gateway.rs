//! A running gateway, and HTTP as it is on the wire.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// Nothing here takes longer, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `check` gives something.
#[track_caller]
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < until, "it never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A home directory with a data directory in it.
pub struct Home(tempfile::TempDir);

impl Home {
    /// With this `mcp_config.json`.
    pub fn with(config: &Value) -> Self {
        let home = Self::empty();
        std::fs::create_dir(home.data()).expect("a data directory");
        home.write(config);
        home
    }

    /// Where mcpproxy never ran.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn config(&self) -> PathBuf {
        self.data().join("mcp_config.json")
    }

    /// Replaces the config, as an editor does; the API key is kept.
    pub fn write(&self, config: &Value) {
        let mut config = config.clone();
        let before = std::fs::read_to_string(self.config()).unwrap_or_default();
        if let Ok(before) = serde_json::from_str::<Value>(&before)
            && !before["api_key"].is_null()
        {
            config["api_key"] = before["api_key"].clone();
        }
        let new = self.data().join("new");
        std::fs::write(&new, config.to_string()).expect("a written config");
        std::fs::rename(new, self.config()).expect("a replaced config");
    }

    /// A command of the program in this home, with nothing else in its environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(MCPPROXY);
        command.args(args).env_clear().env("HOME", self.root());
        command.env("MCPPROXY_HOME", self.data());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdin(Stdio::null());
        command
    }

    /// What a command prints; it must succeed.
    pub fn out(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// A gateway that listens on a port of its own.
pub struct Gateway {
    pub home: Home,
    pub address: String,
    pub key: String,
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Gateway {
    pub fn start(config: &Value) -> Self {
        Self::start_in(Home::with(config), &[], &[])
    }

    pub fn start_in(home: Home, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(args).envs(variables.iter().copied());
        Self::of(home, command)
    }

    /// As `command`, which serves on a port of its own, starts it.
    pub fn of(home: Home, mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().and_then(Result::ok).unwrap_or_default();
        let (first, second) = (line(), line());
        let after = |text: &str, mark: &str| {
            text.split_once(mark)
                .unwrap_or_else(|| panic!("{mark} is not in {text:?}"))
                .1
                .to_owned()
        };
        let address = after(&first, "http://").trim_end_matches("/mcp").to_owned();
        let key = after(&second, "#key=");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        Self { home, address, key, child, stderr }
    }

    pub fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request with these headers besides `Host`; status and body.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let (head, body) = self.raw(method, path, headers, body);
        (status_of(&head), body)
    }

    /// As [`Self::ask`], with the whole head. `Host` may be among the headers.
    pub fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.to_owned(), body.to_owned())
    }

    /// `data` of an API path, with the key.
    pub fn data(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &[("X-API-Key", &self.key)], "");
        assert_eq!(status, 200, "{path}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["success"], true, "{body}");
        answer["data"].clone()
    }

    pub fn status(&self) -> Value {
        self.data("/api/v1/status")
    }

    pub fn payload(&self) -> Value {
        self.data("/api/v1/telemetry/payload")
    }

    /// Waits until `name` is in this state.
    #[track_caller]
    pub fn wait_for(&self, name: &str, state: &str) -> Value {
        eventually(&format!("{name} is {state}"), || {
            let status = self.status();
            let servers = status["servers"].as_array().cloned().unwrap_or_default();
            servers.into_iter().find(|server| server["name"] == name && server["state"] == state)
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end; its home stays.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end: how it ended, and what it said.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.wait_for_end();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).expect("text");
        (status, said)
    }

    /// Asks it to stop, and waits.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal("-TERM");
        self.ended()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn status_of(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line")
}
