//! `mcpproxy detect` as a black box: its formats, its errors, and that it leaves nothing behind.

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

fn detect(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
    command.arg("detect").args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn feed(child: &mut Child, input: &[u8]) {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
}

fn judge(input: &[u8]) -> Output {
    let mut child = detect(&["--evidence", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    feed(&mut child, input);
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

const NOTHING: &str = r#"{"env_kind":"unknown","env_markers":{"has_ci_env":false,"has_cloud_ide_env":false,"is_container":false,"has_tty":false,"has_display":false},"agent_env":"none","rule":"none","evidence":[]}"#;

#[test]
fn a_verdict_is_exactly_one_compact_line() {
    let output = judge(br#"{"env":{"CI":"true"},"paths":["/.dockerenv"],"os":"linux"}"#);
    let expected = if cfg!(feature = "detect-container") {
        r#"{"env_kind":"ci","env_markers":{"has_ci_env":true,"has_cloud_ide_env":false,"is_container":true,"has_tty":false,"has_display":false},"agent_env":"none","rule":"ci","evidence":["env:CI","path:/.dockerenv"]}"#
    } else {
        r#"{"env_kind":"ci","env_markers":{"has_ci_env":true,"has_cloud_ide_env":false,"is_container":false,"has_tty":false,"has_display":false},"agent_env":"none","rule":"ci","evidence":["env:CI"]}"#
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{expected}\n"));
    assert!(output.status.success());
    assert!(output.stderr.is_empty());
}

#[test]
fn a_bad_line_is_answered_and_the_others_still_count() {
    let output = judge(b"{}\n\n  \r\nnot json\n{\"tty\":1}\n{\"TTY\":true}\n[]\n{}\r\n{\"env\":{\"CI\":null}}\n\xff\n{}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty());
    let lines = lines(&output);
    assert_eq!(lines.len(), 9, "blank lines are not answered: {lines:#?}");
    for good in [0, 5, 8] {
        assert_eq!(lines[good], NOTHING);
    }
    for (at, number, word) in [
        (1, 4, "JSON"),
        (2, 5, "tty"),
        (3, 6, "TTY"),
        (4, 7, "object"),
        (6, 9, "env.CI"),
        (7, 10, "UTF-8"),
    ] {
        let error: Value = serde_json::from_str(&lines[at]).unwrap();
        assert_eq!(error["line"], number);
        assert!(error["error"].as_str().unwrap().contains(word), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 2);
    }
}

#[test]
fn errors_hold_keys_but_no_values() {
    let output = judge(br#"{"env":{"CI":["hunter2"]}}"#);
    assert_eq!(lines(&output), [r#"{"line":1,"error":"env.CI must be a string"}"#]);
    let long_key = format!("{{\"{}\":1}}", "k".repeat(100_000));
    assert!(judge(long_key.as_bytes()).stdout.len() < 400);
    let control = judge(br#"{"a\u001b\n":1}"#);
    assert!(lines(&control)[0].contains(r"a\u001b\n"), "one line, escaped");
}

#[test]
fn a_giant_line_is_an_error_and_the_next_one_counts() {
    let mut input = format!("{{\"cgroup\":\"{}\"}}\n", "x".repeat(3 * 1024 * 1024)).into_bytes();
    input.extend_from_slice(b"{}\n");
    // Exactly at the bound.
    let frame = "{\"cgroup\":\"\"}".len();
    input.extend_from_slice(
        format!("{{\"cgroup\":\"{}\"}}\n", "x".repeat(1024 * 1024 - frame)).as_bytes(),
    );
    input.extend_from_slice(
        format!("{{\"cgroup\":\"{}\"}}", "x".repeat(1024 * 1024 - frame + 1)).as_bytes(),
    );
    let output = judge(&input);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(lines[0], r#"{"line":1,"error":"longer than 1048576 bytes"}"#);
    assert_eq!(lines[1..3], [NOTHING, NOTHING]);
    assert_eq!(lines[3], r#"{"line":4,"error":"longer than 1048576 bytes"}"#);
}

#[test]
fn no_evidence_is_no_verdict() {
    for empty in [&b""[..], b"\n\n", b" \t"] {
        let output = judge(empty);
        assert!(output.status.success());
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn evidence_comes_from_a_file_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recorded.jsonl");
    std::fs::write(&file, "{\"os\":\"darwin\"}\n{\"os\":\"linux\"}\n").unwrap();
    let output = detect(&["-o", "json", "--evidence", file.to_str().unwrap()]).output().unwrap();
    let kinds: Vec<Value> = lines(&output)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["env_kind"].clone())
        .collect();
    assert_eq!(kinds, ["interactive", "headless"]);
}

#[test]
fn each_line_is_answered_when_it_arrives() {
    let mut child = detect(&["--evidence=-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        stdin.write_all(b"{}\n").unwrap();
        assert_eq!(answers.next().unwrap().unwrap(), NOTHING);
    }
    drop(stdin);
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn evidence_that_cannot_be_read_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    for (path, what) in [(dir.path().join("secret-name"), "open"), (dir.path().to_owned(), "")] {
        let output = detect(&["--evidence", path.to_str().unwrap()]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains("--evidence") && error.contains(what), "{error}");
        assert!(!error.contains("secret-name"));
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for args in [
        &["--what"][..],
        &["extra"],
        &["-o"],
        &["-o", "xml"],
        &["--evidence"],
        &["--explain=yes"],
        &["--launched-by", "me"],
        &["-o", "table", "--evidence", "-"],
    ] {
        let output = detect(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1, "{args:?}");
    }
}

#[test]
fn this_machine_as_json_and_as_a_table() {
    let json = |args: &[&str]| -> Value {
        let output = detect(args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert_eq!(lines(&output).len(), 1);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().unwrap().keys().map(String::clone).collect()
    };
    let plain = json(&["-o", "json"]);
    assert_eq!(
        keys(&plain),
        ["env_kind", "env_markers", "agent_env", "rule", "evidence", "launch_source"]
    );
    assert_eq!(plain["env_markers"]["has_tty"], false);
    let explained = json(&["--explain", "--output=json"]);
    assert_eq!(keys(&explained)[6..], ["parent"]);
    assert_eq!(explained["evidence"], plain["evidence"]);

    let table = detect(&[]).output().unwrap();
    let rows: Vec<(String, String)> = lines(&table)
        .iter()
        .map(|line| line.split_once(' ').map(|(k, v)| (k.into(), v.trim().into())).unwrap())
        .collect();
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let markers = ["has_ci_env", "has_cloud_ide_env", "is_container", "has_tty", "has_display"];
    assert_eq!(names, [&["env_kind"][..], &markers, &["agent_env", "launch_source"]].concat());
    assert_eq!(plain["env_kind"], rows[0].1);
    for (name, value) in &rows[1..6] {
        assert_eq!(plain["env_markers"][name].to_string(), *value);
    }
    let explained = lines(&detect(&["--explain"]).output().unwrap());
    assert_eq!(explained.len(), rows.len() + 3);
}

#[test]
fn launch_source_is_told_by_the_variable_or_the_command_line() {
    let told = detect(&["-o", "json", "--launched-by", "login_item"]).output().unwrap();
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["launch_source"], "login_item");
    for (value, expected) in [
        ("tray", "tray"),
        ("login_item", "login_item"),
        ("installer", "unknown"),
        ("nonsense", "unknown"),
        ("", "unknown"),
    ] {
        let output = detect(&["-o", "json"]).env("MCPPROXY_LAUNCHED_BY", value).output().unwrap();
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdict["launch_source"], expected, "{value}");
    }
}

#[test]
fn detect_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    for args in [&[][..], &["-o", "json", "--explain"], &["--evidence", "-"], &["--help"]] {
        let output = detect(args)
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("MCPPROXY_HOME", home.path().join("data"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}");
    }
    assert_eq!(home.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = detect(&["--evidence", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    feed(&mut child, "{}\n".repeat(10_000).as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty());
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        skipped!("this system has no /dev/full");
        return;
    };
    let output = detect(&["-o", "json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
}
