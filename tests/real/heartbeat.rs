//! The whole pipeline: a real session, a heartbeat, a receiver.

use crate::parts::{Client, Parts, Server};
use crate::session::{Between, Home, MCPPROXY, TAP, happens, play};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// One request as it arrived.
struct Request {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// A loopback HTTP server that says yes to everything and hands over what it got.
fn receiver() -> (u16, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(connection) = connection else { return };
            if answer(connection, &sender).is_none() {
                return;
            }
        }
    });
    (port, requests)
}

fn answer(mut connection: TcpStream, sender: &Sender<Request>) -> Option<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let headers = lines.split_off(1);
    sender.send(Request { line: lines.pop()?, headers, body }).ok()?;
    let yes = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    connection.write_all(yes).ok()
}

fn assert_valid(payload: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../../src/contract/heartbeat-v4.json"))
        .expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let errors: Vec<String> =
        validator.iter_errors(payload).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// `telemetry verify -` on these bytes: its exit code and first verdict.
fn verify(body: &[u8]) -> (Option<i32>, Value) {
    let mut child = Command::new(MCPPROXY)
        .args(["telemetry", "verify", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start verify");
    child.stdin.take().expect("piped").write_all(&[body, b"\n"].concat()).expect("write");
    let output = child.wait_with_output().expect("its verdict");
    let verdict = serde_json::from_slice(&output.stdout).expect("one JSON line");
    (output.status.code(), verdict)
}

/// A valid heartbeat of the session that called `retrieve_tools` once, accepted by our own gate.
fn assert_tells_of_the_session(request: &Request) {
    assert_eq!(request.line, "POST /heartbeat HTTP/1.1");
    let is_json =
        |header: &String| header.to_lowercase().starts_with("content-type: application/json");
    assert!(request.headers.iter().any(is_json), "{:?}", request.headers);
    let payload: Value = serde_json::from_slice(&request.body).expect("a JSON body");
    assert_valid(&payload);
    assert_eq!(verify(&request.body), (Some(0), json!({ "line": 1, "ok": true })));
    let activation = &payload["activation"];
    assert_eq!(activation["mcp_clients_seen_ever"], json!(["claude-code"]));
    assert_eq!(activation["first_connected_server_ever"], true);
    assert_eq!(activation["retrieve_tools_calls_24h"], 1);
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "10k_100k");
    assert_eq!(payload["routing_mode"], "tap");
    assert_eq!(payload["launch_source"], "unknown");
}

#[test]
fn one_heartbeat_of_a_real_session_arrives_and_a_second_session_sends_none() {
    let Some(parts) = Parts::find() else { return };
    let (port, requests) = receiver();
    let home = Home::without_data_dir();

    let endpoint = format!("MCPPROXY_TELEMETRY_ENDPOINT=http://127.0.0.1:{port}");
    let delay = "MCPPROXY_TELEMETRY_INITIAL_DELAY=1";
    let tap = ["env", &endpoint, delay, MCPPROXY, "tap", "--"];
    let call = json!(["retrieve_tools", { "query": "git", "limit": 3 }]);
    let calling = Client::TypeScript(json!({ "name": "claude-code", "calls": [call] }));
    let session = |hold: &str| {
        Client::TypeScript(json!({ "name": "claude-code", "until": home.root().join(hold) }))
    };
    let release = |hold: &str| std::fs::write(home.root().join(hold), "").expect("release");

    // Without an endpoint the funnel moves and nothing is sent: what the heartbeat tells is settled.
    let local = play(&parts, &home, &calling, &Server::ToolIndex, TAP);
    assert!(requests.try_recv().is_err(), "something was sent to nobody");

    let (first, played) = std::thread::scope(|scope| {
        let playing = scope
            .spawn(|| play(&parts, &home, &session("one"), &Server::ToolIndex, Between::Tap(&tap)));
        let first = requests.recv_timeout(Duration::from_secs(30));
        // The session lasts until the acknowledgement is on record.
        let recorded =
            first.is_ok() && happens(|| !home.status()["heartbeat"]["last_success"].is_null());
        release("one");
        let played = playing.join().expect("the session");
        assert!(recorded, "no heartbeat was acknowledged: {}", played.client.stderr);
        (first.expect("a request"), played)
    });

    assert_tells_of_the_session(&first);
    assert_eq!(played.at_client, played.at_server, "the traffic is untouched");
    let notices = [&local, &played].map(|played| played.client.stderr.contains("show-payload"));
    assert_eq!(notices.iter().filter(|told| **told).count(), 1, "once: {}", local.client.stderr);
    assert!(!played.client.stdout.contains("show-payload"), "the notice on the client's output");
    let copies: Vec<_> = std::fs::read_dir(home.data_dir().join("sent")).expect("sent").collect();
    assert_eq!(copies.len(), 1, "one copy of what was sent");
    let copy = copies[0].as_ref().expect("an entry").path();
    assert_eq!(std::fs::read(copy).expect("the copy"), first.body);

    std::thread::scope(|scope| {
        let playing = scope
            .spawn(|| play(&parts, &home, &session("two"), &Server::ToolIndex, Between::Tap(&tap)));
        // Longer than the initial delay: only time can show that nothing comes.
        let second = requests.recv_timeout(Duration::from_secs(4));
        release("two");
        let played = playing.join().expect("the session");
        assert!(second.is_err(), "a second heartbeat within a day");
        assert!(!played.client.stderr.contains("show-payload"), "the notice came twice");
    });
}
