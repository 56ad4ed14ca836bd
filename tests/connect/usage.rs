//! What a user types, and what they are told.

use crate::home::{BIN, Home};
use serde_json::{Value, json};

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    let home = Home::new();
    home.fails(&["connect"], 2, &["CLIENT", "zed", "--list"]);
    home.fails(&["disconnect"], 2, &["CLIENT"]);
    home.fails(&["connect", "cursr"], 2, &["did you mean cursor?"]);
    home.fails(&["connect", "emacs-of-old"], 2, &["known are claude-code"]);
    home.fails(&["connect", "cursor", "zed"], 2, &["unexpected argument"]);
    home.fails(&["connect", "cursor", "--wrap", ""], 2, &["--wrap"]);
    home.fails(&["connect", "cursor", "--wrap", "a", "--http"], 2, &["--http"]);
    home.fails(&["connect", "cursor", "-o", "json"], 2, &["--list"]);
    home.fails(&["connect", "--list", "--config", "x"], 2, &["name the client"]);
    for url in
        ["x", "http://", "http://h/other", "http://u:SECRET@h/mcp", "http://h/mcp?k=SECRET/mcp"]
    {
        home.fails(&["connect", "cursor", "--url", url], 2, &["--url"]);
    }
    home.fails(&["connect", "cursor"], 1, &["Cursor, ~/.cursor/mcp.json", "--create"]);
    home.fails(&["connect", "claude-code"], 1, &["~/.claude.json", "--create"]);
    assert!(home.out(&["disconnect", "cursor"]).contains("nothing to do"));
    assert!(home.names().is_empty());
    home.write(".cursor/mcp.json", "{}");
    home.fails(&["connect", "cursor", "--wrap", "SECRE"], 1, &["no server of that name"]);
    home.fails(&["disconnect", "cursor", "--wrap", "SECRE"], 1, &["no server of that name"]);
}

#[test]
fn names_that_cannot_be_seen_are_spelled_out() {
    let home = Home::new();
    home.write(".cursor/mcp.json", r#"{"mcpServers": {"a\u202e\u001b[2J\nb": {"command": "x"}}}"#);
    let shown = home.out(&["connect", "--list", "cursor"]);
    assert!(shown.contains(r"a\u202e\u001b[2J\u000ab"), "{shown}");
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let json = home.out(&["connect", "--list", "cursor", "-o", "json"]);
    for text in [&shown, &json] {
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{text:?}");
    }
    let root: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(root["clients"][0]["unwrapped"], json!(["a\u{202e}\u{1b}[2J\nb"]));
}

#[test]
fn an_entry_has_the_form_that_its_client_reads() {
    let home = Home::new();
    let url = "http://127.0.0.1:8080/mcp";
    let serve = json!(["serve", "--stdio"]);
    for (client, file, container, stdio, http) in [
        (
            "claude-code",
            ".claude.json",
            "mcpServers",
            json!({"type": "stdio", "command": BIN, "args": serve}),
            json!({"type": "http", "url": url}),
        ),
        (
            "cursor",
            ".cursor/mcp.json",
            "mcpServers",
            json!({"command": BIN, "args": serve}),
            json!({"url": url}),
        ),
        (
            "windsurf",
            ".codeium/windsurf/mcp_config.json",
            "mcpServers",
            json!({"command": BIN, "args": serve}),
            json!({"serverUrl": url}),
        ),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            "servers",
            json!({"type": "stdio", "command": BIN, "args": serve}),
            json!({"type": "http", "url": url}),
        ),
        (
            "gemini",
            ".gemini/settings.json",
            "mcpServers",
            json!({"command": BIN, "args": serve}),
            json!({"httpUrl": url}),
        ),
        (
            "opencode",
            ".config/opencode/opencode.json",
            "mcp",
            json!({"type": "local", "command": [BIN, "serve", "--stdio"], "enabled": true}),
            json!({"type": "remote", "url": url, "enabled": true}),
        ),
        (
            "zed",
            ".config/zed/settings.json",
            "context_servers",
            json!({"source": "custom", "command": BIN, "args": serve}),
            json!({"url": url}),
        ),
    ] {
        let entry = || -> Value {
            let file: Value = serde_json::from_str(&home.read(file)).expect("JSON");
            file[container]["mcpproxy"].clone()
        };
        home.out(&["connect", client, "--create"]);
        assert_eq!(entry(), stdio);
        // Connecting again in another way replaces the entry.
        home.out(&["connect", client, "--http"]);
        assert_eq!(entry(), http);
        assert!(home.out(&["connect", client, "--list"]).contains("yes"));
        home.out(&["disconnect", client]);
        assert!(home.names().is_empty(), "{client}");
    }
    home.fails(&["connect", "claude-desktop", "--create", "--http"], 1, &["only starts servers"]);
    home.out(&["connect", "codex", "--create", "--url", "https://h.example/mcp"]);
    assert_eq!(
        home.read(".codex/config.toml"),
        "[mcp_servers.mcpproxy]\nurl = \"https://h.example/mcp\"\n"
    );
}

#[test]
fn a_connected_client_finds_the_gateway_behind_its_entry() {
    use std::io::Write as _;
    let home = Home::new();
    home.out(&["connect", "cursor", "--create"]);
    let file: Value = serde_json::from_str(&home.read(".cursor/mcp.json")).expect("JSON");
    let args = file["mcpServers"]["mcpproxy"]["args"].as_array().expect("arguments");
    let words: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    let mut command = home.command(&words);
    command.env("DO_NOT_TRACK", "1").stderr(std::process::Stdio::null());
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"cursor-vscode","version":"1"}}}"#;
    let mut input = child.stdin.take().expect("piped");
    writeln!(input, "{hello}").expect("written");
    let mut line = String::new();
    let output = child.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)
        .expect("an answer");
    assert!(line.contains("serverInfo"), "{line}");
    drop(input);
    child.wait().expect("it ends");
}
