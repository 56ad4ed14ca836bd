//! The page in a real browser, and what its switch does to a host that runs beside the gateway.

#[path = "../../support/receiver.rs"]
#[expect(dead_code, reason = "the tests of the heartbeat use the rest")]
mod receiver;

use super::host::{Gateway, config, entry};
use super::upstreams::plain;
use crate::parts::{Client, Parts, Server, chromium, file};
use crate::session::{Home, MCPPROXY, finish, happens, run};
use receiver::Receiver;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

/// When heartbeats are due here: at once, and again when the browser is done.
const EAGER: [(&str, &str); 2] =
    [("MCPPROXY_TELEMETRY_INITIAL_DELAY", "1"), ("MCPPROXY_TELEMETRY_INTERVAL", "25")];
/// Past the second heartbeat that would have been, jitter included.
const DUE: Duration = Duration::from_secs(30);

/// Every file below a directory and when it was written.
fn written(directory: &Path, all: &mut BTreeMap<String, SystemTime>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            written(&path, all);
        } else if let Ok(at) = entry.metadata().and_then(|data| data.modified()) {
            all.insert(path.display().to_string(), at);
        }
    }
}

#[test]
fn the_switch_of_the_page_stops_a_tap_that_runs_beside_the_gateway() {
    let Some(parts) = Parts::find() else { return };
    let Some(chromium) = chromium() else { return };
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    let exports = [EAGER[0], EAGER[1], ("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    let root = tempfile::tempdir().expect("a directory");
    let servers = json!({ "plain": entry(&plain(&root.path().join("plain.log"))) });
    let mut gateway = Gateway::start(Home::with_config(&config(&servers)), &exports);

    // A real session through a tap in the same home; it goes on until it is told to end.
    let home = &gateway.home;
    let call = |text: &str| json!(["echo", { "message": text }]);
    let session = |name: &str, until: &str| {
        Client::TypeScript(json!({
            "name": name, "calls": [call("hello")], "until": root.path().join(until),
        }))
    };
    let tap = [MCPPROXY, "tap", "--"].map(OsString::from).into_iter();
    let tapped: Vec<OsString> = tap.chain(Server::Everything.command(&parts)).collect();
    let start = |client: &Client| {
        let mut shell = home.shell(&exports, &client.command(&parts, &tapped));
        shell.env("NODE_PATH", parts.node_modules()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.spawn().expect("start a session")
    };
    let held = start(&session("claude-code", "end"));
    let seen = || home.status()["activation"]["mcp_clients_seen_ever"].clone();
    assert!(happens(|| seen() == json!(["claude-code"])), "the tap records: {}", seen());
    receiver.wait_for(1, Duration::from_secs(30));
    let began = Instant::now();

    let script = file("page.mjs").into();
    let command =
        ["node".into(), script, "--switch".into(), "off".into(), OsString::from(&gateway.page)];
    let mut shell = home.shell(&[("CHROMIUM", &chromium)], &command);
    let ended = run(shell.env("NODE_PATH", parts.node_modules()));
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("the switch was pressed"), "{}", ended.stdout);

    let status = home.status();
    assert_eq!(status["effective"], "off", "{status}");
    assert_eq!(status["rule"], "config:telemetry.enabled", "{status}");
    // What was under way when the switch was pressed may still end.
    std::thread::sleep(Duration::from_millis(500));
    let (connections, mut before) = (receiver.connections(), BTreeMap::new());
    written(&home.data_dir(), &mut before);
    // A second session: a new client, new calls; and the held one lives on, past the next heartbeat.
    let other = start(&session("goose", "never-mind"));
    std::thread::sleep(DUE.saturating_sub(began.elapsed()).max(Duration::from_secs(5)));
    for end in ["end", "never-mind"] {
        std::fs::write(root.path().join(end), "").expect("end the sessions");
    }
    for session in [held, other] {
        let ended = finish(session);
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    let mut after = BTreeMap::new();
    written(&home.data_dir(), &mut after);
    assert_eq!(before, after, "something was written after the switch was off");
    assert_eq!(receiver.connections(), connections, "a connection after the switch was off");
    assert_eq!(home.status()["effective"], "off");
    assert!(gateway.stop().success(), "{}", gateway.log());
}

#[test]
fn the_page_finds_the_program_of_a_server_when_it_is_told_to() {
    let Some(parts) = Parts::find_all(&["npm"]) else { return };
    let Some(chromium) = chromium() else { return };
    let lost = json!({ "command": "mcpproxy-test-server", "env": { "WORD": "canary-0123" } });
    let home = Home::with_config(&config(&json!({ "lost": lost })));
    let program = home.root().join(".local/bin/mcpproxy-test-server");
    let server = plain(&home.root().join("plain.log"));
    let words: Vec<String> = server.iter().map(|word| format!("'{}'", word.display())).collect();
    std::fs::create_dir_all(program.parent().expect("a directory")).expect("made");
    let said = "echo \"it starts, with $WORD\" >&2";
    std::fs::write(&program, format!("#!/bin/sh\n{said}\nexec {}\n", words.join(" ")))
        .expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let gateway = Gateway::start(home, &[]);
    let is_parked = || gateway.servers().iter().all(|server| server["state"] == "parked");
    assert!(happens(is_parked), "{:?}", gateway.servers());
    let script = file("page.mjs").into();
    let command =
        ["node".into(), script, "--fix".into(), "lost".into(), OsString::from(&gateway.page)];
    let mut shell = gateway.home.shell(&[("CHROMIUM", &chromium)], &command);
    let ended = run(shell.env("NODE_PATH", parts.node_modules()));
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("was found and written by keyboard"), "{}", ended.stdout);
}
