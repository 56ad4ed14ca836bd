//! Upstream servers that cost next to nothing: over HTTP in this process, and over stdio as this binary.
//!
//! They speak the older era, as most servers do, and hold tools of real servers (those of `tests/search/`).

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{self, BufRead as _, Write as _};
use std::sync::{Arc, LazyLock};

/// Tools of one server.
pub const TOOLS: usize = 40;
/// Servers of the large set-up.
pub const SERVERS: usize = 50;

/// The tools of real servers, one list.
static REAL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let text = include_str!("../../tests/search/tools.json");
    let servers: Value = serde_json::from_str(text).expect("JSON");
    let all = servers.as_array().expect("servers").iter();
    all.flat_map(|server| server["tools"].as_array().expect("tools").clone()).collect()
});

/// What server `number` answers to `tools/list`: 40 real tools, and `echo`, which is one of the 40.
fn list(number: usize) -> String {
    let mut names = HashSet::new();
    let echo = json!({"name": "echo", "description": "Echo a text back", "inputSchema": {"type": "object"}});
    let tools = REAL.iter().cycle().skip(number * (TOOLS - 1)).take(TOOLS - 1).cloned();
    let tools = tools.chain([echo]).enumerate().map(|(at, mut tool)| {
        let name = tool["name"].as_str().unwrap_or_default().to_owned();
        if !names.insert(name.clone()) {
            // Two of the real servers have one of that name.
            tool["name"] = format!("{name}_{at}").into();
        }
        tool
    });
    json!({"tools": tools.collect::<Value>()}).to_string()
}

/// The answer to one message, if it wants one.
fn answer(message: &[u8], list: &str) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let id = message.get("id")?;
    let result = match message["method"].as_str()? {
        "initialize" => {
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"cheap","version":"1"}}"#
        }
        "ping" => "{}",
        "tools/list" => list,
        "tools/call" => {
            r#"{"content":[{"type":"text","text":"what was asked for"}],"isError":false}"#
        }
        _ => {
            return Some(format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no such method"}}}}"#
            ));
        }
    };
    Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
}

/// Serves on standard streams until they end.
pub fn stdio(number: usize) -> io::Result<()> {
    let list = list(number);
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        if let Some(mut answer) = answer(line?.as_bytes(), &list) {
            answer.push('\n');
            output.write_all(answer.as_bytes())?;
            output.flush()?;
        }
    }
    Ok(())
}

/// This binary as a stdio server: command and arguments.
pub fn stdio_command(number: usize) -> (String, [String; 2]) {
    let me = std::env::current_exe().expect("this binary has a path");
    let me = me.to_str().expect("a path in UTF-8").to_owned();
    (me, ["--stdio-server".to_owned(), number.to_string()])
}

/// The entry of a stdio server in the config.
pub fn stdio_entry(number: usize) -> Value {
    let (command, arguments) = stdio_command(number);
    json!({"command": command, "args": arguments})
}

/// Serves all servers over HTTP, for as long as the runtime lives: where, up to the number.
pub async fn http() -> String {
    use axum::serve::ListenerExt as _;
    let lists: Arc<Vec<String>> = Arc::new((0..SERVERS).map(list).collect());
    let handler =
        move |Path(number): Path<usize>, request: Request| respond(lists.clone(), number, request);
    // Without a stream of its own: GET is not allowed.
    let router = axum::Router::new().route("/{number}/mcp", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    format!("http://{address}")
}

async fn respond(lists: Arc<Vec<String>>, number: usize, request: Request) -> Response {
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap_or_default();
    let list = lists.get(number).map_or("{}", String::as_str);
    match answer(&body, list) {
        Some(answer) => ([(CONTENT_TYPE, "application/json")], Body::from(answer)).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    }
}
