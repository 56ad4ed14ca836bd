//! The real client against every answer of the table: from the collector where it gives it, else from a
//! receiver that answers as it is told.

use crate::receiver::{Receiver, Reply};
use crate::running::{Client, Collector, PATIENCE, heartbeat_v3, now, program, wait_until};
use mcpproxy::contract::RoutingMode;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

/// One user of the product.
pub struct User {
    home: tempfile::TempDir,
}

pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl User {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary directory") }
    }

    fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    pub fn command(&self, endpoint: &str) -> Command {
        let mut command = program();
        command
            .env("HOME", self.home.path())
            .env("MCPPROXY_HOME", self.data())
            .env("MCPPROXY_TELEMETRY_ENDPOINT", endpoint);
        command
    }

    pub fn telemetry(&self, endpoint: &str, words: &[&str]) -> Ran {
        let output = self.command(endpoint).arg("telemetry").args(words).output();
        let output = output.expect("the built command");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `telemetry send --now`, and whether it was acknowledged.
    pub fn sends(&self, endpoint: &str) -> bool {
        let ran = self.telemetry(endpoint, &["send", "--now"]);
        let is_sent = ran.stdout.starts_with("sent: ");
        assert_eq!(ran.code == Some(0), is_sent, "{} {}", ran.stdout, ran.stderr);
        is_sent
    }
}

fn installs(collector: &Collector) -> usize {
    collector.reader().rows("mcpproxy").expect("rows").len()
}

fn collecting(dir: &Path) -> Collector {
    Collector::start_with(dir, &["--product", "mcpproxy"], &[])
}

#[test]
fn stored_and_duplicate_are_both_acknowledged() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = collecting(place.path());
    let user = User::new();
    assert!(user.sends(&collector.endpoint()));
    assert_eq!(installs(&collector), 1);

    // The first answer is lost on the way: the client says the same bytes again.
    let user = User::new();
    let endpoint = losing_the_first_answer(collector.address);
    assert!(!user.sends(&endpoint));
    assert!(user.sends(&endpoint));
    assert_eq!(installs(&collector), 2);
    let counts = collector.reader().counts(0).expect("counts");
    assert_eq!(counts, [("duplicate".to_owned(), 1), ("stored".to_owned(), 2)]);
}

/// An endpoint that passes requests on to the collector, and every answer but the first back.
fn losing_the_first_answer(collector: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let from = head.len();
                stream.read_line(&mut head).expect("a head");
                let line = head[from..].to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            let whole = [head.as_bytes(), &body].concat();
            let answer = Client::connect(collector).and_then(|mut client| client.ask(&whole));
            let answer = answer.expect("the collector's answer");
            assert_eq!(answer.code, 200);
            if number > 0 {
                let length = answer.body.len();
                let back = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{}",
                    answer.body
                );
                stream.get_mut().write_all(back.as_bytes()).expect("passed on");
            }
        }
    });
    endpoint
}

#[test]
fn a_refused_product_is_no_acknowledgement() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start_with(place.path(), &["--product", "other-mcp"], &[]);
    let user = User::new();
    assert!(!user.sends(&collector.endpoint()));
    assert_eq!(installs(&collector), 0);
    let counts = collector.reader().counts(0).expect("counts");
    assert_eq!(counts, [("refused.product".to_owned(), 1)]);
}

#[test]
fn the_rate_limit_of_the_collector_keeps_the_same_bytes_for_later() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = collecting(place.path());
    let user = User::new();
    // Its bytes, seen by a receiver that wants them later.
    let receiver = Receiver::start([Reply::status(503)]);
    assert!(!user.sends(&receiver.endpoint()));
    let bytes = receiver.requests()[0].body.clone();
    let text = String::from_utf8(bytes).expect("text");
    let own = text.split(r#""anonymous_id":""#).nth(1).and_then(|rest| rest.get(..36));
    // Three heartbeats of this install today, none of them at the second of its own.
    let today = now();
    for second in 1..=3 {
        let beat = String::from_utf8(heartbeat_v3(1, today - 1000 - second)).expect("text");
        let beat = beat.replace(&crate::running::id(1), own.expect("an id"));
        assert!(collector.post(beat.as_bytes()).is_stored(), "{beat}");
    }
    let ran = user.telemetry(&collector.endpoint(), &["send", "--now"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("429"), "{} {}", ran.stdout, ran.stderr);
    assert_eq!(installs(&collector), 1);
}

#[test]
fn a_receiver_that_erased_retired_or_limits_is_understood() {
    // 204: an erased install; acknowledged.
    let receiver = Receiver::start([Reply::status(204)]);
    assert!(User::new().sends(&receiver.endpoint()));
    // 410: no acknowledgement, whatever it is about.
    let receiver = Receiver::start([Reply::status(410)]);
    assert!(!User::new().sends(&receiver.endpoint()));
    // 429: the same bytes later.
    let limited = Reply::Status(429, vec![("retry-after", "3600".to_owned())]);
    let receiver = Receiver::start([limited]);
    let user = User::new();
    assert!(!user.sends(&receiver.endpoint()));
    assert!(user.sends(&receiver.endpoint()));
    let requests = receiver.requests();
    assert_eq!(requests[0].body, requests[1].body);
}

#[test]
fn a_tap_that_runs_long_enough_is_on_the_collector() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = collecting(place.path());
    let user = User::new();
    let mut tap = user
        .command(&collector.endpoint())
        .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
        .args(["tap", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the built command");
    let reader = collector.reader();
    wait_until("its heartbeat is stored", || reader.rows("mcpproxy").expect("rows").len() == 1);
    let rows = reader.rows("mcpproxy").expect("rows");
    assert_eq!(rows[0].first.routing, Some(RoutingMode::Tap));
    drop(tap.stdin.take());
    assert!(crate::endure::end_within(&mut tap, PATIENCE).is_some());
}
