//! A wrapped server, and the receiver that its heartbeats go to.

use super::*;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// For what takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers every line.
const SERVER: &str =
    r#"while read line; do echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; done"#;

/// A running `tap` in front of a server, with one heartbeat a second while it is allowed.
pub struct Tap {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Tap {
    /// Of our own product.
    pub fn start(command: &mut Command, receiver: &Receiver) -> Self {
        command.env("MCPPROXY_TELEMETRY_ENDPOINT", receiver.endpoint());
        Self::spawn(command)
    }

    /// Of another product, in the data directory that is not the user's own.
    pub fn of(home: &Home, product: &str, version: &str, receiver: &Receiver) -> Self {
        Self::with(home, &[], product, version, receiver)
    }

    /// As [`Self::of`], with more options.
    pub fn with(
        home: &Home,
        options: &[&str],
        product: &str,
        version: &str,
        receiver: &Receiver,
    ) -> Self {
        let mut command = home.command(&["tap", "--product", product]);
        command.args(options);
        command.args(["--product-version", version, "--endpoint", &receiver.endpoint()]);
        Self::spawn(command.arg("--data-dir").arg(home.path("given")))
    }

    fn spawn(command: &mut Command) -> Self {
        let shell: [&OsStr; 4] = ["--", "sh", "-c", SERVER].map(OsStr::new);
        let mut child = command
            .args(shell)
            .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
            .env("MCPPROXY_TELEMETRY_INTERVAL", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { input: child.stdin.take(), output, child }
    }

    /// One tool call, answered: what passes is observed.
    pub fn call(&mut self) {
        let input = self.input.as_mut().expect("an open pipe");
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#;
        writeln!(input, "{call}").expect("a server that listens");
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).expect("an answer") > 0, "the server is gone");
    }

    /// Uses it until something is so.
    pub fn until(&mut self, is_so: impl Fn() -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < give_up, "it does not come to that");
            self.call();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Uses it until its telemetry thread is gone: without one, nothing can be sent.
    pub fn must_fall_silent(&mut self) {
        let tasks = self.tasks();
        self.until(|| !has_telemetry_thread(&tasks));
    }

    /// Uses it until one more heartbeat arrives than there are: the first one, and after an objection, when
    /// something passes.
    pub fn must_send(&mut self, receiver: &Receiver) {
        let sent = receiver.requests().len();
        self.until(|| receiver.requests().len() > sent);
    }

    /// As its client ends it: it says so itself.
    pub fn end(mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }

    pub fn has_telemetry_thread(&self) -> bool {
        has_telemetry_thread(&self.tasks())
    }

    fn tasks(&self) -> PathBuf {
        format!("/proc/{}/task", self.child.id()).into()
    }
}

fn has_telemetry_thread(tasks: &Path) -> bool {
    std::fs::read_dir(tasks).expect("a running process").flatten().any(|task| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.starts_with("mcpproxy-"))
    })
}

impl Drop for Tap {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
