//! How a session with a server is begun, and what may come before its first answer.

use crate::clients::{call, modern, over_http, text};
use crate::gateway::{Gateway, Home, eventually};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A server in `sh` that repeats the version it is asked for, and writes down what it hears. `end` ends it.
fn stdio(dir: &Path, discovery: &str) -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        error() { printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"no"}}\n' "$1" "$2"; }
        echo start >> heard
        while read -r line; do
            printf '%s\n' "$line" >> heard
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            version=$(printf %s "$line" | sed -n 's/.*"protocolVersion":"\([^"]*\)".*/\1/p')
            case "$line" in
            *'"server/discover"'*)
                case "$DISCOVERY" in
                refusing) error "$id" -32601 ;;
                nameless) error null -32601 ;;
                misnaming) error -32603 1 ;;
                late) late=yes ;;
                esac ;;
            *'"initialize"'*)
                [ -z "$late" ] || error -32603 1
                answer "$id" '{"protocolVersion":"'"$version"'","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"tools/list"'*) answer "$id" '{"tools":[{"name":"say","inputSchema":{"type":"object"}},{"name":"end","inputSchema":{"type":"object"}}]}' ;;
            *'"end"'*) exit 0 ;;
            *'"say"'*) answer "$id" '{"content":[{"type":"text","text":"said"}]}' ;;
            *'"ping"'*) answer "$id" '{}' ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script], "env": {"DISCOVERY": discovery}, "cwd": dir, "startup_timeout_sec": 4})
}

/// The messages that a server heard, in each of its lives.
fn lives(dir: &Path) -> Vec<Vec<Value>> {
    let heard = std::fs::read_to_string(dir.join("heard")).unwrap_or_default();
    let life =
        |life: &str| life.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    heard.split("start\n").skip(1).map(life).collect()
}

fn methods(life: &[Value]) -> Vec<&str> {
    life.iter().filter_map(|message| message["method"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_or_ignores_the_probe_is_offered_a_version_with_a_handshake() {
    // The last three refuse under no id or one of their own, the last of them when it was given up already.
    let kinds = ["refusing", "silent", "nameless", "misnaming", "late"];
    let dirs = kinds.map(|_| tempfile::tempdir().expect("one"));
    let servers = kinds.iter().zip(&dirs).map(|(kind, dir)| (*kind, stdio(dir.path(), kind)));
    let servers = servers.collect::<std::collections::HashMap<_, _>>();
    let gateway = Gateway::start(&json!({"mcpServers": servers}));
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    for (name, dir) in kinds.into_iter().zip(&dirs) {
        gateway.wait_for(name, "connected");
        assert_eq!(text(&call(&session, &format!("{name}:say"), json!({})).await), "said");
        let first = lives(dir.path()).remove(0);
        assert_eq!(methods(&first)[..2], ["server/discover", "initialize"], "{name}");
        assert_eq!(first[1]["params"]["protocolVersion"], "2025-11-25", "{name}");
        let called = first.iter().find(|message| message["method"] == "tools/call");
        let called = called.expect("a call").to_string();
        assert!(!called.contains("io.modelcontextprotocol/"), "{name}: {called}");
        assert!(!methods(&first).contains(&"subscriptions/listen"), "{name}");
        // What was found out is remembered.
        call(&session, &format!("{name}:end"), json!({})).await;
        let second = eventually("it lives again", || {
            let life = lives(dir.path()).into_iter().nth(1)?;
            (methods(&life).contains(&"tools/list")).then_some(life)
        });
        assert_eq!(methods(&second)[0], "initialize", "{name}: {second:?}");
    }
}

/// What a server over HTTP was sent: the method and the version in the header.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// Serves over HTTP as a server of the older era may; its address.
async fn http(kind: &'static str, heard: Heard) -> String {
    let answer = move |headers: HeaderMap, body: Bytes| {
        let heard = heard.clone();
        async move {
            let Ok(message) = serde_json::from_slice::<Value>(&body) else {
                return StatusCode::METHOD_NOT_ALLOWED.into_response();
            };
            let method = message["method"].as_str().unwrap_or_default().to_owned();
            let version = headers.get("mcp-protocol-version").map(|it| it.to_str().expect("text"));
            heard.lock().unwrap().push((method.clone(), version.unwrap_or_default().to_owned()));
            let result = match method.as_str() {
                "server/discover" => return discovery(kind, &message).await,
                "initialize" => {
                    json!({"protocolVersion": "2026-07-28", "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}})
                }
                "tools/list" => {
                    json!({"tools": [{"name": "say", "inputSchema": {"type": "object"}}]})
                }
                "tools/call" => json!({"content": [{"type": "text", "text": "said"}]}),
                "ping" => json!({}),
                _ => return StatusCode::ACCEPTED.into_response(),
            };
            let answer =
                json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
            events(&answer)
        }
    };
    let router = axum::Router::new().route("/mcp", any(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

/// Events of other types, before and behind the message.
fn events(message: &str) -> Response {
    let body = format!(
        "event: endpoint\ndata: /messages?session=1\n\nevent: ping\ndata: 2026-01-01 00:00:00\n\n\
         event: message\ndata: {message}\n\nevent: ping\ndata: {{}}\n\n"
    );
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn discovery(kind: &str, message: &Value) -> Response {
    match kind {
        "accepting" => StatusCode::ACCEPTED.into_response(),
        "missing" => StatusCode::NOT_FOUND.into_response(),
        "failing" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "hanging" => std::future::pending().await,
        _ => {
            let error = json!({"code": -32601, "message": "no"});
            events(&json!({"jsonrpc": "2.0", "id": message["id"], "error": error}).to_string())
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_a_server_is_of_the_older_era_however_it_refuses_and_whatever_version_it_names() {
    let mut servers = json!({});
    let mut all = Vec::new();
    for kind in ["events", "accepting", "missing", "failing", "hanging"] {
        let heard = Heard::default();
        servers[kind] = json!({"url": http(kind, heard.clone()).await, "startup_timeout_sec": 4});
        all.push((kind, heard));
    }
    let gateway = Gateway::start(&json!({"mcpServers": servers}));
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    for (kind, heard) in all {
        gateway.wait_for(kind, "connected");
        assert_eq!(
            text(&call(&session, &format!("{kind}:say"), json!({})).await),
            "said",
            "{kind}"
        );
        let heard = heard.lock().unwrap().clone();
        assert_eq!(heard[0].0, "server/discover", "{kind}");
        let called = ("tools/call".to_owned(), "2025-11-25".to_owned());
        assert!(heard.contains(&called), "{kind}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_server_over_http_is_not_connected_is_said_in_words_to_act_on() {
    let router = axum::Router::new()
        .route(
            "/away",
            any(|| async {
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "http://localhost:1/mcp")])
            }),
        )
        .route(
            "/moved",
            any(|| async { (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/new")]) }),
        )
        .route("/text", any(|| async { "plain" }))
        .route(
            "/packed",
            any(|| async {
                ([(header::CONTENT_TYPE, "application/json")], b"\x1f\x8b\x08\0\0".to_vec())
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let at = |path: &str| json!({"url": format!("http://{address}/{path}")});
    let home = Home::with(&json!({"mcpServers": {
        "away": at("away"), "moved": at("moved"), "text": at("text"), "packed": at("packed"),
        "nowhere": {"url": "http://no.such.invalid/mcp"},
    }}));
    let gateway = Gateway::start_in(home, &[], &[]);
    for (name, part) in [
        ("away", "redirects (HTTP status 307)"),
        ("moved", "redirects (HTTP status 301)"),
        ("text", "Content-Type"),
        ("packed", "gzip"),
        ("nowhere", "cannot be resolved"),
    ] {
        let detail = gateway.wait_for(name, "waiting")["detail"].to_string();
        assert!(detail.contains(part), "{name}: {detail}");
        assert!(!detail.contains("by hand") && !detail.contains("localhost"), "{name}: {detail}");
    }
}
