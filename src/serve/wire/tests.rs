//! What a client may leave out or get wrong, without a server.

use super::*;

fn accepted(given: &[&str], types: &[&str]) -> Option<String> {
    let mut headers = HeaderMap::new();
    for value in given {
        headers.append(ACCEPT, HeaderValue::from_str(value).expect("a value"));
    }
    accept(&mut headers, types);
    headers.get(ACCEPT).map(|it| it.to_str().expect("text").to_owned())
}

#[test]
fn saying_nothing_and_wildcards_accept_and_an_explicit_choice_stays() {
    let both = "application/json, text/event-stream";
    for given in [
        &[][..],
        &[""],
        &["*/*"],
        &["application/*, text/*"],
        &["text/event-stream", "application/*;q=0.5"],
        &["text/html, */*;q=0.1"],
        &[both],
    ] {
        assert_eq!(accepted(given, &[JSON, EVENTS]).as_deref(), Some(both), "{given:?}");
    }
    for given in ["application/json", "text/event-stream", "text/html", "*/*;q=0", "application/*"]
    {
        assert_eq!(accepted(&[given], &[JSON, EVENTS]).as_deref(), Some(given));
    }
    assert_eq!(accepted(&["*/*"], &[EVENTS]).as_deref(), Some(EVENTS));
    assert_eq!(accepted(&["application/json"], &[EVENTS]).as_deref(), Some(JSON));
}

#[test]
fn a_body_that_cannot_be_read_is_told_why() {
    for (body, code, id, part) in [
        ("", -32700, None, "empty"),
        (" \n", -32700, None, "empty"),
        ("\u{feff}{}", -32700, None, "byte order mark"),
        ("{", -32700, None, "too early at line 1 column 1"),
        ("{\"a\":tru}", -32700, None, "line 1 column"),
        ("{}", -32600, None, "JSON-RPC"),
        ("5", -32600, None, "JSON-RPC"),
        (r#"{"jsonrpc":"2.0","id":7}"#, -32600, Some(RequestId::Number(7)), "JSON-RPC"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, None, "JSON-RPC"),
    ] {
        let (found, error) = unreadable(&Bytes::from_static(body.as_bytes()));
        assert_eq!((error.code.0, found), (code, id), "{body}");
        assert!(error.message.contains(part), "{body}: {}", error.message);
    }
    let (_, error) = unreadable(&Bytes::from_static(b"{\"a\":\"\xff\"}"));
    assert_eq!(error.code, ErrorCode::PARSE_ERROR);
}

#[test]
fn only_clients_that_know_events_without_a_message_get_them() {
    let of = |version: Option<&str>| {
        let mut headers = HeaderMap::new();
        if let Some(version) = version {
            headers.insert(VERSION, HeaderValue::from_str(version).expect("a value"));
        }
        primes(&headers)
    };
    for (version, expected) in [
        (None, false),
        (Some("2025-03-26"), false),
        (Some("2025-06-18"), false),
        (Some("2025-11-25"), true),
        (Some("2026-07-28"), true),
    ] {
        assert_eq!(of(version), expected, "{version:?}");
    }
}
