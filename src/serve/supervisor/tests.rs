//! A slow call, and what must not wait for it: quick calls, looks, doubts and refreshes.

use crate::config::servers;
use crate::contract::RoutingMode;
use crate::heartbeat::host::Host;
use crate::serve::hub::{Hub, Live, Server};
use crate::serve::messages::Answer;
use crate::serve::recorder::Recorder;
use crate::telemetry::Telemetry;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    ErrorData, ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};

mod day;

const LONG: Duration = Duration::from_secs(60);

/// Which protocol version a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    Older,
    Modern,
}

/// What servers over HTTP are told and saw.
#[derive(Default)]
struct Seen {
    release: Notify,
    begun: watch::Sender<usize>,
    looks: watch::Sender<usize>,
    /// The status that looks are answered with; 0: as they should be.
    status: AtomicU16,
}

#[derive(Clone)]
struct Fake {
    seen: Arc<Seen>,
}

impl ServerHandler for Fake {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"}).as_object().cloned().unwrap_or_default();
        let tool = |name| Tool::new(name, "", Arc::new(schema.clone()));
        Ok(ListToolsResult::with_all_items(vec![tool("slow"), tool("quick")]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "slow" {
            self.seen.begun.send_modify(|count| *count += 1);
            self.seen.release.notified().await;
        }
        let name = request.name.into_owned();
        Ok(CallToolResult::success(vec![ContentBlock::text(name)]).into())
    }
}

/// Counts what asks whether the server is there. In the older era a request without a session is refused.
async fn counted(
    State((era, seen)): State<(Era, Arc<Seen>)>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let is_discovery = text.contains("server/discover");
    if is_discovery && era == Era::Older {
        return StatusCode::BAD_REQUEST.into_response();
    }
    if is_discovery || text.contains("\"ping\"") {
        seen.looks.send_modify(|count| *count += 1);
        if let Ok(status) = StatusCode::from_u16(seen.status.load(Ordering::Relaxed)) {
            return status.into_response();
        }
    }
    next.run(Request::from_parts(head, Body::from(bytes))).await
}

/// Serves over HTTP; its entry. Answers are JSON, not events: the POST is open for as long as the call.
async fn over_http(era: Era, seen: Arc<Seen>) -> Value {
    let fake = Fake { seen: seen.clone() };
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(fake.clone()), sessions, config);
    let router = axum::Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state((era, seen), counted));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    json!({"url": format!("http://{address}/mcp")})
}

/// A server in `sh`; `slow` is answered once the file `release` is in its directory, and says by another that
/// it began.
fn over_stdio(era: Era, dir: &std::path::Path) -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        text() { answer "$1" '{"resultType":"complete","content":[{"type":"text","text":"'"$2"'"}]}'; }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$ERA $line" in
            'Modern '*'"server/discover"'*) answer "$id" '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}'; : > look ;;
            'Older '*'"initialize"'*) answer "$id" '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            'Older '*'"ping"'*) answer "$id" '{}' ;;
            *'"tools/list"'*) answer "$id" '{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"slow","inputSchema":{"type":"object"}},{"name":"quick","inputSchema":{"type":"object"}}]}' ;;
            *'"slow"'*) : > begun; (while [ ! -e release ]; do sleep 0.05; done; text "$id" slow) & ;;
            *'"quick"'*) text "$id" quick ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script], "env": {"ERA": format!("{era:?}")}, "cwd": dir})
}

async fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let looked = async {
        loop {
            if let Some(found) = check() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, looked).await.unwrap_or_else(|_| panic!("it never happened: {what}"))
}

async fn call(server: &Server, tool: &'static str) -> String {
    let live = server.live().expect("a connection");
    let request = CallToolRequest::new(CallToolRequestParams::new(tool));
    let result = live.peer.send_request(request.into()).await.expect("an answer");
    let Answer::Text(text) = Answer::of(result) else { panic!("unreadable") };
    let result: Value = serde_json::from_str(&text).expect("JSON");
    result["content"][0]["text"].as_str().expect("text").to_owned()
}

fn hub(dir: &std::path::Path, look: Duration) -> Arc<Hub> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let telemetry = Arc::new(Telemetry::start(Host {
        routing_mode: RoutingMode::RetrieveTools,
        data_dir: Some(dir.into()),
        launched_by: None,
        product: None,
    }));
    Hub::looking(Recorder::new(telemetry), false, look)
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_calls_and_looks_do_not_wait_for_a_slow_call() {
    for era in [Era::Older, Era::Modern] {
        let dir = tempfile::tempdir().expect("a directory");
        let seen = Arc::new(Seen::default());
        let entries = json!({"mcpServers": {
            "http": over_http(era, seen.clone()).await,
            "stdio": over_stdio(era, dir.path()),
        }});
        let hub = hub(&dir.path().join("data"), Duration::from_millis(20));
        hub.apply(servers::parse(entries.to_string().as_bytes()).expect("entries"));
        for name in ["http", "stdio"] {
            let server = hub.server(name).expect("a server");
            let what = format!("{era:?} {name} is connected");
            eventually(&what, || server.live()).await;
            let version = server.live().and_then(|live| live.peer.peer_info());
            let version = version.expect("its version").protocol_version.clone();
            assert_eq!(version == ProtocolVersion::V_2026_07_28, era == Era::Modern, "{what}");
            let asked = server.clone();
            let slow = tokio::spawn(async move { call(&asked, "slow").await });
            match name {
                "http" => {
                    let mut begins = seen.begun.subscribe();
                    let wait = begins.wait_for(|count| *count > 0);
                    tokio::time::timeout(LONG, wait).await.expect("it begins").expect("a count");
                    // Looks are taken while the slow call is open, and a doubt is one more.
                    let (mut looks, before) = (seen.looks.subscribe(), *seen.looks.borrow());
                    server.doubt();
                    let wait = looks.wait_for(|count| *count >= before + 3);
                    tokio::time::timeout(LONG, wait).await.expect(&what).expect("a count");
                }
                _ => {
                    let file = dir.path().join("begun");
                    eventually("it begins", || file.exists().then_some(())).await;
                    server.doubt();
                }
            }
            for _ in 0..5 {
                let quick = tokio::time::timeout(LONG, call(&server, "quick")).await;
                assert_eq!(quick.expect(&what), "quick");
            }
            assert!(!slow.is_finished(), "{what}");
            match name {
                "http" => seen.release.notify_one(),
                _ => std::fs::write(dir.path().join("release"), "").expect("a file"),
            }
            assert_eq!(slow.await.expect("an answer"), "slow");
            assert!(server.live().is_some(), "{what}");
        }
        hub.close(LONG).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_is_there_and_one_that_refuses_is_not() {
    for era in [Era::Older, Era::Modern] {
        let dir = tempfile::tempdir().expect("a directory");
        let seen = Arc::new(Seen::default());
        let entries = json!({"mcpServers": {"http": over_http(era, seen.clone()).await}});
        let hub = hub(&dir.path().join("data"), Duration::from_millis(20));
        hub.apply(servers::parse(entries.to_string().as_bytes()).expect("entries"));
        let server = hub.server("http").expect("a server");
        eventually("it is connected", || server.live()).await;
        let asked = server.clone();
        let slow = tokio::spawn(async move { call(&asked, "slow").await });
        let mut begins = seen.begun.subscribe();
        let wait = begins.wait_for(|count| *count > 0);
        tokio::time::timeout(LONG, wait).await.expect("it begins").expect("a count");
        for status in [429, 500, 503] {
            seen.status.store(status, Ordering::Relaxed);
            server.doubt();
            let (mut looks, before) = (seen.looks.subscribe(), *seen.looks.borrow());
            let wait = looks.wait_for(|count| *count >= before + 4);
            let what = format!("{era:?} is asked while it answers {status}");
            tokio::time::timeout(LONG, wait).await.expect(&what).expect("a count");
            assert!(server.live().is_some(), "{what}");
        }
        seen.release.notify_one();
        assert_eq!(slow.await.expect("an answer"), "slow");
        // Without a session, 404 says that there is no such server any more.
        let gone = if era == Era::Modern { 404 } else { 403 };
        seen.status.store(gone, Ordering::Relaxed);
        eventually(&format!("{era:?} is gone"), || server.live().is_none().then_some(())).await;
        hub.close(LONG).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connected_server_changes_is_awaited_by_nobody_and_is_there_once_merged() {
    let dir = tempfile::tempdir().expect("a directory");
    let seen = Arc::new(Seen::default());
    let entries = json!({"mcpServers": {"http": over_http(Era::Older, seen).await}});
    let hub = hub(&dir.path().join("data"), LONG);
    hub.apply(servers::parse(entries.to_string().as_bytes()).expect("entries"));
    let server = hub.server("http").expect("a server");
    let live = eventually("it is connected", || server.live()).await;
    let before = hub.settled().await.tool_count();
    assert!(before > 0);
    for number in 0..50 {
        let mut offer = (*live.offer).clone();
        offer.tools[0].name = format!("new-{number}");
        let (peer, routes) = (live.peer.clone(), live.routes.clone());
        hub.refreshed(&server, Live { peer, routes, offer: Arc::new(offer) });
        let asked = std::pin::pin!(hub.settled());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(asked.poll(&mut context).is_ready(), "a question waits for change {number}");
        let full = format!("http:new-{number}");
        assert!(hub.tool_now(&full).is_some(), "a call finds it before it is merged");
    }
    let merged = || hub.catalog().tool("http:new-49").map(|owner| owner.name.to_owned());
    assert_eq!(eventually("it is merged", merged).await, "new-49");
    hub.close(LONG).await;
}
