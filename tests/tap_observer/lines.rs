//! Framing: any spelling, any split, any length, and what is no message.

use super::*;
use proptest::prelude::*;

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
fn batches_are_read_message_by_message() {
    let traffic = session(
        r#"
        > [{"id":1,"method":"tools/call","params":{"name":"find"}},{"method":"notifications/x"},{"id":2,"method":"tools/call","params":{"name":"echo"}},7,[]]
        < [{"id":2,"result":{}},{"id":1,"result":{"structuredContent":{"tools":[1,2],"total_indexed_tools":3}}}]
        "#,
    );
    assert_eq!(observed(&traffic), ["call", "connected", "result", "discovery 2 of 3"]);
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
    assert_eq!(*events.borrow(), ["call", "connected", "result"]);
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

#[test]
fn a_long_batch_is_read_to_its_end() {
    let calls: Vec<Value> = (0..500)
        .map(|id| json!({"id": id, "method": "tools/call", "params": {"name": "echo"}}))
        .collect();
    assert_eq!(observed(&vec![line(C, &Value::from(calls).to_string())]), ["call"; 500]);
}
