//! Every real client over HTTP, with every real server behind the gateway, and what the funnel says then.

use super::host::Gateway;
use super::tour::{CLIENTS, Target, UPSTREAM_CALLS, cancel_a_modern_call, check_full, full};
use super::upstreams::{self, EverythingHttp};
use crate::parts::Parts;
use crate::session::{Home, run};
use serde_json::{Value, json};
use std::ffi::OsString;

/// Plays the inspector's command line against the gateway; `package` is where npm put it.
fn inspector(parts: &Parts, gateway: &Gateway, package: &str, args: &[&str]) -> Value {
    let script = parts.node_modules().join(package);
    let mut command: Vec<OsString> = vec!["node".into(), script.into(), "--cli".into()];
    command.push(gateway.mcp().into());
    command.extend(["--transport", "http"].iter().chain(args).map(OsString::from));
    let ended = run(&mut gateway.home.shell(&[], &command));
    assert!(ended.status.success(), "inspector {args:?}: {}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).expect("the inspector prints JSON")
}

/// The inspector of the handshake era, and the one that speaks the modern era.
const INSPECTORS: &[(&str, &[&str])] = &[
    ("@modelcontextprotocol/inspector/cli/build/cli.js", &[]),
    ("inspector-2/clients/launcher/build/index.js", &["--protocol-era", "modern"]),
];

/// Of the clients, those that also cancel a call of a server of the modern era: one of each era.
const MODERN_CANCELLERS: [usize; 2] = [0, 6];

#[test]
fn every_client_over_http_sees_three_tools_and_what_is_behind_them() {
    let Some(parts) = Parts::find() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path().canonicalize().expect("a real path");
    let everything = EverythingHttp::start(&parts);
    let mut gateway = Gateway::connected_to(&upstreams::all(&parts, &root, &everything.url));
    let before = gateway.get("/api/v1/status");
    assert_eq!(before["connected_server_count"], 7, "{before}");
    assert_eq!(before["activation"]["first_connected_server_ever"], true, "{before}");
    assert_eq!(before["activation"]["first_mcp_client_ever"], false, "{before}");

    let url = gateway.mcp();
    std::thread::scope(|scope| {
        let (parts, home) = (&parts, &gateway.home);
        for share in CLIENTS.chunks(CLIENTS.len().div_ceil(3)) {
            let target = Target::Url(&url);
            scope.spawn(move || {
                for client in share {
                    let outcomes = client.play(parts, home, &target, &full());
                    check_full(client, &outcomes);
                }
            });
        }
        scope.spawn(|| inspectors(parts, &gateway));
    });
    every_cancellation_arrived(&root);
    for client in MODERN_CANCELLERS.map(|at| &CLIENTS[at]) {
        cancel_a_modern_call(client, &parts, &gateway.home, &Target::Url(&url), &root);
    }
    funnel(&gateway, before["tool_count"].as_u64().expect("a count"));

    // A client that was here before is not a new one.
    let again = CLIENTS[0].play(&parts, &gateway.home, &Target::Url(&url), &[json!(["tools"])]);
    assert!(again[0]["result"]["tools"].is_array());
    let seen = &gateway.get("/api/v1/status")["activation"]["mcp_clients_seen_ever"];
    assert_eq!(seen.as_array().map(Vec::len), Some(CLIENTS.len() + 1), "{seen}");
    assert!(gateway.stop().success(), "{}", gateway.log());
}

fn inspectors(parts: &Parts, gateway: &Gateway) {
    for (package, era) in INSPECTORS {
        let ask = |args: &[&str]| inspector(parts, gateway, package, &[era, args].concat());
        let tools = ask(&["--method", "tools/list"]);
        assert_eq!(tools["tools"].as_array().map(Vec::len), Some(3), "{package}: {tools}");
        let call =
            ["--method", "tools/call", "--tool-name", "retrieve_tools", "--tool-arg", "query=echo"];
        let found = ask(&call);
        assert!(found["structuredContent"]["tools"][0]["name"].is_string(), "{package}: {found}");
        let arguments = r#"arguments={"message":"hello"}"#;
        let call = [
            "--method",
            "tools/call",
            "--tool-name",
            "call_tool",
            "--tool-arg",
            "name=everything:echo",
        ];
        let said = ask(&[&call[..], &["--tool-arg", arguments]].concat());
        assert_eq!(
            said["content"],
            json!([{ "type": "text", "text": "Echo: hello" }]),
            "{package}"
        );
    }
}

/// `plain` was told of each call of `wait` that was cancelled, by its id.
fn every_cancellation_arrived(root: &std::path::Path) {
    let log = std::fs::read_to_string(root.join("plain.log")).expect("what it heard");
    let heard: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut waiting: Vec<&Value> =
        heard.iter().filter(|m| m["params"]["name"] == "wait").map(|m| &m["id"]).collect();
    assert_eq!(waiting.len(), CLIENTS.len());
    let cancelled = heard.iter().filter(|m| m["method"] == "notifications/cancelled");
    for message in cancelled {
        waiting.retain(|id| **id != message["params"]["requestId"]);
    }
    assert_eq!(waiting, Vec::<&Value>::new(), "calls whose cancellation did not arrive");
}

/// What the sessions moved, asked while the gateway runs: its API and the command line say the same.
fn funnel(gateway: &Gateway, indexed: u64) {
    let status = gateway.home.status();
    let api = gateway.get("/api/v1/status");
    assert_eq!(status["activation"], api["activation"]);
    let activation = &api["activation"];
    let mut seen: Vec<&str> = activation["mcp_clients_seen_ever"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|name| name.as_str().expect("a name"))
        .collect();
    let mut expected: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
    expected.push("inspector-cli");
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected, "each once");
    for flag in
        ["first_connected_server_ever", "first_mcp_client_ever", "first_retrieve_tools_call_ever"]
    {
        assert_eq!(activation[flag], true, "{flag}");
    }
    let clients = CLIENTS.len() as u64;
    let searches = clients + INSPECTORS.len() as u64;
    assert_eq!(activation["retrieve_tools_calls_24h"], searches);
    // Each of ours asked for 3 at most, the inspectors for 10; whatever they got, the bucket is the same.
    let least = 150 * (clients * (indexed - 3) + 2 * (indexed - 10));
    let most = 150 * (clients + 2) * indexed;
    for saved in [least, most] {
        assert!((10_001..=100_000).contains(&saved), "{saved} tokens are another bucket");
    }
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "10k_100k");

    let payload = gateway.get("/api/v1/telemetry/payload");
    let shown = gateway.home.mcpproxy(&["telemetry", "show-payload"]);
    let shown: Value = serde_json::from_str(&shown.stdout).expect("a payload");
    let lasting = |payload: &Value| {
        let mut payload = payload.clone();
        // Time passes between two looks.
        payload.as_object_mut().expect("an object").retain(|name, _| name != "timestamp");
        payload
    };
    assert_eq!(lasting(&payload), lasting(&shown), "the API and the command line");
    // `nobody:home` reaches no server; the inspectors call `echo` once each.
    let calls = clients * UPSTREAM_CALLS + 2 + MODERN_CANCELLERS.len() as u64;
    let builtin = json!({
        "retrieve_tools": searches, "call_tool": calls + clients, "telemetry_status": clients,
    });
    assert_eq!(payload["builtin_tool_calls"], builtin);
    assert!((11..=100).contains(&calls), "{calls} calls are another bucket");
    assert_eq!(payload["upstream_tool_call_count_bucket"], "11-100");
    assert_eq!(payload["routing_mode"], "retrieve_tools");
    assert_eq!(payload["server_count"], 7);
    assert_eq!(payload["connected_server_count"], 7);
    assert_eq!(payload["tool_count"], indexed);
    let protocols = json!({ "stdio": 6, "http": 0, "sse": 0, "streamable_http": 1, "auto": 0 });
    assert_eq!(payload["server_protocol_counts"], protocols);
}

#[test]
fn a_telling_name_is_unknown_in_both_eras() {
    let Some(parts) = Parts::find() else { return };
    let gateway = Gateway::before(&json!({}));
    let url = gateway.mcp();
    let telling = "/home/sam/secret-client";
    for client in [&CLIENTS[0], &CLIENTS[3]] {
        let client = client.named(telling);
        client.play(&parts, &gateway.home, &Target::Url(&url), &[json!(["tools"])]);
    }
    let seen = || gateway.home.status()["activation"]["mcp_clients_seen_ever"].clone();
    assert_eq!(seen(), json!(["unknown"]));
    assert!(!gateway.log().contains("secret-client"));
}

/// The home of a gateway that a client starts itself.
pub fn home_of(servers: &Value) -> Home {
    Home::with_config(&super::host::config(servers))
}
