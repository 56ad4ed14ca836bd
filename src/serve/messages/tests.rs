use super::*;
use rmcp::model::{InitializeRequest, InitializeRequestParams};
use serde_json::json;

fn of_server(text: impl AsRef<[u8]>) -> Vec<ServerJsonRpcMessage> {
    let heard = OfServer::default().read(text.as_ref().to_vec()).into_iter();
    let message = |heard| match heard {
        Heard::Message(message) => message,
        Heard::Reply(error, id) => panic!("a reply: {error:?} {id:?}"),
        Heard::Text(text) => panic!("a text: {text}"),
    };
    heard.map(message).collect()
}

/// The only message, as the SDK is handed it: an answer to 7.
#[track_caller]
fn answer(text: impl AsRef<[u8]>) -> Result<Answer, ErrorData> {
    let mut messages = of_server(text);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let (result, id) = messages.remove(0).into_result().expect("an answer");
    assert_eq!(id.map(|id| numbered(&id)), Some(RequestId::Number(7)));
    result.map(Answer::of)
}

#[test]
fn a_result_passes_as_its_text() {
    for result in [
        r#"{"content":[{"type":"hologram","x":1},{"type":"text"}],"isError":"false"}"#,
        r#"{"n":[1E5,12345678901234567890123]}"#,
        "null",
        "\"plain\"",
    ] {
        for envelope in [
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{result}}}"#),
            format!(r#"{{"result":{result},"error":null,"id":"7"}}"#),
            format!("\u{feff} [{{\"id\":7.0,\"result\":{result}}}]\r"),
        ] {
            assert_eq!(answer(&envelope), Ok(Answer::Text(result.to_owned())), "{envelope}");
        }
    }
}

#[test]
fn half_a_surrogate_pair_costs_itself() {
    let cut = answer(r#"{"id":7,"result":{"text":"cut \ud83d"}}"#);
    assert_eq!(cut, Ok(Answer::Text(r#"{"text":"cut \ufffd"}"#.to_owned())));
}

#[tokio::test]
async fn text_on_the_line_of_an_answer_is_named_once_and_costs_nothing() {
    let reader = OfServer::default();
    let good = r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#;
    assert_eq!((reader.read(good.into()).len(), reader.faults().len()), (1, 0));
    for line in [format!("Starting...{good}"), format!("{good}Ready"), format!("[1] {good}\r")] {
        let heard = reader.read(line.clone().into_bytes());
        let [Heard::Message(JsonRpcMessage::Response(answer))] = &*heard else { panic!("{line}") };
        assert_eq!(Answer::of(answer.result.clone()), Answer::Text("{\"a\":1}".into()), "{line}");
        assert_eq!(reader.faults(), [joined::JOINED]);
    }
    // Whoever waits is told, also if it was found before.
    reader.found_fault().await;
}

#[test]
fn what_cannot_be_read_and_has_the_id_ends_the_request() {
    for (text, expected) in [
        (&b"{\"id\":7,\"result\":{\"text\":\"caf\xe9\"}}"[..], "UTF-8"),
        (b"{\"id\":7,\"result\":{\"x\":NaN}}", "JSON"),
        (b"{\"id\":7,\"result\":1", "JSON"),
        (b"{\"id\":7,\"error\":null}", "neither"),
    ] {
        let Ok(Answer::Unreadable(why)) = answer(text) else { panic!("{text:?}") };
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn an_error_is_one_however_it_is_written() {
    let error = |text: &str| answer(format!(r#"{{"id":7,"error":{text}}}"#)).expect_err("one");
    for (text, code, message, data) in [
        (r#"{"code":-5,"message":"m","data":{"a":1}}"#, -5, "m", Some(json!({"a": 1}))),
        (r#"{"code":-32000.0,"message":"m","data":null}"#, -32000, "m", None),
        (r#""it broke""#, -32603, "it broke", None),
        (r#"{"code":-5}"#, -5, "the server gave no message", Some(json!({"code": -5}))),
        (
            r#"{"code":"E_FAIL","message":"it broke"}"#,
            -32603,
            "it broke",
            Some(json!({"code": "E_FAIL", "message": "it broke"})),
        ),
    ] {
        let found = error(text);
        assert_eq!((found.code.0, &*found.message, found.data), (code, message, data), "{text}");
    }
    // A result beside it does not count.
    let both = r#"{"id":7,"result":null,"error":{"code":1,"message":"bad"}}"#;
    assert_eq!(answer(both).expect_err("one").message, "bad");
}

#[test]
fn lines_that_are_no_messages_are_nothing() {
    for text in [
        "",
        "Server listening on 7",
        r#"{"level":"info","msg":"x","id":7}"#,
        r#"{"error":"no route","level":"warn"}"#,
        "[1,2]",
        "123",
        "null",
        "{}",
        r#"{"id":7}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"x":1e400}}"#,
    ] {
        assert!(of_server(text).is_empty(), "{text}");
    }
    assert!(of_server(b"caf\xe9 \xff\xfe").is_empty());
}

#[test]
fn a_request_of_a_server_that_cannot_be_read_is_refused() {
    let text = r#"{"jsonrpc":"2.0","id":3,"method":"ping","params":{"x":1e400}}"#;
    let heard = OfServer::default().read(text.into());
    let [Heard::Reply(error, Some(RequestId::Number(3)))] = &heard[..] else { panic!() };
    assert!(error.message.contains("number"), "{}", error.message);
}

#[test]
fn a_session_begins_with_what_a_server_can_say() {
    let reader = OfServer::default();
    let params = InitializeRequestParams::new(Default::default(), Default::default());
    let asked = InitializeRequest::new(params).into();
    reader.sends(&ClientJsonRpcMessage::request(asked, RequestId::Number(7)));
    let result = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {
            "tools": [], "logging": true, "prompts": null, "resources": {"subscribe": "yes"},
            "experimental": {"x": null},
        },
        "serverInfo": {"name": "fake"},
        "instructions": "use me",
    });
    let text = json!({"jsonrpc": "2.0", "id": 7, "result": result}).to_string();
    let mut heard = reader.read(text.into());
    let Some(Heard::Message(JsonRpcMessage::Response(response))) = heard.pop() else { panic!() };
    let ServerResult::InitializeResult(info) = response.result else { panic!() };
    let offered = info.capabilities;
    assert!(offered.tools.is_some() && offered.logging.is_some() && offered.resources.is_some());
    assert!(offered.prompts.is_none());
    assert_eq!((&*info.server_info.name, info.instructions.as_deref()), ("fake", Some("use me")));
    let faults = reader.faults().join("\n");
    for named in ["`tools`", "`logging`", "`resources`", "`experimental`", "`serverInfo`"] {
        assert!(faults.contains(named), "{named} in {faults}");
    }
}

fn replied(text: impl AsRef<[u8]>) -> Option<(i32, Option<RequestId>)> {
    match OfClient::default().read(text.as_ref().to_vec()).pop() {
        Some(Heard::Reply(error, id)) => Some((error.code.0, id)),
        Some(Heard::Message(_) | Heard::Text(_)) | None => None,
    }
}

#[test]
fn a_client_is_told_what_is_wrong_with_its_line() {
    let id = || Some(RequestId::Number(3));
    for (text, expected) in [
        (&b"hello"[..], (-32700, None)),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"x\":NaN}}",
            (-32700, id()),
        ),
        (b"{\"id\":3,\"method\":\"caf\xe9\"}", (-32600, id())),
        (b"caf\xe9", (-32700, None)),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"x\",\"params\":{\"x\":1e400}}",
            (-32600, id()),
        ),
        (b"{\"id\":3,\"method\":\"x\"}", (-32600, id())),
        (b"[]", (-32600, None)),
        (b"[{\"id\":3,", (-32700, None)),
        (b"1", (-32600, None)),
    ] {
        assert_eq!(replied(text), Some(expected), "{}", String::from_utf8_lossy(text));
    }
    for text in ["", "  \r", r#"{"jsonrpc":"2.0","method":"$/progress"}"#] {
        assert_eq!(replied(text), None, "{text}");
    }
}

#[test]
fn what_a_client_cut_in_half_is_read() {
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"t":"\ud83d"}}}"#;
    let Some(Heard::Message(JsonRpcMessage::Request(asked))) =
        OfClient::default().read(text.into()).pop()
    else {
        panic!()
    };
    let ClientRequest::CallToolRequest(call) = asked.request else { panic!() };
    assert_eq!(call.params.arguments.expect("some")["t"], "\u{fffd}");
}

#[test]
fn tools_that_say_so_reach_the_sdk_beside_the_text() {
    let header = json!({"type": "string", "x-mcp-header": "Region"});
    let text = json!({"tools": [
        {"name": "plain", "inputSchema": {"type": "object"}, "_meta": {"ui": 1}},
        {"name": "headed", "inputSchema": {"type": "object", "properties": {"region": header}}},
    ]})
    .to_string();
    let response =
        ServerJsonRpcMessage::response(Answer::Text(text.clone()).wrapped(), RequestId::Number(1));
    let JsonRpcMessage::Response(response) = with_headers(response) else { panic!() };
    let ServerResult::ListToolsResult(list) = &response.result else { panic!() };
    assert_eq!(list.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["headed"]);
    assert_eq!(Answer::of(response.result), Answer::Text(text));
}

#[test]
fn a_tool_that_the_sdk_refuses_for_its_headers_is_marked_and_no_other() {
    let tool = |name: &str, header: &str| {
        let region = json!({"type": "string", "x-mcp-header": header});
        json!({"name": name, "inputSchema": {"type": "object", "properties": {"region": region}}})
    };
    // The second one is no tool for the SDK: what is off in it is found elsewhere.
    let unread = json!({"name": "unread", "inputSchema": "x-mcp-header"});
    let tools = [tool("same", "a b"), unread, tool("good", "Region"), tool("same", "Region")];
    let text = json!({"tools": tools, "ttlMs": 1}).to_string();
    let response =
        ServerJsonRpcMessage::response(Answer::Text(text).wrapped(), RequestId::Number(1));
    let JsonRpcMessage::Response(response) = with_headers(response) else { panic!() };
    let ServerResult::ListToolsResult(mut list) = response.result else { panic!() };
    list.tools.remove(0);
    let Answer::Text(text) = Answer::of(ServerResult::ListToolsResult(list)) else { panic!() };
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let marked = list["tools"].as_array().expect("a list").iter();
    let marked: Vec<bool> = marked.map(|tool| tool.get(REFUSED).is_some()).collect();
    assert_eq!((marked, &list["ttlMs"]), (vec![true, false, false, false], &json!(1)));
}
