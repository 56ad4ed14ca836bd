//! What a call is, and what comes back of it.

use crate::clients::{Session, call, modern, over_http, own, text};
use crate::fake::Fake;
use crate::gateway::Gateway;
use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, ErrorCode, GetPromptRequestParams,
    ReadResourceRequestParams, RequestMetaObject, ResourceContents,
};
use rmcp::service::{ClientLifecycleMode, PeerRequestOptions};
use serde_json::{Value, json};
use std::time::Duration;

async fn pair(mode: ClientLifecycleMode) -> (Fake, Gateway, Session) {
    let fake = Fake::default();
    let url = fake.serve().await;
    let config = json!({"mcpServers": {"fake": {"url": url, "tool_timeout_sec": 20}}});
    let gateway = Gateway::start(&config);
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", mode).await;
    (fake, gateway, session)
}

fn eras() -> [ClientLifecycleMode; 2] {
    [ClientLifecycleMode::Initialize, modern()]
}

#[tokio::test(flavor = "multi_thread")]
async fn results_structure_pictures_and_failures_come_back_as_they_are() {
    for era in eras() {
        let (fake, _gateway, session) = pair(era).await;
        let rich = call(&session, "fake:rich", json!({"z": 1, "a": {"deep": [1, null]}})).await;
        assert_eq!(rich.structured_content, Some(json!({"b": 1, "a": [null, 1.5, "\u{2028}"]})));
        let content = serde_json::to_value(&rich.content).expect("JSON");
        let picture = json!({"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"});
        assert_eq!(content, json!([{"type": "text", "text": "text"}, picture]));
        let (_, arguments, _) = fake.shared.calls.lock().unwrap()[0].clone();
        assert_eq!(arguments.to_string(), r#"{"z":1,"a":{"deep":[1,null]}}"#, "order kept");
        let broken = call(&session, "fake:broken", json!({})).await;
        assert_eq!((text(&broken).as_str(), broken.is_error), ("it is broken", Some(true)));
        let refused = own(&session, "call_tool", json!({"name": "fake:refused"})).await;
        let Err(ServiceError::McpError(error)) = refused else { panic!("not refused") };
        assert_eq!(error.code, ErrorCode(-32050));
        assert_eq!(
            (&*error.message, error.data),
            ("refused by protocol", Some(json!({"why": "because"})))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_comes_whole_in_order_and_before_the_answer() {
    for era in eras() {
        let (_fake, _gateway, session) = pair(era).await;
        let result = call(&session, "fake:steps", json!({})).await;
        assert_eq!(text(&result), "20 steps");
        // The client's SDK handles notifications side by side, so they are put in order here; that the
        // gateway keeps it is shown on the wire by the test of real clients.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut steps: Vec<u64> =
            session.service().progress.lock().unwrap().iter().map(|p| p.progress as u64).collect();
        steps.sort_unstable();
        assert_eq!(steps, (1..=20).collect::<Vec<_>>());
        let last = session.service().progress.lock().unwrap()[0].clone();
        assert_eq!((last.total, last.message.is_some()), (Some(20.0), true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_is_cancelled_at_the_server() {
    for era in eras() {
        let (fake, _gateway, session) = pair(era).await;
        let mut params = CallToolRequestParams::new("call_tool");
        params.arguments = json!({"name": "fake:wait"}).as_object().cloned();
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let options = PeerRequestOptions::no_options();
        let handle = session.send_cancellable_request(request, options).await.expect("sent");
        while fake.shared.calls.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        handle.cancel(Some("changed my mind".to_owned())).await.expect("cancelled");
        for _ in 0..200 {
            if *fake.shared.cancelled.lock().unwrap() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(*fake.shared.cancelled.lock().unwrap(), 1, "the server was not told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_of_one_hop_stays_and_the_rest_goes_on() {
    let (fake, _gateway, session) = pair(modern()).await;
    let mut params = CallToolRequestParams::new("call_tool");
    params.arguments = json!({"name": "fake:echo"}).as_object().cloned();
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let mut meta = RequestMetaObject::new();
    meta.insert("traceparent".into(), "00-1-2-01".into());
    meta.insert("example.org/tenant".into(), "seven".into());
    let options = PeerRequestOptions::no_options().with_meta(meta);
    let handle = session.send_cancellable_request(request, options).await.expect("sent");
    handle.await_response().await.expect("an answer");
    let (_, _, meta) = fake.shared.calls.lock().unwrap()[0].clone();
    assert_eq!(meta["traceparent"], "00-1-2-01");
    assert_eq!(meta["example.org/tenant"], "seven");
    let said = meta.to_string();
    assert!(!said.contains("zed"), "the client's name went to a server: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_the_caller_are_answered_in_words_to_act_on() {
    let (_fake, _gateway, session) = pair(modern()).await;
    for (tool, arguments, part) in [
        ("call_tool", json!({"name": "fake:nope"}), "retrieve_tools"),
        ("call_tool", json!({"name": "echo"}), "retrieve_tools"),
        ("call_tool", json!({}), "`name` is missing"),
        ("call_tool", json!({"name": "fake:echo", "arguments": [1]}), "object"),
        ("retrieve_tools", json!({}), "`query` is missing"),
        ("retrieve_tools", json!({"query": "x", "limit": 0}), "from 1 to 100"),
    ] {
        let refused = own(&session, tool, arguments).await.expect("a result");
        assert_eq!(refused.is_error, Some(true), "{tool}");
        assert!(text(&refused).contains(part), "{}", text(&refused));
    }
    let unknown = own(&session, "fake:echo", json!({})).await;
    assert!(
        matches!(unknown, Err(ServiceError::McpError(e)) if e.code == ErrorCode::INVALID_PARAMS)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_any_sign_of_life_ends_after_the_time_out_of_its_server() {
    let fake = Fake::default();
    let url = fake.serve().await;
    let entry = json!({"url": url, "tool_timeout_sec": 0.5});
    let gateway = Gateway::start(&json!({"mcpServers": {"fake": entry}}));
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let late = call(&session, "fake:wait", json!({})).await;
    assert_eq!(late.is_error, Some(true));
    assert!(text(&late).contains("tool_timeout_sec"), "{}", text(&late));
    assert_eq!(*fake.shared.cancelled.lock().unwrap(), 1, "the server was not told");
    // It was only slow: it answers the question whether it is there, and stays connected.
    assert_eq!(text(&call(&session, "fake:echo", json!({})).await), "echo");
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_and_resources_pass_through_under_the_name_of_their_server() {
    for era in eras() {
        let (_fake, _gateway, session) = pair(era).await;
        let prompts = session.list_all_prompts().await.expect("prompts");
        assert_eq!(prompts[0].name, "fake:greet");
        let prompt = session.get_prompt(GetPromptRequestParams::new("fake:greet")).await;
        let prompt = serde_json::to_value(prompt.expect("a prompt")).expect("JSON");
        assert_eq!(prompt["messages"][0]["content"]["text"], "greet");
        let resources = session.list_all_resources().await.expect("resources");
        let uri = "mcpproxy://fake/demo://notes/1?x=1#y";
        assert_eq!(resources[0].uri, uri);
        let read = session.read_resource(ReadResourceRequestParams::new(uri)).await;
        let contents = read.expect("a resource").contents;
        let ResourceContents::TextResourceContents { uri: named, text, .. } = &contents[0] else {
            panic!("no text");
        };
        assert_eq!((named.as_str(), text.as_str()), (uri, "of demo://notes/1?x=1#y"));
        for missing in ["fake:nope", "greet"] {
            assert!(session.get_prompt(GetPromptRequestParams::new(missing)).await.is_err());
        }
        for missing in ["mcpproxy://nobody/demo://x", "demo://nowhere", ""] {
            let read = session.read_resource(ReadResourceRequestParams::new(missing)).await;
            assert!(read.is_err(), "{missing}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_do_not_wait_for_each_other() {
    let (_fake, _gateway, session) = pair(modern()).await;
    let session = std::sync::Arc::new(session);
    let begun = std::time::Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { text(&call(&session, "fake:second", Value::Null).await) })
        })
        .collect();
    for answer in calls {
        assert_eq!(answer.await.expect("a call"), "a second later");
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "one after the other");
}

#[test]
fn malformed_parameters_are_no_unknown_method() {
    let gateway = Gateway::start(&json!({}));
    let headers = [
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json"),
        ("MCP-Protocol-Version", "2026-07-28"),
    ];
    let ask = |method: &str, params: Value| {
        let mut params = params;
        let client = json!({"name": "zed", "version": "1"});
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": client,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut headers = headers.to_vec();
        headers.push(("Mcp-Method", method));
        let (_, body) = gateway.ask("POST", "/mcp", &headers, &request.to_string());
        let start = body.find('{').unwrap_or_else(|| panic!("no JSON: {body}"));
        let end = body.rfind('}').expect("an end");
        serde_json::from_str::<Value>(&body[start..=end]).expect("JSON")["error"].clone()
    };
    for (method, params) in [
        ("tools/call", json!({"name": 5})),
        ("prompts/get", json!({})),
        ("resources/read", json!({"uri": []})),
    ] {
        let error = ask(method, params);
        assert_eq!(error["code"], -32602, "{method}: {error}");
        assert!(error["message"].as_str().is_some_and(|words| words.contains(method)), "{error}");
    }
    assert_eq!(ask("no/such", json!({}))["code"], -32601);
}
