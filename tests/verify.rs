//! `mcpproxy telemetry verify`: one verdict for each heartbeat, never a value.

use assert_cmd::Command;
use std::fs;

const GOOD: &str = r#"{"schema_version":3,"anonymous_id":"3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2","env_kind":"interactive","env_markers":{"has_ci_env":false,"has_cloud_ide_env":false,"is_container":false,"has_tty":true,"has_display":true},"launch_source":"cli","autostart_enabled":null,"activation":{"first_connected_server_ever":true,"first_mcp_client_ever":true,"first_retrieve_tools_call_ever":false,"mcp_clients_seen_ever":["quuxify-toolbox2"],"retrieve_tools_calls_24h":0,"estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0},"version":"v1.2.3","edition":"minimal","os":"linux","arch":"amd64","timestamp":"2026-11-22T14:46:00Z"}"#;

/// [`GOOD`] as version 4, which is sent now.
fn good_v4() -> String {
    GOOD.replacen(
        "\"schema_version\":3",
        "\"schema_version\":4,\"product\":{\"name\":\"notes-mcp\",\"version\":\"1.4.0\"},\"agent_env\":\"none\",\
         \"anonymous_id_created_at\":\"2026-11-22T00:00:00Z\",\"carried_over\":false,\
         \"days_since_install\":0,\"active_days_30d\":1,\"previous_shutdown\":\"unknown\"",
        1,
    )
    .replacen("\"mcp_clients", "\"first_real_tool_call_ever\":true,\"mcp_clients", 1)
}

/// Exit code, standard output, standard error.
fn verify(args: &[&str], input: impl Into<Vec<u8>>) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
        .args(["telemetry", "verify"])
        .args(args)
        .env("USER", "xanthippe")
        .env("LC_NAME_OF_PLANT", "s3cret-value")
        .write_stdin(input)
        .timeout(std::time::Duration::from_secs(60))
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn client(name: &str) -> String {
    GOOD.replace("quuxify-toolbox2", name)
}

#[test]
fn clean_lines_are_ok_and_exit_0() {
    let input = format!("{GOOD}\n\n  \t\n{GOOD}\r\n{GOOD}");
    let (code, out, err) = verify(&["-"], input);
    let expected = "{\"line\":1,\"ok\":true}\n{\"line\":4,\"ok\":true}\n{\"line\":5,\"ok\":true}\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
    assert_eq!(verify(&["-"], ""), (0, String::new(), String::new()));
}

#[test]
fn each_line_is_judged_by_the_version_that_it_names() {
    let new = good_v4();
    let mixed = format!("{GOOD}\n{new}\n{}\n", new.replace(":4,", ":5,"));
    let (code, out, _) = verify(&["-"], mixed);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, 1);
    assert_eq!(lines[..2], ["{\"line\":1,\"ok\":true}", "{\"line\":2,\"ok\":true}"]);
    assert!(lines[2].contains("\"rule\":\"shape\",\"field\":\"/schema_version\""), "{out}");
    let verdict = |line: String| verify(&["-"], line).1;
    // What only one version knows is nothing in the other.
    let out = verdict(GOOD.replace(":3,", ":3,\"agent_env\":\"none\","));
    assert!(out.contains("\"rule\":\"shape\",\"field\":\"\""), "{out}");
    let out = verdict(new.replace("\"agent_env\":\"none\",", ""));
    assert!(out.contains("\"rule\":\"shape\",\"field\":\"/agent_env\""), "{out}");
    // The name of a product may be a word of this machine, but no secret.
    assert_eq!(verdict(new.replace("notes-mcp", "xanthippe")), "{\"line\":1,\"ok\":true}\n");
    let out = verdict(new.replace("notes-mcp", "10.11.12.13"));
    assert!(out.contains("\"rule\":\"leak\",\"field\":\"/product/name\""), "{out}");
    assert!(!out.contains("10.11"), "{out}");
}

#[test]
fn a_file_is_read_as_standard_input_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("payloads.jsonl");
    fs::write(&file, GOOD).unwrap();
    let (code, out, err) = verify(&[file.to_str().unwrap()], "");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "{\"line\":1,\"ok\":true}\n", ""));
}

#[test]
fn heartbeats_may_be_laid_out_in_any_way_and_stand_in_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let laid_out = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let (good, bad) = (laid_out(GOOD), laid_out(&client("xanthippe-client")));
    let lines = good.lines().count();
    let name = "/activation/mcp_clients_seen_ever/0";
    let refused = |line: usize| {
        format!("{{\"line\":{line},\"ok\":false,\"rule\":\"leak\",\"field\":\"{name}\",")
    };
    for (text, second) in [
        (format!("{good}\n\n{bad}\n"), lines + 2),
        (format!("{good}{bad}"), lines),
        (format!("[\n{good},\n{bad}\n]\n"), lines + 2),
        (format!("{GOOD}\n{bad}"), 2),
        (format!("[{GOOD},{}]", client("xanthippe-client")), 1),
    ] {
        let (code, out, err) = verify(&["-"], text.clone());
        let verdicts: Vec<&str> = out.lines().collect();
        assert_eq!((code, verdicts.len(), err.as_str()), (1, 2, ""), "{text}\n{out}");
        assert!(verdicts[0].ends_with(",\"ok\":true}"), "{text}\n{out}");
        assert!(verdicts[1].starts_with(&refused(second)), "{text}\n{out}");
    }
    // What is cut off takes nothing with it, and no white space counts but in a line of its own.
    let wide = good.replace("\n", &format!("\n{}", " ".repeat(2000)));
    let (code, out, _) = verify(&["-"], format!("{}\n{wide}\n", &GOOD[..500]));
    let verdicts: Vec<&str> = out.lines().collect();
    assert_eq!(code, 1);
    assert!(verdicts[0].starts_with("{\"line\":1,\"ok\":false,\"rule\":\"syntax\""), "{out}");
    assert_eq!(verdicts[1..], ["{\"line\":2,\"ok\":true}"]);

    let files = ["a.json", "b \u{202e}.json"].map(|name| dir.path().join(name));
    fs::write(&files[0], &good).unwrap();
    fs::write(&files[1], format!("\n{bad}")).unwrap();
    let [first, second] = [0, 1].map(|at| files[at].to_str().unwrap());
    let (code, out, err) = verify(&[first, second, "-"], GOOD);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(!out.contains('\u{202e}'), "{out}");
    let verdicts: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |at: usize| (verdicts[at]["file"].as_str(), verdicts[at]["line"].as_u64());
    assert_eq!(
        [of(0), of(1), of(2)],
        [(Some(first), Some(1)), (Some(second), Some(2)), (Some("-"), Some(1))]
    );
    let oks: Vec<bool> = verdicts.iter().map(|verdict| verdict["ok"] == true).collect();
    assert_eq!(oks, [true, false, true]);
    // One that is not there keeps none of the others from being judged.
    let missing = dir.path().join("missing.json");
    let (code, out, err) = verify(&[missing.to_str().unwrap(), first], "");
    assert_eq!((code, out.lines().count(), err.lines().count()), (1, 1, 1), "{out}{err}");
}

#[test]
fn people_are_told_in_words() {
    let (code, out, _) =
        verify(&["-o", "table", "-"], format!("{GOOD}\n{}\n", client("xanthippe")));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((code, lines[0], lines[2]), (1, "line 1: clean", "1 clean, 1 refused."));
    let place = "line 2: refused (leak) at /activation/mcp_clients_seen_ever/0: ";
    assert!(lines[1].starts_with(place), "{out}");
    assert!(!out.contains("xanthippe"), "{out}");
    let (code, out, _) = verify(&["--output=table", "-"], GOOD);
    assert_eq!((code, out.lines().count()), (0, 2), "{out}");
    assert!(out.ends_with("The heartbeat is clean: the gate would let it pass.\n"), "{out}");
    assert!(verify(&["-o", "table", "-"], "").1.contains("no heartbeat"));
    assert_eq!(verify(&["-o", "json", "-"], GOOD).1, "{\"line\":1,\"ok\":true}\n");
    assert_eq!(verify(&["-o", "yaml", "-"], GOOD).0, 2);
}

#[test]
fn each_rule_has_its_verdict_and_one_bad_line_is_exit_1() {
    let lines = [
        GOOD.to_owned(),
        client("xanthippe-client"),
        client("S3cret"),
        GOOD.replace("\"os\":\"linux\",", ""),
        GOOD.replace("\"os\":\"linux\"", "\"os\":\"linux\",\"host\":\"s3cret-value\""),
        "{".to_owned(),
        " ".repeat(9000) + GOOD,
        client("x_s3cret-value"),
        client("\\u0078anthippe"),
        "\"\u{fffd}".to_owned(),
    ];
    let mut input = lines.join("\n").into_bytes();
    let at = input.iter().rposition(|byte| *byte == 0xef).unwrap();
    input[at] = 0xff;
    let (code, out, err) = verify(&["-"], input);
    assert_eq!((code, err.as_str()), (1, ""));
    let verdicts: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let name = "/activation/mcp_clients_seen_ever/0";
    let expected = [
        ("", ""),
        ("leak", name),
        ("shape", name),
        ("shape", "/os"),
        ("shape", ""),
        ("syntax", ""),
        ("size", ""),
        ("leak", name),
        ("leak", name),
        ("syntax", ""),
    ];
    assert_eq!(verdicts.len(), expected.len());
    for (index, (verdict, (rule, field))) in verdicts.iter().zip(expected).enumerate() {
        let line = index + 1;
        if rule.is_empty() {
            assert_eq!(*verdict, serde_json::json!({"line": line, "ok": true}));
            continue;
        }
        let keys: Vec<&String> = verdict.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["line", "ok", "rule", "field", "detail"]);
        assert_eq!(
            (verdict["line"].as_u64(), verdict["ok"].as_bool()),
            (Some(line as u64), Some(false))
        );
        assert_eq!(
            (verdict["rule"].as_str(), verdict["field"].as_str()),
            (Some(rule), Some(field))
        );
        assert!(!verdict["detail"].as_str().unwrap().is_empty());
    }
    for value in ["xanthippe", "s3cret", "quuxify", "host"] {
        assert!(!out.to_lowercase().contains(value), "{out}");
    }
}

#[test]
fn a_giant_line_is_refused_by_size_and_the_next_one_is_judged() {
    let input = format!("[{}\n{GOOD}\n{}\n", "1,".repeat(4 << 20), " ".repeat(100_000));
    let (code, out, _) = verify(&["-"], input);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, 1);
    assert!(lines[0].contains("\"rule\":\"size\""), "{out}");
    assert_eq!(lines[1], "{\"line\":2,\"ok\":true}");
    assert!(lines[2].contains("\"line\":3,\"ok\":false,\"rule\":\"size\""), "{out}");
}

#[test]
fn the_limit_is_the_same_for_every_end_of_line() {
    let exact = format!("{GOOD}{}", " ".repeat(8192 - GOOD.len()));
    for (line, code) in [
        (exact.clone(), 0),
        (format!("{exact}\n"), 0),
        (format!("{exact}\r\n"), 0),
        (format!("{exact} "), 1),
        (format!("{exact} \n"), 1),
        (format!("{exact} \r\n"), 1),
        (format!("{exact}\r{}\n", client("other")), 1),
        (format!("{exact}\r\r\n"), 1),
    ] {
        assert_eq!(verify(&["-"], line.clone()).0, code, "{:?}", &line[8190..]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_line_and_exit_1() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing.jsonl"), dir.path().to_owned()] {
        let (code, out, err) = verify(&[path.to_str().unwrap()], "");
        assert_eq!((code, out.as_str()), (1, ""));
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.starts_with("mcpproxy telemetry verify: cannot read "), "{err}");
    }
}

#[test]
fn a_wrong_command_line_is_one_line_and_exit_2() {
    for args in [&[][..], &["--what", "-"], &["-", "-x"], &[""], &["-", ""]] {
        let (code, out, err) = verify(args, GOOD);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    let (code, out, err) = verify(&["--help"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("mcpproxy telemetry verify"), "{out}");
}

/// Under `sudo` the process is root's, and the person is in `SUDO_USER` only: a name, not a value, so
/// that three characters of it count.
#[test]
fn the_person_behind_sudo_is_a_user_of_this_machine() {
    let output = |sudo_user: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.args(["telemetry", "verify", "-"]).env("SUDO_USER", sudo_user);
        let output = command.write_stdin(client("qzx-client")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, verdict) = output("qzx");
    assert_eq!(code, Some(1), "{verdict}");
    assert!(verdict.contains("\"rule\":\"leak\""), "{verdict}");
    assert_eq!(output("qzy").0, Some(0));
}
