//! What stdio servers write on standard error, and the commands that show it: on every surface without secrets.

use crate::fake::shell_server;
use crate::gateway::{Gateway, Home, eventually};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// A server that writes `said` on standard error before it answers.
fn saying(said: &str) -> Value {
    let mut server = shell_server();
    let script = server["args"][1].as_str().expect("a script").to_owned();
    server["args"][1] = format!("{said}\n{script}").into();
    server
}

/// Exit code, standard output and standard error of a command.
fn run(gateway: &Gateway, words: &[&str]) -> (Option<i32>, String, String) {
    let mut args = vec!["upstream"];
    args.extend(words);
    if words[0] != "test" {
        args.extend(["--gateway", gateway.address.as_str()]);
    }
    let output = gateway.home.command(&args).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn texts(gateway: &Gateway, name: &str) -> Vec<String> {
    let data = gateway.data(&format!("/api/v1/servers/{name}/logs"));
    let lines = data["lines"].as_array().expect("lines").iter();
    lines.map(|line| line["text"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn the_last_lines_of_a_server_are_kept_over_its_runs_and_shown() {
    let many = "for n in $(seq 60); do echo \"line $n\" >&2; done";
    let gateway = Gateway::start(&json!({"mcpServers": {
        "many": saying(many),
        "ends": {"command": "sh", "args": ["-c", "echo no such file >&2; printf 'at the end' >&2; exit 3"]},
        "quiet": shell_server(),
    }}));
    for name in ["many", "quiet"] {
        gateway.wait_for(name, "connected");
    }
    gateway.wait_for("ends", "waiting");
    eventually("its last words are there", || {
        texts(&gateway, "ends")
            .ends_with(&["no such file".into(), "at the end".into()])
            .then_some(())
    });
    let last: Vec<String> = (11..=60).map(|number| format!("line {number}")).collect();
    assert_eq!(texts(&gateway, "many"), last);
    let (code, shown, said) = run(&gateway, &["logs", "many"]);
    assert_eq!((code, shown.lines().count(), said.as_str()), (Some(0), 50, ""), "{shown}");
    assert!(shown.lines().last().is_some_and(|line| line.ends_with("Z line 60")), "{shown}");
    let (code, shown, said) = run(&gateway, &["logs", "quiet"]);
    assert_eq!((code, shown.as_str()), (Some(0), ""));
    assert!(said.contains("wrote nothing on standard error"), "{said}");

    let (code, shown, said) = run(&gateway, &["restart", "many"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{shown}");
    assert_eq!(shown, "Restarted \"many\": connected, 2 tools.\n");
    let data = gateway.data("/api/v1/servers/many/logs?from=120");
    assert_eq!((&data["next"], &data["lines"]), (&json!(120), &json!([])));
    let data = gateway.data("/api/v1/servers/many/logs?from=119");
    assert_eq!(
        (&data["lines"][0]["text"], &data["lines"][0]["run"]),
        (&json!("line 60"), &json!(2))
    );
}

#[test]
fn new_lines_are_followed_until_it_is_interrupted() {
    let gateway = Gateway::start(&json!({"mcpServers": {"many": saying("echo started >&2")}}));
    gateway.wait_for("many", "connected");
    let args = ["upstream", "logs", "many", "--follow", "--gateway", &gateway.address];
    let mut follow = gateway.home.command(&args);
    let mut follow = follow.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert!(line().ends_with(" started"));
    assert_eq!(run(&gateway, &["restart", "many"]).0, Some(0));
    assert_eq!(line(), "-- started again --");
    assert!(line().ends_with(" started"));
    follow.kill().expect("a process");
    follow.wait().expect("its end");
}

#[test]
fn a_restart_says_what_came_of_it_and_tries_a_server_that_waits() {
    let home = Home::empty();
    std::fs::create_dir(home.data()).expect("a directory");
    let flag = home.root().join("ready");
    let script = format!("test -e '{}' || exit 3", flag.display());
    let mut off = shell_server();
    off["enabled"] = false.into();
    home.write(&json!({"mcpServers": {"later": saying(&script), "off": off, "odd": {}}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    gateway.wait_for("later", "waiting");
    let (code, _, said) = run(&gateway, &["restart", "later"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("was restarted and is waiting: it ended before it answered"), "{said}");
    std::fs::write(&flag, "").expect("a file");
    let (code, shown, _) = run(&gateway, &["restart", "later"]);
    assert_eq!((code, shown.as_str()), (Some(0), "Restarted \"later\": connected, 2 tools.\n"));
    for (name, words) in [
        ("off", "is disabled"),
        ("odd", "entry cannot be used"),
        ("latr", "did you mean \"later\"?"),
        ("no/such server", "`mcpproxy upstream list`"),
    ] {
        let (code, _, said) = run(&gateway, &["restart", name]);
        assert_eq!(code, Some(1), "{name}");
        assert!(said.contains(words), "{name}: {said}");
    }
    let (code, _, said) = run(&gateway, &["logs", "latr"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("did you mean \"later\"?"), "{said}");
    let key = [("X-API-Key", gateway.key.as_str())];
    let (status, _) = gateway.ask("GET", "/api/v1/servers/later/restart", &key, "");
    assert_eq!(status, 405);
    let (status, _) = gateway.ask("POST", "/api/v1/servers/later/restart", &[], "");
    assert_eq!(status, 401);
    let foreign = [key[0], ("Origin", "http://evil.example")];
    let (status, _) = gateway.ask("POST", "/api/v1/servers/later/restart", &foreign, "");
    assert_eq!(status, 403);
    let (status, _) = gateway.ask("GET", "/api/v1/servers/later/logs?from=x", &key, "");
    assert_eq!(status, 400);
}

#[test]
fn without_a_gateway_the_remedy_is_named() {
    let home = Home::with(&json!({"mcpServers": {"one": shell_server()}}));
    let said = |args: &[&str]| {
        let output = home.command(args).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(said(&["upstream", "logs", "one"]).contains("`mcpproxy serve`"));
    home.write(&json!({"api_key": "0123456789abcdef", "mcpServers": {}}));
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("its address").to_string();
    drop(port);
    for command in ["logs", "restart"] {
        let said = said(&["upstream", command, "one", "--gateway", &address]);
        assert!(said.contains("no gateway answers at"), "{said}");
        assert!(said.contains("--gateway HOST:PORT"), "{said}");
    }
}

#[test]
fn a_server_is_tried_without_a_gateway() {
    let ends = "echo 'cannot open /no/such/file' >&2; exit 3";
    let home = Home::with(&json!({"mcpServers": {
        "good": shell_server(),
        "ends": {"command": "sh", "args": ["-c", ends]},
        "none": {"command": "no-such-command-at-all"},
    }}));
    let test = |name: &str| {
        let output = home.command(&["upstream", "test", name]).output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, shown, said) = test("good");
    assert_eq!((code, said.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.starts_with("\"good\" connected in "), "{shown}");
    assert!(shown.contains("; protocol 2025-06-18, 2 tools, 0 prompts, 0 resources."), "{shown}");
    let (code, _, said) = test("ends");
    assert_eq!(code, Some(1));
    for part in [
        "\"ends\" is not connected (MCPX_STDIO_EXITED_EARLY): it ended before it answered",
        "(exit code 3)",
        "  cannot open /no/such/file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, _, said) = test("none");
    assert_eq!(code, Some(1));
    assert!(said.contains("MCPX_STDIO_NOT_FOUND") && !said.contains("last lines"), "{said}");
    let (code, _, said) = test("goood");
    assert_eq!(code, Some(1));
    assert!(said.contains("did you mean \"good\"?"), "{said}");
}

/// A canary begins with this.
const CANARY: &str = "canary-";

#[test]
fn no_secret_reaches_any_surface() {
    let said = r#"
        echo "env $FIRST and {\"env\":\"$FIRST\"} and ?env=$FIRST" >&2
        printf %s "user:$FIRST:more" | base64 >&2
        echo "own $SECOND" >&2
        echo "argument $2 and ${3#*=}, of a URL canary-in-url-1 and canary-in-url-2" >&2
        echo "Authorization: Bearer canary-printed-0" >&2
        echo "got ghp_canary0123456789canary0123456789" >&2
        echo "db postgres://jo:canary-printed-1@db.example/x?key=canary-printed-2" >&2
        printf '\033[31mpassword=canary-printed-3\033[0m in %s/notes\n' "$HOME" >&2
        echo "last" >&2"#;
    let mut server = saying(said);
    server["env"] = json!({"FIRST": "canary-in-env-1", "SECOND": "${MY_WORDS}"});
    let url = "https://jo:canary-in-url-1@mcp.example/?sid=canary-in-url-2";
    let script = server["args"][1].clone();
    let (key, token) = ("canary-in-argument-1", "--token=canary-in-argument-2");
    server["args"] = json!(["-c", script, "sh", "--api-key", key, token, url]);
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = dead.local_addr().expect("its address");
    drop(dead);
    let remote = json!({
        "url": format!("http://jo:canary-in-url-3@{address}/mcp?sid=canary-in-url-4"),
        "headers": {"Authorization": "Bearer canary-in-header-1"},
    });
    let home = Home::with(&json!({"mcpServers": {"local": server, "remote": remote}}));
    let variables = [("MY_WORDS", "canary-of-our-own-1"), ("MY_TOKEN", "canary-of-our-own-2")];
    let gateway = Gateway::start_in(home, &["--server-stderr"], &variables);
    gateway.wait_for("local", "connected");
    let remote = gateway.wait_for("remote", "waiting");
    let lines = eventually("its last line is there", || {
        let lines = texts(&gateway, "local");
        lines.last().is_some_and(|line| line == "last").then_some(lines)
    });
    assert!(lines.iter().any(|line| line.starts_with("env *** and ")), "{lines:?}");
    assert!(lines.iter().any(|line| line == "password=*** in ~/notes"), "{lines:?}");
    let (_, page) = gateway.ask("GET", "/", &[], "");
    let mut surfaces =
        vec![lines.join("\n"), remote.to_string(), page, gateway.status().to_string()];
    for words in [&["logs", "local"][..], &["logs", "remote"], &["test", "remote"]] {
        let (_, shown, said) = run(&gateway, words);
        surfaces.extend([shown, said]);
    }
    let mut test = gateway.home.command(&["upstream", "test", "local"]);
    let tested = test.envs(variables).output().expect("it starts");
    assert!(tested.status.success(), "{tested:?}");
    surfaces.push(String::from_utf8_lossy(&tested.stdout).into_owned());
    for args in [&["upstream", "list"][..], &["doctor"]] {
        let output = gateway.home.command(args).output().expect("it starts");
        surfaces.push(String::from_utf8_lossy(&output.stdout).into_owned());
        surfaces.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let (_, log) = gateway.stop();
    assert!(log.lines().any(|line| line == "local: last"), "{log}");
    surfaces.push(log);
    let in_base64 = "Y2FuYXJ5";
    for surface in surfaces {
        for canary in [CANARY, in_base64, "ghp_canary"] {
            assert!(!surface.contains(canary), "{canary} is in {surface}");
        }
    }
}
