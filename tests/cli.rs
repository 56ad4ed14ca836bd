//! The command line: help, usage errors, exit codes, results as a whole.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BIN);
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().expect("it starts")
}

fn out(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stderr.is_empty(), "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn fails(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    assert!(said.starts_with("mcpproxy"), "{said}");
    for word in words {
        assert!(said.contains(word), "{args:?}: {word} is not in {said}");
    }
}

#[test]
fn usage_errors_are_one_line_that_says_what_where_and_how() {
    fails(&["telemetry", "stauts"], 2, &["did you mean `mcpproxy telemetry status`?"]);
    fails(&["detct"], 2, &["did you mean `mcpproxy detect`?"]);
    fails(&["zzzzzz"], 2, &["unknown command", "mcpproxy help"]);
    fails(
        &["telemetry", "status", "--outptu", "json"],
        2,
        &["telemetry status:", "did you mean --output?"],
    );
    fails(&["telemetry", "status", "-x"], 2, &["unknown option -x"]);
    fails(&["telemetry", "status", "-o"], 2, &["'-o'"]);
    fails(&["telemetry", "status", "-o", "xml"], 2, &["xml", "json"]);
    fails(&["telemetry", "status", "surplus"], 2, &["surplus"]);
    fails(&["telemetry", "status", "--data-dir"], 2, &["--data-dir"]);
    fails(&["telemetry", "disable", "--now"], 2, &["--now"]);
    fails(&["--unknown"], 2, &["--unknown"]);
    fails(&["help", "nothing"], 2, &["nothing"]);
}

#[test]
fn a_group_without_a_command_shows_its_help_and_telemetry_its_status() {
    assert_eq!(out(&[]), out(&["help"]));
    assert_eq!(out(&["--data-dir", "x"]), out(&["help"]));
    if cfg!(feature = "serve") {
        assert_eq!(out(&["upstream"]), out(&["upstream", "--help"]));
    }
    let dir = tempfile::tempdir().expect("dir");
    let dir = dir.path().to_str().expect("UTF-8");
    let status = out(&["telemetry", "status", "--data-dir", dir]);
    assert_eq!(out(&["--data-dir", dir, "telemetry"]), status);
    assert!(status.contains("Data directory:"), "{status}");
}

#[cfg(feature = "cli")]
#[test]
fn what_other_programs_call_it_is_answered_with_our_word() {
    for (typed, hint) in [
        (&["on"][..], "`mcpproxy telemetry enable`"),
        (&["off"], "`mcpproxy telemetry disable`"),
        (&["telemetry", "off"], "`mcpproxy telemetry disable`"),
        (&["status"], "`mcpproxy telemetry status`"),
        (&["stauts"], "`mcpproxy telemetry status`"),
        (&["show-payload"], "`mcpproxy telemetry show-payload`"),
        (&["version"], "`mcpproxy --version`"),
        (&["telemetry", "status", "--json"], "use -o json"),
        (&["telemetry", "status", "--format=json"], "use -o FORMAT"),
        (&["detect", "--yaml"], "use -o yaml"),
    ] {
        fails(typed, 2, &[hint]);
    }
    if cfg!(feature = "serve") {
        fails(&["upstream", "rm", "x"], 2, &["`mcpproxy upstream remove`"]);
        fails(&["serve", "--port", "99"], 2, &["use --listen 127.0.0.1:99"]);
        fails(&["serve", "--port=99"], 2, &["use --listen 127.0.0.1:99"]);
    }
}

#[cfg(feature = "cli")]
#[test]
fn quiet_answers_a_script_by_its_exit_code() {
    let dir = tempfile::tempdir().expect("dir");
    let quiet = |product: &[&str], on: bool| {
        let endpoint = if on { "http://127.0.0.1:9/heartbeat" } else { "" };
        let mut command = command(&["telemetry", "status", "-q", "--data-dir"]);
        command.arg(dir.path()).args(product).env("MCPPROXY_TELEMETRY_ENDPOINT", endpoint);
        let output = command.output().expect("it starts");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
        output.status.code()
    };
    for product in [&[][..], &["--product", "mcpproxy"]] {
        assert_eq!((quiet(product, true), quiet(product, false)), (Some(0), Some(1)));
    }
}

#[cfg(all(feature = "cli", feature = "serve"))]
#[test]
fn a_command_names_the_file_and_a_host_whose_words_go_to_a_log_does_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("dir");
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir.path(), private).expect("private");
    std::fs::write(dir.path().join("mcp_config.json"), "{").expect("written");
    let said = |words: &[&str]| {
        let mut command = command(words);
        let output = command.arg("--data-dir").arg(dir.path()).output().expect("it starts");
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let path = dir.path().to_str().expect("UTF-8");
    let command = said(&["upstream", "list"]);
    assert!(command.contains(&format!("{path}/mcp_config.json")), "{command}");
    let host = said(&["serve", "--listen", "0"]);
    assert!(host.contains("<data dir>/mcp_config.json") && !host.contains(path), "{host}");
}

#[cfg(feature = "cli")]
#[test]
fn acknowledged_heartbeats_are_listed_newest_first() {
    let dir = tempfile::tempdir().expect("dir");
    let sent = |more: &[&str]| {
        let dir = dir.path().to_str().expect("UTF-8");
        out(&[&["telemetry", "sent", "--data-dir", dir][..], more].concat())
    };
    assert!(sent(&[]).contains("show-payload"), "{}", sent(&[]));
    let copies = dir.path().join("sent");
    std::fs::create_dir(&copies).expect("made");
    for day in ["20", "21"] {
        let at = format!("2026-11-{day}T10:00:00Z");
        let payload = format!("{{\"schema_version\":4,\"timestamp\":\"{at}\"}}");
        std::fs::write(copies.join(format!("{}.json", at.replace(':', ""))), payload)
            .expect("written");
    }
    std::fs::write(copies.join("2026-11-22T100000Z.json"), "edited by hand").expect("written");
    let node: serde_json::Value = serde_json::from_str(&sent(&["-o", "json"])).expect("JSON");
    let all = node["sent"].as_array().expect("a list");
    assert_eq!(all.len(), 3, "{node}");
    assert!(all.iter().any(|sent| sent["payload"] == "edited by hand"), "{node}");
    let times: Vec<_> =
        all.iter().filter_map(|sent| sent["payload"]["timestamp"].as_str()).collect();
    assert_eq!(times, ["2026-11-21T10:00:00Z", "2026-11-20T10:00:00Z"]);
    assert!(sent(&[]).lines().next().is_some_and(|head| head.starts_with("SENT")));
}

#[cfg(feature = "cli")]
#[test]
fn show_payload_explains_each_member_in_the_words_of_the_contract() {
    let dir = tempfile::tempdir().expect("dir");
    let mut command = command(&["telemetry", "show-payload", "--explain", "--data-dir"]);
    let output = command.arg(dir.path()).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for line in ["env_kind: \"", "product:", "  name: \"mcpproxy\"", "activation:"] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}: {text}");
    }
    assert!(text.contains("    What kind of environment runs the program"), "{text}");
}

#[test]
fn no_home_is_a_clear_error() {
    for words in [["telemetry", "status"], ["telemetry", "disable"]] {
        fails(&words, 1, &["HOME", "MCPPROXY_HOME", "--data-dir"]);
    }
    fails(&["telemetry", "status", "--data-dir", ""], 2, &["--data-dir is empty"]);
}

#[test]
fn help_is_there_for_the_program_its_groups_and_every_command() {
    let help = out(&["help"]);
    assert_eq!(help, out(&["--help"]));
    let commands: Vec<&str> = help
        .lines()
        .take_while(|line| *line != "Options:")
        .filter_map(|line| line.strip_prefix("  ")?.split("  ").next())
        .collect();
    assert!(commands.contains(&"telemetry status") && commands.contains(&"detect"), "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        let asked = out(&[&words[..], &["--help"]].concat());
        assert!(asked.contains(&format!("Usage: mcpproxy {command} ")), "{asked}");
        assert_eq!(asked, out(&[&["help"], &words[..]].concat()));
    }
    assert!(out(&["telemetry", "--help"]).contains("telemetry disable"));
}

#[test]
fn the_version_tells_how_the_program_was_built() {
    assert_eq!(out(&["--version"]).lines().count(), 1);
    let verbose = out(&["--version", "--verbose"]);
    for word in ["commit", "target", "features", "probes", "endpoint", "edition"] {
        assert!(verbose.lines().any(|line| line.starts_with(word)), "{word} in {verbose}");
    }
    assert_eq!(verbose, out(&["-v", "-V"]));
}

#[test]
fn the_schema_is_printed_as_it_stands_in_the_source() {
    let [v3, v4] = &mcpproxy::contract::SCHEMAS;
    assert_eq!(out(&["telemetry", "schema"]), v4.text);
    assert_eq!(out(&["telemetry", "schema", "--version", "4"]), v4.text);
    if cfg!(feature = "cli") {
        assert_eq!(out(&["telemetry", "schema", "--version=3"]), v3.text);
    } else {
        fails(&["telemetry", "schema", "--version=3"], 1, &["version 4 only", "feature `cli`"]);
    }
    for version in ["2", "5", "v4", ""] {
        fails(&["telemetry", "schema", "--version", version], 2, &["telemetry schema", "3 or 4"]);
    }
}

#[test]
fn the_data_directory_may_stand_before_or_after_the_command() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().to_str().expect("UTF-8");
    let before = out(&["--data-dir", path, "telemetry", "status", "-o", "json"]);
    let after = out(&["telemetry", "status", "--output=json", &format!("--data-dir={path}")]);
    assert_eq!(before, after);
    assert!(before.contains(path));
}

#[test]
#[cfg(feature = "cli")]
fn yaml_and_json_say_the_same() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().to_str().expect("UTF-8");
    let shown = |format| out(&["telemetry", "status", "-o", format, "--data-dir", path]);
    let json: serde_json::Value = serde_json::from_str(&shown("json")).expect("JSON");
    let yaml: serde_json::Value = serde_norway::from_str(&shown("yaml")).expect("YAML");
    assert_eq!(json, yaml);
    assert!(shown("table").starts_with("Product "));
    let json: serde_json::Value =
        serde_json::from_str(&out(&["detect", "-o", "json"])).expect("JSON");
    let yaml: serde_json::Value =
        serde_norway::from_str(&out(&["detect", "-o", "yaml"])).expect("YAML");
    assert_eq!(json, yaml);
}

#[test]
#[cfg(not(feature = "cli"))]
fn yaml_names_the_feature_that_brings_it() {
    fails(&["telemetry", "status", "-o", "yaml", "--data-dir", "/nowhere"], 2, &["`cli`"]);
}

#[test]
#[cfg(not(feature = "tap"))]
fn what_is_compiled_out_names_the_feature_and_is_not_in_help() {
    fails(&["tap", "x"], 2, &["`tap`"]);
    assert!(!out(&["help"]).contains("  tap "));
}

#[test]
#[cfg(not(feature = "serve"))]
fn a_group_that_is_compiled_out_names_the_feature_and_is_not_in_help() {
    for words in [&["upstream"][..], &["upstream", "list"], &["help", "upstream"]] {
        fails(words, 2, &["`serve`"]);
    }
    assert!(!out(&["help"]).contains("upstream add"));
}

#[test]
#[cfg(not(feature = "collector"))]
fn the_collector_is_a_build_of_its_own() {
    for words in [
        &["collector"][..],
        &["collector", "--listen", "127.0.0.1:0"],
        &["collector", "product", "add", "notes-mcp"],
        &["help", "collector"],
    ] {
        fails(words, 2, &["`collector`"]);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(&["telemetry", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("read");
    assert_eq!((child.wait().expect("it ends").code(), said.as_str()), (Some(0), ""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_standard_error_that_cannot_be_written_changes_no_result() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().to_str().expect("UTF-8");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let args = ["telemetry", "show-payload", "--at", "1800000000", "--data-dir", path];
    let expected = run(&args);
    let mut command = command(&args);
    let bad = command.env("MCPPROXY_TELEMETRY_INTERVAL", "soon").stderr(full()).output();
    let bad = bad.expect("it starts");
    assert_eq!((bad.status.code(), bad.stdout), (Some(0), expected.stdout));
}

#[test]
fn what_is_quoted_back_stays_one_line() {
    fails(&["telemetry", "status", "--a\nb\u{1b}[2J"], 2, &["--a\\u000ab\\u001b[2J"]);
    fails(&["detect", "--evidence", ""], 2, &["--evidence"]);
    fails(&["detect", "--evidence", "/nowhere/evidence"], 1, &["--evidence", "JSON lines"]);
    fails(&["detect", "--evidence", "/"], 1, &["--evidence", "JSON lines"]);
    fails(&["telemetry", "verify", ""], 2, &["empty"]);
    #[cfg(feature = "tap")]
    fails(&["tap", "--launched-by", "me", "x"], 2, &["mcpproxy tap:", "login_item"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let output = command(&["telemetry", "schema"]).stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
#[cfg(all(feature = "tap", unix))]
fn what_follows_the_command_of_tap_is_the_servers() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().to_str().expect("UTF-8");
    let show = r#"printf '%s|' "$@""#;
    let options = ["--data-dir", path, "tap", "--discovery-tool", "-x", "--discovery-tool=find"];
    let server = ["sh", "-c", show, "sh", "--help", "--", "-o", "--data-dir", "a b"];
    for dashes in [&["--"][..], &[]] {
        let mut tap = command(&[&options[..], dashes, &server].concat());
        tap.env("DO_NOT_TRACK", "1").env("PATH", std::env::var_os("PATH").expect("PATH"));
        let output = tap.output().expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "--help|--|-o|--data-dir|a b|");
        assert_eq!(output.status.code(), Some(0));
    }
}

/// As services have it, and people who write `HOME=.` for a container.
#[test]
#[cfg(unix)]
fn a_home_directory_that_is_relative_or_missing_gets_nothing_made_for_it() {
    let dir = tempfile::tempdir().expect("dir");
    let here = dir.path().join("here");
    std::fs::create_dir(&here).expect("a directory");
    let missing = dir.path().join("missing");
    let has = |feature: bool, args: &'static [&'static str]| feature.then_some(args);
    let commands: Vec<&[&str]> = [
        Some(&["telemetry", "status"][..]),
        Some(&["telemetry", "status", "--product", "mcpproxy"]),
        Some(&["telemetry", "enable"]),
        Some(&["telemetry", "disable"]),
        Some(&["telemetry", "show-payload"]),
        Some(&["telemetry", "reset-id"]),
        Some(&["uninstall", "--yes"]),
        has(cfg!(feature = "heartbeat"), &["telemetry", "send", "--now"]),
        has(cfg!(feature = "heartbeat"), &["telemetry", "forget"]),
        has(cfg!(feature = "cli"), &["doctor"]),
        has(cfg!(feature = "serve"), &["serve", "--stdio"]),
        has(cfg!(feature = "serve"), &["serve", "--listen", "127.0.0.1:0"]),
        has(cfg!(feature = "serve"), &["upstream", "list"]),
        has(cfg!(feature = "serve"), &["upstream", "add", "a", "--", "x"]),
        has(cfg!(feature = "connect"), &["connect", "--list"]),
        has(cfg!(feature = "connect"), &["connect", "cursor", "--create"]),
        has(cfg!(feature = "connect"), &["disconnect", "cursor"]),
        has(cfg!(feature = "autostart"), &["autostart", "enable"]),
        has(
            cfg!(feature = "collector"),
            &["collector", "--product", "p", "--listen", "127.0.0.1:0"],
        ),
        has(cfg!(feature = "collector"), &["collector", "product", "add", "p"]),
    ]
    .into_iter()
    .flatten()
    .collect();
    let homes = [(Path::new("."), "relative"), (Path::new("h"), "relative")];
    let none = [(missing.as_path(), "no directory"), (Path::new("/dev/null"), "no directory")];
    for (home, words) in homes.into_iter().chain(none) {
        let started = |args: &[&str]| {
            let mut command = command(args);
            // A desktop, whose configuration has no place of its own.
            command.env("HOME", home).env("DISPLAY", ":0").env("XDG_CONFIG_HOME", "xdg");
            command.env("PATH", std::env::var_os("PATH").expect("PATH"));
            command.current_dir(&here).output().expect("it starts")
        };
        for args in &commands {
            let output = started(args);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
            assert!(said.contains(words) || args[0] == "autostart", "{args:?}: {said}");
        }
        if cfg!(feature = "tap") {
            let output = started(&["tap", "--", "echo", "served"]);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "served\n");
        }
        if cfg!(feature = "record") {
            assert!(started(&["record"]).stdout.is_empty());
        }
        assert_eq!(std::fs::read_dir(&here).expect("it").count(), 0, "{home:?}");
        assert!(!missing.exists());
    }
}

#[test]
#[cfg(unix)]
fn a_data_directory_that_is_a_file_is_named_as_that() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("file");
    std::fs::write(&file, "mine").expect("a file");
    let below = file.join("below");
    let has = |feature: bool, args: &'static [&'static str]| feature.then_some(args);
    let commands: Vec<&[&str]> = [
        Some(&["telemetry", "status"][..]),
        Some(&["telemetry", "status", "--product", "mcpproxy"]),
        Some(&["telemetry", "disable"]),
        Some(&["telemetry", "enable"]),
        Some(&["telemetry", "show-payload"]),
        Some(&["telemetry", "reset-id"]),
        Some(&["uninstall", "--yes"]),
        has(cfg!(feature = "heartbeat"), &["telemetry", "send", "--now"]),
        has(cfg!(feature = "heartbeat"), &["telemetry", "forget"]),
        has(cfg!(feature = "cli"), &["doctor"]),
        has(cfg!(feature = "serve"), &["serve", "--stdio"]),
        has(cfg!(feature = "serve"), &["serve", "--listen", "127.0.0.1:0"]),
        has(cfg!(feature = "serve"), &["upstream", "list"]),
        has(cfg!(feature = "serve"), &["upstream", "add", "--url", "http://127.0.0.1:9", "a"]),
        has(
            cfg!(feature = "collector"),
            &["collector", "--product", "p", "--listen", "127.0.0.1:0"],
        ),
        has(cfg!(feature = "collector"), &["collector", "product", "add", "p"]),
        has(cfg!(feature = "collector"), &["collector", "product", "list"]),
        has(cfg!(feature = "collector"), &["collector", "verify"]),
    ]
    .into_iter()
    .flatten()
    .collect();
    for place in [&file, &below] {
        let started = |args: &[&str]| {
            let place = place.to_str().expect("text");
            let mut command = command(&[&["--data-dir", place], args].concat());
            command.env("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9");
            command.env("HOME", dir.path()).env("PATH", std::env::var_os("PATH").expect("PATH"));
            command.output().expect("it starts")
        };
        for args in &commands {
            let output = started(args);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("is a file"), "{args:?}: {said}");
            for wrong in ["entity already exists", "it cannot be read", "damaged"] {
                assert!(!said.contains(wrong), "{args:?}: {said}");
            }
        }
        if cfg!(feature = "tap") {
            assert_eq!(started(&["tap", "--", "echo", "served"]).stdout, b"served\n");
        }
    }
    assert_eq!(std::fs::read(&file).expect("the file"), b"mine");
}
