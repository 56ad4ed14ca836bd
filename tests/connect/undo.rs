//! What was connected and disconnected leaves no trace, however a file is laid out.

use crate::home::{CODEX, Home, JSON_CLIENTS};
use proptest::prelude::*;
use std::fs;

/// Files as people and programs write them; `@` is the member that holds the servers.
const FILES: &[&str] = &[
    "",
    "\n",
    "{}",
    "{}\n",
    "{ }",
    "{\n}\n",
    "{\r\n}\r\n",
    "\u{feff}{}\r\n",
    "{ // nothing yet\n}\n",
    "{/* nothing */}",
    "{\"@\":{}}",
    "{\"@\": { }, \"x\": 1}\n",
    "{\n  \"@\": {\n  }\n}\n",
    "{\n  \"@\": {\n    // \"old\": {}\n  }\n}\n",
    "{\"theme\":\"dark\",\"@\":{\"a\":{\"url\":\"http://h/SECRET\"}}}",
    "{ \"theme\" : \"dark\" , \"@\" : { \"a\" : { \"url\" : \"u\" } } }",
    "{\n  \"theme\": \"dark\"\n}\n",
    "{\n  \"theme\": \"dark\",\n}\n",
    "{\n  \"theme\": \"dark\", // by day\n}\n",
    "{\n  \"theme\": \"dark\" // by night\n  // the end\n}\n",
    "{\n\t\"@\": {\n\t\t\"a\": {\n\t\t\t\"command\": \"x\",\n\t\t\t\"args\": []\n\t\t}\n\t},\n\t\"z\": [1, 2]\n}",
    "\u{feff}{\r\n    \"inputs\": [],\r\n    \"@\": {\r\n        \"a\": { \"url\": \"u\" }\r\n    }\r\n}\r\n\r\n",
    "// Settings\n{\n  /* servers,\n     mine */\n  \"@\": {\n    \"a\": {\"url\": \"u\"}, // about a\n    // \"b\": {},\n  },\n  \"z\": 1,\n}\n// end\n",
    "{\n  \"@\": {\n    \"a\": {\"url\": \"u\"} /* about\n    a */\n  }\n}\n",
    "{\"@\": {\"a\": {\"url\": \"u\"} // about a\n}}",
    "{\"numStartups\": 41,\n \"projects\": {\"/home/SECRET\": {\"mcpServers\": {}, \"history\": [{\"display\": \"{ \\\"@\\\": //\"}]}}}",
];

const TOML_FILES: &[&str] = &[
    "",
    "model = \"o3\"",
    "model = \"o3\"\n",
    "# mine\r\nmodel = \"o3\" # the best\r\n\r\n[tui]\r\nx = 1\r\n",
    "\u{feff}a = 1\n",
    "[mcp_servers]\n",
    "[mcp_servers.a]\ncommand = 'npx'\nargs = [\n  \"-y\", # yes\n  \"x\",\n]\n\n[mcp_servers.a.env]\nT = \"SECRET\"\n\n\n# end\n",
    "mcp_servers.a.command = \"x\"\n\n[other]\nb = 2",
    "[[profiles]]\nname = \"a\"\n\n[[profiles]]\nname = \"b\"\n",
];

#[test]
fn every_client_gets_its_file_back_to_the_byte() {
    for (client, name, container) in JSON_CLIENTS {
        for text in FILES {
            gives_back(client, name, &text.replace('@', container));
        }
    }
    for text in TOML_FILES {
        gives_back("codex", CODEX, text);
    }
}

fn gives_back(client: &str, name: &str, text: &str) {
    let home = Home::new();
    home.write(name, text);
    let changed = home.out(&["connect", client, "--dry-run"]);
    assert!(changed.starts_with("--- ~/"), "{text}: {changed}");
    assert_eq!((home.read(name).as_str(), home.names().len()), (text, 1), "{text}");
    home.out(&["connect", client]);
    let connected = home.read(name);
    assert!(connected.contains(if client == "codex" {
        "[mcp_servers.mcpproxy]"
    } else {
        "\"mcpproxy\""
    }));
    for comment in
        text.split_inclusive('\n').filter(|line| line.contains("//") || line.contains("/*"))
    {
        let comment = &comment[comment.find('/').expect("there")..].trim_end_matches(['}', '\n']);
        assert!(connected.contains(comment), "{text}: {connected}");
    }
    assert_eq!(home.read(&format!("{name}.mcpproxy-backup")), text);
    assert!(home.out(&["connect", client]).contains("already"), "{text}");
    assert_eq!(home.read(name), connected);
    let listed = home.out(&["connect", client, "--list"]);
    assert_eq!(listed.lines().nth(1).and_then(|line| line.split_whitespace().nth(1)), Some("yes"));
    home.out(&["disconnect", client]);
    assert_eq!(home.read(name), text);
    assert_eq!(home.names(), [name]);
}

#[test]
fn without_its_backup_an_entry_among_others_still_leaves_no_trace() {
    let home = Home::new();
    for text in FILES.iter().filter(|text| text.contains("\"a\": {") || text.contains("\"a\" : {"))
    {
        let text = text.replace('@', "mcpServers");
        home.write(".cursor/mcp.json", &text);
        home.out(&["connect", "cursor"]);
        fs::remove_file(home.path(".cursor/mcp.json.mcpproxy-backup")).expect("there");
        home.out(&["disconnect", "cursor"]);
        assert_eq!(home.read(".cursor/mcp.json"), text);
    }
    for text in TOML_FILES.iter().filter(|text| text.ends_with('\n')) {
        home.write(CODEX, text);
        home.out(&["connect", "codex"]);
        fs::remove_file(home.path(".codex/config.toml.mcpproxy-backup")).expect("there");
        home.out(&["disconnect", "codex"]);
        assert_eq!(home.read(CODEX), *text);
    }
}

#[test]
fn what_others_wrote_since_is_kept() {
    let home = Home::new();
    home.write(".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"u\"}}}");
    home.out(&["connect", "cursor"]);
    // As a client does that reads, changes and writes its file in its own layout.
    let read: serde_json::Value =
        serde_json::from_str(&home.read(".cursor/mcp.json")).expect("JSON");
    let mut theirs = read.clone();
    theirs["mcpServers"]["b"] = serde_json::json!({"command": "y"});
    home.write(".cursor/mcp.json", &serde_json::to_string_pretty(&theirs).expect("JSON"));
    home.out(&["disconnect", "cursor"]);
    theirs["mcpServers"].as_object_mut().expect("an object").shift_remove("mcpproxy");
    assert_eq!(home.read(".cursor/mcp.json"), serde_json::to_string_pretty(&theirs).expect("JSON"));
    // The copy is what it was before; nobody asked to throw it away.
    assert_eq!(home.names().len(), 2);

    home.write(".gemini/settings.json", "{ }");
    home.out(&["connect", "gemini"]);
    let theirs = home.read(".gemini/settings.json").replacen('{', "{\n  \"theme\": \"x\",", 1);
    home.write(".gemini/settings.json", &theirs);
    home.out(&["disconnect", "gemini"]);
    assert_eq!(home.read(".gemini/settings.json"), "{\n  \"theme\": \"x\"\n}");
}

#[test]
fn the_oldest_original_is_never_lost() {
    let home = Home::new();
    let file = ".cursor/mcp.json";
    let copies = || ["backup", "original"].map(|end| home.read(&format!("{file}.mcpproxy-{end}")));
    let text = |name: &str| format!("{{\"mcpServers\":{{\"{name}\":{{\"url\":\"u\"}}}}}}");
    home.write(file, &text("first"));
    // Somebody writes the file while it is connected, so that its copy stays when it is disconnected.
    let in_between = |name: &str| {
        home.out(&["connect", "cursor"]);
        let read: serde_json::Value = serde_json::from_str(&home.read(file)).expect("JSON");
        home.write(file, &serde_json::to_string_pretty(&read).expect("JSON"));
        home.out(&["disconnect", "cursor"]);
        home.write(file, &text(name));
    };
    in_between("second");
    assert_eq!(home.names(), [file.to_owned(), format!("{file}.mcpproxy-backup")]);
    in_between("third");
    assert_eq!(copies(), [text("second"), text("first")]);
    in_between("fourth");
    assert_eq!(copies(), [text("third"), text("first")], "the oldest, and the newest");
    home.out(&["connect", "cursor"]);
    home.out(&["disconnect", "cursor"]);
    assert_eq!(home.read(file), text("fourth"));
    assert_eq!(home.read(&format!("{file}.mcpproxy-original")), text("first"));
}

#[test]
fn a_file_that_was_made_is_gone_again_and_nothing_else_is_made() {
    let home = Home::new();
    for (client, name, _) in JSON_CLIENTS {
        home.out(&["connect", client, "--create"]);
        // Beside it, that it is ours to remove.
        assert_eq!(home.names(), [(*name).to_owned(), format!("{name}.mcpproxy-record")]);
        let text = home.read(name);
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        assert!(home.out(&["disconnect", client]).contains("gone"), "{client}");
        assert!(home.names().is_empty(), "{client}");
    }
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        2 => Just(" ".to_owned()),
        2 => Just("\n  ".to_owned()),
        1 => Just("\r\n\t".to_owned()),
        1 => Just(" // \u{e4}, {\n".to_owned()),
        1 => Just("/* } , \u{f6}\n */".to_owned()),
    ]
}

fn object(member: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let members = prop::collection::vec((blanks(), member, blanks(), blanks()), 0..4);
    (members, blanks(), any::<bool>()).prop_map(|(members, end, trails)| {
        let mut out = String::from("{");
        for (at, (before, value, between, after)) in members.iter().enumerate() {
            out += &format!("{before}\"k{at}\"{between}:{value}{after}");
            out += if at + 1 < members.len() || trails { "," } else { "" };
        }
        out + &end + "}"
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever a file looks like: it is given back, or it is refused and not touched.
    #[test]
    fn a_file_of_any_layout_is_given_back(
        first in object(Just("{\"url\":\"u\"}".to_owned()).boxed()),
        lead in blanks(), gap in blanks(), end in blanks(),
        keeps_copy in any::<bool>(), trails in any::<bool>(),
    ) {
        let comma = if trails { "," } else { "" };
        let text = format!("{lead}{{{gap}\"mcpServers\":{first}{comma}{end}}}{gap}");
        let home = Home::new();
        home.write(".cursor/mcp.json", &text);
        home.out(&["connect", "cursor"]);
        let connected = home.read(".cursor/mcp.json");
        let comments =
            |text: &str| (text.matches('\u{e4}').count(), text.matches('\u{f6}').count());
        prop_assert_eq!(comments(&text), comments(&connected));
        let listed = home.out(&["connect", "cursor", "--list", "-o", "json"]);
        prop_assert!(listed.contains("\"connected\": true"), "{}", listed);
        if !keeps_copy {
            fs::remove_file(home.path(".cursor/mcp.json.mcpproxy-backup")).expect("there");
        }
        home.out(&["disconnect", "cursor"]);
        let after = home.read(".cursor/mcp.json");
        if keeps_copy {
            prop_assert_eq!(after, text);
        } else {
            let names = |text: &str| text.matches("\"url\"").count();
            prop_assert_eq!(names(&after), names(&text));
            prop_assert_eq!(comments(&after), comments(&text));
        }
    }
}
