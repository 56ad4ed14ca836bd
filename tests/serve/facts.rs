//! Facts of an install whose host is the gateway: what is a real call, how it ended, what it does not know yet.

use crate::clients::{call, modern, over_http, own};
use crate::fake::{Fake, shell_server};
use crate::gateway::{Gateway, Home, MCPPROXY, eventually};
use crate::receiver::Receiver;
use rmcp::service::ClientLifecycleMode;
use serde_json::{Value, json};
use std::process::Stdio;

fn shown(home: &Home) -> Value {
    serde_json::from_str(&home.out(&["telemetry", "show-payload"])).expect("a payload")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_tool_call_is_one_that_returned_a_result() {
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str())];
    let url = Fake::default().serve().await;
    let home = Home::with(&json!({"mcpServers": {"fake": {"url": url}}}));
    let gateway = Gateway::start_in(home, &[], &variables);
    gateway.wait_for("fake", "connected");
    let send = || {
        let before = receiver.requests().len();
        eventually("a heartbeat arrives", || {
            let mut send = gateway.home.command(&["telemetry", "send", "--now"]);
            send.envs(variables).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = send.status().expect("it starts");
            let arrived = receiver.requests();
            let body = &arrived.get(before)?.body;
            Some(serde_json::from_slice::<Value>(body).expect("a payload"))
        })
    };
    let counted = |calls: u64| {
        let done = || (gateway.payload()["builtin_tool_calls"]["call_tool"] == calls).then_some(());
        eventually("everything is counted", done);
    };
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    own(&session, "retrieve_tools", json!({"query": "echo"})).await.expect("found");
    assert_eq!(call(&session, "fake:broken", json!({})).await.is_error, Some(true));
    call(&session, "fake:nope", json!({})).await;
    counted(2);
    let payload = send();
    assert_eq!(payload["activation"]["first_real_tool_call_ever"], false, "{payload}");
    assert_eq!(payload["activation"]["first_retrieve_tools_call_ever"], true);
    assert_eq!(
        (&payload["active_days_30d"], &payload["days_since_install"]),
        (&json!(1), &json!(0))
    );

    call(&session, "fake:echo", json!({})).await;
    let is_real =
        || (gateway.payload()["activation"]["first_real_tool_call_ever"] == true).then_some(());
    eventually("the result is noted", is_real);
    let payload = send();
    assert_eq!(payload["activation"]["first_real_tool_call_ever"], true);
    assert_eq!(payload["surface_requests"]["mcp"], 1, "counted once: {payload}");
}

#[test]
fn a_gateway_that_is_stopped_ends_clean_and_one_that_is_killed_says_nothing() {
    let config = json!({"mcpServers": {"off": {"command": "x", "enabled": false}}});
    for (signal, expected) in [("-KILL", "unknown"), ("-TERM", "clean")] {
        let mut gateway = Gateway::start(&config);
        eventually("its mark", || (gateway.payload()["server_count"] == 1).then_some(()));
        gateway.signal(signal);
        gateway.wait_for_end();
        assert_eq!(shown(&gateway.home)["previous_shutdown"], expected, "{signal}");
    }
}

#[test]
fn how_many_servers_answer_is_left_out_before_each_was_tried() {
    // It says nothing, and is given up after a while.
    let silent = |seconds: u64| json!({"command": "sh", "args": ["-c", "while read -r line; do :; done"], "startup_timeout_sec": seconds});
    let config = |seconds| json!({"mcpServers": {"silent": silent(seconds), "sh": shell_server()}});
    let gateway = Gateway::start(&config(600));
    gateway.wait_for("sh", "connected");
    let payload = eventually("its mark", || {
        Some(gateway.payload()).filter(|payload| payload["server_count"] == 2)
    });
    assert_eq!(payload["server_protocol_counts"]["stdio"], 2);
    for unknown in ["connected_server_count", "tool_count"] {
        assert_eq!(payload.get(unknown), None, "{payload}");
    }
    assert_eq!(gateway.status()["connected_server_count"], 1, "the page says what is so far");

    gateway.home.write(&config(1));
    let payload = eventually("each was tried", || {
        Some(gateway.payload()).filter(|payload| payload["connected_server_count"] == 1)
    });
    assert_eq!((&payload["server_count"], &payload["tool_count"]), (&json!(2), &json!(2)));
}

/// A user has our gateway in front of his servers, one of them wrapped, and no client connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_tapped_server_behind_a_gateway_has_a_client_once_somebody_calls() {
    let home = Home::empty();
    let tapped = home.root().join("tapped");
    std::fs::create_dir(home.data()).expect("a data directory");
    let mut server = shell_server();
    let script = server["args"][1].clone();
    server["command"] = json!(MCPPROXY);
    server["args"] = json!(["tap", "--data-dir", tapped, "--", "sh", "-c", script]);
    home.write(&json!({"mcpServers": {"wrapped": server}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    gateway.wait_for("wrapped", "connected");
    let of_tap = || {
        let dir = tapped.to_str().expect("UTF-8");
        let shown = gateway.home.out(&["telemetry", "show-payload", "--data-dir", dir]);
        serde_json::from_str::<Value>(&shown).expect("a payload")
    };
    let payload = eventually("the tap has seen the server", || {
        let connected =
            |payload: &Value| payload["activation"]["first_connected_server_ever"] == true;
        Some(of_tap()).filter(connected)
    });
    assert_eq!(payload["activation"]["first_mcp_client_ever"], false, "{payload}");
    assert_eq!(payload["active_days_30d"], 0);

    let session = over_http(&gateway.mcp(), "zed", ClientLifecycleMode::Initialize).await;
    call(&session, "wrapped:env", json!({})).await;
    let payload = eventually("the call is noted", || {
        let real = |payload: &Value| payload["activation"]["first_real_tool_call_ever"] == true;
        Some(of_tap()).filter(real)
    });
    assert_eq!(payload["activation"]["first_mcp_client_ever"], true);
    assert_eq!(payload["activation"]["mcp_clients_seen_ever"], json!(["mcpproxy"]));
    assert_eq!(payload["active_days_30d"], 1);
}
