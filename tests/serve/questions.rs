//! Servers that ask: for input of the user, for the model, for roots.

use crate::clients::{call, modern, over_http, text};
use crate::gateway::Gateway;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    InputRequiredResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{ClientLifecycleMode, RequestContext};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A server of the modern era that asks for the user's name before it greets.
#[derive(Clone, Default)]
struct Asking {
    /// What the client of each call can be asked, as the server hears it.
    heard: Arc<Mutex<Vec<Value>>>,
}

impl ServerHandler for Asking {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"}).as_object().cloned().unwrap_or_default();
        Ok(ListToolsResult::with_all_items(vec![Tool::new("greet", "Greet", Arc::new(schema))]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let meta = serde_json::to_value(&context.meta).expect("JSON");
        let capabilities = meta["io.modelcontextprotocol/clientCapabilities"].clone();
        self.heard.lock().unwrap().push(capabilities.clone());
        if let Some(given) = request.input_responses {
            let given = serde_json::to_value(given).expect("JSON");
            let state = request.request_state.unwrap_or_default();
            let name = given["name"]["content"]["name"].as_str().unwrap_or_default().to_owned();
            let words = format!("hello {name} ({state})");
            return Ok(CallToolResult::success(vec![ContentBlock::text(words)]).into());
        }
        if capabilities["elicitation"].is_null() && request.arguments.is_none() {
            let words = "hello whoever you are";
            return Ok(CallToolResult::success(vec![ContentBlock::text(words)]).into());
        }
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        let asked = json!({"name": {"method": "elicitation/create", "params": {
            "mode": "form", "message": "Who are you?", "requestedSchema": schema}}});
        let asked = serde_json::from_value(asked).expect("a request");
        Ok(CallToolResponse::InputRequired(InputRequiredResult::new(
            Some(asked),
            Some("s1".into()),
        )))
    }
}

async fn serve(asking: Asking) -> String {
    let service = StreamableHttpService::new(
        move || Ok(asking.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let router = axum::Router::new().route_service("/mcp", service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

/// One call of `asking:greet` by a client of the modern era that says this of itself.
fn ask(gateway: &Gateway, capabilities: &Value, more: &Value) -> Value {
    let mut params = json!({"name": "call_tool", "arguments": {"name": "asking:greet"}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "zed", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities}});
    for (name, value) in more.as_object().expect("members") {
        params[name] = value.clone();
    }
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let headers = [
        ("Accept", "*/*"),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "call_tool"),
    ];
    let (_, body) = gateway.ask("POST", "/mcp", &headers, &request.to_string());
    let (start, end) = (body.find('{').expect("JSON"), body.rfind('}').expect("an end"));
    serde_json::from_str::<Value>(&body[start..=end]).expect("JSON")["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_modern_era_a_question_reaches_the_client_and_the_answer_the_server() {
    let asking = Asking::default();
    let url = serve(asking.clone()).await;
    let gateway = Gateway::start(&json!({"mcpServers": {"asking": {"url": url}}}));
    gateway.wait_for("asking", "connected");
    let can = json!({"elicitation": {"form": {}}, "sampling": {}, "roots": {}});
    let mut said = can.clone();
    said["experimental"] = json!({"mine": {}});
    said["extensions"] = json!({"io.modelcontextprotocol/tasks": {}});
    let asked = ask(&gateway, &said, &json!({}));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["inputRequests"]["name"]["params"]["message"], "Who are you?", "{asked}");
    let given = json!({"name": {"action": "accept", "content": {"name": "Ada"}}});
    let again = json!({"inputResponses": given, "requestState": asked["requestState"]});
    let answer = ask(&gateway, &said, &again);
    assert_eq!(answer["content"][0]["text"], "hello Ada (s1)", "{answer}");
    let plain = ask(&gateway, &json!({}), &json!({}));
    assert_eq!(plain["content"][0]["text"], "hello whoever you are", "{plain}");
    // What belongs to one hop stays there; what the client can be asked goes on.
    assert_eq!(*asking.heard.lock().unwrap(), [can.clone(), can, json!({})]);
    // A client with a handshake cannot be asked in an answer, and is told so if it is.
    let session = over_http(&gateway.mcp(), "zed", ClientLifecycleMode::Initialize).await;
    let result = call(&session, "asking:greet", json!({"insist": true})).await;
    assert_eq!(result.is_error, Some(true));
    assert!(text(&result).contains("2026-07-28"), "{}", text(&result));
}

/// A server of the older era whose tool asks three times, and says what it was answered.
fn older() -> Value {
    let script = r#"
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
            *'"tools/list"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"ask","inputSchema":{"type":"object"}}]}}\n' "$id" ;;
            *'"tools/call"'*)
                printf '%s\n' '{"jsonrpc":"2.0","id":"a","method":"elicitation/create","params":{"message":"who","requestedSchema":{"type":"object","properties":{}}}}'
                read -r one
                printf '%s\n' '{"jsonrpc":"2.0","id":"b","method":"roots/list"}'
                read -r two
                printf '%s\n' '{"jsonrpc":"2.0","id":"c","method":"sampling/createMessage","params":{"maxTokens":5,"messages":[]}}'
                read -r three
                said=$(printf '%s,%s,%s' "$one" "$two" "$three")
                printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[],"structuredContent":{"said":[%s]}}}\n' "$id" "$said" ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script]})
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_older_era_a_server_that_asks_is_told_that_it_cannot() {
    let gateway = Gateway::start(&json!({"mcpServers": {"older": older()}}));
    gateway.wait_for("older", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let result = call(&session, "older:ask", json!({})).await;
    let said = result.structured_content.expect("structure")["said"].clone();
    for (answer, method) in said.as_array().expect("answers").iter().zip([
        "elicitation/create",
        "roots/list",
        "sampling/createMessage",
    ]) {
        assert_eq!(answer["error"]["code"], -32601, "{said}");
        let words = answer["error"]["message"].as_str().expect("words");
        assert!(words.contains(method) && words.contains("capability"), "{words}");
    }
    assert_eq!(said.as_array().map(Vec::len), Some(3), "{said}");
}
