//! A client that stops writing while a call of its is under way.

use super::*;
use crate::config::servers;
use crate::contract::RoutingMode;
use crate::heartbeat::host::Host;
use crate::paths::DataDir;
use crate::serve::hub::Hub;
use crate::serve::recorder::Recorder;
use crate::telemetry::Telemetry;
use rmcp::ServiceExt as _;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, simplex};

const LONG: Duration = Duration::from_secs(60);

/// A server whose tool says by a file that it began, and never answers.
fn never(dir: &Path) -> Value {
    let script = r#"
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
            *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"never","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
            *'"tools/call"'*) : > begun ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"mcpServers": {"never": {"command": "sh", "args": ["-c", script], "cwd": dir}}})
}

async fn eventually(mut check: impl FnMut() -> bool) {
    let looked = async {
        while !check() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, looked).await.expect("it never happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cut_off_at_the_end_is_a_result_that_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let telemetry = Arc::new(Telemetry::start(Host {
        routing_mode: RoutingMode::RetrieveTools,
        data_dir: Some(dir.path().join("data")),
        launched_by: None,
        product: None,
    }));
    let hub = Hub::new(Recorder::new(telemetry), false);
    hub.apply(servers::parse(never(dir.path()).to_string().as_bytes()).expect("entries"));
    let gateway = Gateway::new(hub.clone(), DataDir::at(dir.path().join("data")));
    let (their_input, mut ours) = simplex(1 << 16);
    let (output, their_output) = simplex(1 << 16);
    let streams = AsyncRwTransport::new_server(their_input, their_output);
    let transport = Doorstep::new(streams, gateway.clone(), Duration::ZERO);
    let served = tokio::spawn(async move {
        let session = gateway.serve(transport).await.expect("a session");
        session.waiting().await
    });
    for message in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "zed", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "call_tool", "arguments": {"name": "never:never"}}}),
    ] {
        ours.write_all(format!("{message}\n").as_bytes()).await.expect("it reads");
    }
    let begun = dir.path().join("begun");
    eventually(|| begun.exists()).await;
    ours.shutdown().await.expect("an end");
    let mut lines = BufReader::new(output).lines();
    let mut last = Value::Null;
    let read = async {
        while let Some(line) = lines.next_line().await.expect("lines") {
            last = serde_json::from_str(&line).expect("JSON");
            if last["id"] == 2 {
                break;
            }
        }
    };
    tokio::time::timeout(LONG, read).await.expect("an answer");
    assert_eq!(last["result"]["isError"], true, "{last}");
    let words = last["result"]["content"][0]["text"].as_str().expect("words");
    assert!(words.contains("stopped before server `never` answered"), "{words}");
    let _ = tokio::time::timeout(LONG, served).await.expect("an end");
    hub.close(LONG).await;
}
