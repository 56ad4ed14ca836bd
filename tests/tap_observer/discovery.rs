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
fn calls_that_discovered_nothing_count_without_tokens() {
    let list = r#""structuredContent":{"tools":[1],"total_indexed_tools":5}"#;
    for result in [
        &format!(
            r#"{{"content":[{{"type":"text","text":"index is gone"}}],{list},"isError":true}}"#
        ),
        &format!(r#"{{"resultType":"input_required","inputRequests":{{}},{list}}}"#),
        r#"{"resultType":"task","task":{}}"#,
        r#"{"isError":false,"resultType":"complete"}"#,
    ] {
        assert_eq!(discovery(result), ["discovery ? of ?"], "{result}");
    }
    assert_eq!(
        discovery(&format!(r#"{{{list},"isError":false,"resultType":"complete"}}"#)),
        ["discovery 1 of 5"]
    );
    let refused = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        < {"id":1,"error":{"code":-32602,"message":"no such tool"}}
        < {"id":1,"result":{}}
        "#,
    );
    assert_eq!(refused, ["discovery ? of ?"]);
}

#[test]
fn a_call_that_is_asked_for_more_and_made_again_is_two_calls() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        < {"id":1,"result":{"resultType":"input_required","inputRequests":{"a":{}}}}
        > {"id":2,"method":"tools/call","params":{"name":"find","inputResponses":{"a":{}}}}
        < {"id":2,"result":{"resultType":"complete","structuredContent":{"tools":[1],"total_indexed_tools":2}}}
        "#,
    );
    assert_eq!(events, ["discovery ? of ?", "discovery 1 of 2"]);
}

#[test]
fn a_cancelled_call_counts_without_tokens_when_it_is_cancelled() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        > {"id":"1","method":"tools/call","params":{"name":"find"}}
        > {"method":"notifications/cancelled","params":{"requestId":7}}
        < {"method":"notifications/cancelled","params":{"requestId":1}}
        > {"method":"notifications/cancelled","params":{"reason":"user","requestId":1}}
        > {"id":2,"method":"tools/call","params":{"name":"echo"}}
        < {"id":1,"result":{"structuredContent":{"tools":[1],"total_indexed_tools":3}}}
        < {"id":"1","result":{"structuredContent":{"tools":[1],"total_indexed_tools":2}}}
        "#,
    );
    assert_eq!(events, ["discovery ? of ?", "call", "discovery 1 of 2"]);
}

#[test]
fn a_server_that_answers_a_cancelled_call_is_there() {
    let traffic = session(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        > {"method":"notifications/cancelled","params":{"requestId":1}}
        < {"id":1,"result":{}}
        "#,
    );
    assert_eq!(observed(&traffic), ["discovery ? of ?", "connected"]);
}

#[test]
fn a_call_whose_id_is_used_again_counts_without_tokens() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        < {"id":1,"result":{"structuredContent":{"tools":[1],"total_indexed_tools":2}}}
        > {"id":2,"method":"tools/call","params":{"name":"find"}}
        > {"id":2,"method":"ping"}
        < {"id":2,"result":{}}
        "#,
    );
    assert_eq!(events, ["discovery ? of ?", "discovery 1 of 2", "discovery ? of ?"]);
}

#[test]
fn a_call_that_waits_when_the_session_ends_counts_without_tokens() {
    let events = after_handshake(
        r#"
        > {"id":1,"method":"tools/call","params":{"name":"find"}}
        > {"method":"tools/call","params":{"name":"find"}}
        "#,
    );
    assert_eq!(events, ["discovery ? of ?"]);
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
fn calls_without_answers_are_given_up_oldest_first_and_every_one_counts() {
    const CALLS: usize = 40_000;
    let mut traffic = connected("");
    for id in 0..CALLS {
        traffic.push(line(
            C,
            &format!(r#"{{"id":{id},"method":"tools/call","params":{{"name":"find"}}}}"#),
        ));
    }
    let answer =
        |id: usize| format!(r#"{{"id":{id},"result":{{"structuredContent":{{"tools":[]}}}}}}"#);
    traffic.push(line(S, &answer(0)));
    traffic.push(line(S, &answer(CALLS - 1)));
    let events = observed(&traffic).split_off(2);
    assert_eq!(events.len(), CALLS);
    assert_eq!(events.iter().filter(|event| *event == "discovery 0 of ?").count(), 1);
}

#[test]
fn a_burst_of_thousands_of_requests_is_matched_to_its_answers() {
    const REQUESTS: usize = 20_000;
    let name = |id: usize| if id % 100 == 7 { "find" } else { "echo" };
    let mut traffic = Traffic::new();
    for id in 0..REQUESTS {
        traffic.push(line(
            C,
            &format!(r#"{{"id":{id},"method":"tools/call","params":{{"name":"{}"}}}}"#, name(id)),
        ));
    }
    for id in 0..REQUESTS {
        let list = r#"{"tools":[1],"total_indexed_tools":2}"#;
        traffic.push(line(S, &format!(r#"{{"id":{id},"result":{{"structuredContent":{list}}}}}"#)));
    }
    let events = observed(&traffic);
    let count = |what: &str| events.iter().filter(|event| *event == what).count();
    assert_eq!(count("discovery 1 of 2"), REQUESTS / 100);
    assert_eq!(count("discovery ? of ?"), 0);
}
