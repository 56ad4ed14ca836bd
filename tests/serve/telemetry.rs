//! The gateway as a host of telemetry: what it counts, what it says, and that it stops.

use crate::clients::{call, modern, over_http, own};
use crate::fake::{Fake, shell_server};
use crate::gateway::{Gateway, Home, PATIENCE, eventually};
use rmcp::service::ClientLifecycleMode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn cli(gateway: &Gateway, args: &[&str]) -> Value {
    serde_json::from_str(&gateway.home.out(args)).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_session_moves_the_funnel_and_every_place_says_the_same() {
    let url = Fake::default().serve().await;
    let gateway = Gateway::start(&json!({"mcpServers": {"fake": {"url": url}}}));
    gateway.wait_for("fake", "connected");
    for (name, era) in [("claude-code", ClientLifecycleMode::Initialize), ("zed", modern())] {
        let session = over_http(&gateway.mcp(), name, era).await;
        own(&session, "retrieve_tools", json!({"query": "echo", "limit": 1})).await.expect("found");
        call(&session, "fake:echo", json!({})).await;
        call(&session, "fake:nope", json!({})).await;
        // A call that is answered by an error is one, too, and saves no tokens.
        own(&session, "retrieve_tools", json!({"limit": 0})).await.expect("an answer");
        own(&session, "telemetry_status", json!({})).await.expect("an answer");
        session.cancel().await.expect("an end");
    }
    let activation = eventually("everything is counted", || {
        let payload = gateway.payload();
        let calls = json!({"retrieve_tools": 4, "call_tool": 4, "telemetry_status": 2});
        let done = payload["builtin_tool_calls"] == calls
            && payload["upstream_tool_call_count_bucket"] == "1-10";
        done.then(|| payload["activation"].clone())
    });
    let requests = &gateway.payload()["surface_requests"]["mcp"];
    assert_eq!(*requests, 12, "ten calls, and the greeting of each client");
    assert_eq!(activation["first_connected_server_ever"], true);
    assert_eq!(activation["mcp_clients_seen_ever"], json!(["claude-code", "zed"]));
    assert_eq!(activation["retrieve_tools_calls_24h"], 4);
    // Twice (7 - 1) * 150 = 1800.
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "1k_10k");
    let status = gateway.status();
    assert_eq!(status["activation"], activation);
    let shown = cli(&gateway, &["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
    for member in
        ["env_kind", "env_markers", "agent_env", "launch_source", "autostart_enabled", "activation"]
    {
        assert_eq!(shown[member], status[member], "{member}");
    }
    for (member, value) in status["telemetry"].as_object().expect("an object") {
        assert_eq!(shown[member], *value, "{member}");
    }
    // The same bytes but for the second that they were made in.
    let mut ours = gateway.payload();
    let mut shown = cli(&gateway, &["telemetry", "show-payload"]);
    for payload in [&mut ours, &mut shown] {
        payload.as_object_mut().expect("an object").remove("timestamp");
    }
    assert_eq!(ours.to_string(), shown.to_string());
    let (_, said) = gateway.stop();
    assert!(!said.contains("claude-code"), "a client's name is in the log: {said}");
}

#[test]
fn an_error_counts_when_something_changes_into_it_and_not_while_it_stands() {
    let wrong = |url: &str| json!({"command": "sh", "url": url});
    let missing = json!({"command": "no-such-program-here"});
    let home = Home::with(&json!({"mcpServers": {"wrong": wrong("http://h"), "missing": missing}}));
    let mut gateway = Gateway::start_in(home, &[], &[]);
    let wait_for = |gateway: &Gateway, changes: Value, standing: Value| {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = gateway.payload()["diagnostics"].clone();
            if said["error_code_counts_24h"] == changes && said["current_error_codes"] == standing {
                return;
            }
            assert!(Instant::now() < until, "{changes}, {standing}: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let (entry, program) = ("MCPX_CONFIG_INVALID_ENTRY", "MCPX_STDIO_NOT_FOUND");
    wait_for(&gateway, json!({program: 1, entry: 1}), json!({program: 1, entry: 1}));
    // Another entry that is wrong in the same way, and a restart of one that fails again, change no state.
    let write = |gateway: &Gateway, wrong: Value, more: Value| {
        // The id stays: errors are those of one install.
        let text = std::fs::read_to_string(gateway.home.config()).expect("a config");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["mcpServers"] = json!({"wrong": wrong, "missing": missing, "more": more});
        gateway.home.write(&config);
    };
    let key = [("X-API-Key", gateway.key.as_str())];
    assert_eq!(gateway.ask("POST", "/api/v1/servers/missing/restart", &key, "").0, 200);
    gateway.wait_for("missing", "parked");
    write(&gateway, wrong("http://other"), json!({"command": "no-such-program-either"}));
    wait_for(&gateway, json!({program: 2, entry: 1}), json!({program: 2, entry: 1}));
    // One that becomes right leaves its state, and comes into it again.
    write(&gateway, shell_server(), wrong("http://h"));
    wait_for(&gateway, json!({program: 2, entry: 2}), json!({program: 1, entry: 1}));
    write(&gateway, wrong("http://h"), wrong("http://h"));
    wait_for(&gateway, json!({program: 2, entry: 3}), json!({program: 1, entry: 2}));
    // A gateway knows nothing of the one before it: what is wrong when it starts is a change to it.
    let home = std::mem::replace(&mut gateway.home, Home::empty());
    gateway.stop();
    let gateway = Gateway::start_in(home, &[], &[]);
    wait_for(&gateway, json!({program: 3, entry: 5}), json!({program: 1, entry: 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stops_this_gateway_and_starts_it_again() {
    let url = Fake::default().serve().await;
    let gateway = Gateway::start(&json!({"mcpServers": {"fake": {"url": url}}}));
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    call(&session, "fake:echo", json!({})).await;
    let counted = || gateway.payload()["builtin_tool_calls"]["call_tool"].clone();
    eventually("it is counted", || (counted() == 1).then_some(()));
    let switch = |enabled: bool| {
        let headers = [("X-API-Key", gateway.key.as_str()), ("Content-Type", "application/json")];
        let body = json!({"enabled": enabled}).to_string();
        let (status, body) = gateway.ask("PUT", "/api/v1/telemetry", &headers, &body);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).expect("JSON")["data"].clone()
    };
    let off = switch(false);
    assert_eq!((&off["preference"], &off["effective"]), (&json!("disabled"), &json!("off")));
    assert_eq!(off["rule"], "config:telemetry.enabled");
    call(&session, "fake:echo", json!({})).await;
    let threads = || {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).expect("its threads");
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        tasks.filter_map(name).filter(|name| name.starts_with("mcpproxy-heart")).count()
    };
    eventually("the telemetry thread has ended", || (threads() == 0).then_some(()));
    let on = switch(true);
    assert_eq!((&on["preference"], &on["effective"]), (&json!("enabled"), &json!("local_only")));
    assert_eq!(counted(), 1, "counted while it was off");
    eventually("the telemetry thread is back", || (threads() == 1).then_some(()));
    call(&session, "fake:echo", json!({})).await;
    eventually("it is counted again", || (counted() == 2).then_some(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_no_file_of_telemetry_and_a_gateway_that_works() {
    let url = Fake::default().serve().await;
    let home = Home::with(&json!({"mcpServers": {"fake": {"url": url}}}));
    let gateway = Gateway::start_in(home, &[], &[("DO_NOT_TRACK", "1")]);
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    own(&session, "retrieve_tools", json!({"query": "echo"})).await.expect("found");
    call(&session, "fake:echo", json!({})).await;
    let status = gateway.status();
    assert_eq!(status["telemetry"]["effective"], "off");
    assert_eq!(status["telemetry"]["rule"], "env:DO_NOT_TRACK");
    assert_eq!(status["connected_server_count"], 1, "true all the same");
    assert_eq!(status["activation"]["first_connected_server_ever"], false);
    let mut files: Vec<_> = std::fs::read_dir(gateway.home.data())
        .expect("the data directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    files.sort();
    assert_eq!(files, ["config.lock", "mcp_config.json"]);
    let (ended, _) = gateway.stop();
    assert!(ended.success());
}

#[test]
fn the_live_mark_is_withdrawn_when_the_gateway_ends() {
    let gateway =
        Gateway::start(&json!({"mcpServers": {"off": {"command": "x", "enabled": false}}}));
    eventually("its mark", || (gateway.payload()["server_count"] == 1).then_some(()));
    gateway.signal("-TERM");
    let data = gateway.home.data();
    let kept = tempfile::tempdir().expect("a directory");
    let copy = kept.path().join("data");
    let home = gateway.home.root().to_owned();
    let pid = gateway.pid();
    eventually("it has ended", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
    std::fs::rename(&data, &copy).expect("moved");
    let output = std::process::Command::new(crate::gateway::MCPPROXY)
        .args(["telemetry", "show-payload", "--data-dir"])
        .arg(&copy)
        .env_clear()
        .env("HOME", home)
        .output()
        .expect("it runs");
    let payload: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(payload.get("server_count"), None, "{payload}");
    drop(gateway);
}
