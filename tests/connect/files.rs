//! Modes, links, places: what a client's file is besides its bytes.
#![cfg(unix)]

use crate::home::{BIN, CODEX, Home};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

const TEXT: &str = "{\"mcpServers\": {}}\n";

#[test]
fn the_file_keeps_its_mode_and_the_copy_is_private() {
    let home = Home::new();
    home.write(".cursor/mcp.json", TEXT);
    let mode =
        |name: &str| fs::metadata(home.path(name)).expect("there").permissions().mode() & 0o777;
    fs::set_permissions(home.path(".cursor/mcp.json"), fs::Permissions::from_mode(0o664))
        .expect("set");
    home.out(&["connect", "cursor"]);
    assert_eq!(mode(".cursor/mcp.json"), 0o664);
    assert_eq!(mode(".cursor/mcp.json.mcpproxy-backup"), 0o600);
    home.out(&["disconnect", "cursor"]);
    assert_eq!(mode(".cursor/mcp.json"), 0o664);
    home.out(&["connect", "gemini", "--create"]);
    assert_eq!(mode(".gemini/settings.json"), 0o600);
}

#[test]
fn a_link_stays_a_link_and_its_target_is_changed() {
    let home = Home::new();
    home.write("dotfiles/cursor.json", TEXT);
    fs::create_dir(home.path(".cursor")).expect("made");
    symlink("../dotfiles/cursor.json", home.path(".cursor/mcp.json")).expect("linked");
    home.out(&["connect", "cursor"]);
    assert!(home.path(".cursor/mcp.json").is_symlink());
    assert!(home.read("dotfiles/cursor.json").contains("serve"));
    home.out(&["disconnect", "cursor"]);
    assert!(home.path(".cursor/mcp.json").is_symlink());
    assert_eq!(home.read("dotfiles/cursor.json"), TEXT);

    fs::remove_file(home.path("dotfiles/cursor.json")).expect("there");
    home.fails(&["connect", "cursor"], 1, &["~/.cursor/mcp.json", "link"]);
}

#[test]
fn what_is_no_file_or_cannot_be_understood_is_left_alone() {
    let home = Home::new();
    for (text, why) in [
        ("{\"mcpServers\": {\"a\": SECRET}}", "not valid JSON"),
        ("{\"mcpServers\": [\"SECRET\"]}", "`mcpServers` must be an object"),
        ("[\"SECRET\"]", "not a JSON object"),
        (
            "{\"mcpServers\": {\"mcpproxy\": {\"command\": \"SECRET\"}}}",
            "does not start this program",
        ),
        ("{/* SECRET", "not valid JSON"),
    ] {
        home.write(".cursor/mcp.json", text);
        home.fails(&["connect", "cursor"], 1, &["Cursor", "~/.cursor/mcp.json", why]);
        assert_eq!(home.names(), [".cursor/mcp.json"]);
        assert_eq!(home.read(".cursor/mcp.json"), text);
        home.out(&["connect", "--list"]);
    }
    for (text, why) in [
        ("a = SECRET", "line 1"),
        ("mcp_servers = 1", "must be a table"),
        ("mcp_servers = { a = { url = \"SECRET\" } }", "by hand"),
    ] {
        home.write(CODEX, text);
        home.fails(&["connect", "codex"], 1, &["Codex", why]);
        assert_eq!(home.read(CODEX), text);
    }
    fs::create_dir_all(home.path(".gemini/settings.json")).expect("made");
    home.fails(&["connect", "gemini"], 1, &["not a regular file"]);
}

#[test]
fn a_variable_or_an_option_leads_elsewhere() {
    let home = Home::new();
    home.write("work/config.toml", "");
    let mut command = home.command(&["connect", "codex"]);
    assert!(
        command.env("CODEX_HOME", home.path("work")).output().expect("it starts").status.success()
    );
    assert!(home.read("work/config.toml").contains(&format!("command = \"{BIN}\"")));
    home.write("project/.mcp.json", TEXT);
    home.out(&["connect", "claude-code", "--config", "project/.mcp.json"]);
    assert!(home.read("project/.mcp.json").contains("\"type\": \"stdio\""));
    home.out(&["disconnect", "claude-code", "--config", "project/.mcp.json"]);
    assert_eq!(home.read("project/.mcp.json"), TEXT);
}

#[test]
fn an_entry_starts_the_program_by_the_name_that_path_has_for_it() {
    let home = Home::new();
    fs::create_dir(home.path("bin")).expect("made");
    symlink(BIN, home.path("bin/mcpproxy")).expect("linked");
    home.write(".cursor/mcp.json", TEXT);
    let mut command = home.command(&["connect", "cursor"]);
    assert!(command.env("PATH", home.path("bin")).output().expect("it starts").status.success());
    let linked = home.path("bin/mcpproxy");
    assert!(home.read(".cursor/mcp.json").contains(&linked.display().to_string()));
    // From elsewhere it is another path, and the entry follows.
    home.out(&["connect", "cursor"]);
    assert!(home.read(".cursor/mcp.json").contains(BIN));
    home.out(&["disconnect", "cursor"]);
    assert_eq!(home.read(".cursor/mcp.json"), TEXT);
}
