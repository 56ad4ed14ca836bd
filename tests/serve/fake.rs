//! Upstream servers in this process, over streamable HTTP, that do as tests need; and one over stdio, in
//! `sh`, for what only a child process can do.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, ListPromptsResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    Prompt, PromptMessage, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    Resource, ResourceContents, Role, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// What a fake saw and was told.
#[derive(Default)]
pub struct Shared {
    /// Arguments and `_meta` of each call, in order.
    pub calls: Mutex<Vec<(String, Value, Value)>>,
    /// How many calls were cancelled.
    pub cancelled: Mutex<usize>,
    /// More tools, added while it runs.
    pub more: Mutex<Vec<String>>,
    peers: Mutex<Vec<Peer<RoleServer>>>,
    grown: Notify,
}

/// A server with tools for tests.
#[derive(Clone, Default)]
pub struct Fake {
    pub shared: Arc<Shared>,
}

fn tool(name: &str, about: &str) -> Tool {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
    Tool::new(name.to_owned(), about.to_owned(), Arc::new(schema.as_object().expect("one").clone()))
}

impl Fake {
    /// Serves on a port of its own for as long as the runtime lives; the address.
    pub async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        self.serve_on(listener);
        format!("http://{address}/mcp")
    }

    pub fn serve_on(&self, listener: tokio::net::TcpListener) -> tokio::task::JoinHandle<()> {
        let router = self.router();
        tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        })
    }

    /// `/mcp`
    pub fn router(&self) -> axum::Router {
        let this = self.clone();
        let service = StreamableHttpService::new(
            move || Ok(this.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        axum::Router::new().route_service("/mcp", service)
    }

    /// Adds a tool and tells everybody that the list has changed, for a while: over HTTP a client that has not begun to
    /// listen does not hear the first time.
    pub async fn grow(&self, name: &str) {
        self.shared.more.lock().unwrap().push(name.to_owned());
        self.tell().await;
        let again = self.clone();
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                again.tell().await;
            }
        });
    }

    /// Says that the list has changed.
    async fn tell(&self) {
        let peers = self.shared.peers.lock().unwrap().clone();
        for peer in peers {
            let _ = peer.notify_tool_list_changed().await;
        }
        self.shared.grown.notify_waiters();
    }

    async fn run(&self, name: &str, context: &RequestContext<RoleServer>) -> CallToolResult {
        match name {
            "steps" => {
                let token = context.meta.get_progress_token().expect("a progress token");
                for step in 1..=20 {
                    let progress = ProgressNotificationParam::new(token.clone(), f64::from(step))
                        .with_total(20.0)
                        .with_message(format!("step {step}"));
                    context.peer.notify_progress(progress).await.expect("a client");
                }
                CallToolResult::success(vec![ContentBlock::text("20 steps")])
            }
            "wait" => {
                tokio::select! {
                    () = context.ct.cancelled() => *self.shared.cancelled.lock().unwrap() += 1,
                    () = tokio::time::sleep(Duration::from_secs(30)) => {}
                }
                CallToolResult::success(vec![ContentBlock::text("waited")])
            }
            "second" => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                CallToolResult::success(vec![ContentBlock::text("a second later")])
            }
            "broken" => CallToolResult::error(vec![ContentBlock::text("it is broken")]),
            "rich" => {
                let mut result = CallToolResult::success(vec![
                    ContentBlock::text("text"),
                    ContentBlock::image("aGVsbG8=", "image/png"),
                ]);
                result.structured_content = Some(json!({"b": 1, "a": [null, 1.5, "\u{2028}"]}));
                result
            }
            _ => CallToolResult::success(vec![ContentBlock::text(name)]),
        }
    }
}

impl ServerHandler for Fake {
    fn get_info(&self) -> ServerConfig {
        let offered = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_resources()
            .build();
        ServerConfig::new(offered)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.shared.peers.lock().unwrap().push(context.peer);
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    /// In the modern era changes are told to those who listen.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                () = self.shared.grown.notified() => {
                    let _ = context.sink().notify_tool_list_changed().await;
                }
            }
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let second = request.and_then(|page| page.cursor).is_some();
        // Two pages, as a server with many tools has.
        let mut result = ListToolsResult::with_all_items(if second {
            let more = self.shared.more.lock().unwrap();
            more.iter().map(|name| tool(name, "Was added later")).collect()
        } else {
            vec![
                tool("echo", "Echo a text back"),
                tool("steps", "Report progress in steps"),
                tool("wait", "Wait until cancelled"),
                tool("second", "Answer after a second"),
                tool("broken", "Always fail"),
                tool("refused", "Refuse by protocol"),
                tool("rich", "Answer with text, picture and structure"),
            ]
        });
        result.next_cursor = (!second).then(|| "second".to_owned());
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.map_or(Value::Null, Value::Object);
        let meta = serde_json::to_value(&context.meta).expect("JSON");
        let name = request.name.to_string();
        self.shared.calls.lock().unwrap().push((name.clone(), arguments, meta));
        if name == "refused" {
            let data = Some(json!({"why": "because"}));
            return Err(ErrorData::new(ErrorCode(-32050), "refused by protocol", data));
        }
        Ok(self.run(&name, &context).await.into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(vec![Prompt::new("greet", Some("Greets"), None)]))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let message = PromptMessage::new_text(Role::User, request.name);
        Ok(GetPromptResult::new(vec![message]).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let resource = Resource::new("demo://notes/1?x=1#y", "notes");
        Ok(ListResourcesResult::with_all_items(vec![resource]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = ResourceContents::text(format!("of {}", request.uri), request.uri);
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}

/// A stdio server in `sh`: one tool that answers with the names of its environment, and one that ends it.
pub fn shell_server() -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"tools/list"'*) answer "$id" '{"tools":[{"name":"env","inputSchema":{"type":"object"}},{"name":"end","inputSchema":{"type":"object"}}]}' ;;
            *'"end"'*) exit 3 ;;
            *'"env"'*) answer "$id" "{\"content\":[{\"type\":\"text\",\"text\":\"$(env | sed 's/=.*//' | sort | tr '\n' ' ')$MINE $(pwd)\"}]}" ;;
            *'"ping"'*) answer "$id" '{}' ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script], "env": {"MINE": "${HOME}/mine"}, "cwd": "/"})
}
