//! Lines of a client on standard streams: several messages in one, and arguments as they were written.

use crate::field::{Files, Raw, request, result, tools};
use serde_json::{Value, json};

fn order(id: u64, name: &str, arguments: &Value) -> Value {
    let order = json!({"name": "call_tool", "arguments": {"name": name, "arguments": arguments}});
    serde_json::from_str(&request(id, "tools/call", order)).expect("JSON")
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).expect("JSON")
}

#[test]
fn batches_are_answered_as_over_http_where_the_protocol_has_them() {
    let files = Files::new(&[("tools_list", &tools(["never"].into_iter())), ("never", b"")]);
    let config = json!({"mcpServers": {"s": files.entry()}});
    let mut client = Raw::speaking("2025-03-26", &config);
    let told = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        told,
        {"jsonrpc": "2.0", "id": "b", "method": "ping"},
        {"jsonrpc": "2.0", "id": 3, "method": "no/such"},
        5,
        {"jsonrpc": "2.0", "id": "b", "method": "ping"},
        {"jsonrpc": "2.0", "id": 6, "method": "prompts/list"},
    ]);
    let answers = read(&client.ask(batch.to_string()));
    let ids: Vec<_> =
        answers.as_array().expect("an array").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("b"), json!(3), Value::Null, json!("b"), json!(6)]);
    assert_eq!(answers[0]["result"]["tools"].as_array().map(Vec::len), Some(3));
    let codes: Vec<_> =
        answers.as_array().expect("one").iter().map(|it| &it["error"]["code"]).collect();
    assert_eq!(codes[1..5], [&Value::Null, &json!(-32601), &json!(-32600), &json!(-32600)]);
    assert_eq!(answers[5]["result"], json!({"prompts": []}));
    // Nothing is said of what is only told.
    client.send(json!([told]).to_string().as_bytes());
    assert_eq!(read(&client.ask(request(9, "ping", json!({}))))["id"], 9);
    // A request that is cancelled gets no answer, and the others wait for it no longer.
    let ping = json!({"jsonrpc": "2.0", "id": 12, "method": "ping"});
    client.send(json!([order(11, "s:never", &json!({})), ping]).to_string().as_bytes());
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 11},
    });
    let answers = read(&client.ask(cancelled.to_string()));
    assert_eq!(answers.as_array().expect("an array").len(), 1, "{answers}");
    assert_eq!(answers[0]["id"], 12);
    for (line, code) in [
        ("[]".to_owned(), -32600),
        ("[{".to_owned(), -32700),
        (json!([{"jsonrpc": "2.0", "id": 1, "method": "initialize"}]).to_string(), -32600),
        (Value::Array(vec![told; 101]).to_string(), -32600),
    ] {
        assert_eq!(read(&client.ask(&line))["error"]["code"], code, "{line}");
    }
    client.end();
    let mut newer = Raw::speaking("2025-06-18", &json!({}));
    let answer = read(&newer.ask(batch.to_string()));
    assert_eq!(answer["error"]["code"], -32600);
    assert!(answer["error"]["message"].as_str().expect("words").contains("no batches"), "{answer}");
    newer.end();
}

#[test]
fn arguments_reach_the_server_with_all_that_javascript_would_keep() {
    let files = Files::new(&[
        ("tools_list", &tools(["echo"].into_iter())),
        ("echo", &result(r#"{"content":[]}"#)),
    ]);
    let mut client = Raw::start(&json!({"mcpServers": {"s": files.entry()}}));
    // Doubles that are read wrong by one in the last place where they are read quickly; the largest and the smallest.
    let text = r#"{"z":[31.245270191439438,9.5367431640625e-7,0.1,1e22,1.7976931348623157e308,5e-324,-0.0],"whole":[9007199254740993,18446744073709551615,-9223372036854775808],"a":{"":null,"__proto__":true,"text":"\u2028\u0000\ud83d\ude00 caf\u00e9"}}"#;
    let arguments = read(text);
    let answer = client.ask(order(1, "s:echo", &arguments).to_string());
    assert!(answer.contains(r#""content":[]"#), "{answer}");
    client.end();
    let called = read(files.read("calls").trim());
    assert_eq!(called["params"]["arguments"].to_string(), arguments.to_string());
}
