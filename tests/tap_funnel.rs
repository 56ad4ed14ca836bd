//! A session through the built `tap`, with telemetry on, moves the funnel that `status` shows.
#![cfg(all(target_os = "linux", feature = "tap", feature = "activation"))]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_mcpproxy");

/// Answers each line it reads with the next of its arguments.
const SERVER: &str =
    "for answer; do read -r line || exit 9; printf '%s\\n' \"$answer\"; done; exit 3";

fn mcpproxy(home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("MCPPROXY_HOME", home);
    command
}

/// Runs a session of requests and their answers; returns what the tap said on stderr.
fn session(home: &Path, exchanges: &[(Value, Value)]) -> String {
    let mut tap = mcpproxy(home)
        .args(["tap", "--", "sh", "-c", SERVER, "server"])
        .args(exchanges.iter().map(|(_, answer)| answer.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tap.stdin.take().unwrap();
    let mut output = BufReader::new(tap.stdout.take().unwrap());
    for (request, answer) in exchanges {
        writeln!(input, "{request}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{answer}\n"));
    }
    let ended = tap.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    String::from_utf8(ended.stderr).unwrap()
}

fn activation(home: &Path) -> Value {
    let output = mcpproxy(home)
        .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["activation"].clone()
}

fn call(id: u32, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}})
}

#[test]
fn a_session_moves_the_funnel() {
    let home = tempfile::tempdir().unwrap();
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"clientInfo": {"name": "Visual Studio Code", "version": "1"}}});
    let tools = json!({"tools": [{"name": "a"}, {"name": "b"}], "total_indexed_tools": 12});
    session(
        home.path(),
        &[
            (initialize, json!({"jsonrpc": "2.0", "id": 0, "result": {}})),
            (
                call(1, "retrieve_tools"),
                json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": tools.to_string()}]}}),
            ),
            (call(2, "echo"), json!({"jsonrpc": "2.0", "id": 2, "result": {"content": []}})),
        ],
    );
    let activation = activation(home.path());
    assert_eq!(activation["first_connected_server_ever"], true);
    assert_eq!(activation["first_mcp_client_ever"], true);
    assert_eq!(activation["first_retrieve_tools_call_ever"], true);
    assert_eq!(activation["mcp_clients_seen_ever"], json!(["vscode"]));
    assert_eq!(activation["retrieve_tools_calls_24h"], 1);
    // (12 - 2) * 150 tokens.
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "1k_10k");
}

/// A session that is over as soon as it has begun.
fn short_session(home: &Path, client: &str) {
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"clientInfo": {"name": client, "version": "1"}}});
    session(home, &[(initialize, json!({"jsonrpc": "2.0", "id": 0, "result": {}}))]);
}

/// A config with an id that was made so many days ago.
fn put_id(home: &Path, id: u32, days_ago: u64) {
    let made = mcpproxy::machine::now() - days_ago * 86_400;
    let telemetry = json!({
        "anonymous_id": format!("3f0c9f7e-8f0e-4c5a-9d7b-{id:012}"),
        "anonymous_id_created_at": mcpproxy::contract::timestamp::format(made),
    });
    let config = json!({ "telemetry": telemetry }).to_string();
    std::fs::create_dir_all(home).unwrap();
    std::fs::write(home.join("new"), config).unwrap();
    std::fs::rename(home.join("new"), home.join("mcp_config.json")).unwrap();
}

/// What was recorded under one id is never another's, and what is recorded after the change is not lost with
/// what was there before it: however short the session.
#[test]
fn the_first_session_after_a_change_of_the_id_keeps_its_client() {
    for round in 0..5 {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let seen = || activation(home)["mcp_clients_seen_ever"].clone();
        let was_connected = || activation(home)["first_connected_server_ever"].clone();
        put_id(home, 1, 3);
        short_session(home, "zed");
        assert_eq!(seen(), json!(["zed"]), "{round}");

        // Also what a `reset-id` leaves that is killed between its two steps.
        put_id(home, 2, 3);
        assert_eq!((seen(), was_connected()), (json!([]), json!(false)), "{round}");
        short_session(home, "goose");
        assert_eq!(seen(), json!(["goose"]), "{round}: another id in the config");

        put_id(home, 2, 366);
        short_session(home, "cursor");
        assert_eq!(seen(), json!(["cursor"]), "{round}: the id is a year old");
        assert_eq!(was_connected(), true, "{round}: it is the same install");

        std::fs::write(home.join("mcp_config.json"), "{}").unwrap();
        short_session(home, "cline");
        assert_eq!(seen(), json!(["cline"]), "{round}: no id in the config");

        let reset = mcpproxy(home).args(["telemetry", "reset-id"]).output().unwrap();
        assert!(reset.status.success());
        assert_eq!(seen(), json!([]), "{round}");
        short_session(home, "zed");
        assert_eq!(seen(), json!(["zed"]), "{round}: reset-id");
    }
}

/// The temporary files in the data directory.
fn temporary_files(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

#[test]
fn a_short_session_leaves_no_temporary_file() {
    for round in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let ended = mcpproxy(home.path()).args(["tap", "--", "true"]).output().unwrap();
        assert!(ended.status.success());
        assert_eq!(temporary_files(home.path()), [""; 0], "{round}");
    }
}

#[test]
fn what_a_killed_edit_left_is_removed_by_the_next() {
    let home = tempfile::tempdir().unwrap();
    put_id(home.path(), 1, 3);
    let left = home.path().join(".mcp_config.json.4194304-0.tmp");
    let of_others = home.path().join(".mcp_config.json.draft.tmp");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    for path in [&left, &of_others] {
        std::fs::File::create(path).unwrap().set_modified(long_ago).unwrap();
    }
    let disable = mcpproxy(home.path()).args(["telemetry", "disable"]).output().unwrap();
    assert!(disable.status.success());
    assert_eq!(temporary_files(home.path()), [".mcp_config.json.draft.tmp"]);
}

/// Ends a session in which a discovery call waits, and returns how many calls are stored.
fn calls_after(server: &str, end: impl FnOnce(&mut Child)) -> Value {
    let home = tempfile::tempdir().unwrap();
    let mut tap = mcpproxy(home.path())
        .args(["tap", "--", "sh", "-c", server])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(tap.stdin.as_mut().unwrap(), "{}", call(1, "retrieve_tools")).unwrap();
    let mut line = String::new();
    BufReader::new(tap.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "read\n");
    end(&mut tap);
    tap.wait().unwrap();
    activation(home.path())["retrieve_tools_calls_24h"].clone()
}

#[test]
fn a_call_that_is_never_answered_is_stored_however_the_session_ends() {
    let waits = "read -r line; echo read; read -r line; exit 0";
    assert_eq!(calls_after(waits, |tap| drop(tap.stdin.take())), 1, "end of input");
    let signal = |tap: &mut Child, name: &str| {
        let status = Command::new("kill").args(["-s", name, &tap.id().to_string()]).status();
        assert!(status.unwrap().success());
    };
    assert_eq!(calls_after(waits, |tap| signal(tap, "TERM")), 1, "SIGTERM");
    assert_eq!(calls_after(waits, |tap| signal(tap, "INT")), 1, "SIGINT");
    let dies = "read -r line; echo read; kill -s KILL $$";
    assert_eq!(calls_after(dies, |_| ()), 1, "death of the server");
    let exits = "read -r line; echo read; exit 5";
    assert_eq!(calls_after(exits, |_| ()), 1, "exit of the server");
    let closes = "read -r line; echo read; exec >&- <&-; exit 0";
    assert_eq!(calls_after(closes, |_| ()), 1, "closed streams");
}

#[test]
fn a_burst_of_several_megabytes_is_looked_at_whole() {
    let home = tempfile::tempdir().unwrap();
    let mut tap = mcpproxy(home.path())
        .args(["tap", "--", "sh", "-c", "cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut burst = String::new();
    for id in 0..400 {
        let mut request = call(id, "retrieve_tools");
        request["params"]["arguments"] = json!({"query": "q".repeat(10_000)});
        burst += &format!("{request}\n");
    }
    tap.stdin.take().unwrap().write_all(burst.as_bytes()).unwrap();
    let ended = tap.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&ended.stderr).contains("too fast"));
    assert_eq!(activation(home.path())["retrieve_tools_calls_24h"], 400);
}

#[test]
fn sessions_at_once_all_count() {
    let home = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let found = json!({"structuredContent": {"tools": []}});
                session(
                    home.path(),
                    &[(call(1, "retrieve_tools"), json!({"id": 1, "result": found}))],
                );
            });
        }
    });
    let activation = activation(home.path());
    assert_eq!(activation["retrieve_tools_calls_24h"], 6);
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "0");
    assert_eq!(activation["first_mcp_client_ever"], false);
}

#[test]
fn a_data_directory_that_cannot_be_written_changes_nothing_for_the_session() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let exchange = (call(1, "retrieve_tools"), json!({"id": 1, "result": {}}));
    session(&file, std::slice::from_ref(&exchange));
    session(&file.join("below"), &[exchange]);
}

/// What `tests/gate/attacks.rs` does to the parts, done to the whole: the names come in over the wire, and what
/// goes out, and every file that is kept, is looked at.
#[test]
fn no_name_that_tells_on_its_user_reaches_a_file_or_a_payload() {
    let home = tempfile::tempdir().unwrap();
    let names = [
        "Alice",
        "aliceliddell",
        "AliceBot",
        "al-ice",
        "4l1ce",
        "QWxpY2U",
        "616c696365",
        "xlaptop-of-alice",
        "Users-alice",
        "ghp_a1b2c3d4e5f6g7h8i9j0",
        "ip-10-0-0-1",
        "c0a80101",
        "alice@example.com",
        "/Users/alice",
        "%61lice",
        "\u{430}lice",
    ];
    let mut tap = mcpproxy(home.path())
        .args(["tap", "--", "sh", "-c", "cat >/dev/null"])
        .env("USER", "alice")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = tap.stdin.take().unwrap();
    for (id, name) in names.iter().chain(["ordinary-client"].iter()).enumerate() {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "initialize",
            "params": {"clientInfo": {"name": name, "version": "1"}}});
        writeln!(input, "{request}").unwrap();
    }
    drop(input);
    assert!(tap.wait().unwrap().success());
    let kept = json!(["unknown", "ordinary-client"]);
    assert_eq!(activation(home.path())["mcp_clients_seen_ever"], kept);
    let shown = mcpproxy(home.path()).args(["telemetry", "show-payload"]).output().unwrap();
    let payload: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(payload["activation"]["mcp_clients_seen_ever"], kept);
    let mut folders = vec![home.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            files += 1;
            let text =
                String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).to_lowercase();
            for name in names {
                assert!(!text.contains(&name.to_lowercase()), "{name} is in {:?}", entry.path());
            }
        }
    }
    assert!(files > 0);
}
