//! Every byte passes unchanged: both sides of the tap saw the same, and the same as without a tap.

use crate::parts::{Client, Parts, Server};
use crate::session::{Between, Home, MCPPROXY, Played, TAP, Tape, play};
use serde_json::json;

/// A tapped session that passed the comparison, and the home it was played in.
pub struct Same {
    pub home: Home,
    pub tapped: Played,
}

/// Plays the session without a tap and with one, and compares what passed. `None` when skipped.
pub fn plays_the_same(client: Client, server: Server) -> Option<Same> {
    plays_the_same_with(client, server, Home::new(), TAP)
}

/// The same with another way to start the tap, which is played in this home.
pub fn plays_the_same_with(
    client: Client,
    server: Server,
    home: Home,
    tap: Between<'_>,
) -> Option<Same> {
    let parts = Parts::find()?;
    let direct = play(&parts, &Home::new(), &client, &server, Between::Nothing);
    let tapped = play(&parts, &home, &client, &server, tap);

    assert_eq!(tapped.at_client, tapped.at_server, "the two sides of the tap differ");
    assert_eq!(direct.at_client.len(), tapped.at_client.len(), "another number of processes");
    for (without, with) in direct.at_client.iter().zip(&tapped.at_client) {
        assert_same_session(without, with);
    }
    assert_eq!(direct.client.stdout, tapped.client.stdout, "the client's own output");
    Some(Same { home, tapped })
}

/// The funnel after the session; a session that got this far has a connected server.
fn clients_seen(same: &Same) -> Vec<String> {
    let activation = &same.home.status()["activation"];
    assert_eq!(activation["first_connected_server_ever"], true, "{activation}");
    assert_eq!(activation["first_mcp_client_ever"], true, "{activation}");
    let seen = activation["mcp_clients_seen_ever"].as_array().expect("a list");
    seen.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// Equal bytes. Where a server's own notification (`list_changed`) lands among its answers is a race
/// inside that server, so those are compared apart from the rest.
fn assert_same_session(without: &Tape, with: &Tape) {
    assert_eq!(text(&without.to_server), text(&with.to_server), "client to server");
    let (answers, notices) = sorted_out(&without.to_client);
    let (tapped_answers, tapped_notices) = sorted_out(&with.to_client);
    assert_eq!(answers, tapped_answers, "server to client");
    assert_eq!(notices, tapped_notices, "server to client, notifications");
    // Clients terminate a server that takes 2 s to exit, which on a busy machine is a matter of luck.
    let terminated = [without.exit, with.exit].contains(&-15);
    assert!(terminated || without.exit == with.exit, "{} became {}", without.exit, with.exit);
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn sorted_out(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').map(text);
    lines.partition(|line| !line.contains("list_changed"))
}

#[test]
fn the_typescript_sdk_with_the_everything_server() {
    let same = plays_the_same(Client::echoing("claude-code"), Server::Everything);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["claude-code"]));
}

#[test]
fn the_second_typescript_sdk_asks_in_a_process_of_its_own_and_falls_back_to_a_handshake() {
    let session = json!({
        "sdk": 2, "mode": "auto", "name": "claude-code", "calls": [["echo", { "message": "hi" }]],
    });
    if let Some(same) = plays_the_same(Client::TypeScript(session), Server::Everything) {
        assert_eq!(same.tapped.at_server.len(), 2, "a probe and a session");
        assert_eq!(clients_seen(&same), ["claude-code"]);
    }
}

#[test]
fn the_second_typescript_sdk_in_the_modern_era_has_no_handshake() {
    let session = json!({
        "sdk": 2, "mode": { "pin": "2026-07-28" }, "name": "claude-code",
        "calls": [["convert_time", convert_time()]],
    });
    if let Some(same) = plays_the_same(Client::TypeScript(session), Server::Time) {
        let sent = text(&same.tapped.at_server[1].to_server);
        assert!(sent.contains("tools/list") && !sent.contains("initialize"), "{sent}");
        assert_eq!(clients_seen(&same), ["claude-code"]);
    }
}

#[test]
fn the_python_sdk_in_the_modern_era_with_the_time_server() {
    let same = plays_the_same(python("auto"), Server::Time);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["mcp"]));
}

#[test]
fn the_python_sdk_pinned_to_the_modern_era_with_the_time_server() {
    let same = plays_the_same(python("2026-07-28"), Server::Time);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["mcp"]));
}

#[test]
fn the_python_sdk_with_a_handshake_with_the_time_server() {
    let same = plays_the_same(python("legacy"), Server::Time);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["mcp"]));
}

#[test]
fn the_inspector_lists_the_tools_of_the_everything_server() {
    let same = plays_the_same(Client::Inspector(&["--method", "tools/list"]), Server::Everything);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["inspector-cli"]));
}

/// `inspector --cli mcpproxy tap -- node x.js` runs `mcpproxy tap node x.js`.
#[test]
fn the_inspector_swallows_the_double_dash_and_the_session_is_the_same() {
    let call = &["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello"];
    let same = plays_the_same(Client::Inspector(call), Server::Everything);
    assert!(same.is_none_or(|same| clients_seen(&same) == ["inspector-cli"]));
}

#[test]
fn the_inspector_reads_a_file_with_the_filesystem_server() {
    let served = tempfile::tempdir().expect("a directory");
    // The server names real paths only.
    let root = served.path().canonicalize().expect("a real path");
    let separators = "one line\nU+2028 \u{2028} stays raw, so does \u{1f980}\n";
    std::fs::write(root.join("notes.txt"), separators.repeat(4000)).expect("a file to read");
    let path: &'static str = format!("path={}", root.join("notes.txt").display()).leak();
    let call: Vec<&'static str> =
        vec!["--method", "tools/call", "--tool-name", "read_text_file", "--tool-arg", path];
    if let Some(same) = plays_the_same(Client::Inspector(call.leak()), Server::Filesystem(root)) {
        let answers = &same.tapped.at_server[0].to_client;
        assert!(answers.len() > 200_000, "the answer is one giant line");
        assert_eq!(clients_seen(&same), ["inspector-cli"]);
    }
}

#[test]
fn the_inspector_lists_a_directory_of_the_filesystem_server() {
    let served = tempfile::tempdir().expect("a directory");
    let root = served.path().canonicalize().expect("a real path");
    std::fs::write(root.join("a.txt"), "a").expect("a file to list");
    let same =
        plays_the_same(Client::Inspector(&["--method", "tools/list"]), Server::Filesystem(root));
    assert!(same.is_none_or(|same| clients_seen(&same) == ["inspector-cli"]));
}

#[test]
fn the_typescript_sdk_with_a_tap_that_is_pid_1() {
    let Some(unshare) = unshare() else { return };
    let home = Home::new();
    // As PID 1 it has no ancestors that could tell it MCPPROXY_HOME.
    let data_dir = home.data_dir().display().to_string();
    let tap = [unshare, &[MCPPROXY, "tap", "--data-dir", &data_dir, "--"]].concat();
    let client = Client::echoing("claude-code");
    let same = plays_the_same_with(client, Server::Everything, home, Between::Tap(&tap));
    assert!(same.is_none_or(|same| clients_seen(&same) == ["claude-code"]));
}

#[test]
fn a_data_directory_that_cannot_be_made_does_not_disturb_the_session() {
    let Some(parts) = Parts::find() else { return };
    let home = Home::without_data_dir();
    std::fs::write(home.data_dir(), "not a directory").expect("a file in its place");
    let played = play(&parts, &home, &Client::echoing("claude-code"), &Server::Everything, TAP);
    assert_eq!(played.at_client, played.at_server);
    assert_eq!(played.at_client[0].exit, 0);
    let kept = std::fs::read_to_string(home.data_dir()).expect("the file");
    assert_eq!(kept, "not a directory");
}

/// How this machine lets us have a PID namespace.
fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [
        &["unshare", "--pid", "--fork"],
        &["unshare", "--user", "--map-root-user", "--pid", "--fork"],
    ];
    let allowed = |way: &&[&str]| crate::parts::works(way[0], &[&way[1..], &["true"]].concat());
    let found = ways.into_iter().find(allowed);
    if found.is_none() {
        crate::parts::skip("unshare --pid --fork is not possible here");
    }
    found
}

fn convert_time() -> serde_json::Value {
    json!({ "source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC" })
}

fn python(mode: &str) -> Client {
    Client::Python(json!({ "mode": mode, "calls": [["convert_time", convert_time()]] }))
}
