//! `mcpproxy upstream`: both shapes of the config, every other byte kept, nothing secret shown.
#![cfg(feature = "serve")]

use mcpproxy::config::servers;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");

fn run(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(BIN);
    command.arg("--data-dir").arg(dir).arg("upstream").args(words).env_clear();
    command.output().expect("it starts")
}

#[track_caller]
fn out(dir: &Path, words: &[&str]) -> String {
    let output = run(dir, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{words:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn fails(dir: &Path, words: &[&str], code: i32, parts: &[&str]) {
    let output = run(dir, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(output.stdout.is_empty(), "{words:?}");
    assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{words:?}: {part} is not in {said}");
    }
    assert!(!said.contains("SECRET"), "{said}");
}

fn write(dir: &Path, text: &str) {
    let path = dir.join("mcp_config.json");
    fs::write(&path, text).expect("written");
    // As the product makes it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }
}

fn read(dir: &Path) -> String {
    fs::read_to_string(dir.join("mcp_config.json")).expect("read")
}

const MAP: &str = "\u{feff}{\r\n    \"theirs\" : [1.50,  \"\\u00e4\\/\"],\r\n    \"mcpServers\": {\r\n        \"a\": {\r\n            \"command\": \"x\",\r\n            \"theirs\": {\"k\":null}\r\n        },\r\n\r\n        \"b\": { \"url\": \"http://127.0.0.1:9/\", \"disabled\": true }\r\n    },\r\n    \"z\": 1\r\n}\r\n\r\n";
const ARRAY: &str = "{\n\t\"mcpServers\": [\n\t\t{\"name\":\"a\",\"command\":\"x\"},\n\t\t{\n\t\t\t\"name\": \"b\",\n\t\t\t\"url\": \"http://127.0.0.1:9/\",\n\t\t\t\"theirs\": [ ]\n\t\t}\n\t],\n\t\"telemetry\": {\"enabled\": false}\n}";
const ONE_LINE: &str = "{\"mcpServers\":{\"a\":{\"command\":\"x\"},\"b\":{\"url\":\"http://h\"}}}";
const EMPTY: &str = "{\n  \"mcpServers\": {},\n  \"x\": 1\n}\n";

#[test]
fn what_is_added_and_removed_again_leaves_no_trace() {
    for text in [MAP, ARRAY, ONE_LINE, EMPTY] {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), text);
        let add = ["add", "new", "--env", "K=V", "--", "npx", "-y", "server"];
        assert!(out(dir.path(), &add).contains("new"));
        assert_ne!(read(dir.path()), text);
        assert!(out(dir.path(), &["list"]).lines().any(|line| line.starts_with("new ")));
        assert!(out(dir.path(), &["remove", "new"]).contains("new"));
        assert_eq!(read(dir.path()), text);
    }
}

#[test]
fn an_entry_is_written_as_it_was_asked_for() {
    let home = tempfile::tempdir().expect("dir");
    let dir = &home.path().join("new/data");
    out(dir, &["add", "files", "--env", "A=1=2", "--cwd", "~/x", "npx", "--env", "B", "--", "-h"]);
    out(dir, &["add", "web", "--url", "https://h/m", "--header", "X-Key:  ${KEY} ", "--disabled"]);
    let expected = r#"{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["--env", "B", "--", "-h"],
      "env": {
        "A": "1=2"
      },
      "cwd": "~/x"
    },
    "web": {
      "url": "https://h/m",
      "headers": {
        "X-Key": "${KEY}"
      },
      "enabled": false
    }
  }
}
"#;
    assert_eq!(read(dir), expected);
    let mut names: Vec<_> =
        fs::read_dir(dir).expect("read").map(|e| e.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.lock", "mcp_config.json"], "and nothing of telemetry");
}

#[test]
fn a_directory_is_meant_from_here() {
    let dir = tempfile::tempdir().expect("dir");
    out(dir.path(), &["add", "a", "--cwd", "sub", "x"]);
    let root: Value = serde_json::from_str(&read(dir.path())).expect("JSON");
    let here = std::env::current_dir().expect("here").join("sub");
    assert_eq!(root["mcpServers"]["a"]["cwd"].as_str(), here.to_str());
}

#[test]
#[cfg(unix)]
fn a_config_that_is_made_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().expect("dir");
    let dir = home.path().join("data");
    out(&dir, &["add", "a", "--env", "TOKEN=t", "x"]);
    let mode = |path: &Path| fs::metadata(path).expect("stat").permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("mcp_config.json"))), (0o700, 0o600));
}

#[test]
fn a_name_that_is_taken_is_replaced_only_when_asked() {
    for text in [MAP, ARRAY, ONE_LINE] {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), text);
        fails(dir.path(), &["add", "a", "y"], 1, &["\"a\"", "--replace", "upstream remove"]);
        assert_eq!(read(dir.path()), text);
        assert!(out(dir.path(), &["add", "a", "--replace", "y"]).contains("Replaced"));
        let new = read(dir.path());
        assert!(new.contains("\"y\"") && !new.contains("\"x\""), "{new}");
        // In its place, and nothing else has moved.
        let end = |text: &str| text[text.find("\"b\"").expect("b")..].to_owned();
        assert_eq!(end(&new), end(text));
    }
    let dir = tempfile::tempdir().expect("dir");
    assert!(out(dir.path(), &["add", "a", "--replace", "y"]).contains("Added"));
}

#[test]
fn a_name_that_makes_full_names_ambiguous_is_not_added_and_one_in_a_file_is_told_and_removed() {
    for text in [MAP, ARRAY] {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), text);
        for (name, part) in [
            ("github:work", "colon"),
            ("a:", "colon"),
            ("a\u{ff1a}b", "colon"),
            (" a", "blank"),
            ("a ", "blank"),
            ("a\u{200b}", "cannot be seen"),
            ("", "empty"),
        ] {
            for options in [&["add", name, "y"][..], &["add", name, "--replace", "y"]] {
                fails(dir.path(), options, 2, &[part, "upstream add --help"]);
            }
        }
        fails(dir.path(), &["add", "A", "y"], 1, &["\"A\"", "only in case"]);
        assert_eq!(read(dir.path()), text);
    }
    let dir = tempfile::tempdir().expect("dir");
    let text = r#"{"mcpServers":{"github":{"command":"sh"},"github:work":{"command":"y"},"b":{"command":"sh"}}}"#;
    write(dir.path(), text);
    let listed = out(dir.path(), &["list"]);
    let line = |name: &str| listed.lines().find(|line| line.starts_with(name)).expect("listed");
    assert!(line("github:work").contains("problem: the name has a colon"), "{listed}");
    assert!(!line("github ").contains("problem") && !line("b ").contains("problem"), "{listed}");
    out(dir.path(), &["disable", "github:work"]);
    out(dir.path(), &["remove", "github:work"]);
    assert_eq!(read(dir.path()), text.replace(r#""github:work":{"command":"y"},"#, ""));
}

#[test]
fn enabling_and_disabling_change_one_word_each() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), MAP);
    out(dir.path(), &["enable", "b"]);
    let enabled = MAP.replace("\"disabled\": true", "\"disabled\": false, \"enabled\": true");
    assert_eq!(read(dir.path()), enabled);
    out(dir.path(), &["enable", "b"]);
    assert_eq!(read(dir.path()), enabled);
    out(dir.path(), &["disable", "b"]);
    assert_eq!(
        read(dir.path()),
        MAP.replace("\"disabled\": true", "\"disabled\": true, \"enabled\": false")
    );
    write(dir.path(), ARRAY);
    out(dir.path(), &["disable", "a"]);
    assert_eq!(
        read(dir.path()),
        ARRAY.replace("\"command\":\"x\"", "\"command\":\"x\",\"enabled\":false")
    );
    fails(dir.path(), &["enable", "nope"], 1, &["\"nope\"", "upstream list"]);
    fails(dir.path(), &["disable", "nope"], 1, &["\"nope\""]);
    fails(dir.path(), &["remove", "nope"], 1, &["\"nope\""]);
}

#[test]
fn a_list_of_servers_that_is_not_read_is_named() {
    let dir = tempfile::tempdir().expect("dir");
    for (text, parts) in [
        (r#"{"mcpServers":"SECRET"}"#, ["`mcpServers` must be an object", "repair it"]),
        (
            r#"{"mcpservers":{"a":{"command":"SECRET"}}}"#,
            ["`mcpservers` is not read", "`mcpServers`"],
        ),
        (r#"{"servers":{"a":{"command":"SECRET"}}}"#, ["`servers` is not read", "`mcpServers`"]),
    ] {
        write(dir.path(), text);
        fails(dir.path(), &["list"], 1, &parts);
    }
    write(dir.path(), r#"{"servers":{"port":1}}"#);
    assert!(out(dir.path(), &["list"]).contains("No servers"), "another program's own key");
}

#[test]
fn a_command_that_cannot_work_is_not_added() {
    let dir = tempfile::tempdir().expect("dir");
    for (words, parts) in [
        (&["add", "a", "--", "npx -y SECRET"][..], ["whole command line", "`args`"]),
        (&["add", "a", "--", "npx", "-y"], ["name no package", "`args`"]),
        (&["add", "a", "--url", "docker://SECRET"], ["`url` names a container image", "docker"]),
    ] {
        fails(dir.path(), words, 2, &parts);
    }
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0, "nothing is created");
}

#[test]
fn the_list_shows_what_is_there_and_nothing_secret() {
    let dir = tempfile::tempdir().expect("dir");
    assert!(out(dir.path(), &["list"]).contains("upstream add"));
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0, "nothing is created");
    write(
        dir.path(),
        r#"{"mcpServers":[
            {"name":"files","command":"sh","args":["SECRET"],"env":{"K":"SECRET"},"cwd":"/SECRET"},
            {"name":"gone","command":"no-such-program","args":["SECRET"]},
            {"name":"web","url":"https://SECRET:SECRET@h.example:8/SECRET?SECRET","headers":{"K":"SECRET"},
             "enabled":false,"type":"streamable-http"},
            {"name":"old","url":"http://h/SECRET","type":"sse"},
            {"name":"shell","command":"sh -c SECRET\u001b[2J"},
            {"name":"broken","command":["SECRET"]},
            {"command":"SECRET"}
        ]}"#,
    );
    let table = out(dir.path(), &["list"]);
    let expected = "\
NAME    PROTOCOL         ENABLED  CODE                         SERVER
files   stdio            yes      MCPX_CONFIG_INVALID_ENTRY    sh; problem: its working directory (`cwd`) does not exist
gone    stdio            yes      MCPX_STDIO_NOT_FOUND         no-such-program; problem: its command cannot be started: no such command; is it installed and in PATH?
web     streamable_http  no       -                            https://h.example:8
old     sse              yes      MCPX_CONFIG_INVALID_ENTRY    http://h; problem: HTTP with SSE (2024-11-05) is not supported; use streamable HTTP
shell   stdio            yes      MCPX_CONFIG_INVALID_COMMAND  sh ..; problem: `command` is a whole command line; keep only the program in `command`, and write each argument as an item of `args`
broken  auto             yes      MCPX_CONFIG_INVALID_ENTRY    problem: `command` must be a string
#7      auto             yes      MCPX_CONFIG_INVALID_ENTRY    problem: `name` is missing or no string; give the server a name
";
    assert_eq!(table, expected);
    let json = out(dir.path(), &["list", "-o", "json"]);
    assert!(!json.contains("SECRET"), "{json}");
    let root: Value = serde_json::from_str(&json).expect("JSON");
    let web = serde_json::json!({
        "name": "web", "protocol": "streamable_http", "enabled": false, "command": null,
        "url_origin": "https://h.example:8", "state": null, "code": null, "problem": null,
        "retry_at": null, "faults": [],
    });
    assert_eq!(root["servers"][2], web);
    assert_eq!(root["servers"][5]["problem"], "`command` must be a string");
    #[cfg(feature = "cli")]
    {
        let yaml = match cfg!(feature = "cli") {
            true => out(dir.path(), &["list", "-o", "yaml"]),
            false => String::new(),
        };
        assert_eq!(serde_norway::from_str::<Value>(&yaml).expect("YAML"), root);
    }
}

#[test]
fn bad_usage_is_one_line_and_touches_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let long = "n".repeat(129);
    for (words, parts) in [
        (&["add"][..], &["NAME is missing"][..]),
        (&["add", "a"], &["no server", "--url"]),
        (&["add", "a", "--disabled"], &["no server"]),
        (&["add", "a", "--url", "http://h", "x"], &["both"]),
        (&["add", "a", "--url", "ftp://SECRET"], &["http://"]),
        (&["add", "a", "--url", ""], &["`url`"]),
        (&["add", "a", "http://SECRET"], &["--url"]),
        (&["add", "a", ""], &["`command` is empty"]),
        (&["add", "", "x"], &["name is empty"]),
        (&["add", "a\nb", "x"], &["control"]),
        (&["add", &long, "x"], &["128"]),
        (&["add", "a", "--env", "SECRET", "x"], &["NAME=VALUE"]),
        (&["add", "a", "--env", "=SECRET", "x"], &["NAME=VALUE"]),
        (&["add", "a", "--env", "K=1", "--env", "K=SECRET", "x"], &["twice"]),
        (&["add", "a", "--header", "K: SECRET", "x"], &["--url", "--env"]),
        (&["add", "a", "--url", "http://h", "--header", "SECRET"], &["--header", "NAME: VALUE"]),
        (&["add", "a", "--url", "http://h", "--header", "a b: SECRET"], &["HTTP header name"]),
        (&["add", "a", "--url", "http://h", "--env", "K=SECRET"], &["--env"]),
        (&["add", "a", "--url", "http://h", "--cwd", "SECRET"], &["--cwd"]),
        (&["add", "a", "--envv", "x"], &["did you mean --env?"]),
        (&["remove"], &["NAME is missing"]),
        (&["remove", "a", "b"], &["unexpected"]),
        (&["enable"], &["NAME is missing"]),
        (&["list", "a"], &["unexpected"]),
        (&["list", "-o", "xml"], &["json"]),
        (&["lst"], &["did you mean `mcpproxy upstream list`?"]),
        (&["rm"], &["did you mean `mcpproxy upstream remove`?"]),
        (&["list", "--json"], &["use -o json"]),
    ] {
        fails(dir.path(), words, 2, parts);
    }
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0);
}

#[test]
fn a_config_that_cannot_be_read_is_refused_and_untouched() {
    for text in [
        "",
        "{\"SECRET\":1",
        "{} // SECRET",
        "[]",
        "{\"mcpServers\":\"SECRET\"}",
        "{\"mcpServers\":null}",
    ] {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), text);
        for words in [&["add", "a", "x"][..], &["remove", "a"], &["enable", "a"], &["list"]] {
            let file = dir.path().join("mcp_config.json");
            fails(dir.path(), words, 1, &[&file.to_string_lossy(), "repair it"]);
        }
        assert_eq!(read(dir.path()), text);
    }
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), r#"{"mcpServers":[{"name":"a","command":"x"},{"name":"a","command":"y"}]}"#);
    for words in [&["remove", "a"][..], &["disable", "a"], &["add", "a", "--replace", "z"]] {
        fails(dir.path(), words, 1, &["more than one"]);
    }
    write(dir.path(), r#"{"mcpServers":{"a":7}}"#);
    fails(dir.path(), &["enable", "a"], 1, &["`mcpServers.a` must be an object"]);
    out(dir.path(), &["remove", "a"]);
    assert_eq!(read(dir.path()), r#"{"mcpServers":{}}"#);
}

#[test]
fn adding_many_at_once_loses_none() {
    let dir = tempfile::tempdir().expect("dir");
    let children: Vec<_> = (0..8)
        .map(|at| {
            let mut command = Command::new(BIN);
            command.args(["upstream", "add", &format!("s{at}"), "x", "--data-dir"]);
            command.env("MCPPROXY_HOME", dir.path()).stdout(std::process::Stdio::null());
            command.spawn().expect("it starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!(out(dir.path(), &["list"]).lines().count(), 1 + 8);
}

#[test]
fn the_documented_environment_is_the_real_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/upstreams.md");
    let text = fs::read_to_string(path).expect("a document");
    let section = text.split("## Environment of a stdio server").nth(1).expect("a section");
    let (list, _) = section.split_once("Nothing else").expect("a list");
    let everywhere = list.split("on Windows").next().expect("a list");
    let list = if cfg!(windows) { list } else { everywhere };
    // The introduction has a key of the entry in code, too.
    let names: Vec<&str> = list.split('`').skip(1).step_by(2).filter(|n| *n != "env").collect();
    assert_eq!(names, servers::passed_variables().collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_seen_is_spelled_out_in_every_format() {
    let dir = tempfile::tempdir().expect("dir");
    write(
        dir.path(),
        r#"{"mcpServers":{"a":{"command":"x\u202e\u200bsh\u001b[2J"},"b\u202e":{"command":"x"}}}"#,
    );
    let table = out(dir.path(), &["list"]);
    assert!(table.contains(r"x\u202e\u200bsh\u001b[2J"), "{table}");
    let json = out(dir.path(), &["list", "-o", "json"]);
    let yaml = out(dir.path(), &["list", "-o", "yaml"]);
    for shown in [&table, &json, &yaml] {
        let is_hidden = |c: char| matches!(c, '\u{200b}' | '\u{202e}' | '\u{1b}');
        assert!(!shown.contains(is_hidden), "{shown:?}");
    }
    let root: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(root["servers"][0]["command"], "x\u{202e}\u{200b}sh\u{1b}[2J");
    #[cfg(feature = "cli")]
    assert_eq!(serde_norway::from_str::<Value>(&yaml).expect("YAML"), root);
}

#[test]
#[cfg(unix)]
fn a_file_that_others_may_read_and_that_gets_a_secret_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().expect("dir");
    let said = |args: &[&str]| {
        let output = run(dir.path(), args);
        assert!(output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(said(&["add", "own", "--env", "K=SECRET", "--", "x"]), "", "a file of ours is 0600");
    let path = dir.path().join("mcp_config.json");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    for args in [
        &["add", "none", "--", "x"][..],
        &["add", "own", "--replace", "--env", "K=${OWN}", "--", "x"],
        &["add", "page", "--header", "K: Bearer ${OWN}", "--url", "https://h"],
    ] {
        assert_eq!(said(args), "", "{args:?}");
    }
    for (member, args) in [
        ("env", &["add", "env", "--env", "K=SECRET", "--", "x"][..]),
        ("headers", &["add", "web", "--header", "K: SECRET", "--url", "https://h"]),
        ("url", &["add", "query", "--url", "https://h/mcp?key=SECRET"]),
    ] {
        let said = said(args);
        assert_eq!(said.lines().count(), 1, "{said}");
        for part in ["mcp_config.json has mode 0644", "chmod 600", &format!("`{member}`")] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("SECRET"), "{said}");
    }
    if cfg!(feature = "cli") {
        let mut doctor = Command::new(BIN);
        doctor.arg("--data-dir").arg(dir.path()).arg("doctor").env_clear();
        let output = doctor.output().expect("it starts");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        // One of the codes ends so.
        let shown = shown.replace("MCPX_CONFIG_MISSING_SECRET", "");
        assert!(shown.contains("mode 0644") && !shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn relative_paths_are_meant_from_where_the_entry_is_added() {
    let dir = tempfile::tempdir().expect("dir");
    let here = dir.path().join("here");
    fs::create_dir(&here).expect("a directory");
    fs::write(here.join("server.py"), "").expect("a file");
    fs::create_dir(here.join("notes")).expect("a directory");
    let cwd_of = |words: &[&str]| {
        let mut command = Command::new(BIN);
        command.arg("--data-dir").arg(dir.path()).args(["upstream", "add", "--replace", "s"]);
        let added = command.args(words).env_clear().current_dir(&here).output();
        assert!(added.expect("it starts").status.success(), "{words:?}");
        let root: Value = serde_json::from_str(&read(dir.path())).expect("JSON");
        root["mcpServers"]["s"]["cwd"].as_str().map(str::to_owned)
    };
    let here = fs::canonicalize(&here).expect("a path").to_str().map(str::to_owned);
    for words in [
        &["--", "python3", "server.py"][..],
        &["--", "./run"],
        &["--", "bin/run"],
        &["--", "node", "../x.js"],
        &["--", "npx", "-y", "@scope/files", "."],
        &["--", "npx", "-y", "@scope/files", "notes"],
        &["--", "x", "--config=./x.json"],
    ] {
        assert_eq!(cwd_of(words), here, "{words:?}");
    }
    for words in [
        &["--", "npx", "-y", "@scope/server"][..],
        &["--", "/bin/run", "--port", "1"],
        &["--", "~/run", "$HOME"],
    ] {
        assert_eq!(cwd_of(words), None, "{words:?}");
    }
    assert_eq!(cwd_of(&["--cwd", "/srv", "--", "./run"]).as_deref(), Some("/srv"));
    // What was added so names nothing that depends on where the gateway is started.
    assert!(!out(dir.path(), &["list"]).contains("fault"));
}

#[test]
fn what_may_be_wrong_with_an_entry_is_said_and_keeps_it_from_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    for url in ["https://SECRET:SECRET@h.example/SECRET/sse?SECRET", "http://h:1/SSE/"] {
        let output = run(dir.path(), &["add", "--replace", "old", "--url", url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("\"old\"") && said.contains("/sse"), "{said}");
        assert!(said.contains("streamable HTTP") && !said.contains("SECRET"), "{said}");
    }
    for url in ["http://h/mcp", "http://h/sse/mcp", "http://h/x?to=/sse", "http://sse"] {
        out(dir.path(), &["add", "--replace", "new", "--url", url]);
    }
    let old = "https://h/sse";
    write(
        dir.path(),
        &format!(
            r#"{{"mcpServers":{{"old":{{"url":"{old}"}},"node":{{"command":"sh","args":["-r","./SECRET.js"]}},
            "there":{{"command":"./there","cwd":"/"}}}}}}"#
        ),
    );
    let listed: Value =
        serde_json::from_str(&out(dir.path(), &["list", "-o", "json"])).expect("JSON");
    let faults = |at: usize| listed["servers"][at]["faults"].to_string();
    assert!(faults(0).contains("/sse") && faults(1).contains("`args[1]` is a relative path"));
    assert_eq!(faults(2), "[]");
    assert!(!listed.to_string().contains("SECRET"), "{listed}");
    for server in &listed["servers"].as_array().expect("servers")[..2] {
        assert_eq!((&server["problem"], &server["code"]), (&Value::Null, &Value::Null), "{server}");
    }
}
