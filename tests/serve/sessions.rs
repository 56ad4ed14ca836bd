//! More clients than sessions are kept for.

use crate::clients::{is_told_of_changes, modern, over_http, own};
use crate::fake::Fake;
use crate::gateway::{Gateway, status_of};
use rmcp::service::ClientLifecycleMode;
use serde_json::{Value, json};
use std::sync::Barrier;

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const CONTENT: (&str, &str) = ("Content-Type", "application/json");

/// The value of a header of an answer.
fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value).next()
}

/// Begins a session: its id, or when to come again.
fn begin(gateway: &Gateway) -> Result<String, u64> {
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "zed", "version": "1.0.0"}}});
    let (head, body) = gateway.raw("POST", "/mcp", &[ACCEPT, CONTENT], &hello.to_string());
    match status_of(&head) {
        200 => Ok(header(&head, "mcp-session-id").expect("a session").to_owned()),
        503 => {
            let answer: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(answer["success"], false, "{body}");
            let wait = header(&head, "retry-after").and_then(|wait| wait.parse().ok());
            Err(wait.expect("when to come again"))
        }
        other => panic!("{other}: {body}"),
    }
}

/// One message in a session; the status.
fn say(gateway: &Gateway, session: &str, message: &Value) -> u16 {
    let session = ("Mcp-Session-Id", session);
    gateway.ask("POST", "/mcp", &[ACCEPT, CONTENT, session], &message.to_string()).0
}

fn ready() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

#[test]
fn of_300_clients_at_once_those_that_are_let_in_are_served_and_the_others_come_again() {
    let gateway = Gateway::start(&json!({}));
    let together = Barrier::new(300);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let one = || {
        together.wait();
        let begun = begin(&gateway);
        if let Ok(session) = &begun {
            assert_eq!(say(&gateway, session, &ready()), 202);
        }
        // Everybody is there, or was refused.
        together.wait();
        if let Ok(session) = &begun {
            for _ in 0..3 {
                assert_eq!(say(&gateway, session, &list), 200);
            }
        }
        begun
    };
    let clients: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..300).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no failure")).collect()
    });
    let served: Vec<_> = clients.iter().filter_map(|begun| begun.as_ref().ok()).collect();
    assert_eq!(served.len(), 256);
    let waits: Vec<_> = clients.iter().filter_map(|begun| begun.as_ref().err()).collect();
    assert!(waits.iter().all(|wait| (1..=60).contains(*wait)), "{waits:?}");
    // One that ends makes room for one.
    let session = ("Mcp-Session-Id", served[0].as_str());
    let ended = gateway.ask("DELETE", "/mcp", &[ACCEPT, session], "").0;
    assert!((200..300).contains(&ended), "{ended}");
    let new = begin(&gateway).expect("a place");
    assert_eq!(say(&gateway, &new, &ready()), 202);
    assert!(begin(&gateway).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_bound_sessions_with_a_stream_stay_and_the_modern_era_is_served() {
    let gateway = Gateway::start(&json!({}));
    let listening = over_http(&gateway.mcp(), "zed", ClientLifecycleMode::Initialize).await;
    let mut sessions = 1;
    while begin(&gateway).is_ok() {
        sessions += 1;
    }
    assert_eq!(sessions, 256);
    let modern = over_http(&gateway.mcp(), "goose", modern()).await;
    own(&modern, "retrieve_tools", json!({"query": "anything"})).await.expect("an answer");
    let url = Fake::default().serve().await;
    gateway.home.write(&json!({"mcpServers": {"fake": {"url": url}}}));
    gateway.wait_for("fake", "connected");
    is_told_of_changes(&listening).await;
    listening.cancel().await.expect("an end");
}
