//! Servers that Claude Code keeps for single projects: in `~/.claude.json`, and in a `.mcp.json` of the project.

use crate::home::{BIN, Home};
use serde_json::{Value, json};
use std::fs;

const CLAUDE: &str = ".claude.json";

/// A file as Claude Code writes it, odd in every part that is not ours; `@` is the home directory.
const FILE: &str = "{\n  \"numStartups\": 41,\r\n  \"cut\": \"\\ud83d\", \"big\": 1e999,\n  \"mcpServers\": {\n    \"all\": {\"command\": \"npx\", \"args\": [\"all\"]}\n  },\n\
    \t\"projects\": {\n    \"@/one\": { \"allowedTools\": [ ], \"history\": [{\"display\": \"SECRET \\\"mcpServers\\\": {\"}],\n\
    \x20     \"mcpServers\": {\n        \"db\": {\n          \"type\": \"stdio\",\n          \"command\": \"\\u006epx\",\n          \"args\": [ \"-y\",  \"db\" ],\n          \"env\": { \"T\": \"SECRET\" }\n        },\n\
    \x20       \"web\":{\"type\":\"http\",\"url\":\"https://h/SECRET\"}, \"shared\": {\"command\": \"one\"} }, \"lastCost\": 0.10 },\n\
    \x20   \"@/two\": {\"mcpServers\": {\"shared\": {\"command\": \"two\", \"args\": []}}, \"x\": null},\n    \"@/three\": {\"mcpServers\": {}},\n    \"@/four\": {\"mcpServers\": \"none\"}, \"@/gone\": 1\n  }\n}";

const PROJECT_FILE: &str = "{\r\n\t\"mcpServers\" : { \"team\" : { \"command\" : \"uvx\" , \"args\" : [ \"SECRET\" ] } }\r\n}\r\n";

fn home() -> Home {
    let home = Home::new();
    home.write(CLAUDE, &text(&home));
    home.write("three/.mcp.json", PROJECT_FILE);
    home
}

fn text(home: &Home) -> String {
    FILE.replace('@', home.path("").to_str().expect("UTF-8").trim_end_matches('/'))
}

fn dir(home: &Home, name: &str) -> String {
    home.path(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn servers_of_projects_are_listed_with_nothing_else_of_them() {
    let home = home();
    let listed: Value =
        serde_json::from_str(&home.out(&["connect", "claude-code", "--list", "-o", "json"]))
            .expect("JSON");
    let client = &listed["clients"][0];
    assert_eq!((&client["wrapped"], &client["unwrapped"]), (&json!([]), &json!(["all"])));
    let file = dir(&home, CLAUDE);
    let project = |name: &str, config: &str, servers: Value| {
        json!({"directory": dir(&home, name), "config": config, "wrapped": [],
               "unwrapped": servers, "problem": null})
    };
    let expected = json!([
        project("one", &file, json!(["db", "web", "shared"])),
        project("two", &file, json!(["shared"])),
        project("three", &dir(&home, "three/.mcp.json"), json!(["team"])),
    ]);
    assert_eq!(client["projects"], expected);
    let table = home.out(&["connect", "--list"]);
    for line in [
        "claude-code     no         ~/.claude.json",
        "claude-code     project    ~/.claude.json for ~/one",
        "claude-code     project    ~/three/.mcp.json",
    ] {
        assert!(table.lines().any(|it| it.starts_with(line)), "{line}: {table}");
    }
    // A file that cannot be read is named, and takes nothing from the others.
    home.write("three/.mcp.json", "{\"mcpServers\": [");
    let table = home.out(&["connect", "claude-code", "--list"]);
    assert!(table.contains("~/three/.mcp.json") && table.contains("problem: it is not valid JSON"));
    assert!(table.contains("db, web, shared"), "{table}");
    let words = ["connect", "claude-code", "--wrap", "team", "--project", "three"];
    home.fails(&words, 1, &["~/three/.mcp.json", "not valid JSON"]);
}

#[test]
fn one_server_of_one_project_is_wrapped_and_every_other_byte_stays() {
    let home = home();
    let before = text(&home);
    let said = home.out(&["connect", "claude-code", "--wrap", "db"]);
    assert!(said.contains("\"db\" of Claude Code for ~/one"), "{said}");
    let wrapped = before
        .replace("\"\\u006epx\"", &format!("\"{BIN}\""))
        .replace("[ \"-y\",  \"db\" ]", "[ \"tap\",  \"--\",  \"\\u006epx\",  \"-y\",  \"db\" ]");
    assert_eq!(home.read(CLAUDE), wrapped);
    assert!(home.out(&["connect", "claude-code", "--wrap", "db"]).contains("already"));
    assert!(home.out(&["connect", "claude-code", "--list"]).contains("db (wrapped), web, shared"));
    home.out(&["disconnect", "claude-code", "--wrap", "db", "--dry-run"]);
    home.out(&["disconnect", "claude-code", "--wrap", "db"]);
    assert_eq!(home.read(CLAUDE), before);
    assert_eq!(home.names(), [CLAUDE, "three/.mcp.json"]);
}

#[test]
fn a_file_of_a_project_is_wrapped_and_given_back() {
    let home = home();
    let said = home.out(&["connect", "claude-code", "--wrap", "team"]);
    assert!(said.contains("~/three/.mcp.json"), "{said}");
    assert_eq!(home.read(CLAUDE), text(&home));
    let file: Value = serde_json::from_str(&home.read("three/.mcp.json")).expect("JSON");
    assert_eq!(file["mcpServers"]["team"]["args"], json!(["tap", "--", "uvx", "SECRET"]));
    home.out(&["disconnect", "claude-code", "--wrap", "team"]);
    assert_eq!(home.read("three/.mcp.json"), PROJECT_FILE);
    assert_eq!(home.names(), [CLAUDE, "three/.mcp.json"]);
    // Of a project that Claude Code does not know: the one that is named, and the one that the user stands in.
    home.write("five/.mcp.json", &PROJECT_FILE.replace("team", "other"));
    home.fails(&["connect", "claude-code", "--wrap", "other"], 1, &["no server of that name"]);
    home.out(&["connect", "claude-code", "--wrap", "other", "--project", "five"]);
    let mut here = home.command(&["disconnect", "claude-code", "--wrap", "other"]);
    assert!(here.current_dir(home.path("five")).output().expect("it starts").status.success());
    assert_eq!(home.read("five/.mcp.json"), PROJECT_FILE.replace("team", "other"));
}

#[test]
fn a_name_that_several_projects_have_needs_the_project() {
    let home = home();
    let both = &["--project", "~/one, ~/two"];
    home.fails(&["connect", "claude-code", "--wrap", "shared"], 1, both);
    home.out(&["connect", "claude-code", "--wrap", "shared", "--project", "two"]);
    let root: Value = serde_json::from_str(&wrapped_part(&home)).expect("JSON");
    assert_eq!(root["shared"]["args"], json!(["tap", "--", "two"]));
    assert!(home.read(CLAUDE).contains("\"shared\": {\"command\": \"one\"}"));
    // Only one of them is wrapped: that one is meant.
    home.out(&["disconnect", "claude-code", "--wrap", "shared"]);
    assert_eq!(home.read(CLAUDE), text(&home));
    home.fails(&["disconnect", "claude-code", "--wrap", "shared"], 1, both);
    for words in [&["connect", "claude-code"][..], &["disconnect", "claude-code"]] {
        home.fails(&[words, &["--project", "one"]].concat(), 2, &["--wrap"]);
        let words = [words, &["--wrap", "all", "--project"]].concat();
        home.fails(&[&*words, &["one"]].concat(), 1, &["no server of that name"]);
        home.fails(&[&*words, &["nowhere"]].concat(), 1, &["no server of that name"]);
    }
    home.write(".cursor/mcp.json", "{\"mcpServers\": {\"a\": {\"command\": \"x\"}}}");
    let words = ["connect", "cursor", "--wrap", "a", "--project", "one"];
    home.fails(&words, 1, &["no servers for single projects"]);
    assert_eq!(home.names(), [CLAUDE, ".cursor/mcp.json", "three/.mcp.json"]);
}

/// The servers of the project `two`.
fn wrapped_part(home: &Home) -> String {
    let text = home.read(CLAUDE).replace("\\ud83d", "").replace("1e999", "1");
    let root: Value = serde_json::from_str(&text).expect("JSON");
    root["projects"][dir(home, "two")]["mcpServers"].to_string()
}

#[test]
fn entry_and_wraps_for_all_and_for_projects_are_taken_back_in_any_order() {
    let wraps: [&[&str]; 4] = [
        &[],
        &["--wrap", "all"],
        &["--wrap", "shared", "--project", "one"],
        &["--wrap", "shared", "--project", "two"],
    ];
    for (made, undone) in
        [([0, 1, 2, 3], [3, 2, 1, 0]), ([3, 1, 2, 0], [0, 2, 3, 1]), ([2, 0, 3, 1], [2, 1, 0, 3])]
    {
        let home = home();
        for at in made {
            home.out(&[&["connect", "claude-code"], wraps[at]].concat());
        }
        for at in undone {
            home.out(&[&["disconnect", "claude-code"], wraps[at]].concat());
        }
        assert_eq!(home.read(CLAUDE), text(&home), "{made:?} {undone:?}");
        assert_eq!(home.names(), [CLAUDE, "three/.mcp.json"]);
    }
    // Claude Code writes its file all the time: what it wrote since stays.
    let home = home();
    home.out(&["connect", "claude-code", "--wrap", "db"]);
    let later = |text: &str| text.replace("\"numStartups\": 41", "\"numStartups\": 42");
    home.write(CLAUDE, &later(&home.read(CLAUDE)));
    home.out(&["disconnect", "claude-code", "--wrap", "db"]);
    assert_eq!(home.read(CLAUDE), later(&text(&home)));
}

#[test]
fn wraps_of_projects_count_and_an_uninstall_takes_them_out() {
    let home = home();
    let counted = || {
        let status = home.run(&["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        status["activation"]["configured_ide_count"].as_u64()
    };
    assert_eq!(counted(), Some(0));
    home.out(&["connect", "claude-code", "--wrap", "db"]);
    home.out(&["connect", "claude-code", "--wrap", "team"]);
    assert_eq!(counted(), Some(1));
    let shown = String::from_utf8(home.run(&["uninstall"]).stdout).expect("UTF-8");
    assert!(shown.contains("\"db\" of Claude Code for ~/one"), "{shown}");
    assert!(shown.contains("~/three/.mcp.json: `mcpproxy tap` in front of \"team\""), "{shown}");
    let done = home.run(&["uninstall", "--yes"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(home.read(CLAUDE), text(&home));
    assert_eq!(home.read("three/.mcp.json"), PROJECT_FILE);
    let left = fs::read_dir(home.path("three")).expect("read").count();
    assert_eq!(left, 1, "copies of the original are gone");
}
