//! What one server can take from the others: answers, memory.

#![cfg(target_os = "linux")]

use crate::clients::{call, modern, over_http, own, text};
use crate::fake::Fake;
use crate::gateway::{Gateway, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A server in `sh` that says after each list that it has changed, and says nothing else in it. The lists it was
/// asked for are counted in the file `lists`.
fn changing_server() -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"tools/list"'*) echo >> "$HOME/lists"
                answer "$id" '{"tools":[{"name":"limit","inputSchema":{"type":"object"}}]}'
                echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}' ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_changes_without_end_is_asked_rarely_and_the_same_is_no_change() {
    let fake = Fake::default().serve().await;
    let servers = json!({"changes": changing_server(), "fake": {"url": fake}});
    let gateway = Gateway::start(&json!({ "mcpServers": servers }));
    gateway.wait_for("changes", "connected");
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let lists = || {
        let lists = std::fs::read_to_string(gateway.home.root().join("lists"));
        lists.unwrap_or_default().lines().count()
    };
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until || lists() < 5 {
        assert_eq!(text(&call(&session, "fake:echo", json!({})).await), "echo");
        own(&session, "retrieve_tools", json!({"query": "echo"})).await.expect("an answer");
    }
    // Two lists a second at first, and one a minute in the end; the pauses double.
    let lists = lists();
    assert!(lists < 20, "{lists} lists");
    let (_, said) = gateway.stop();
    assert!(!said.contains("changed what it offers"), "{said}");
}

/// A server in `sh` that offers three tools of 6 MiB, a page each, and one that is usual.
fn large_server() -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        page() {
            printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"%s","description":"' "$1" "$2"
            head -c 6291456 /dev/zero | tr '\0' x
            printf '","inputSchema":{"type":"object"}}%s}}\n' "$3"
        }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"cursor":"b"'*) page "$id" second '],"nextCursor":"c"' ;;
            *'"cursor":"c"'*) page "$id" third ',{"name":"usual","description":"Says hello","inputSchema":{"type":"object"}}]' ;;
            *'"tools/list"'*) page "$id" first '],"nextCursor":"b"' ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_offers_beyond_16_mib_is_left_out_and_named_and_the_rest_is_there() {
    let gateway = Gateway::start(&json!({"mcpServers": {"large": large_server()}}));
    gateway.wait_for("large", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let found = async |name: &str| {
        let found = own(&session, "retrieve_tools", json!({"query": name})).await;
        let found = found.expect("an answer").structured_content.expect("structure");
        assert_eq!(found["total_indexed_tools"], 3, "all but the third");
        assert_eq!(found["tools"][0]["name"], format!("large:{name}"));
        found["tools"][0]["description"].as_str().expect("text").to_owned()
    };
    assert_eq!(found("usual").await, "Says hello");
    let cut = found("second").await;
    assert!(cut.len() < 20_000 && cut.ends_with("(cut: the description is 6291456 bytes long)"));
    let named =
        "of its tools those beyond 16 MiB, which all it offers may come to, are left out: `third`";
    let status = gateway.status();
    assert_eq!(status["servers"][0]["faults"], json!([named]), "{status}");
    // It is kept for that beside the log, a moment later.
    eventually("it is listed", || {
        gateway.home.out(&["upstream", "list"]).contains(named).then_some(())
    });
    let (_, said) = gateway.stop();
    assert!(said.contains(named), "{said}");
}
