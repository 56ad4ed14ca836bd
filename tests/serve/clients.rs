//! Clients of both eras, over HTTP and over standard streams.

use crate::fake::{Fake, shell_server};
use crate::gateway::{Gateway, Home};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation,
    ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt as _, NotificationContext, RoleClient, RunningService,
};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ServiceError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A client that keeps what it is told.
#[derive(Clone)]
pub struct Client {
    name: &'static str,
    pub progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
    pub changes: Arc<Mutex<usize>>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let me = Implementation::new(self.name, "1.0.0");
        ClientConfig::new(ClientCapabilities::default(), me)
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().unwrap().push(progress);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        *self.changes.lock().unwrap() += 1;
    }
}

pub type Session = RunningService<RoleClient, Client>;

pub fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

fn client(name: &'static str) -> Client {
    Client { name, progress: Arc::default(), changes: Arc::default() }
}

pub fn provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A session over HTTP.
pub async fn over_http(url: &str, name: &'static str, mode: ClientLifecycleMode) -> Session {
    provider();
    let transport = StreamableHttpClientTransport::from_uri(url.to_owned());
    client(name).serve_with_lifecycle(transport, mode).await.expect("a session")
}

/// A session with a gateway of its own, over its standard streams.
pub async fn over_stdio(home: &Home, name: &'static str, mode: ClientLifecycleMode) -> Session {
    let command = tokio::process::Command::from(home.command(&["serve", "--stdio"]));
    let (transport, _) = TokioChildProcess::builder(command)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    client(name).serve_with_lifecycle(transport, mode).await.expect("a session")
}

/// One of the gateway's own tools.
pub async fn own(
    session: &Session,
    tool: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    let mut params = CallToolRequestParams::new(tool);
    params.arguments = arguments.as_object().cloned();
    session.call_tool(params).await
}

/// A tool of a server, through the gateway.
pub async fn call(session: &Session, name: &str, arguments: Value) -> CallToolResult {
    let order = json!({"name": name, "arguments": arguments});
    own(session, "call_tool", order).await.expect("a result")
}

pub fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_eras_find_and_run_tools_over_http_and_over_standard_streams() {
    let url = Fake::default().serve().await;
    let config = json!({"mcpServers": {"fake": {"url": url}, "sh": shell_server()}});
    let gateway = Gateway::start(&config);
    let home = Home::with(&config);
    let sessions = [
        over_http(&gateway.mcp(), "claude-code", ClientLifecycleMode::Initialize).await,
        over_http(&gateway.mcp(), "zed", modern()).await,
        over_stdio(&home, "goose", ClientLifecycleMode::Initialize).await,
        over_stdio(&home, "cline", modern()).await,
    ];
    for session in sessions {
        let names: Vec<_> = session.list_all_tools().await.expect("tools");
        let names: Vec<_> = names.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["retrieve_tools", "call_tool", "telemetry_status"]);
        let found = own(&session, "retrieve_tools", json!({"query": "echo a text", "limit": 3}));
        let found = found.await.expect("an answer").structured_content.expect("structure");
        assert_eq!(found["total_indexed_tools"], 9, "{found}");
        assert_eq!(found["tools"][0]["name"], "fake:echo", "{found}");
        assert_eq!(found["tools"][0]["server"], "fake");
        assert_eq!(found["tools"][0]["inputSchema"]["type"], "object");
        let result = call(&session, "fake:echo", json!({"text": "hi"})).await;
        assert_eq!((text(&result).as_str(), result.is_error), ("echo", Some(false)));
        let status = own(&session, "telemetry_status", json!({})).await.expect("an answer");
        let status = status.structured_content.expect("structure");
        assert_eq!(status["effective"], "local_only");
        for member in ["anonymous_id", "data_dir", "endpoint"] {
            assert_eq!(status.get(member), None, "{member} would go to the model");
        }
        session.cancel().await.expect("an end");
    }
    let seen = &gateway.status()["activation"]["mcp_clients_seen_ever"];
    assert_eq!(*seen, json!(["claude-code", "zed"]));
    let status: Value = serde_json::from_str(&home.out(&[
        "telemetry",
        "status",
        "--product",
        "mcpproxy",
        "-o",
        "json",
    ]))
    .expect("JSON");
    assert_eq!(status["activation"]["mcp_clients_seen_ever"], json!(["goose", "cline"]));
    assert_eq!(status["activation"]["retrieve_tools_calls_24h"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_config_it_answers_and_nothing_is_found() {
    let gateway = Gateway::start_in(Home::empty(), &[], &[]);
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let found = own(&session, "retrieve_tools", json!({"query": "anything"})).await;
    let found = found.expect("an answer").structured_content.expect("structure");
    assert_eq!(found["tools"], json!([]));
    assert_eq!(found["total_indexed_tools"], 0);
    let status = gateway.status();
    assert_eq!(status["activation"]["first_connected_server_ever"], false);
    assert_eq!(status["activation"]["first_mcp_client_ever"], true);
    assert_eq!(status["routing_mode"], "retrieve_tools");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_older_era_hears_when_what_is_offered_changes() {
    let gateway = Gateway::start_in(Home::with(&json!({})), &[], &[]);
    let session = over_http(&gateway.mcp(), "zed", ClientLifecycleMode::Initialize).await;
    let url = Fake::default().serve().await;
    gateway.home.write(&json!({"mcpServers": {"fake": {"url": url}}}));
    gateway.wait_for("fake", "connected");
    is_told_of_changes(&session).await;
}

/// Waits until the client has heard that something changed.
pub async fn is_told_of_changes(session: &Session) {
    for _ in 0..100 {
        if *session.service().changes.lock().unwrap() > 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it was not told");
}
