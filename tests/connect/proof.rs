//! Only what `connect` provably wrote is taken out again: everything else of a file is its user's.

use crate::home::{BIN, CODEX, Home, JSON_CLIENTS};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

const CURSOR: &str = ".cursor/mcp.json";
const URLS: [&str; 3] =
    ["http://127.0.0.1:8080/mcp", "http://localhost:8080/mcp", "https://gw.example.org/mcp"];

/// Every file below a home directory, with its bytes and the time of its last change.
fn state(home: &Home) -> Vec<(String, Vec<u8>, SystemTime)> {
    let of = |name: String| {
        let path = home.path(&name);
        let time = fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time");
        (name, fs::read(&path).expect("read"), time)
    };
    home.names().into_iter().map(of).collect()
}

/// `disconnect` says why in one line, and changes nothing.
#[track_caller]
fn is_left_alone(home: &Home, client: &str) {
    let before = state(home);
    for options in [&["disconnect", client, "--dry-run"][..], &["disconnect", client]] {
        let said = home.out(options);
        assert!(said.contains("no record") && said.contains("by hand"), "{client}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(state(home) == before, "{client}: something was changed");
    }
}

/// Entries as people write them: addresses with and without headers, and this program itself.
fn by_hand(client: &str) -> Vec<Value> {
    let key = match client {
        "windsurf" => "serverUrl",
        "gemini" => "httpUrl",
        _ => "url",
    };
    let mut all: Vec<Value> = URLS.iter().map(|url| json!({key: url})).collect();
    all.extend(URLS.iter().map(|url| json!({key: url, "headers": {"Authorization": "SECRET"}})));
    let command = |program: &str| json!({"command": program, "args": ["serve", "--stdio"]});
    all.extend([command("mcpproxy"), command(BIN), json!({"command": "node"})]);
    all
}

#[test]
fn an_entry_written_by_hand_is_never_taken_out() {
    for (client, file, container) in JSON_CLIENTS {
        for entry in by_hand(client) {
            for others in [json!({}), json!({"x": {"command": "y"}})] {
                let home = Home::new();
                let mut servers = others.clone();
                servers["mcpproxy"] = entry.clone();
                let text = format!("{:#}\n", json!({*container: servers}));
                home.write(file, &text);
                is_left_alone(&home, client);
                // Neither does `connect` make it ours: it is there, or it is in the way.
                home.run(&["connect", client, "--http"]);
                assert_eq!(
                    (home.read(file), home.names()),
                    (text.clone(), vec![(*file).to_owned()])
                );
                is_left_alone(&home, client);
                home.run(&["connect", client]);
                if entry["command"] != "mcpproxy" {
                    assert_eq!(home.names(), [*file], "{client} {entry}");
                    assert_eq!(home.read(file), text);
                }
                is_left_alone(&home, client);
            }
        }
    }
}

/// Written by hand, or by a version before the record: the program has moved since.
#[test]
fn an_entry_that_starts_a_mcpproxy_elsewhere_gets_its_path_anew_and_stays_the_users() {
    let home = Home::new();
    let text = |command: &str, args: Value, more: Value| {
        let mut entry = json!({"command": command, "args": args});
        entry.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
        json!({"mcpServers": {"mcpproxy": entry}}).to_string()
    };
    for args in [json!(["serve"]), json!(["serve", "--stdio"])] {
        home.write(CURSOR, &text("/gone/mcpproxy", args, json!({})));
        home.out(&["connect", "cursor"]);
        let file: Value = serde_json::from_str(&home.read(CURSOR)).expect("JSON");
        let expected = json!({"command": BIN, "args": ["serve", "--stdio"]});
        assert_eq!(file["mcpServers"]["mcpproxy"], expected);
        is_left_alone(&home, "cursor");
    }
    // With more in it, something of the user's would be lost.
    for (args, more) in [
        (json!(["serve", "--stdio", "--data-dir", "/d"]), json!({})),
        (json!(["serve"]), json!({"env": {"TOKEN": "SECRET"}})),
    ] {
        let text = text("/gone/mcpproxy", args, more);
        home.write(CURSOR, &text);
        home.fails(&["connect", "cursor"], 1, &["by hand"]);
        assert_eq!(home.read(CURSOR), text);
    }
}

#[test]
fn a_file_that_connect_never_saw_stays_even_where_it_holds_what_connect_would_write() {
    for (client, file, _) in JSON_CLIENTS.iter().chain([&("codex", CODEX, "")]) {
        for options in [&["--create"][..], &["--create", "--http"]] {
            if *client == "claude-desktop" && options.len() == 2 {
                continue;
            }
            let made = Home::new();
            made.out(&[&["connect", client], options].concat());
            let home = Home::new();
            home.write(file, &made.read(file));
            is_left_alone(&home, client);
            home.run(&["connect", client]);
            is_left_alone(&home, client);
        }
    }
    for url in URLS {
        let home = Home::new();
        for end in ["", "http_headers = { \"Authorization\" = \"SECRET\" }\n"] {
            home.write(CODEX, &format!("[mcp_servers.mcpproxy]\nurl = \"{url}\"\n{end}"));
            is_left_alone(&home, "codex");
            home.run(&["connect", "codex", "--http"]);
            home.run(&["connect", "codex"]);
            is_left_alone(&home, "codex");
        }
        assert_eq!(home.names(), [CODEX]);
    }
}

#[test]
fn a_refused_connect_says_why_and_leaves_nothing_beside_the_file() {
    let home = Home::new();
    home.write(CODEX, "[mcp_servers.mcpproxy]\nurl = \"https://gw.example.org/mcp\"\n");
    let before = state(&home);
    for options in [&["connect", "codex"][..], &["connect", "codex", "--dry-run"]] {
        home.fails(options, 1, &["Codex", "`mcpproxy`", "did not write", "by hand"]);
        assert!(state(&home) == before);
    }
}

/// Our entry with a change by hand: what was added to it would be lost with it.
#[test]
fn an_entry_that_was_edited_since_stays_and_the_user_is_told() {
    type Edit = fn(&mut Value);
    let edits: [Edit; 5] = [
        |entry| entry["headers"] = json!({"Authorization": "SECRET"}),
        |entry| entry["url"] = json!("https://elsewhere.example/mcp"),
        |entry| entry["env"] = json!({"TOKEN": "SECRET"}),
        |entry| entry["disabled"] = json!(false),
        |entry| entry["args"] = json!(["serve", "--stdio", "--read-only"]),
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        for others in ["{}", "{\"mcpServers\": {\"x\": {\"command\": \"y\"}}}"] {
            for option in ["--http", "--create"] {
                let home = Home::new();
                home.write(CURSOR, others);
                home.out(&["connect", "cursor", option]);
                let mut file: Value = serde_json::from_str(&home.read(CURSOR)).expect("JSON");
                edit(&mut file["mcpServers"]["mcpproxy"]);
                home.write(CURSOR, &file.to_string());
                let before = state(&home);
                home.fails(&["disconnect", "cursor"], 1, &["changed after", "by hand"]);
                assert!(state(&home) == before, "{at}");
                let other = if option == "--http" { "--create" } else { "--http" };
                home.run(&["connect", "cursor", other]);
                assert!(state(&home) == before, "{at}: connect took its place");
            }
        }
    }
}

#[test]
fn a_comment_in_our_entry_is_an_edit_and_one_beside_it_is_not() {
    let home = Home::new();
    home.write(CURSOR, "{\n  \"mcpServers\": {\n    \"x\": {\"command\": \"y\"}\n  }\n}\n");
    home.out(&["connect", "cursor"]);
    let connected = home.read(CURSOR);
    home.write(CURSOR, &connected.replace("\"command\": \"/", "// mine\n\"command\": \"/"));
    home.fails(&["disconnect", "cursor"], 1, &["by hand"]);
    home.write(CURSOR, &connected.replace("\"mcpproxy\"", "// theirs\n    \"mcpproxy\""));
    home.out(&["disconnect", "cursor"]);
    assert!(home.read(CURSOR).contains("// theirs") && !home.read(CURSOR).contains("mcpproxy"));

    home.write(CODEX, "a = 1\n");
    for edit in ["# mine\n", "env = { T = \"SECRET\" }\n", "\n[mcp_servers.mcpproxy.env]\nT = 1\n"]
    {
        home.write(CODEX, "a = 1\n");
        home.out(&["connect", "codex"]);
        home.write(CODEX, &(home.read(CODEX) + edit));
        let before = state(&home);
        let said = home.run(&["disconnect", "codex"]);
        match edit {
            // It stands after the entry, where it stays.
            "# mine\n" => assert_eq!(home.read(CODEX), "a = 1\n# mine\n"),
            _ => {
                assert_eq!(said.status.code(), Some(1));
                assert!(state(&home) == before, "{edit}");
            }
        }
        for name in ["config.toml.mcpproxy-backup", "config.toml.mcpproxy-record"] {
            let _ = fs::remove_file(home.path(&format!(".codex/{name}")));
        }
    }
}

#[test]
fn an_entry_that_its_client_laid_out_anew_is_still_ours() {
    let home = Home::new();
    home.write(CURSOR, "{}");
    home.out(&["connect", "cursor", "--http"]);
    home.write(
        CURSOR,
        "{\"theme\":1,\"mcpServers\":{\"mcpproxy\":{\"url\":\"http://127.0.0.1:8080/mcp\"}}}",
    );
    home.out(&["disconnect", "cursor"]);
    assert_eq!(home.read(CURSOR), "{\"theme\":1}");
}

#[test]
fn a_made_file_is_gone_only_as_long_as_nothing_was_added() {
    let home = Home::new();
    home.out(&["connect", "cursor", "--create"]);
    home.write(CURSOR, &home.read(CURSOR).replacen('{', "{\n  // note\n", 1));
    home.out(&["disconnect", "cursor"]);
    assert!(home.read(CURSOR).contains("// note"));
    // What is left is the user's now, and so is what the user makes of it.
    home.write(CURSOR, "{\"mcpServers\": {\"mcpproxy\": {\"url\": \"https://h/mcp\"}}}");
    is_left_alone(&home, "cursor");
    assert_eq!(home.names(), [CURSOR]);
}

#[test]
fn a_record_of_an_entry_that_is_gone_proves_nothing_later() {
    let home = Home::new();
    home.out(&["connect", "codex", "--create", "--http"]);
    let text = home.read(CODEX);
    // The user takes it out, asks again, and writes the same by hand later.
    fs::remove_file(home.path(CODEX)).expect("there");
    assert!(home.out(&["disconnect", "codex"]).contains("nothing to do"));
    home.write(CODEX, &text);
    is_left_alone(&home, "codex");

    home.write(CURSOR, "{}\n");
    home.out(&["connect", "cursor", "--http"]);
    let text = home.read(CURSOR);
    home.write(CURSOR, "{}\n");
    assert!(home.out(&["disconnect", "cursor"]).contains("nothing to do"));
    home.write(CURSOR, &text);
    is_left_alone(&home, "cursor");
}

#[test]
fn the_copy_of_an_earlier_connect_takes_nothing_away() {
    let home = Home::new();
    home.write(CURSOR, "{\"mcpServers\": {}}");
    home.out(&["connect", "cursor"]);
    home.write(CURSOR, &home.read(CURSOR).replacen('{', "{\"theme\": 1, ", 1));
    home.out(&["disconnect", "cursor"]);
    let copy = home.read(".cursor/mcp.json.mcpproxy-backup");
    home.write(CURSOR, "{\"mcpServers\": {\"mcpproxy\": {\"url\": \"https://h/mcp\"}}}");
    is_left_alone(&home, "cursor");
    assert_eq!(home.read(".cursor/mcp.json.mcpproxy-backup"), copy);
    assert!(home.out(&["disconnect", "cursor"]).contains("no record"));
}

#[test]
fn disconnecting_twice_does_nothing_the_second_time() {
    let home = Home::new();
    home.write(CURSOR, "{}\n");
    home.out(&["connect", "cursor"]);
    home.out(&["disconnect", "cursor"]);
    let before = state(&home);
    assert!(home.out(&["disconnect", "cursor"]).contains("nothing to do"));
    assert!(state(&home) == before);
}

#[test]
fn a_record_that_cannot_be_believed_proves_nothing() {
    let record = ".cursor/mcp.json.mcpproxy-record";
    for text in ["", "{}", "SECRET", "{\"version\": 2, \"made\": true, \"entry\": {}}"] {
        let home = Home::new();
        home.out(&["connect", "cursor", "--create"]);
        home.write(record, text);
        is_left_alone(&home, "cursor");
    }
}

/// The name of the target is so long that nothing can be written beside it: the change fails after the copy was
/// put aside.
#[cfg(unix)]
#[test]
fn a_connect_that_fails_takes_its_copy_and_its_directories_with_it() {
    let home = Home::new();
    let long = "x".repeat(250);
    home.write(&format!("dotfiles/{long}"), "{\"token\": \"SECRET\"}");
    fs::create_dir(home.path(".cursor")).expect("made");
    std::os::unix::fs::symlink(format!("../dotfiles/{long}"), home.path(CURSOR)).expect("linked");
    let before = home.names();
    home.fails(&["connect", "cursor"], 1, &["cannot be replaced"]);
    assert_eq!(home.names(), before);
    // An older copy is what it was.
    home.write(".cursor/mcp.json.mcpproxy-backup", "older");
    home.fails(&["connect", "cursor"], 1, &["cannot be replaced"]);
    assert_eq!(home.read(".cursor/mcp.json.mcpproxy-backup"), "older");

    let far = format!("new/deeper/{}", "y".repeat(250));
    home.fails(&["connect", "cursor", "--create", "--config", &far], 1, &["Cursor"]);
    assert!(!Path::new(&home.path("new")).exists(), "a directory was left");
}
