//! What the observer makes of sessions as they were recorded from real clients and servers.
#![cfg(feature = "tap")]

mod calls;
mod discovery;
mod lines;
mod sessions;

use mcpproxy::Event;
use mcpproxy::contract::Surface;
use mcpproxy::tap::{Direction, Observer};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// Traffic in order: `>` from the client, `<` from the server, then the bytes.
type Traffic = Vec<(Direction, Vec<u8>)>;

const C: Direction = Direction::ToServer;
const S: Direction = Direction::ToClient;

/// A request that is told later; one that is told by nothing else. The calls test that they are; elsewhere they would
/// hide what matters.
const ACTIVE: &str = "active";
const REQUEST: &str = "request";

fn said(event: Event<'_>) -> String {
    match event {
        Event::ClientSeen { name } => format!("client {name}"),
        Event::ServerConnected => "connected".into(),
        Event::Discovery { indexed, returned } => {
            let count = |n: Option<u64>| n.map_or("?".into(), |n| n.to_string());
            format!("discovery {} of {}", count(returned), count(indexed))
        }
        Event::UpstreamCall => "call".into(),
        Event::UpstreamResult => "result".into(),
        Event::ClientActive => ACTIVE.into(),
        Event::Request { surface: Surface::Mcp } => REQUEST.into(),
        other => format!("{other:?}"),
    }
}

/// What an observer says to `traffic`, fed in the pieces given, but for [`ACTIVE`] and [`REQUEST`].
fn observed(traffic: &Traffic) -> Vec<String> {
    let mut events = all_observed(traffic);
    events.retain(|event| event != ACTIVE && event != REQUEST);
    events
}

fn all_observed(traffic: &Traffic) -> Vec<String> {
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
