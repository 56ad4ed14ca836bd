//! What real sessions move in the funnel.

use crate::parts::{Client, Parts, Server};
use crate::pass_through::{plays_the_same, plays_the_same_with};
use crate::session::{Between, Home, MCPPROXY, TAP, play};
use serde_json::{Value, json};
use std::path::Path;

/// A client that calls `retrieve_tools` of the FastMCP server once for each limit; 120 are indexed.
fn retrieving(mode: &str, name: &str, limits: &[u64]) -> Client {
    let call = |limit: &u64| json!(["retrieve_tools", { "query": "git", "limit": limit }]);
    let calls: Vec<Value> = limits.iter().map(call).collect();
    Client::Python(json!({ "mode": mode, "name": name, "calls": calls }))
}

fn discovery(home: &Home) -> (Value, Value, Value) {
    let activation = &home.status()["activation"];
    assert_eq!(activation["first_connected_server_ever"], true, "{activation}");
    let member = |name: &str| activation[name].clone();
    (
        member("first_retrieve_tools_call_ever"),
        member("retrieve_tools_calls_24h"),
        member("estimated_tokens_saved_24h_bucket"),
    )
}

#[test]
fn a_discovery_call_of_the_modern_era_saves_the_tools_it_left_out() {
    let Some(same) = plays_the_same(retrieving("auto", "claude-ai", &[3]), Server::ToolIndex)
    else {
        return;
    };
    // (120 - 3) * 150 = 17550
    assert_eq!(discovery(&same.home), (json!(true), json!(1), json!("10k_100k")));
    assert_eq!(same.home.status()["activation"]["mcp_clients_seen_ever"], json!(["claude-ai"]));
}

#[test]
fn discovery_calls_after_a_handshake_add_up() {
    let client = retrieving("legacy", "cursor-vscode", &[119, 119]);
    let Some(same) = plays_the_same(client, Server::ToolIndex) else { return };
    // 2 * (120 - 119) * 150 = 300
    assert_eq!(discovery(&same.home), (json!(true), json!(2), json!("100_1k")));
    assert_eq!(same.home.status()["activation"]["mcp_clients_seen_ever"], json!(["cursor-vscode"]));
}

#[test]
fn a_discovery_call_that_returns_every_tool_saves_nothing() {
    let client = retrieving("2026-07-28", "goose", &[120]);
    let Some(same) = plays_the_same(client, Server::ToolIndex) else { return };
    assert_eq!(discovery(&same.home), (json!(true), json!(1), json!("0")));
}

#[test]
fn any_tool_can_be_named_the_discovery_tool_and_counts_without_saving() {
    let session = json!({ "name": "claude-ai", "calls": [["shout", { "text": "hey" }]] });
    let tap = Between::Tap(&[MCPPROXY, "tap", "--discovery-tool", "shout", "--"]);
    let same =
        plays_the_same_with(Client::TypeScript(session), Server::ToolIndex, Home::new(), tap);
    let Some(same) = same else { return };
    assert_eq!(discovery(&same.home), (json!(true), json!(1), json!("0")));
}

#[test]
fn an_ordinary_tool_is_no_discovery() {
    let Some(parts) = Parts::find() else { return };
    let home = Home::new();
    play(&parts, &home, &Client::echoing("claude-ai"), &Server::Everything, TAP);
    assert_eq!(discovery(&home), (json!(false), json!(0), json!("0")));
}

#[test]
fn clients_are_remembered_in_their_order_and_a_telling_name_is_unknown() {
    let Some(parts) = Parts::find() else { return };
    let home = Home::new();
    let telling = "/home/sam/secret-client";
    for name in ["Visual Studio Code", telling, "claude-code (via mcp-remote 0.1.37)"] {
        let session = json!({ "name": name });
        let tap = Between::Tap(&[MCPPROXY, "tap", "--"]);
        play(&parts, &home, &Client::TypeScript(session), &Server::Everything, tap);
    }
    let seen = &home.status()["activation"]["mcp_clients_seen_ever"];
    assert_eq!(seen, &json!(["vscode", "unknown", "claude-code"]));
    assert_nowhere(&home.data_dir(), b"secret-client");
    assert_nowhere(&home.data_dir(), b"mcp-remote");
}

fn assert_nowhere(directory: &Path, needle: &[u8]) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_nowhere(&path, needle);
        } else {
            let bytes = std::fs::read(&path).expect("a readable file");
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} holds it", path.display());
        }
    }
}
