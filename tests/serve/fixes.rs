//! What the program can do about a server: planned first, carried out when it is told to, and looked at afterwards.

use crate::fake::{Fake, shell_server};
use crate::gateway::{Gateway, Home, MCPPROXY, PATIENCE, eventually};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// A name that no program has.
const PROGRAM: &str = "mcpproxy-test-server";
const NOT_FOUND: &str = "MCPX_STDIO_NOT_FOUND";
/// Begins every secret.
const CANARY: &str = "canary-";

/// A program below the home directory, which serves like [`shell_server`] unless it is for another interpreter.
fn program(home: &Home, dir: &str, interpreter: &str) -> String {
    let server = shell_server();
    let script = server["args"][1].as_str().expect("a script");
    let file = home.root().join(dir).join(PROGRAM);
    fs::create_dir_all(file.parent().expect("a directory")).expect("made");
    fs::write(&file, format!("#!{interpreter}\n{script}\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("its mode");
    file.to_str().expect("UTF-8").to_owned()
}

/// A configuration that a person has laid out, with a server whose program is not in PATH.
fn laid_out() -> String {
    format!(
        "{{\n\t\"mcpServers\" : {{\n\t\t\"local one\": {{ \"env\": {{\"TOKEN\": \"{CANARY}1\"}},\n\
         \t\t\t\"command\"  :   \"{PROGRAM}\",   \"args\": [\"--api-key\", \"{CANARY}2\"],\n\
         \t\t\t\"x\": [1 , 2] }}\n\t}}\n}}\n"
    )
}

fn home_with(config: &str) -> Home {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a data directory");
    fs::write(home.config(), config).expect("a configuration");
    home
}

/// Bytes, file and time of the configuration.
fn state(home: &Home) -> (Vec<u8>, u64, i64, i64) {
    let found = fs::metadata(home.config()).expect("a configuration");
    let bytes = fs::read(home.config()).expect("its bytes");
    (bytes, found.ino(), found.mtime(), found.mtime_nsec())
}

fn text(home: &Home) -> String {
    String::from_utf8(state(home).0).expect("UTF-8")
}

/// Asks for a fix, again while another one was too close: status, and the whole answer.
fn ask(gateway: &Gateway, wanted: &Value) -> (u16, Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        let headers = [("X-API-Key", gateway.key.as_str()), ("Content-Type", "application/json")];
        let (status, body) =
            gateway.ask("POST", "/api/v1/diagnostics/fix", &headers, &wanted.to_string());
        let body: Value = serde_json::from_str(&body).expect("JSON");
        if status != 429 {
            assert_eq!(body["success"], status == 200, "{body}");
            return (status, body);
        }
        assert!(Instant::now() < until, "it is always too soon");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

fn fix(gateway: &Gateway, server: &str, code: &str, action: &str, mode: &str) -> Value {
    let wanted = json!({"server": server, "code": code, "action": action, "mode": mode});
    let (status, body) = ask(gateway, &wanted);
    assert_eq!(status, 200, "{wanted}: {body}");
    body["data"].clone()
}

/// Runs the line that undoes a fix, as a person does.
fn undo(home: &Home, report: &Value) {
    let line = report["preview"]["undo"].as_str().expect("a way back");
    let bin = Path::new(MCPPROXY).parent().expect("a directory").display().to_string();
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().env("HOME", home.root());
    let done = shell.env("PATH", format!("{bin}:/usr/bin:/bin")).output().expect("a shell");
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

fn has_code(gateway: &Gateway, name: &str, code: &str) {
    eventually(&format!("{name} has {code}"), || {
        let found = gateway.data("/api/v1/diagnostics");
        let servers = found["servers"].as_array().cloned().unwrap_or_default();
        servers
            .into_iter()
            .find(|server| server["server"] == name && server["diagnostic"]["code"] == code)
    });
}

#[test]
fn a_program_is_found_and_written_and_the_way_back_restores_every_byte() {
    let home = home_with(&laid_out());
    let old = program(&home, ".nvm/versions/node/v9.11.0/bin", "/bin/sh");
    let new = program(&home, ".nvm/versions/node/v22.3.0/bin", "/bin/sh");
    let gateway = Gateway::start_in(home, &[], &[]);
    has_code(&gateway, "local one", NOT_FOUND);
    let before = state(&gateway.home);

    let planned = fix(&gateway, "local one", NOT_FOUND, "find_program", "dry_run");
    assert_eq!(state(&gateway.home), before, "a dry run has changed the configuration");
    assert_eq!(planned["result"], Value::Null);
    let preview = &planned["preview"];
    let shown = |file: &str| file.replace(gateway.home.root().to_str().expect("UTF-8"), "~");
    assert_eq!(preview["found"], json!([shown(&new), shown(&old)]));
    assert!(preview["words"].as_str().expect("words").contains("2 programs"), "{preview}");
    assert_eq!(
        preview["changes"],
        json!([{
            "line": 4,
            "before": format!("\"command\"  :   \"{PROGRAM}\""),
            "after": format!("\"command\"  :   \"{}\"", shown(&new)),
        }])
    );
    assert_eq!(preview["notes"], json!([]));

    let done = fix(&gateway, "local one", NOT_FOUND, "find_program", "execute");
    assert_eq!(done["result"]["outcome"], "succeeded", "{done}");
    assert_eq!(done["result"]["detail"], "the server is connected, with 2 tools");
    assert_eq!(done["preview"], *preview);
    gateway.wait_for("local one", "connected");
    let wanted = String::from_utf8(before.0.clone()).expect("UTF-8");
    let wanted = wanted.replace(&format!("\"{PROGRAM}\""), &format!("\"{new}\""));
    assert_eq!(text(&gateway.home), wanted);
    for shown in [planned.to_string(), done.to_string()] {
        assert!(!shown.contains(CANARY), "{shown}");
    }

    undo(&gateway.home, &done);
    assert_eq!(state(&gateway.home).0, before.0, "the way back is not the same way");
    has_code(&gateway, "local one", NOT_FOUND);
    let (_, log) = gateway.stop();
    let fixes: Vec<&str> = log.lines().filter(|line| line.contains(" fix ")).collect();
    assert_eq!(fixes.len(), 2, "{log}");
    for (line, end) in fixes
        .iter()
        .zip(["mode=\"dry_run\" outcome=\"planned\"", "mode=\"execute\" outcome=\"succeeded\""])
    {
        assert!(line.contains(NOT_FOUND) && line.contains("find_program"), "{line}");
        assert!(line.contains(end), "{line}");
    }
    assert!(!log.contains(CANARY) && !log.contains(".nvm"), "{log}");
}

#[test]
fn a_program_that_is_found_and_does_not_connect_is_no_success() {
    let home = home_with(&laid_out());
    program(&home, ".local/bin", "/usr/bin/env no-such-interpreter-here");
    let gateway = Gateway::start_in(home, &[], &[]);
    has_code(&gateway, "local one", NOT_FOUND);
    let planned = fix(&gateway, "local one", NOT_FOUND, "find_program", "dry_run");
    let note = planned["preview"]["notes"][0].as_str().expect("a note");
    assert!(note.contains("script for `no-such-interpreter-here`"), "{note}");
    assert!(note.contains("\"PATH\": \"${HOME}/.local/bin:${PATH}\""), "{note}");
    let done = fix(&gateway, "local one", NOT_FOUND, "find_program", "execute");
    let result = &done["result"];
    assert_eq!(result["outcome"], "other_error", "{done}");
    assert_eq!(result["code"], "MCPX_STDIO_EXITED_EARLY");
    assert!(!result["lines"].as_array().expect("lines").is_empty(), "{done}");
    let counted = eventually("it is counted", || {
        let payload = gateway.payload()["diagnostics"].clone();
        (payload["fix_attempted_24h"] == 1).then_some(payload)
    });
    assert_eq!(counted["fix_succeeded_24h"], 0);
    undo(&gateway.home, &done);
}

#[test]
fn a_program_that_is_nowhere_changes_nothing() {
    let gateway = Gateway::start_in(home_with(&laid_out()), &[], &[]);
    has_code(&gateway, "local one", NOT_FOUND);
    let before = state(&gateway.home);
    let done = fix(&gateway, "local one", NOT_FOUND, "find_program", "execute");
    assert_eq!(done["result"]["outcome"], "failed");
    assert_eq!(done["result"]["code"], NOT_FOUND);
    assert!(done["result"]["detail"].as_str().expect("words").contains("none of the"), "{done}");
    assert_eq!((&done["preview"]["changes"], &done["preview"]["undo"]), (&json!([]), &Value::Null));
    assert_eq!(state(&gateway.home), before);
}

/// What is printed as the way back is the command as it was: what may be a secret in it is not printed.
#[test]
fn a_command_that_may_hold_a_secret_is_left_alone() {
    let secret = format!("${{PLACE:-/opt/{CANARY}3}}/{PROGRAM}");
    let gateway = Gateway::start_in(
        Home::with(&json!({"mcpServers": {
            "default": {"command": secret},
            "token": {"command": format!("/opt/ghp_canary0123456789canary0123456789/{PROGRAM}")},
        }})),
        &[],
        &[],
    );
    program(&gateway.home, ".local/bin", "/bin/sh");
    let before = state(&gateway.home);
    for name in ["default", "token"] {
        has_code(&gateway, name, NOT_FOUND);
        let done = fix(&gateway, name, NOT_FOUND, "find_program", "execute");
        assert_eq!(done["result"]["outcome"], "failed", "{done}");
        let shown = done.to_string();
        assert!(shown.contains("may be a secret") && !shown.contains("canary"), "{shown}");
    }
    assert_eq!(state(&gateway.home), before);
    let escaped = laid_out().replace(PROGRAM, "mcpproxy\\u002dtest-server");
    fs::write(gateway.home.data().join("new"), escaped).expect("written");
    fs::rename(gateway.home.data().join("new"), gateway.home.config()).expect("replaced");
    has_code(&gateway, "local one", NOT_FOUND);
    let planned = fix(&gateway, "local one", NOT_FOUND, "find_program", "dry_run");
    assert!(planned["preview"]["words"].as_str().expect("words").contains("escapes"), "{planned}");
}

#[test]
fn a_restart_has_succeeded_when_the_server_is_there_and_its_lines_are_only_shown() {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a directory");
    let flag = home.root().join("ready");
    let mut server = shell_server();
    let script = server["args"][1].as_str().expect("a script").to_owned();
    let before = format!("echo not ready, $TOKEN >&2; test -e '{}' || exit 3", flag.display());
    server["args"][1] = format!("{before}\n{script}").into();
    server["env"] = json!({"TOKEN": format!("{CANARY}4")});
    home.write(&json!({"mcpServers": {"later": server}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    let code = "MCPX_STDIO_EXITED_EARLY";
    has_code(&gateway, "later", code);
    let before = state(&gateway.home);
    let attempts = || {
        let data = gateway.data("/api/v1/servers/later/logs");
        data["lines"].as_array().expect("lines").last().expect("one")["run"].clone()
    };

    let shown = fix(&gateway, "later", code, "show_logs", "execute");
    assert_eq!(shown["result"]["outcome"], "shown");
    assert_eq!(shown["result"]["lines"][0]["text"], "not ready, ***");
    let planned = fix(&gateway, "later", code, "restart", "dry_run");
    assert_eq!((&planned["result"], &planned["preview"]["undo"]), (&Value::Null, &Value::Null));

    let done = fix(&gateway, "later", code, "restart", "execute");
    assert_eq!(done["result"]["outcome"], "failed", "{done}");
    assert_eq!(done["result"]["code"], code);
    assert!(attempts().as_u64() >= Some(2), "it was not started again");
    fs::write(&flag, "").expect("a file");
    has_code(&gateway, "later", code);
    let done = fix(&gateway, "later", code, "restart", "execute");
    assert_eq!(done["result"]["outcome"], "succeeded", "{done}");
    gateway.wait_for("later", "connected");
    assert_eq!(state(&gateway.home), before, "a restart has changed the configuration");

    // What was only shown is not counted, and what stood while it was tried again was met once.
    let counted = eventually("it is counted", || {
        let payload = gateway.payload()["diagnostics"].clone();
        (payload["fix_succeeded_24h"] == 1).then_some(payload)
    });
    assert_eq!(counted["fix_attempted_24h"], 2);
    assert_eq!(counted["error_code_counts_24h"][code], 1);
    let (_, log) = gateway.stop();
    assert_eq!(log.lines().filter(|line| line.contains(" fix ")).count(), 4, "{log}");
    assert!(!log.contains(CANARY), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_connects_now_and_says_what_came_of_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let config = json!({"mcpServers": {"remote": {"url": format!("http://{address}/mcp")}}});
    let gateway = Gateway::start(&config);
    let code = "MCPX_HTTP_REFUSED";
    has_code(&gateway, "remote", code);
    let done = fix(&gateway, "remote", code, "retry", "execute");
    assert_eq!(
        (&done["result"]["outcome"], &done["result"]["code"]),
        (&json!("failed"), &json!(code))
    );
    let listener = tokio::net::TcpListener::bind(address).await.expect("the same port");
    let _serving = Fake::default().serve_on(listener);
    has_code(&gateway, "remote", code);
    let done = fix(&gateway, "remote", code, "retry", "execute");
    assert_eq!(done["result"]["outcome"], "succeeded", "{done}");
    gateway.wait_for("remote", "connected");
}

/// A server that speaks only the older transport over HTTP.
async fn legacy() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let answer = || async { axum::http::StatusCode::METHOD_NOT_ALLOWED };
    let router = axum::Router::new().route("/mcp", axum::routing::any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_switched_off_only_when_that_is_said() {
    let code = "MCPX_HTTP_LEGACY_SSE";
    let entry = json!({"url": legacy().await, "headers": {"X-Key": format!("{CANARY}5")}});
    let gateway = Gateway::start(&json!({"mcpServers": {"old": entry}}));
    has_code(&gateway, "old", code);
    let before = state(&gateway.home);
    let wanted = json!({"server": "old", "code": code, "action": "disable_server"});
    let (status, body) = ask(&gateway, &wanted);
    assert_eq!(status, 409, "{body}");
    assert!(body["error"].as_str().expect("words").contains("send `mode`"), "{body}");
    let planned = fix(&gateway, "old", code, "disable_server", "dry_run");
    let change = &planned["preview"]["changes"][0];
    assert_eq!((&change["before"], &change["after"]), (&Value::Null, &json!("\"enabled\":false")));
    assert!(!planned.to_string().contains(CANARY), "{planned}");
    assert_eq!(state(&gateway.home), before);
    let done = fix(&gateway, "old", code, "disable_server", "execute");
    assert_eq!(done["result"]["outcome"], "succeeded", "{done}");
    gateway.wait_for("old", "disabled");
    undo(&gateway.home, &done);
    has_code(&gateway, "old", code);
}

#[test]
fn what_is_no_fix_is_refused_in_words_and_nothing_changes() {
    let gateway = Gateway::start_in(home_with(&laid_out()), &[], &[]);
    program(&gateway.home, ".local/bin", "/bin/sh");
    has_code(&gateway, "local one", NOT_FOUND);
    let before = state(&gateway.home);
    let wanted = |server: &str, code: &str, action: &str| json!({"server": server, "code": code, "action": action, "mode": "execute"});
    for (status, wanted, words) in [
        (404, wanted("nobody", NOT_FOUND, "find_program"), "no server of that name"),
        (409, wanted("local one", "MCPX_STDIO_EXITED", "restart"), "but MCPX_STDIO_NOT_FOUND"),
        (409, wanted("local one", NOT_FOUND, "restart"), "its steps are find_program"),
        (400, wanted("local one", "MCPX_NOTHING", "restart"), "`code` is none"),
        (400, wanted("local one", NOT_FOUND, "log_in"), "`action` must be one of show_logs"),
        (400, json!({"server": "local one"}), "`code` must be there"),
        (400, json!({"server": 7, "code": NOT_FOUND, "action": "restart"}), "`server` must be"),
        (400, json!([]), "a JSON object"),
        (
            400,
            json!({"server": "x", "code": NOT_FOUND, "action": "retry", "mode": "now"}),
            "`mode`",
        ),
        (
            400,
            json!({"server": "x", "code": NOT_FOUND, "action": "retry", "force": true}),
            "nothing else",
        ),
    ] {
        let (found, body) = ask(&gateway, &wanted);
        assert_eq!(found, status, "{wanted}: {body}");
        assert!(body["error"].as_str().expect("words").contains(words), "{wanted}: {body}");
    }
    let path = "/api/v1/diagnostics/fix";
    let body = wanted("local one", NOT_FOUND, "find_program").to_string();
    let (key, json) = (("X-API-Key", gateway.key.as_str()), ("Content-Type", "application/json"));
    let status = |method: &str, headers: &[(&str, &str)], body: &str| {
        gateway.ask(method, path, headers, body).0
    };
    assert_eq!(status("POST", &[json], &body), 401);
    assert_eq!(status("POST", &[key, json, ("Origin", "http://evil.example")], &body), 403);
    assert_eq!(status("POST", &[key], &body), 415);
    assert_eq!(status("POST", &[key, json], &" ".repeat(5000)), 413);
    assert_eq!(status("GET", &[key], ""), 405);
    assert_eq!(state(&gateway.home), before);
    let (_, log) = gateway.stop();
    assert!(!log.contains(" fix "), "a refusal is no fix: {log}");
    assert!(!log.contains("nobody"), "a name that nobody has is in the log: {log}");
}

#[test]
fn there_is_one_fix_a_second() {
    let gateway = Gateway::start_in(home_with(&laid_out()), &[], &[]);
    has_code(&gateway, "local one", NOT_FOUND);
    let wanted = json!({"server": "local one", "code": NOT_FOUND, "action": "find_program", "mode": "dry_run"});
    let headers = [("X-API-Key", gateway.key.as_str()), ("Content-Type", "application/json")];
    // On a slow machine more than a second may lie between two of them: then the next one comes at once.
    let refused = eventually("one is too soon", || {
        let (head, body) =
            gateway.raw("POST", "/api/v1/diagnostics/fix", &headers, &wanted.to_string());
        head.starts_with("HTTP/1.1 429").then_some((head, body))
    });
    assert!(refused.0.to_ascii_lowercase().contains("retry-after: 1"), "{}", refused.0);
    assert!(refused.1.contains("one fix a second"), "{}", refused.1);
    // What nobody can do is answered at any time.
    let (status, _) = gateway.ask("POST", "/api/v1/diagnostics/fix", &headers, "{}");
    assert_eq!(status, 400);
}

#[test]
fn nothing_is_counted_while_telemetry_is_off() {
    let home = home_with(&laid_out());
    program(&home, ".local/bin", "/bin/sh");
    let gateway = Gateway::start_in(home, &[], &[("DO_NOT_TRACK", "1")]);
    has_code(&gateway, "local one", NOT_FOUND);
    let done = fix(&gateway, "local one", NOT_FOUND, "find_program", "execute");
    assert_eq!(done["result"]["outcome"], "succeeded", "{done}");
    assert_eq!(gateway.payload()["diagnostics"], Value::Null);
    let mut files: Vec<_> = fs::read_dir(gateway.home.data())
        .expect("the data directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    files.sort();
    assert_eq!(files, ["config.lock", "mcp_config.json"]);
}

/// Exit code, standard output and standard error of `doctor`.
fn doctor(home: &Home, words: &[&str]) -> (Option<i32>, String, String) {
    let args = [&["doctor"], words].concat();
    let output = home.command(&args).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_fixes_the_configuration_where_no_gateway_runs() {
    let home = home_with(&laid_out());
    let found = program(&home, ".local/bin", "/bin/sh");
    let before = state(&home);
    let (code, shown, said) = doctor(&home, &["--fix", "stdio_not_found"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{shown}");
    for part in [
        "\"local one\": find_program: Writes the full path",
        &format!("line 4 before: \"command\"  :   \"{PROGRAM}\""),
        &format!("line 4 after:  \"command\"  :   \"~/.local/bin/{PROGRAM}\""),
        "Nothing was done yet; add --execute to do it.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(CANARY), "{shown}");
    assert_eq!(state(&home), before);

    let wanted = ["--fix", NOT_FOUND, "--server", "local one", "--execute", "-o", "json"];
    let (code, shown, said) = doctor(&home, &wanted);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{shown}");
    let done: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&done["code"], &done["mode"]), (&json!(NOT_FOUND), &json!("execute")));
    assert_eq!(done["fixes"][0]["result"]["outcome"], "succeeded", "{done}");
    assert!(text(&home).contains(&found));
    let (code, _, said) = doctor(&home, &wanted);
    assert_eq!(code, Some(1));
    assert!(said.contains("does not have that code now, nor any other"), "{said}");
    undo(&home, &done["fixes"][0]);
    assert_eq!(state(&home).0, before.0);

    fs::remove_file(found).expect("removed");
    let (code, shown, _) = doctor(&home, &["--fix", NOT_FOUND, "--execute"]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("failed: ") && shown.contains("nothing is changed"), "{shown}");
    assert_eq!(state(&home).0, before.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_needs_the_gateway_and_what_is_no_fix() {
    let url = legacy().await;
    let home = Home::with(&json!({"mcpServers": {
        "ends": {"command": "sh", "args": ["-c", "exit 3"]}, "old": {"url": url}, "off": {"command": "x", "enabled": false},
    }}));
    let early = "MCPX_STDIO_EXITED_EARLY";
    for (words, exit, said_part) in [
        (&["--fix", early, "--server", "ends"][..], 1, "restart needs the running gateway"),
        (&["--fix", early], 1, "--server NAME looks at one"),
        (&["--fix", early, "--server", "endz"], 1, "did you mean \"ends\"?"),
        (&["--fix", early, "--server", "off"], 1, "nor any other"),
        (&["--fix", early, "--action", "find_program"], 2, "one of show_logs, restart"),
        (&["--fix", "MCPX_STDIO_NOT_FUND"], 2, "did you mean MCPX_STDIO_NOT_FOUND?"),
        (&["--fix", "MCPX_STORE_FULL"], 1, "nothing that the program can do"),
        (&["--fix", early, "--online"], 2, "--online is not for --fix"),
        (&["--execute"], 2, "--execute is for --fix"),
        (&["--fix", early, "--gateway", "here"], 2, "HOST:PORT"),
    ] {
        let (code, shown, said) = doctor(&home, words);
        assert_eq!(code, Some(exit), "{words:?}: {shown}{said}");
        assert!(said.contains(said_part), "{words:?}: {said}");
    }
    let disable = ["--fix", "MCPX_HTTP_LEGACY_SSE", "--server", "old", "--execute"];
    let (code, shown, said) = doctor(&home, &disable);
    assert_eq!(code, Some(0), "{shown}{said}");
    assert!(shown.contains("succeeded: the server is switched off."), "{shown}");
    assert!(shown.contains("To undo it: mcpproxy upstream enable"), "{shown}");
    let config: Value = serde_json::from_str(&text(&home)).expect("JSON");
    assert_eq!(config["mcpServers"]["old"]["enabled"], false);
}

#[test]
fn the_command_has_a_running_gateway_do_it() {
    let home = home_with(&laid_out());
    program(&home, ".local/bin", "/bin/sh");
    let gateway = Gateway::start_in(home, &[], &[]);
    has_code(&gateway, "local one", NOT_FOUND);
    let wanted = ["--fix", NOT_FOUND, "--gateway", &gateway.address, "--execute"];
    let (code, shown, said) = doctor(&gateway.home, &wanted);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.contains("succeeded: the server is connected, with 2 tools."), "{shown}");
    let (code, _, said) = doctor(&gateway.home, &wanted);
    assert_eq!(code, Some(1));
    assert!(said.contains("no server is known to have"), "{said}");
    let (_, log) = gateway.stop();
    assert_eq!(log.lines().filter(|line| line.contains(" fix ")).count(), 1, "{log}");
}
