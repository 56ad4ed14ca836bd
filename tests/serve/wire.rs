//! HTTP of the gateway as clients of the field speak it, byte by byte.

use crate::gateway::{Gateway, PATIENCE, status_of};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const CONTENT: (&str, &str) = ("Content-Type", "application/json");

fn hello(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "zed", "version": "1"}}})
}

/// Begins a session of this version: its id, and the events of the answer.
fn begin(gateway: &Gateway, version: &str) -> (String, String) {
    let (head, body) = gateway.raw("POST", "/mcp", &[ACCEPT, CONTENT], &hello(version).to_string());
    assert_eq!(status_of(&head), 200, "{body}");
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let (_, id) =
        lines.find(|(name, _)| name.eq_ignore_ascii_case("mcp-session-id")).expect("an id");
    let session = id.to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(say(gateway, &session, version, &ready.to_string()).0, 202);
    (session, body)
}

/// Sends a body in a session: status and body of the answer.
fn say(gateway: &Gateway, session: &str, version: &str, body: &str) -> (u16, String) {
    let headers = [ACCEPT, CONTENT, ("Mcp-Session-Id", session), ("MCP-Protocol-Version", version)];
    gateway.ask("POST", "/mcp", &headers, body)
}

/// The JSON in a body, of events or not.
fn json_in(body: &str) -> Value {
    let start = body.find(['{', '[']).unwrap_or_else(|| panic!("no JSON: {body}"));
    let end = body.rfind(['}', ']']).expect("an end");
    serde_json::from_str(&body[start..=end]).unwrap_or_else(|why| panic!("{why}: {body}"))
}

/// Sends bytes as they are, and reads until `mark`, or the end.
fn bytes(gateway: &Gateway, sent: &str, mark: &str) -> String {
    let mut stream = TcpStream::connect(&gateway.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.write_all(sent.as_bytes()).expect("it reads");
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&answer).contains(mark) {
        let read = stream.read(&mut part).expect("an answer");
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_that_cannot_be_read_is_400_with_the_error_of_json_rpc() {
    let gateway = Gateway::start(&json!({}));
    let bom = format!("\u{feff}{}", hello("2025-06-18"));
    for (body, code, id) in [
        ("", -32700, Value::Null),
        ("{\"jsonrpc\":", -32700, Value::Null),
        (&bom, -32700, json!(1)),
        ("{}", -32600, Value::Null),
        ("5", -32600, Value::Null),
    ] {
        let (status, answer) = gateway.ask("POST", "/mcp", &[ACCEPT, CONTENT], body);
        assert_eq!(status, 400, "{body}: {answer}");
        let answer = json_in(&answer);
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{body}");
    }
    let other = [ACCEPT, ("Content-Type", "text/plain")];
    assert_eq!(gateway.ask("POST", "/mcp", &other, "{").0, 415);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nContent-Type: application/json\r\n",
        gateway.address
    );
    for (rest, status) in [
        ("Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400),
        ("Content-Length: 33554433\r\n\r\n", 413),
        ("Content-Length: 99999999999\r\n\r\n", 413),
    ] {
        let answer = bytes(&gateway, &format!("{head}{rest}"), "\r\n\r\n");
        assert_eq!(status_of(&answer), status, "{rest}: {answer}");
    }
}

#[test]
fn a_client_that_accepts_anything_reads_messages_that_are_named_so() {
    let gateway = Gateway::start(&json!({}));
    for accept in [&[][..], &[("Accept", "*/*")], &[("Accept", "application/*, text/*")]] {
        let headers = [accept, &[CONTENT]].concat();
        let hello = hello("2025-06-18").to_string();
        let (status, body) = gateway.ask("POST", "/mcp", &headers, &hello);
        assert_eq!(status, 200, "{accept:?}: {body}");
        assert!(body.contains("event: message\n"), "{body}");
    }
    let json_alone = [("Accept", "application/json"), CONTENT];
    assert_eq!(gateway.ask("POST", "/mcp", &json_alone, &hello("2025-06-18").to_string()).0, 406);
    // A client reads events without a message only from 2025-11-25 on.
    for (version, is_primed) in [("2025-03-26", false), ("2025-06-18", false), ("2025-11-25", true)]
    {
        let (session, begun) = begin(&gateway, version);
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
        let (_, listed) = say(&gateway, &session, version, &list);
        let get = format!(
            "GET /mcp HTTP/1.1\r\nHost: {}\r\nMcp-Session-Id: {session}\r\nMCP-Protocol-Version: {version}\r\n\r\n",
            gateway.address
        );
        let mark = if is_primed { "retry:" } else { "\r\n\r\n" };
        let opened = bytes(&gateway, &get, mark);
        assert_eq!(status_of(&opened), 200, "{version}: {opened}");
        for answer in [&begun, &listed] {
            assert!(
                answer.contains("event: message\ndata: {")
                    || answer.contains("event: message\n\r\n"),
                "{answer}"
            );
        }
        for answer in [&begun, &listed, &opened] {
            assert_eq!(answer.contains("data: \n"), is_primed, "{version}: {answer}");
        }
    }
}

#[test]
fn batches_are_answered_where_the_protocol_has_them() {
    let gateway = Gateway::start(&json!({}));
    let (session, _) = begin(&gateway, "2025-03-26");
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        {"jsonrpc": "2.0", "id": "b", "method": "ping"},
        {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
        5,
        {"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {"name": "retrieve_tools", "arguments": {"query": "x"}}},
        {"jsonrpc": "2.0", "id": 6, "method": "prompts/list"},
    ]);
    let (status, body) = say(&gateway, &session, "2025-03-26", &batch.to_string());
    assert_eq!(status, 200, "{body}");
    let answers = json_in(&body);
    let ids: Vec<_> =
        answers.as_array().expect("an array").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("b"), json!(3), Value::Null, json!(4), json!(6)], "{body}");
    assert_eq!(answers[0]["result"]["tools"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        (&answers[2]["error"]["code"], &answers[3]["error"]["code"]),
        (&json!(-32601), &json!(-32600))
    );
    assert_eq!(answers[4]["result"]["structuredContent"]["total"], 0, "{body}");
    assert_eq!(answers[5]["result"], json!({"prompts": []}), "{body}");
    let told = json!([{"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}]);
    assert_eq!(say(&gateway, &session, "2025-03-26", &told.to_string()).0, 202);
    let many = Value::Array(vec![batch[1].clone(); 101]);
    for (version, batch, code) in [
        ("2025-06-18", batch.to_string(), -32600),
        ("2026-07-28", batch.to_string(), -32600),
        ("2025-03-26", "[]".to_owned(), -32600),
        ("2025-03-26", "[{".to_owned(), -32700),
        ("2025-03-26", json!([hello("2025-03-26")]).to_string(), -32600),
        ("2025-03-26", many.to_string(), -32600),
    ] {
        let (status, body) = say(&gateway, &session, version, &batch);
        assert_eq!(
            (status, &json_in(&body)["error"]["code"]),
            (400, &json!(code)),
            "{batch}: {body}"
        );
    }
    assert_eq!(say(&gateway, "gone", "2025-03-26", &batch.to_string()).0, 404);
}

#[test]
fn a_session_is_ended_once_and_is_gone_then() {
    let gateway = Gateway::start(&json!({}));
    let (session, _) = begin(&gateway, "2025-06-18");
    let end = || gateway.ask("DELETE", "/mcp", &[("Mcp-Session-Id", &session)], "");
    assert_eq!(end(), (204, String::new()));
    assert_eq!(end().0, 404);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string();
    assert_eq!(say(&gateway, &session, "2025-06-18", &list).0, 404);
}

#[test]
fn what_a_greeting_lacks_and_why_a_method_is_not_answered_is_said() {
    let gateway = Gateway::start(&json!({}));
    let home = crate::gateway::Home::empty();
    let mut lines = String::new();
    let lacking =
        [("/clientInfo/version", "`clientInfo.version`"), ("/capabilities", "`capabilities`")];
    for (id, (pointer, name)) in lacking.into_iter().enumerate() {
        let mut hello = hello("2025-06-18");
        hello["id"] = json!(10 + id);
        *hello.pointer_mut(&format!("/params{pointer}")).expect("a member") = Value::Null;
        let (_, body) = gateway.ask("POST", "/mcp", &[ACCEPT, CONTENT], &hello.to_string());
        let answer = json_in(&body);
        assert_eq!(
            (&answer["error"]["code"], &answer["id"]),
            (&json!(-32602), &hello["id"]),
            "{body}"
        );
        assert!(answer["error"]["message"].as_str().is_some_and(|it| it.contains(name)), "{body}");
        lines.push_str(&format!("{hello}\n"));
    }
    let unknown = |id: u32, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"level": "info"}});
    let (session, _) = begin(&gateway, "2025-06-18");
    for (method, part) in [("logging/setLevel", "log messages"), ("no/such", "tools, prompts")] {
        let (_, body) = say(&gateway, &session, "2025-06-18", &unknown(5, method).to_string());
        let error = json_in(&body)["error"].clone();
        assert_eq!(error["code"], -32601, "{body}");
        let said = error["message"].as_str().expect("words");
        assert!(said.contains(method) && said.contains(part), "{said}");
    }
    // In the modern era there is no such method, whatever its parameters lack.
    let modern = json!({"jsonrpc": "2.0", "id": 9, "method": "initialize", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "zed", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }}});
    let headers =
        [ACCEPT, CONTENT, ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "initialize")];
    let (status, body) = gateway.ask("POST", "/mcp", &headers, &modern.to_string());
    assert_eq!((status, &json_in(&body)["error"]["code"]), (404, &json!(-32601)), "{body}");
    // The same over standard streams.
    lines.push_str(&format!("{}\n{}\n", hello("2025-06-18"), unknown(5, "logging/setLevel")));
    let mut command = home.command(&["serve", "--stdio"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 4, "{said}");
    let of = |id: usize| answers.iter().find(|answer| answer["id"] == id).expect("an answer");
    for (id, (_, name)) in lacking.into_iter().enumerate() {
        let error = &of(10 + id)["error"];
        assert_eq!(error["code"], -32602, "{said}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains(name)), "{said}");
    }
    assert_eq!(of(1)["result"]["protocolVersion"], "2025-06-18", "{said}");
    assert!(of(5)["error"]["message"].as_str().is_some_and(|it| it.contains("log messages")));
}
