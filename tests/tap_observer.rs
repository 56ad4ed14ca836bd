//! What the observer makes of sessions as they were recorded from real clients and servers.
#![cfg(feature = "tap")]

use mcpproxy::Event;
use mcpproxy::tap::{Direction, Observer};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// Traffic in order: `>` from the client, `<` from the server, then the bytes.
type Traffic = Vec<(Direction, Vec<u8>)>;

const C: Direction = Direction::ToServer;
const S: Direction = Direction::ToClient;

fn said(event: Event<'_>) -> String {
    match event {
        Event::ClientSeen { name } => format!("client {name}"),
        Event::ServerConnected => "connected".into(),
        Event::Discovery { indexed, returned } => {
            let count = |n: Option<u64>| n.map_or("?".into(), |n| n.to_string());
            format!("discovery {} of {}", count(returned), count(indexed))
        }
        Event::UpstreamCall => "call".into(),
        other => format!("{other:?}"),
    }
}

/// What an observer says to `traffic`, fed in the pieces given.
fn observed(traffic: &Traffic) -> Vec<String> {
    let events = Rc::new(RefCell::new(Vec::new()));
    let sink = events.clone();
    let mut observer =
        Observer::new(vec!["retrieve_tools".into(), "find".into()], move |event: Event<'_>| {
            sink.borrow_mut().push(said(event));
        });
    for (direction, bytes) in traffic {
        observer.feed(*direction, bytes);
    }
    observer.finish();
    events.take()
}

fn line(direction: Direction, message: &str) -> (Direction, Vec<u8>) {
    (direction, format!("{message}\n").into_bytes())
}

/// A session as lines that begin with `>` or `<`.
fn session(text: &str) -> Traffic {
    text.lines()
        .filter_map(|text| {
            let text = text.trim_start();
            text.strip_prefix("> ")
                .map(|message| line(C, message))
                .or_else(|| text.strip_prefix("< ").map(|message| line(S, message)))
        })
        .collect()
}

fn meta(name: &str) -> String {
    format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"{name}","version":"1"}},"progressToken":1}}"#
    )
}

const INITIALIZE: &str = r#"
    > {"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}},"clientInfo":{"name":"claude-code","version":"2.0"}},"jsonrpc":"2.0","id":0}
    < {"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}},"jsonrpc":"2.0","id":0}
    > {"method":"notifications/initialized","jsonrpc":"2.0"}
"#;

/// A session of the older era, connected, and then these lines.
fn connected(more: &str) -> Traffic {
    session(&format!("{INITIALIZE}{more}"))
}

/// What the observer says after the handshake of [`connected`].
fn after_handshake(more: &str) -> Vec<String> {
    let mut events = observed(&connected(more));
    assert_eq!(events.drain(..2).collect::<Vec<_>>(), ["client claude-code", "connected"]);
    events
}

/// A discovery call with id 1 and this result as its answer.
fn discovery(result: &str) -> Vec<String> {
    after_handshake(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"retrieve_tools","arguments":{{"query":"x"}}}}}}
        < {{"jsonrpc":"2.0","id":1,"result":{result}}}
        "#
    ))
}

#[test]
fn session_with_a_handshake() {
    assert_eq!(observed(&connected("")), ["client claude-code", "connected"]);
}

#[test]
fn session_whose_discovery_is_refused_and_that_then_shakes_hands() {
    let traffic = session(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":"discover-1","method":"server/discover","params":{{{}}}}}
        < {{"jsonrpc":"2.0","id":"discover-1","error":{{"code":-32601,"message":"Method not found"}}}}
        {INITIALIZE}"#,
        meta("mcp")
    ));
    assert_eq!(observed(&traffic), ["client mcp", "client claude-code", "connected"]);
}

#[test]
fn session_of_the_modern_era() {
    let info = meta("codex-mcp-client");
    let traffic = session(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{info}}}}}
        < {{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"not-a-client"}}}}}}}}
        > {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"echo","arguments":{{"name":"not-a-client"}},{info}}}}}
        < {{"jsonrpc":"2.0","id":2,"result":{{"content":[]}}}}
        "#
    ));
    assert_eq!(
        observed(&traffic),
        ["client codex-mcp-client", "connected", "client codex-mcp-client", "call"]
    );
}

#[test]
fn probe_process_and_the_process_after_it() {
    let probe = session(&format!(
        r#"> {{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{{{}}}}}"#,
        meta("gemini-cli-mcp-client")
    ));
    assert_eq!(observed(&probe), ["client gemini-cli-mcp-client"]);
    let bare = session(
        r#"
        > {"jsonrpc":"2.0","id":0,"method":"tools/list"}
        < {"jsonrpc":"2.0","id":0,"result":{"tools":[]}}
        "#,
    );
    assert_eq!(observed(&bare), ["connected"]);
}

#[test]
fn ids_of_the_two_directions_do_not_mix() {
    // The server asks with id 1 and is answered with id 1 while the client's own 1 is open.
    let events = after_handshake(
        r#"
        > {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve_tools"}}
        < {"jsonrpc":"2.0","id":1,"method":"roots/list"}
        > {"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[1,2,3],"total_indexed_tools":9}}}
        < {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}
        < {"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[1],"total_indexed_tools":5}}}
        "#,
    );
    assert_eq!(events, ["discovery 1 of 5"]);
    let requests_only = session(
        r#"
        < {"jsonrpc":"2.0","id":0,"method":"ping"}
        > {"jsonrpc":"2.0","id":0,"result":{}}
        "#,
    );
    assert_eq!(observed(&requests_only), [""; 0]);
}

#[test]
fn an_answer_is_matched_by_the_value_of_its_id() {
    for (asked, answered, matches) in [
        ("1", "1", true),
        ("1", "1.0", true),
        ("1", "2", false),
        ("1", r#""1""#, false),
        (r#""a/b""#, r#""a\/b""#, true),
        (r#""\u00e9""#, r#""é""#, true),
        (
            r#""d9428888-122b-11e1-b85c-61cd3cbb3210""#,
            r#""d9428888-122b-11e1-b85c-61cd3cbb3210""#,
            true,
        ),
        ("-7", "-7", true),
        ("12345678901234567890", "12345678901234567890", true),
        ("null", "null", false),
    ] {
        let traffic = session(&format!(
            r#"
            > {{"id":{asked},"method":"tools/list"}}
            < {{"result":{{}},"id":{answered}}}
            "#
        ));
        let expected: &[&str] = if matches { &["connected"] } else { &[] };
        assert_eq!(observed(&traffic), expected, "{asked} {answered}");
    }
}

#[test]
fn members_come_in_any_order() {
    let traffic = session(
        r#"
        > {"params":{"arguments":{"id":7},"name":"find"},"method":"tools/call","jsonrpc":"2.0","id":3}
        < {"result":{"structuredContent":{"total_indexed_tools":40,"tools":[{},{}]},"content":[]},"jsonrpc":"2.0","id":3}
        > {"params":{"clientInfo":{"version":"1","name":"late"}},"id":4,"method":"initialize"}
        "#,
    );
    assert_eq!(observed(&traffic), ["connected", "discovery 2 of 40", "client late"]);
}

#[test]
fn keys_and_values_may_be_escaped() {
    let traffic = session(
        r#"
        > {"\u006dethod":"\u0069nitialize","i\u0064":0,"params":{"client\u0049nfo":{"n\u0061me":"caf\u00e9 \ud83d\ude00 \"x\""}}}
        < {"\u0072esult":{},"\u0069d":0}
        > {"method":"tools\/call","id":1,"params":{"name":"retrieve\u005ftools"}}
        < {"id":1,"result":{"structured\u0043ontent":{"to\u006fls":[1]}}}
        "#,
    );
    assert_eq!(observed(&traffic), ["client café 😀 \"x\"", "connected", "discovery 1 of ?"]);
}

#[test]
fn names_elsewhere_are_not_client_names() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/list","params":{"clientInfo":{"name":"no"},"x":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"no"}}}}}
        > {"id":2,"method":"ping","params":{"_meta":{"clientInfo":{"name":"no"},"io.modelcontextprotocol/clientInfo":["name","no"]}}}
        > {"id":3,"method":"ping","params":["_meta",{"io.modelcontextprotocol/clientInfo":{"name":"no"}}]}
        > {"id":4,"method":"ping","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"no"}}}
        > {"id":5,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/clientInfo":{"name":7,"x":{"name":"no"}}}}}
        < {"id":6,"method":"initialize","params":{"clientInfo":{"name":"no"}}}
        "#,
    );
    assert_eq!(events, [""; 0]);
}

#[test]
fn a_client_without_a_usable_name_is_a_client_all_the_same() {
    let long = "x".repeat(5000);
    for params in [
        "{}",
        "null",
        r#"{"clientInfo":{"name":7}}"#,
        &format!(r#"{{"clientInfo":{{"name":"{long}"}}}}"#),
    ] {
        let traffic = session(&format!(r#"> {{"id":0,"method":"initialize","params":{params}}}"#));
        assert_eq!(observed(&traffic), ["client "], "{}", params.len());
    }
}

#[test]
fn a_server_that_only_refuses_is_not_connected() {
    let traffic = session(
        r#"
        > {"id":0,"method":"initialize","params":{"clientInfo":{"name":"goose"}}}
        < {"id":0,"error":{"code":-32600,"message":"no"}}
        > {"id":1,"method":"tools/list"}
        < {"id":1,"error":{"code":-32600,"message":"no"},"result":{}}
        < {"id":2,"result":{}}
        < {"id":null,"result":{}}
        < {"result":{}}
        "#,
    );
    assert_eq!(observed(&traffic), ["client goose"]);
}

#[test]
fn a_result_beside_an_error_of_null_is_an_answer() {
    let traffic =
        session("> {\"id\":1,\"method\":\"ping\"}\n< {\"error\":null,\"id\":1,\"result\":{}}");
    assert_eq!(observed(&traffic), ["connected"]);
}

#[test]
fn other_tools_are_upstream_calls() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"echo"}}
        < {"id":1,"result":{"content":[],"isError":true}}
        > {"id":2,"method":"tools/call","params":{"name":"retrieve_tools_2"}}
        > {"id":3,"method":"tools/call","params":{"name":7}}
        > {"method":"tools/call","params":{"name":"echo"}}
        > {"id":4,"method":"tools/list","params":{"name":"echo"}}
        "#,
    );
    assert_eq!(events, ["call", "call"]);
}

#[test]
fn a_discovery_answer_is_read_from_structured_content() {
    for (result, expected) in [
        (
            r#"{"structuredContent":{"tools":[],"total":0,"total_indexed_tools":12}}"#,
            "discovery 0 of 12",
        ),
        (r#"{"structuredContent":{"tools":[{"tools":[1,2]},[[]],"x"]}}"#, "discovery 3 of ?"),
        (r#"{"structuredContent":{"total_indexed_tools":12}}"#, "discovery ? of ?"),
        (r#"{"structuredContent":{"tools":{},"total_indexed_tools":12}}"#, "discovery ? of ?"),
        (r#"{"structuredContent":null,"_meta":{"tools":[1]}}"#, "discovery ? of ?"),
        (r#"{"structuredContent":{"result":{"tools":[1]}}}"#, "discovery ? of ?"),
        (r#"{}"#, "discovery ? of ?"),
        (
            r#"{"structuredContent":{"tools":[1,2]},"structuredContent":{"tools":[1]}}"#,
            "discovery 1 of ?",
        ),
    ] {
        assert_eq!(discovery(result), [expected], "{result}");
    }
}

#[test]
fn a_discovery_answer_is_else_read_from_the_first_text_block() {
    let text = |value: &Value| json!({"type": "text", "text": value.to_string()});
    let list = json!({"query": "a \"b\"\n\u{2028} \u{1f600}", "tools": [{"name": "x\\"}, 2], "total_indexed_tools": 30});
    for (result, expected) in [
        (json!({"content": [text(&list)]}), "discovery 2 of 30"),
        (
            json!({"content": [{"type": "image", "data": "AA==", "text": "{\"tools\":[1]}"}, text(&list)]}),
            "discovery 2 of 30",
        ),
        (json!({"content": [{"text": list.to_string(), "type": "text"}]}), "discovery 2 of 30"),
        (
            json!({"content": [{"type": "text", "text": "no list"}, text(&list)]}),
            "discovery ? of ?",
        ),
        (
            json!({"content": [{"type": "text", "text": format!("{list} and more")}]}),
            "discovery ? of ?",
        ),
        (
            json!({"content": [{"type": "text", "text": list.to_string().trim_end_matches('}')}]}),
            "discovery ? of ?",
        ),
        (json!({"content": [{"type": "text"}, text(&list)]}), "discovery ? of ?"),
        (
            json!({"content": [{"type": "text", "text": serde_json::to_string_pretty(&list).unwrap()}]}),
            "discovery 2 of 30",
        ),
        (
            json!({"content": [text(&list)], "structuredContent": {"tools": [1], "total_indexed_tools": 5}}),
            "discovery 1 of 5",
        ),
        (
            json!({"content": [text(&list)], "structuredContent": {"tools": [1]}}),
            "discovery 1 of ?",
        ),
        (
            json!({"content": [text(&list)], "structuredContent": {"total_indexed_tools": 5}}),
            "discovery 2 of 30",
        ),
        (json!({"content": [text(&json!({"total_indexed_tools": 5}))]}), "discovery ? of ?"),
        (json!({"content": [text(&json!([{"tools": [1]}]))]}), "discovery ? of ?"),
        (json!({"content": [[text(&list)]]}), "discovery ? of ?"),
        (json!({"content": {"0": text(&list)}}), "discovery ? of ?"),
        (json!({"content": [{"type": "resource", "resource": text(&list)}]}), "discovery ? of ?"),
    ] {
        assert_eq!(discovery(&result.to_string()), [expected], "{result}");
    }
    // As JavaScript and Python clients and servers escape: everything beyond ASCII.
    let escaped: String = json!({"content": [text(&list)]})
        .to_string()
        .chars()
        .map(|c| {
            if c.is_ascii() {
                c.to_string()
            } else {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
        })
        .collect();
    assert_eq!(discovery(&escaped), ["discovery 2 of 30"]);
}

#[test]
fn calls_that_discovered_nothing_do_not_count() {
    for result in [
        r#"{"content":[{"type":"text","text":"index is gone"}],"isError":true}"#,
        r#"{"resultType":"input_required","inputRequests":{}}"#,
        r#"{"resultType":"task","task":{}}"#,
    ] {
        assert_eq!(discovery(result), [""; 0], "{result}");
    }
    assert_eq!(discovery(r#"{"isError":false,"resultType":"complete"}"#), ["discovery ? of ?"]);
    let refused = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        < {"id":1,"error":{"code":-32602,"message":"no such tool"}}
        < {"id":1,"result":{}}
        "#,
    );
    assert_eq!(refused, [""; 0]);
}

#[test]
fn a_cancelled_call_is_never_answered_and_never_counts() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        > {"method":"notifications/cancelled","params":{"requestId":1,"reason":"user"}}
        > {"id":2,"method":"tools/call","params":{"name":"find"}}
        < {"id":2,"result":{"structuredContent":{"tools":[1],"total_indexed_tools":2}}}
        "#,
    );
    assert_eq!(events, ["discovery 1 of 2"]);
}

#[test]
fn an_answer_counts_once() {
    let answer = r#"< {"id":1,"result":{}}"#;
    let events = after_handshake(&format!(
        "> {{\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"find\"}}}}\n{answer}\n{answer}"
    ));
    assert_eq!(events, ["discovery ? of ?"]);
}

#[test]
fn batches_are_read_message_by_message() {
    let traffic = session(
        r#"
        > [{"id":1,"method":"tools/call","params":{"name":"find"}},{"method":"notifications/x"},{"id":2,"method":"tools/call","params":{"name":"echo"}},7,[]]
        < [{"id":2,"result":{}},{"id":1,"result":{"structuredContent":{"tools":[1,2],"total_indexed_tools":3}}}]
        "#,
    );
    assert_eq!(observed(&traffic), ["call", "connected", "discovery 2 of 3"]);
}

#[test]
fn a_line_that_is_no_json_changes_nothing_and_hides_nothing() {
    let call = r#"> {"id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    for bad in [
        "Server listening on stdio",
        r#"{"id":1,"method":"tools/call","params":{"name":"echo"}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"echo"}}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"echo"}} {}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"echo"},}"#,
        r#"{"id":1 "method":"tools/call","params":{"name":"echo"}}"#,
        r#"[{"id":1,"method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"ec	ho"}}"#,
        r#"{"id":1,"method":"tools/call","params":{"name":"\xecho"}}"#,
        r#""{\"method\":\"initialize\"}""#,
        "",
        "   ",
        "42",
        "null",
        "{",
        "\"",
        "\u{feff}{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}",
    ] {
        for direction in ['>', '<'] {
            let events = after_handshake(&format!("{direction} {bad}\n{call}"));
            assert_eq!(events, ["call"], "{bad}");
        }
    }
}

#[test]
fn lines_end_with_newlines_and_nothing_else() {
    let mut traffic = connected("");
    traffic.push((C, "\r\n{\"id\":1,\"method\":\"tools/call\",\r\"params\":{\"name\":\"a\u{2028}b\u{2029}\u{85}\"}}\r\n\r\n".into()));
    // The last line of a stream may lack it.
    traffic.push((C, r#"{"id":2,"method":"tools/call","params":{"name":"echo"}}"#.into()));
    assert_eq!(observed(&traffic), ["client claude-code", "connected", "call", "call"]);
}

#[test]
fn strings_that_are_not_utf8_hide_nothing_around_them() {
    let mut traffic = connected("");
    traffic.push((
        C,
        b"{\"x\":\"\xff\xfe\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}\n"
            .to_vec(),
    ));
    traffic.push((
        C,
        b"{\"id\":2,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"\xff\"}}}\n"
            .to_vec(),
    ));
    assert_eq!(observed(&traffic), ["client claude-code", "connected", "call", "client "]);
}

#[test]
fn repeated_members_count_as_their_last() {
    let traffic = session(
        r#"
        > {"method":"initialize","method":"tools/call","id":9,"id":1,"params":{"clientInfo":{"name":"x"}},"params":{"name":"echo","name":"find"}}
        < {"id":1,"result":{"isError":true,"structuredContent":{"tools":[1]}},"result":{"structuredContent":{"tools":[]}}}
        "#,
    );
    assert_eq!(observed(&traffic), ["connected", "discovery 0 of ?"]);
}

#[test]
fn lines_of_any_length_are_read() {
    let blob = "x\\n\\\"".repeat(200_000);
    let tools: Vec<Value> = (0..3000).map(|n| json!({"name": format!("tool {n}"), "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "description": "y".repeat(150)}}}})).collect();
    let text = json!({"tools": tools, "total_indexed_tools": 3001}).to_string();
    assert!(text.len() > 600_000);
    let answer =
        json!({"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": text}]}});
    let events = after_handshake(&format!(
        r#"
        > {{"id":1,"method":"tools/call","params":{{"arguments":{{"blob":"{blob}"}},"name":"echo"}}}}
        > {{"id":2,"method":"tools/call","params":{{"name":"find"}}}}
        < {{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{blob}"}}}}
        < {answer}
        "#
    ));
    assert_eq!(events, ["call", "discovery 3000 of 3001"]);
}

#[test]
fn nesting_without_end_is_survived() {
    let deep = "[".repeat(1_000_000);
    let events = after_handshake(&format!(
        "> {{\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{deep}\n> {{\"id\":2,\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\"}}}}"
    ));
    assert_eq!(events, ["call"]);
}

#[test]
fn after_a_loss_reading_goes_on_with_the_next_line() {
    let events = Rc::new(RefCell::new(Vec::new()));
    let sink = events.clone();
    let mut observer =
        Observer::new(vec![], move |event: Event<'_>| sink.borrow_mut().push(said(event)));
    let call = |id: u32| {
        format!("{{\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\"}}}}\n")
    };
    observer.feed(C, &call(1).as_bytes()[..20]);
    observer.lost(C);
    observer.feed(C, call(2).as_bytes());
    observer.feed(C, call(3).as_bytes());
    observer.lost(C);
    observer.feed(C, &call(4).as_bytes()[30..]);
    observer.feed(S, b"{\"id\":3,\"result\":{}}\n");
    observer.lost(C);
    observer.finish();
    assert_eq!(*events.borrow(), ["call", "connected"]);
}

#[test]
fn calls_without_answers_are_forgotten_oldest_first() {
    let mut traffic = connected("");
    for id in 0..5000 {
        traffic.push(line(
            C,
            &format!(r#"{{"id":{id},"method":"tools/call","params":{{"name":"find"}}}}"#),
        ));
    }
    traffic.push(line(S, r#"{"id":0,"result":{}}"#));
    traffic.push(line(S, r#"{"id":4999,"result":{}}"#));
    assert_eq!(observed(&traffic)[2..], ["discovery ? of ?"]);
}

/// A session with everything in it.
fn everything() -> Traffic {
    let mut traffic = connected("");
    let info = meta("Zed");
    traffic.extend(session(&format!(
        r#"
        < Listening
        > {{"id":"a\u0062","method":"tools/call","params":{{"name":"find","arguments":{{"q":"\"\\\u00e9"}},{info}}}}}
        < {{"jsonrpc":"2.0","id":"ab","method":"sampling/createMessage","params":{{}}}}
        < {{"result":{{"content":[{{"text":"{{\"tools\":[{{\"n\":\"\\ud83d\\ude00\"}},1.5e3,null],\"total_indexed_tools\":77}}","type":"text"}}]}},"id":"ab"}}
        > {{"id":2,"method":"tools/call","params":{{"name":"echo"}}}}
        > [{{"id":3,"method":"tools/call","params":{{"name":"find"}}}},{{"id":4,"method":"ping"}}]
        < {{"id":3,"result":{{"structuredContent":{{"tools":[[],{{}}],"total_indexed_tools":8}},"isError":false}}}}
        "#
    )));
    traffic
}

proptest! {
    #[test]
    fn any_split_of_the_traffic_tells_the_same(cuts in prop::collection::vec(1usize..40, 1..60)) {
        let whole = everything();
        let expected = ["client claude-code", "connected", "client Zed", "discovery 3 of 77", "call", "discovery 2 of 8"];
        prop_assert_eq!(observed(&whole), expected);
        let mut sizes = cuts.iter().cycle();
        let mut pieces = Traffic::new();
        for (direction, bytes) in whole {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                pieces.push((direction, piece.to_vec()));
                rest = after;
            }
        }
        prop_assert_eq!(observed(&pieces), expected);
    }

    #[test]
    fn several_lines_in_one_read_tell_the_same(seed in any::<u64>()) {
        // Neighbours of one direction are joined, at random.
        let mut joined = Traffic::new();
        for (index, (direction, bytes)) in everything().into_iter().enumerate() {
            match joined.last_mut() {
                Some((last, read)) if *last == direction && seed >> (index % 64) & 1 == 1 => read.extend(bytes),
                _ => joined.push((direction, bytes)),
            }
        }
        prop_assert_eq!(observed(&joined), observed(&everything()));
    }

    #[test]
    fn no_bytes_break_it(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\\n0u-e."[..])], 0..80)), 0..30),
    ) {
        let mut traffic: Traffic =
            pieces.into_iter().map(|(to_server, bytes)| (if to_server { C } else { S }, bytes)).collect();
        traffic.extend([(C, b"\n".to_vec()), (S, b"\n".to_vec())]);
        let before = observed(&traffic).len();
        traffic.push(line(C, r#"{"id":"fresh","method":"tools/call","params":{"name":"echo"}}"#));
        prop_assert_eq!(observed(&traffic).len(), before + 1);
    }
}
