//! The demo: filled pages that say what they are, nothing received, nothing left behind.

use crate::running::{Client, Collector, PRODUCT, heartbeat, now, program};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

/// A running demo, whose temporary directory and home are those of the test.
struct Demo {
    child: Child,
    address: SocketAddr,
    said: String,
    key: String,
}

impl Demo {
    fn start(place: &Path) -> Self {
        let mut command = program();
        command
            .args(["collector", "--demo", "--listen", "127.0.0.1:0"])
            .env("TMPDIR", place.join("tmp"))
            .env("HOME", place.join("home"))
            // It has a directory and a key of its own, whatever a collector here would use.
            .env("MCPPROXY_COLLECTOR_HOME", place.join("collector"))
            .env("MCPPROXY_COLLECTOR_KEY", "ab".repeat(32));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the built command");
        let mut stdout = BufReader::new(child.stdout.take().expect("its standard output"));
        let mut said = String::new();
        while !said.contains("/?key=") {
            assert!(stdout.read_line(&mut said).expect("a line") > 0, "it ended: {said}");
        }
        let (_, rest) = said.split_once("http://").expect("an address");
        let (address, key) = rest.trim().split_once("/?key=").expect("a key");
        let (address, key) = (address.parse().expect("an address"), key.to_owned());
        Self { child, address, said, key }
    }

    fn connect(&self) -> Client {
        Client::connect(self.address).expect("a connection")
    }

    fn get(&self, path: &str) -> crate::running::Answer {
        let key = &self.key;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n");
        self.connect().ask(request.as_bytes()).expect("an answer")
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).body).expect("JSON")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory for everything that a demo could leave.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a directory");
    for name in ["tmp", "home"] {
        fs::create_dir(place.path().join(name)).expect("a directory");
    }
    place
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).expect("entries").count()
}

#[test]
fn a_newcomer_sees_filled_pages_that_say_what_they_are() {
    let place = place();
    let demo = Demo::start(place.path());
    assert!(demo.said.starts_with("A demo: ") && !demo.said.contains("Receiving"), "{}", demo.said);
    for page in ["/", "/retention?show=all", "/activation?product=notes-mcp", "/privacy"] {
        let answer = demo.get(page);
        assert_eq!(answer.code, 200, "{page}");
        assert_eq!(answer.body.matches(r#"<aside class="demo""#).count(), 1, "{page}");
    }
    // Without the key, and of a view that there is none of.
    let closed = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let closed = demo.connect().ask(closed).expect("an answer");
    for (answer, code) in [(closed, 401), (demo.get("/?product=unheard-of"), 404)] {
        assert_eq!(answer.code, code);
        assert!(answer.body.contains(r#"<aside class="demo""#), "{}", answer.body);
    }
    let overview = demo.json("/overview.json");
    let number =
        |pointer: &str| overview.pointer(pointer).and_then(Value::as_u64).expect("a number");
    assert!(number("/installs") > 100, "{overview}");
    assert!(number("/active/yesterday") > 10, "{overview}");
    assert!(number("/retention/week_4/of") > 50, "{overview}");
    assert!(number("/left_out/floods") > 0, "{overview}");
    let weeks = overview["new_installs"].as_array().expect("weeks");
    // The present one may have begun a moment ago.
    let (_, over) = weeks.split_last().expect("a week");
    assert!(over.len() >= 12 && over.iter().all(|week| week["installs"] != 0), "{overview}");
    let style = demo.get("/style.css");
    assert!(style.code == 200 && !style.body.contains("aside class"));
}

#[test]
fn a_demo_takes_no_heartbeat_and_leaves_nothing_behind() {
    let place = place();
    let mut demo = Demo::start(place.path());
    let installs = demo.json("/overview.json?show=all")["installs"].clone();
    let answer = demo.connect().post(&heartbeat(1, now())).expect("an answer");
    // Its sender keeps the bytes for later.
    assert_eq!((answer.code, answer.header("retry-after")), (503, Some("3600")), "{answer:?}");
    assert_eq!(answer.body, r#"{"stored":false,"demo":true}"#);
    let erasure = "DELETE /installs HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(demo.connect().ask(erasure.as_bytes()).expect("an answer").code, 503);
    assert_eq!(demo.get("/readyz").code, 503);
    assert_eq!(demo.get("/healthz").code, 200);
    assert_eq!(demo.json("/overview.json?show=all")["installs"], installs);
    assert_eq!(entries(&place.path().join("tmp")), 1, "its database");

    crate::running::signal(demo.child.id(), "TERM");
    let ended = crate::endure::end_within(&mut demo.child, crate::running::PATIENCE);
    assert!(ended.expect("it ends").success());
    assert_eq!(entries(&place.path().join("tmp")), 0);
    assert_eq!(entries(&place.path().join("home")), 0);
    assert!(!place.path().join("collector").exists());
}

#[test]
fn an_option_that_is_about_receiving_is_refused_beside_demo() {
    let place = place();
    for words in [
        &["--product", PRODUCT][..],
        &["--any-product"],
        &["--accept", "mcpproxy-go"],
        &["--key-file", "x"],
        &["--trusted-proxy", "10.0.0.0/8"],
        &["--contact", "x"],
        &["--ephemeral"],
        &["--keep-days", "30"],
        &["--keep-installs", "12"],
        &["--data-dir", "x"],
    ] {
        let mut command = program();
        command.args(["collector", "--demo"]).args(words).current_dir(place.path().join("home"));
        let output = command.env("TMPDIR", place.path().join("tmp")).output().expect("the command");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("leave out {}", words[0])), "{words:?}: {said}");
    }
    assert_eq!((entries(&place.path().join("tmp")), entries(&place.path().join("home"))), (0, 0));
}

#[test]
fn a_demo_does_not_start_where_a_collector_listens() {
    let place = place();
    let kept = place.path().join("kept");
    let collector = Collector::start(&kept);
    let mut command = program();
    command.args(["collector", "--demo", "--listen", &collector.address.to_string()]);
    let output = command.env("TMPDIR", place.path().join("tmp")).output().expect("the command");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"), "{output:?}");
    assert_eq!(entries(&place.path().join("tmp")), 0);
    assert!(collector.post(&heartbeat(1, now())).is_stored());
}
