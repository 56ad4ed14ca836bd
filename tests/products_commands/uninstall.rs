//! `uninstall`: what is ours goes, and nothing else does.

use super::*;
use std::collections::BTreeMap;
use std::fs;

/// Every file below the home directory and the data directory, with what it holds.
fn files(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(at: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(at).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => walk(&entry.path(), found),
                false => drop(found.insert(entry.path(), fs::read(entry.path()).expect("read"))),
            }
        }
    }
    let mut found = BTreeMap::new();
    ["home", "given"].iter().for_each(|name| walk(&home.path(name), &mut found));
    found
}

fn uninstall(home: &Home, words: &[&str]) -> Output {
    home.run_given(&[&["uninstall"], words].concat())
}

/// One product that has sent, and whose host has ended: not in the middle of a request.
fn sent(home: &Home, product: &str, receiver: &Receiver) {
    let mut tap = Tap::of(home, product, "1.4.0", receiver);
    tap.must_send(receiver);
    tap.until(|| home.status(product, &[])["heartbeat"]["last_success"].is_string());
    tap.end();
}

#[test]
fn it_shows_first_removes_with_yes_and_leaves_no_file_behind() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    sent(&home, "notes-mcp", &receiver);
    succeeds(&home.run_given(&["telemetry", "reset-id"]));
    let before = files(&home);
    let shown = succeeds(&uninstall(&home, &[]));
    for part in ["install.json: id and notice", "sent: copies", "in it the id alone", "--yes"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(shown.contains("Collectors keep what they received of notes-mcp"), "{shown}");
    assert_eq!(files(&home), before, "to look at it removes nothing");
    succeeds(&uninstall(&home, &["--yes"]));
    assert_eq!(files(&home), BTreeMap::new());
    assert!(!home.path("given").exists());
    let again = succeeds(&uninstall(&home, &["--yes"]));
    assert!(again.contains("nothing of mcpproxy to remove"), "{again}");
    assert!(!home.path("given").exists() && !home.path("home/.mcpproxy").exists());
}

#[test]
fn what_is_not_ours_stays_and_so_does_the_opt_out_until_it_is_named() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    write(
        &home.given_config(),
        r#"{"mcpServers": {"a": {"command": "x"}}, "telemetry": {"endpoint": "https://t.example.org"}}"#,
    );
    sent(&home, "notes-mcp", &receiver);
    sent(&home, "@acme/files", &receiver);
    succeeds(&home.run_given(&["telemetry", "reset-id"]));
    succeeds(&home.run_given(&["telemetry", "disable"]));
    succeeds(&home.run_given(&["telemetry", "disable", "--product", "notes-mcp"]));
    let of_notes = home.path("given/products/notes-mcp");
    let place = fs::read_dir(&of_notes).expect("listed").next().expect("one").expect("read").path();
    for file in ["sent/letter.txt", "diary.txt"] {
        write(&place.join(file), "mine");
    }
    // One product alone.
    let others = home.path("given/products/acme.files");
    let kept = |at: &Path| -> Vec<_> {
        files(&home).into_iter().filter(|(path, _)| path.starts_with(at)).collect()
    };
    let before = kept(&others);
    succeeds(&uninstall(&home, &["--product", "notes-mcp", "--yes"]));
    let left: Vec<PathBuf> = kept(&of_notes).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [place.join("diary.txt"), place.join("sent/letter.txt")]);
    assert_eq!(kept(&others), before);
    assert!(read(&home.given_config()).contains("anonymous_id"), "that of mcpproxy itself");
    // All of them.
    succeeds(&uninstall(&home, &["--yes"]));
    assert!(!others.exists());
    let config: Value = serde_json::from_str(&read(&home.given_config())).expect("JSON");
    let expected = serde_json::json!({
        "mcpServers": {"a": {"command": "x"}},
        "telemetry": {
            "endpoint": "https://t.example.org",
            "enabled": false,
            "products": {"notes-mcp": {"enabled": false}}
        }
    });
    assert_eq!(config, expected);
    let users = read(&home.users_config());
    succeeds(&uninstall(&home, &["--yes", "--with-opt-out"]));
    let config: Value = serde_json::from_str(&read(&home.given_config())).expect("JSON");
    assert_eq!(config["telemetry"], serde_json::json!({"endpoint": "https://t.example.org"}));
    assert_eq!(read(&home.users_config()), users, "what was said for every data directory");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_and_keeps_its_bytes() {
    let home = Home::new();
    write(&home.given_config(), "{broken");
    let shown = succeeds(&uninstall(&home, &["--yes"]));
    assert!(shown.contains("What stays") && shown.contains("repair it or move it away"), "{shown}");
    assert_eq!(read(&home.given_config()), "{broken");
}

/// It would count on, under an id that it makes again.
#[test]
fn while_a_host_runs_nothing_is_removed() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    let mut tap = Tap::of(&home, "notes-mcp", "1.4.0", &receiver);
    tap.must_send(&receiver);
    let shown = succeeds(&uninstall(&home, &[]));
    assert!(shown.contains("a host of notes-mcp is running"), "{shown}");
    fails(
        &uninstall(&home, &["--yes"]),
        &["nothing was removed", "a host of notes-mcp is running"],
    );
    tap.must_send(&receiver);
    tap.end();
    succeeds(&uninstall(&home, &["--yes"]));
    assert!(!home.path("given").exists());
}

#[test]
fn with_forget_nothing_is_removed_before_the_collector_has_erased_it() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    sent(&home, "notes-mcp", &receiver);
    let words = ["--forget", "--yes"];
    fails(&uninstall(&home, &words), &["before the rest was removed", "does not know erasure"]);
    let of_notes = home.path("given/products/notes-mcp");
    let place = fs::read_dir(&of_notes).expect("listed").next().expect("one").expect("read").path();
    // Without a readable id it cannot be erased, and the copies are the last that know it.
    let file = read(&place.join("install.json"));
    write(&place.join("install.json"), "{");
    fails(&uninstall(&home, &words), &["before the rest was removed", "install.json"]);
    assert!(place.join("sent").exists());
    write(&place.join("install.json"), &file);
    receiver.erase();
    succeeds(&uninstall(&home, &words));
    assert!(!home.path("given/products").exists());
    let asked = receiver.requests().iter().filter(|sent| sent.line.starts_with("DELETE ")).count();
    assert_eq!(asked, 2);
    assert!(
        read(&home.given_config()).contains("notes-mcp"),
        "the opt-out that comes with it stays"
    );
}

#[cfg(feature = "full")]
#[test]
fn entries_of_connect_and_what_was_put_aside_go_and_foreign_ones_stay() {
    let home = Home::new();
    let clients = [
        (".claude.json", r#"{"mcpServers": {"notes": {"command": "node", "args": ["n.js"]}}}"#),
        (".cursor/mcp.json", r#"{"mcpServers": {"b": {"command": "node"}}}"#),
        (
            ".codex/config.toml",
            "[mcp_servers.mcpproxy]\ncommand = \"mcpproxy\"\nargs = [\"serve\", \"--stdio\"]\n",
        ),
    ];
    for (name, text) in clients {
        write(&home.path("home").join(name), text);
    }
    fs::create_dir(home.path("home/.claude")).expect("made");
    let original = files(&home);
    succeeds(&home.run(&["connect", "claude-code"]));
    succeeds(&home.run(&["connect", "claude-code", "--wrap", "notes"]));
    succeeds(&home.run(&["connect", "cursor"]));
    assert!(files(&home).len() > original.len());
    // Another program writes in between: the original can no longer be given back to the byte.
    let cursor = home.path("home/.cursor/mcp.json");
    let edited =
        read(&cursor).replace(r#""b": {"command": "node"}"#, r#""b": {"command": "deno"}"#);
    fs::write(&cursor, edited).expect("written");
    let shown = succeeds(&home.run(&["uninstall"]));
    for part in
        ["the entry `mcpproxy` of Cursor", "in front of \"notes\" of Claude Code", "put aside"]
    {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let stays = shown.split_once("What stays:").expect("what stays").1;
    assert!(stays.contains("config.toml: no record says"), "{shown}");
    let done = home.run(&["uninstall", "--yes"]);
    fails(&done, &["config.toml", "no record says"]);
    let again = succeeds(&home.run(&["uninstall", "--yes"]));
    assert!(again.contains("nothing of mcpproxy to remove") && again.contains("no record says"));
    let mut expected = original;
    let text = r#"{"mcpServers": {"b": {"command": "deno"}}}"#;
    let left = files(&home);
    let edited = left.get(&cursor).expect("it is there");
    let edited: Value = serde_json::from_slice(edited).expect("JSON");
    assert_eq!(edited, serde_json::from_str::<Value>(text).expect("JSON"));
    expected.insert(cursor.clone(), left[&cursor].clone());
    assert_eq!(left, expected);
}

/// The copy that was put aside may be the last one of what the user wrote.
#[cfg(feature = "full")]
#[test]
fn an_original_stays_where_the_file_is_gone_or_cannot_be_read() {
    let home = Home::new();
    let text = r#"{"mcpServers": {"b": {"command": "node"}}}"#;
    let cursor = home.path("home/.cursor/mcp.json");
    write(&cursor, text);
    succeeds(&home.run(&["connect", "cursor"]));
    let connected = read(&cursor);
    let original = home.path("home/.cursor/mcp.json.mcpproxy-backup");
    let cases = [(None, "is gone"), (Some(connected.split_at(60).0), "not valid JSON")];
    for (left, why) in cases {
        match left {
            Some(left) => write(&cursor, left),
            None => fs::remove_file(&cursor).expect("removed"),
        }
        let before = files(&home);
        for words in [&["uninstall"][..], &["uninstall", "--yes"]] {
            let shown = succeeds(&home.run(words));
            assert!(shown.contains("mcp.json") && shown.contains(why), "{shown}");
        }
        assert_eq!(files(&home), before);
    }
    assert_eq!(read(&original), text);
    write(&cursor, &connected);
    succeeds(&home.run(&["uninstall", "--yes"]));
    assert_eq!(read(&cursor), text);
    assert!(!original.exists());
}

/// A person has two gateways, each with a data directory of its own.
#[cfg(feature = "full")]
#[test]
fn what_belongs_to_another_data_directory_stays() {
    let home = Home::new();
    let run = |words: &[&str]| {
        let mut command = home.command(words);
        command.env("XDG_CURRENT_DESKTOP", "GNOME").env("DISPLAY", ":0");
        command.output().expect("it starts")
    };
    let given = home.path("given");
    let given = given.to_str().expect("UTF-8");
    let (claude, cursor) = (home.path("home/.claude.json"), home.path("home/.cursor/mcp.json"));
    let text = r#"{"mcpServers": {"notes": {"command": "node", "args": ["n.js"]}, "b": {"command": "node"}}}"#;
    write(&claude, text);
    write(&cursor, r#"{"mcpServers": {}}"#);
    fs::create_dir(home.path("home/.claude")).expect("made");
    // Of the user's own directory: an entry and the login. Of the other: an entry, and one of two wraps of a file.
    succeeds(&run(&["connect", "claude-code"]));
    succeeds(&run(&["connect", "claude-code", "--wrap", "notes"]));
    succeeds(&run(&["connect", "claude-code", "--wrap", "b", "--data-dir", given]));
    succeeds(&run(&["connect", "cursor", "--data-dir", given]));
    succeeds(&run(&["autostart", "enable"]));
    let entry = home.path("home/.config/autostart/mcpproxy.desktop");
    let login = read(&entry);
    let shown = succeeds(&run(&["uninstall", "--data-dir", given]));
    let (goes, stays) = shown.split_once("What stays:").expect("what stays");
    for part in ["of Cursor", "in front of \"b\" of Claude Code"] {
        assert!(goes.contains(part), "{part} is not in {goes}");
    }
    let others = ["the entry `mcpproxy` of Claude Code", "in front of \"notes\"", "at login"];
    for part in others {
        assert!(!goes.contains(part) && stays.contains(part), "{part}: {shown}");
    }
    succeeds(&run(&["uninstall", "--data-dir", given, "--yes"]));
    assert_eq!(read(&entry), login);
    assert_eq!(read(&cursor), r#"{"mcpServers": {}}"#);
    let left: Value = serde_json::from_str(&read(&claude)).expect("JSON");
    let servers = &left["mcpServers"];
    assert_eq!(servers["b"], serde_json::json!({"command": "node"}));
    assert_eq!(servers["notes"]["args"][0], "tap");
    assert!(servers["mcpproxy"].is_object());
    assert!(home.path("home/.claude.json.mcpproxy-backup").exists(), "it is of use");
    // And the other way round.
    succeeds(&run(&["connect", "cursor", "--data-dir", given]));
    let connected = read(&cursor);
    succeeds(&run(&["uninstall", "--yes"]));
    assert_eq!(read(&cursor), connected);
    assert_eq!(read(&claude), text);
    assert!(!entry.exists());
    // An entry at login that names its directory.
    succeeds(&run(&["autostart", "enable", "--data-dir", given]));
    let login = read(&entry);
    succeeds(&run(&["uninstall", "--yes"]));
    assert_eq!(read(&entry), login);
    succeeds(&run(&["uninstall", "--data-dir", given, "--yes"]));
    assert!(!entry.exists());
}

#[cfg(feature = "full")]
#[test]
fn the_entry_at_login_goes_and_one_that_is_written_by_hand_stays() {
    let home = Home::new();
    let run = |words: &[&str]| {
        let mut command = home.command(words);
        command.env("XDG_CURRENT_DESKTOP", "GNOME").env("DISPLAY", ":0");
        command.output().expect("it starts")
    };
    let entry = home.path("home/.config/autostart/mcpproxy.desktop");
    succeeds(&run(&["autostart", "enable"]));
    assert!(entry.exists());
    let shown = succeeds(&run(&["uninstall", "--yes"]));
    assert!(shown.contains("the entry that starts it at login"), "{shown}");
    assert!(!entry.exists());
    let text = "[Desktop Entry]\nType=Application\nName=mine\nExec=/opt/mine serve\n";
    write(&entry, text);
    let shown = succeeds(&run(&["uninstall", "--yes"]));
    assert!(shown.contains("nothing of mcpproxy to remove"), "{shown}");
    assert!(shown.contains("`mcpproxy autostart enable` did not write"), "{shown}");
    assert_eq!(read(&entry), text);
}

/// `uninstall` at a terminal where this is typed at once, a line for each question; what it showed.
fn at_a_terminal(home: &Home, typed: &str) -> Option<String> {
    let works = Command::new("python3").args(["-c", "import pty; pty.openpty()"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skipped!("the questions at a terminal: python3 with pty is missing");
        return None;
    }
    let script = "import os, pty, sys\n\
        pid, fd = pty.fork()\n\
        if pid == 0: os.execv(sys.argv[2], sys.argv[2:])\n\
        os.write(fd, sys.argv[1].encode())\n\
        out = b''\n\
        while True:\n\
        \x20   try: part = os.read(fd, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not part: break\n\
        \x20   out += part\n\
        os.waitpid(pid, 0)\n\
        sys.stdout.buffer.write(out)";
    let command = home.command(&[]);
    let mut python = Command::new("python3");
    python.args(["-c", script, typed, MCPPROXY, "uninstall", "--data-dir"]);
    python.arg(home.path("given")).env_clear().stdin(Stdio::null());
    python.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(String::from_utf8_lossy(&python.output().expect("it runs").stdout).into_owned())
}

#[test]
fn at_a_terminal_it_asks_and_only_a_clear_yes_removes() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    receiver.erase();
    sent(&home, "notes-mcp", &receiver);
    let before = files(&home);
    for typed in ["n\nn\n", "\n\n", "n\nwhat\n"] {
        let Some(said) = at_a_terminal(&home, typed) else { return };
        assert!(said.contains("Ask them to erase it first? [y/N]"), "{said}");
        assert!(said.contains("Remove all of this? [y/N]"), "{said}");
        assert!(said.contains("Nothing was removed."), "{said}");
        assert_eq!(files(&home), before, "{typed:?}");
    }
    let said = at_a_terminal(&home, "y\nYES\n").expect("a terminal");
    assert!(said.contains("erased what it received") && said.contains("Removed."), "{said}");
    assert!(!home.path("given/products").exists());
    let last = receiver.requests().pop().expect("requests").line;
    assert_eq!(last, "DELETE /installs HTTP/1.1");
}
