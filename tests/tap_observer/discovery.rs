//! Calls of discovery tools and what their answers say.

use super::*;

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
