//! One wrapped server.

use super::*;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

/// Answers every line.
const SERVER: &str =
    r#"while read line; do echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; done"#;

/// A running `tap` that is due at once. Its standard error goes to a file.
pub struct Tap {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    stderr: PathBuf,
}

impl Tap {
    /// With these options, before the server's command.
    pub fn start(home: &Home, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let (file, stderr) = tempfile::NamedTempFile::new_in(home.0.path())
            .expect("a file")
            .keep()
            .expect("a file that stays");
        let mut child = home
            .command(MCPPROXY, &["tap", "--data-dir"])
            .arg(home.data())
            .args(options)
            .args(["--", "sh", "-c", SERVER])
            .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { input: child.stdin.take(), output, child, stderr }
    }

    /// Of a product that sends to a receiver.
    pub fn of(home: &Home, product: &str, receiver: &Receiver) -> Self {
        let endpoint = receiver.endpoint();
        let options = ["--product", product, "--product-version", "1.4.0", "--endpoint", &endpoint];
        let mut tap = Self::start(home, &options, &[]);
        tap.call();
        tap
    }

    fn ask(&mut self, line: &str) {
        let input = self.input.as_mut().expect("an open pipe");
        writeln!(input, "{line}").expect("a server that listens");
        let mut answer = String::new();
        assert!(self.output.read_line(&mut answer).expect("an answer") > 0, "the server is gone");
    }

    /// One request, answered. No tool is called: on the first day that is worth a second heartbeat.
    pub fn call(&mut self) {
        self.ask(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
    }

    /// A client introduces itself, and is answered.
    pub fn introduce(&mut self, client: &str) {
        self.ask(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"clientInfo":{{"name":"{client}","version":"1"}}}}}}"#
        ));
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        let mut text = String::new();
        File::open(&self.stderr).and_then(|mut file| file.read_to_string(&mut text)).expect("read");
        text
    }

    pub fn wait_until_said(&self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        while !self.said().contains(part) {
            assert!(Instant::now() < until, "{part:?} is not in {:?}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.said()
    }

    /// Ends the client's side: the session ends, and its observer with it. What it had said.
    pub fn end(mut self) -> String {
        drop(self.input.take());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        self.said()
    }

    pub fn has_telemetry_thread(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.expect("a running process").flatten().any(|task| {
            let name = std::fs::read_to_string(task.path().join("comm"));
            name.is_ok_and(|name| name.starts_with("mcpproxy-"))
        })
    }

    /// Uses it until its telemetry thread is gone: without one, nothing can be sent.
    pub fn must_fall_silent(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.has_telemetry_thread() {
            assert!(Instant::now() < until, "its telemetry thread lives on");
            self.call();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
