//! Calls of tools: which returned a result, and which make a client of our own gateway.

use super::*;

/// A call of another tool with id 1 and this answer, after the handshake.
fn answered(answer: &str) -> Vec<String> {
    after_handshake(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{}}}}}}
        < {{"jsonrpc":"2.0","id":1,{answer}}}
        "#
    ))
}

#[test]
fn a_call_that_returned_a_result_says_so_after_it_was_counted() {
    for result in [
        r#"{"content":[{"type":"text","text":"hello"}]}"#,
        r#"{"content":[],"isError":false}"#,
        r#"{"content":[],"resultType":"complete"}"#,
        r#"{"structuredContent":{"isError":true,"task":{}},"content":[]}"#,
        r#"{"content":[],"isError":true,"isError":false}"#,
        r#"{"content":[],"task":null}"#,
        "{}",
    ] {
        assert_eq!(answered(&format!(r#""result":{result}"#)), ["call", "result"], "{result}");
    }
}

#[test]
fn a_call_that_failed_or_has_not_ended_is_counted_and_nothing_more() {
    for answer in [
        r#""error":{"code":-32602,"message":"Unknown tool"}"#,
        r#""result":{"content":[{"type":"text","text":"no"}],"isError":true}"#,
        r#""result":{"resultType":"input_required","inputRequests":{}}"#,
        r#""result":{"resultType":"task","taskId":"7"}"#,
        r#""result":{"task":{"taskId":"7","status":"working"}}"#,
        r#""result":{"task":{"taskId":"7"},"content":[]}"#,
    ] {
        assert_eq!(answered(answer), ["call"], "{answer}");
    }
}

#[test]
fn answers_are_matched_with_the_calls_that_they_answer() {
    let call = |id: &str, name: &str| {
        format!(
            r#"> {{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#
        )
    };
    let events = after_handshake(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":1,"method":"tools/list"}}
        {}
        < {{"jsonrpc":"2.0","id":1,"result":{{"tools":[]}}}}
        < {{"jsonrpc":"2.0","id":2,"method":"roots/list"}}
        < {{"jsonrpc":"2.0","id":3,"result":{{}}}}
        > {{"jsonrpc":"2.0","id":2,"result":{{"roots":[]}}}}
        > {{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":2}}}}
        < {{"jsonrpc":"2.0","id":2,"result":{{"content":[]}}}}
        {}
        {}
        < {{"jsonrpc":"2.0","id":"x","result":{{"tools":[]}}}}
        < {{"jsonrpc":"2.0","id":4,"result":{{"content":[]}}}}
        < {{"jsonrpc":"2.0","id":4,"result":{{"content":[]}}}}
        "#,
        call("2", "echo"),
        call("\"x\"", "retrieve_tools"),
        call("4", "echo"),
    ));
    assert_eq!(events, ["call", "call", "discovery ? of ?", "result"]);
}

#[test]
fn the_first_answer_of_all_connects_and_returns() {
    let session = session(&format!(
        r#"
        > {{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{{"name":"echo",{}}}}}
        < {{"jsonrpc":"2.0","id":0,"result":{{"content":[],"resultType":"complete"}}}}
        "#,
        meta("zed")
    ));
    assert_eq!(all_observed(&session), ["client zed", "call", "connected", "result"]);
}

#[test]
fn results_that_nobody_wants_are_not_waited_for() {
    let events = Rc::new(RefCell::new(Vec::new()));
    let sink = events.clone();
    let mut observer = Observer::new(vec![], move |event: Event<'_>| {
        sink.borrow_mut().push(said(event));
    });
    let feed = |observer: &mut Observer<_>, traffic: Traffic| {
        traffic.iter().for_each(|(direction, bytes)| observer.feed(*direction, bytes));
    };
    feed(&mut observer, session(INITIALIZE));
    observer.want_results(false);
    let call = r#"> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    feed(&mut observer, session(call));
    assert!(!observer.wants_answers());
    // Another install has begun.
    observer.want_results(true);
    feed(&mut observer, session(call));
    assert!(observer.wants_answers());
    feed(&mut observer, session(r#"< {"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#));
    assert!(!observer.wants_answers());
    assert_eq!(events.take()[3..], ["call", "call", "result"]);
}

/// A host that has no client starts our gateway, which starts its servers: nobody has used anything.
#[test]
fn our_own_gateway_is_a_client_from_its_first_call_on() {
    let gateway = INITIALIZE.replace("claude-code", " MCPProxy (via mcp-remote 0.1.2)");
    let list = r#"
        > {"jsonrpc":"2.0","id":1,"method":"tools/list"}
        < {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo"}]}}
        > {"jsonrpc":"2.0","id":2,"method":"ping"}
        "#;
    let quiet = session(&format!("{gateway}{list}"));
    assert_eq!(all_observed(&quiet), ["connected"]);

    for (tool, event) in [("echo", "call"), ("find", "discovery ? of ?")] {
        let calls = format!(
            r#"
            > {{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}"}}}}
            < {{"jsonrpc":"2.0","id":3,"error":{{"code":1,"message":"no"}}}}
            > {{"jsonrpc":"2.0","id":4,"method":"tools/list"}}
            "#
        );
        let used = session(&format!("{gateway}{list}{calls}"));
        let client = "client  MCPProxy (via mcp-remote 0.1.2)";
        assert_eq!(all_observed(&used), ["connected", client, event], "{tool}");
    }
}

#[test]
fn our_own_gateway_of_the_modern_era_is_a_client_with_its_calls_only() {
    let request = |id: u32, method: &str, params: &str| {
        let meta = meta("mcpproxy");
        let params = format!("{params}{meta}");
        format!(
            r#"> {{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}}}}}
            < {{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete"}}}}
            "#
        )
    };
    let quiet = request(0, "server/discover", "") + &request(1, "tools/list", "");
    assert_eq!(all_observed(&session(&quiet)), ["connected"]);
    let used = quiet + &request(2, "tools/call", r#""name":"echo","#) + &request(3, "ping", "");
    let events = all_observed(&session(&used));
    assert_eq!(events, ["connected", "client mcpproxy", "call", "result"]);
}

#[test]
fn names_that_only_begin_like_our_gateway_are_clients_at_once() {
    for name in ["mcpproxy-go", "mcpproxy2", "my mcpproxy"] {
        let other = session(&INITIALIZE.replace("claude-code", name));
        assert_eq!(observed(&other), [&format!("client {name}"), "connected"], "{name}");
    }
}

#[test]
fn every_request_counts_and_no_notification_or_answer() {
    let events = all_observed(&connected(
        r#"
        > {"jsonrpc":"2.0","id":1,"method":"tools/list"}
        > {"jsonrpc":"2.0","method":"notifications/progress","params":{}}
        < {"jsonrpc":"2.0","id":5,"method":"roots/list"}
        > {"jsonrpc":"2.0","id":5,"result":{"roots":[]}}
        > {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}
        "#,
    ));
    assert_eq!(events, ["client claude-code", REQUEST, "connected", REQUEST, "call"]);
}
