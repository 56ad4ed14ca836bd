//! Starting, stopping, logging, and what a service manager expects.

use crate::clients::{call, modern, over_http, over_stdio, own, text};
use crate::fake::Fake;
use crate::gateway::{Gateway, Home, MCPPROXY};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_under_way_finishes_before_the_gateway_ends() {
    let fake = Fake::default();
    let url = fake.serve().await;
    let gateway = Gateway::start(&json!({"mcpServers": {"fake": {"url": url}}}));
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let pending =
        tokio::spawn(async move { text(&call(&session, "fake:second", json!({})).await) });
    while fake.shared.calls.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    gateway.signal("-INT");
    assert_eq!(pending.await.expect("a call"), "a second later");
    let (ended, said) = gateway.ended();
    assert!(ended.success(), "{ended:?}");
    assert!(said.contains("stopping"), "{said}");
}

#[test]
fn who_asks_twice_does_not_wait() {
    let config = json!({"mcpServers": {"stubborn": {
        "command": "sh",
        "args": ["-c", "trap '' TERM; while :; do sleep 1; done"],
        "startup_timeout_sec": 60
    }}});
    let gateway = Gateway::start(&config);
    gateway.signal("-TERM");
    std::thread::sleep(Duration::from_millis(300));
    gateway.signal("-TERM");
    let begun = std::time::Instant::now();
    let (ended, _) = gateway.ended();
    assert!(begun.elapsed() < Duration::from_secs(5), "{ended:?}");
}

#[test]
fn an_address_that_is_taken_or_open_to_others_is_an_error_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let home = Home::empty();
    for (args, code, part) in [
        (&["serve", "--listen", &address][..], 1, "--listen HOST:PORT"),
        (&["serve", "--listen", "0.0.0.0:0"], 2, "--allowed-host NAME"),
        (&["serve", "--listen", "nowhere"], 2, "127.0.0.1:8080"),
        (&["serve", "--listen", ""], 2, "127.0.0.1:8080"),
        (&["serve", "--log-format", "xml"], 2, "text or json"),
        (&["serve", "--log-level", "loud"], 2, "error, warn or info"),
        (&["serve", "--allowed-host", "http://x/"], 2, "host name"),
        (&["serve", "--launched-by", "me"], 2, "login_item"),
        (&["serve", "surplus"], 2, "surplus"),
    ] {
        let output = home.command(args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.starts_with("mcpproxy serve: ") && said.contains(part), "{args:?}: {said}");
        assert!(output.stdout.is_empty());
    }
    assert!(!home.data().exists(), "nothing was made");
}

#[test]
fn a_config_that_cannot_be_read_is_an_error_and_stays_as_it_is() {
    let home = Home::with(&json!({}));
    std::fs::write(home.config(), "{\"mcpServers\": {\"a\": {\"command\": \"secret\"},}").unwrap();
    let output = home.command(&["serve"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("mcp_config.json") && said.contains("repair it"), "{said}");
    assert!(!said.contains("secret"), "{said}");
    assert!(std::fs::read_to_string(home.config()).unwrap().ends_with("},}"));
}

#[test]
fn beyond_this_machine_clients_need_the_key_too() {
    let home = Home::empty();
    let args = ["--listen", "0.0.0.0:0", "--allowed-host", "gateway.example"];
    let mut gateway = Gateway::start_in(home, &args, &[]);
    gateway.address = gateway.address.replace("0.0.0.0", "127.0.0.1");
    let host = ("Host", "gateway.example");
    assert_eq!(gateway.ask("POST", "/mcp", &[host], "{}").0, 401);
    let key = gateway.key.clone();
    assert_ne!(gateway.ask("POST", "/mcp", &[host, ("X-API-Key", &key)], "{}").0, 401);
    let bearer = format!("Bearer {key}");
    assert_ne!(gateway.ask("POST", "/mcp", &[host, ("Authorization", &bearer)], "{}").0, 401);
    assert_eq!(gateway.ask("GET", "/", &[("Host", "other.example")], "").0, 403);
}

#[test]
fn the_log_is_json_when_asked_and_holds_no_secret() {
    let home = Home::with(&json!({"mcpServers": {
        "broken": {"command": "no-such-command", "args": ["secret-argument"], "env": {"TOKEN": "secret-value"}},
        "gone": {"url": "http://user:secret-word@127.0.0.1:9/secret-path", "headers": {"Authorization": "secret-header"}},
    }}));
    let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(Duration::from_secs(3));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    assert!(child.wait().expect("an end").success());
    assert_eq!(out, "", "the key is on standard output");
    let config: Value =
        serde_json::from_str(&std::fs::read_to_string(home.config()).unwrap()).expect("JSON");
    let key = config["api_key"].as_str().expect("a key");
    assert!(!said.contains(key) && !said.contains("secret"), "{said}");
    let lines = said.lines().filter(|line| line.starts_with('{'));
    let events: Vec<Value> =
        lines.map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
    assert!(events.iter().any(|event| event["mcp"].is_string()), "{said}");
    assert!(events.iter().any(|event| event["server"] == "broken" && event["level"] == "WARN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_standard_input_is_the_end() {
    let url = Fake::default().serve().await;
    let home = Home::with(&json!({"mcpServers": {"fake": {"url": url}}}));
    let session = over_stdio(&home, "goose", modern()).await;
    own(&session, "retrieve_tools", json!({"query": "echo"})).await.expect("an answer");
    session.cancel().await.expect("an end");
    let mut child = home
        .command(&["serve", "--stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"this is no message\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{:?}", output.status);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        serde_json::from_str::<Value>(line).expect("nothing but messages on standard output");
    }
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let home = Home::with(&json!({}));
    let path = home.root().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let told = path.to_str().expect("UTF-8").to_owned();
    let gateway = Gateway::start_in(home, &[], &[("NOTIFY_SOCKET", &told)]);
    let next = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(next(), "READY=1");
    gateway.signal("-TERM");
    assert_eq!(next(), "STOPPING=1");
    assert!(gateway.ended().0.success());
}

#[test]
fn a_socket_that_was_opened_for_it_is_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let home = Home::with(&json!({}));
    // As standard input it survives `exec`; the shell then puts it where a service manager would.
    let script =
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --data-dir \"$1\"";
    let mut child = Command::new("sh")
        .args(["-c", script, MCPPROXY])
        .arg(home.data())
        .env_clear()
        .env("HOME", home.root())
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let first = output.lines().next().expect("a line").expect("text");
    let _ = child.kill();
    let _ = child.wait();
    assert!(first.ends_with(&format!("http://{address}/mcp")), "{first}");
}
