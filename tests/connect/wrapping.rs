//! Servers of clients that run through `tap`, and without it again.

use crate::home::{BIN, CODEX, Home, JSON_CLIENTS};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_wrapped_server_starts_through_tap_and_is_given_back() {
    for (name, text) in [
        (
            "args",
            "{\"@\": {\"a\": {\"command\": \"npx\", \"args\": [\"-y\", \"\\u0078\"], \"env\": {\"T\": \"SECRET\"}}}}",
        ),
        ("no args", "{\n  \"@\": {\n    \"a\": {\n      \"command\": \"npx\"\n    }\n  }\n}\n"),
        ("empty args", "{\"@\":{\"a\":{\"args\":[ ],\"command\":\"npx\"}}}"),
        (
            "lines",
            "{\"@\": {\"a\": {\"command\": \"npx\",\n  \"args\": [\n    \"-y\",\n    \"--\",\n    \"x\"\n  ]}}}",
        ),
    ] {
        for (client, file, container) in JSON_CLIENTS.iter().filter(|(id, ..)| *id != "opencode") {
            let home = Home::new();
            let text = text.replace('@', container);
            home.write(file, &text);
            let before: Value = serde_json::from_str(&text).expect("JSON");
            home.out(&["connect", client, "--wrap", "a", "--dry-run"]);
            assert_eq!(home.read(file), text);
            assert!(home.out(&["connect", client, "--wrap", "a"]).contains("tap"));
            let after: Value = serde_json::from_str(&home.read(file)).expect("JSON");
            let own = |file: &Value| file[*container]["a"].clone();
            let mut words = vec![json!("tap"), json!("--"), json!("npx")];
            words.extend(own(&before)["args"].as_array().cloned().unwrap_or_default());
            assert_eq!(own(&after)["command"], BIN, "{name}");
            assert_eq!(own(&after)["args"], json!(words), "{name}");
            assert_eq!(own(&after)["env"], own(&before)["env"], "{name}");
            assert!(home.out(&["connect", client, "--wrap", "a"]).contains("already"));
            assert!(home.out(&["connect", client, "--list"]).contains("a (wrapped)"));
            home.out(&["disconnect", client, "--wrap", "a"]);
            assert_eq!(home.read(file), text, "{client} {name}");
            assert_eq!(home.names(), [*file]);
        }
    }
}

#[test]
fn an_array_of_all_words_is_wrapped_in_place() {
    let home = Home::new();
    let file = ".config/opencode/opencode.jsonc";
    let text = "{\n  \"mcp\": {\n    \"a\": {\n      \"type\": \"local\",\n      \"command\": [\"bunx\", \"x\", \"SECRET\"], // mine\n    },\n    \"far\": {\"type\": \"remote\", \"url\": \"https://h/SECRET\"},\n  },\n}\n";
    home.write(file, text);
    let shown = home.out(&["connect", "opencode", "--wrap", "a", "--dry-run"]);
    assert!(shown.contains("\"tap\", \"--\""), "{shown}");
    home.out(&["connect", "opencode", "--wrap", "a"]);
    let words = format!("[\"{BIN}\", \"tap\", \"--\", \"bunx\", \"x\", \"SECRET\"], // mine");
    assert!(home.read(file).contains(&words), "{}", home.read(file));
    home.fails(
        &["connect", "opencode", "--wrap", "far"],
        1,
        &["OpenCode", "opencode.jsonc", "command"],
    );
    home.out(&["disconnect", "opencode", "--wrap", "a"]);
    assert_eq!(home.read(file), text);
}

#[test]
fn codex_servers_are_wrapped_whatever_form_their_tables_have() {
    for text in [
        "[mcp_servers.a]\r\ncommand = \"npx\" # mine\r\n\r\n[tui]\r\nx = 1\r\n",
        "[mcp_servers.a]\n  command = 'C:\\n.exe'\n  args = [ \"-y\", # yes\n    'x',\n  ]\n[mcp_servers.a.env]\nT = \"SECRET\"\n",
        "[mcp_servers]\na = { command = \"npx\" }\nb = { command = \"npx\", args = [] }\n",
        "mcp_servers.a.command = \"npx\"\n[x]\n",
    ] {
        let home = Home::new();
        home.write(CODEX, text);
        home.out(&["connect", "codex", "--wrap", "a"]);
        let wrapped = home.read(CODEX);
        assert!(
            wrapped.contains("\"tap\", \"--\"") || wrapped.contains("\"tap\", # yes"),
            "{wrapped}"
        );
        assert_eq!(wrapped.matches('#').count(), text.matches('#').count(), "{wrapped}");
        home.out(&["disconnect", "codex", "--wrap", "a"]);
        assert_eq!(home.read(CODEX), text);
    }
}

#[test]
fn entry_and_wraps_are_taken_back_in_any_order() {
    let text = "{\"mcpServers\": {\"a\": {\"command\": \"x\"}, \"b\": {\"command\": \"y\", \"args\": []}}}";
    let entry: &[&str] = &[];
    let (a, b): (&[&str], &[&str]) = (&["--wrap", "a"], &["--wrap", "b"]);
    for made in [[entry, a, b], [a, entry, b], [b, a, entry]] {
        for undone in [[entry, a, b], [a, b, entry], [b, entry, a], [a, entry, b]] {
            let home = Home::new();
            home.write(".cursor/mcp.json", text);
            made.iter()
                .for_each(|options| drop(home.out(&[&["connect", "cursor"], *options].concat())));
            undone.iter().for_each(|options| {
                drop(home.out(&[&["disconnect", "cursor"], *options].concat()))
            });
            assert_eq!(home.read(".cursor/mcp.json"), text, "{made:?} {undone:?}");
            assert_eq!(home.names().len(), 1);
        }
    }
}

#[test]
fn a_wrap_that_somebody_wrote_by_hand_can_be_taken_back() {
    let home = Home::new();
    for (words, kept) in [
        ("\"tap\", \"npx\", \"--\", \"x\"", "\"command\": \"npx\", \"args\": [\"--\", \"x\"]"),
        (
            "\"tap\", \"--discovery-tool\", \"find\", \"--data-dir=d\", \"--\", \"npx\"",
            "\"command\": \"npx\", \"args\": []",
        ),
        (
            "\"tap\", \"--discovery-tool\", \"find\", \"npx\", \"-y\"",
            "\"command\": \"npx\", \"args\": [\"-y\"]",
        ),
    ] {
        let text = |entry: &str| format!("{{\"mcpServers\": {{\"a\": {{{entry}}}}}}}\n");
        home.write(
            ".cursor/mcp.json",
            &text(&format!("\"command\": \"mcpproxy\", \"args\": [{words}]")),
        );
        home.out(&["disconnect", "cursor", "--wrap", "a"]);
        assert_eq!(home.read(".cursor/mcp.json"), text(kept));
    }
    home.write(
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"a\": {\"command\": \"mcpproxy\", \"args\": [\"tap\"]}}}",
    );
    home.fails(&["disconnect", "cursor", "--wrap", "a"], 1, &["by hand"]);
}

#[test]
fn a_wrapped_server_of_a_real_file_runs() {
    let home = Home::new();
    home.write(
        ".cursor/mcp.json",
        "{\"mcpServers\": {\"a\": {\"command\": \"sh\", \"args\": [\"-c\", \"echo it runs\"]}}}",
    );
    home.out(&["connect", "cursor", "--wrap", "a", "--data-dir", "data"]);
    let file: Value = serde_json::from_str(&home.read(".cursor/mcp.json")).expect("JSON");
    let args = file["mcpServers"]["a"]["args"].as_array().expect("arguments");
    let dir = fs::canonicalize(home.path("")).expect("there").join("data");
    assert_eq!(args[1..3], [json!("--data-dir"), json!(dir)]);
    let words: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    assert_eq!(file["mcpServers"]["a"]["command"], BIN);
    let mut command = home.command(&words);
    command.env("PATH", "/usr/bin:/bin").env("DO_NOT_TRACK", "1");
    assert_eq!(command.output().expect("it starts").stdout, b"it runs\n");
}
