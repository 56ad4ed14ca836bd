//! Who speaks, and who answers: session shapes, ids, names, other calls.

use super::*;

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
        ["client codex-mcp-client", "connected", "client codex-mcp-client", "call", "result"]
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
