//! `mcpproxy doctor` about servers: it finds what the gateway would find, and starts none unless it is told to.

use crate::diagnostics::{nobody, raw, shell, statuses};
use crate::fake::shell_server;
use crate::gateway::Home;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Exit code, what is found of servers, and what is complained about.
fn doctor(home: &Home, args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let output =
        home.command(&[&["doctor", "-o", "json"], args].concat()).output().expect("it starts");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let checks = answer["checks"].as_array().cloned().unwrap_or_default();
    let of_servers = checks.into_iter().filter(|check| check["name"] == "upstream_servers");
    (output.status.code(), of_servers.collect(), said)
}

/// The check that names this server.
#[track_caller]
fn about<'c>(checks: &'c [Value], name: &str) -> &'c Value {
    let begin = format!("{name:?} ");
    let is_it = |check: &&Value| check["found"].as_str().is_some_and(|it| it.starts_with(&begin));
    checks.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not in {checks:?}"))
}

const EIGHT: [(&str, &str); 8] = [
    ("missing", "MCPX_STDIO_NOT_FOUND"),
    ("both", "MCPX_CONFIG_INVALID_ENTRY"),
    ("secret", "MCPX_CONFIG_MISSING_SECRET"),
    ("ends", "MCPX_STDIO_EXITED_EARLY"),
    ("silent", "MCPX_STDIO_HANDSHAKE_TIMEOUT"),
    ("refused", "MCPX_HTTP_REFUSED"),
    ("stranger", "MCPX_HTTP_UNAUTHORIZED"),
    ("tls", "MCPX_HTTP_TLS"),
];

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_servers_that_cannot_connect_all_eight_are_named() {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a data directory");
    let (statuses, started) = (statuses().await, home.root().join("started"));
    let greeted = Arc::new(AtomicUsize::new(0));
    let counter = greeted.clone();
    let plain = raw(move |mut stream| {
        counter.fetch_add(1, Ordering::Relaxed);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mut silent = shell("sleep 60");
    silent["startup_timeout_sec"] = 1.into();
    let mut off = shell("exit 9");
    off["enabled"] = false.into();
    home.write(&json!({"mcpServers": {
        "missing": {"command": "no-such-program-here"},
        "both": {"command": "sh", "url": "http://127.0.0.1:9/"},
        "secret": {"command": "sh", "env": {"TOKEN": "${NO_SUCH_VARIABLE_HERE}"}},
        "ends": shell(&format!("echo x > '{}'; echo no good >&2; exit 3", started.display())),
        "silent": silent,
        "refused": {"url": format!("http://{}/mcp", nobody())},
        "stranger": {"url": format!("{statuses}/401")},
        "tls": {"url": format!("https://{plain}/mcp")},
        "good": shell_server(),
        "off": off,
    }}));
    // Without being told to, it looks at the entries alone.
    let (code, checks, said) = doctor(&home, &[]);
    assert_eq!((code, checks.len(), said.as_str()), (Some(0), 3, ""), "{checks:?}");
    for (name, code) in &EIGHT[..3] {
        assert_eq!(about(&checks, name)["code"], *code);
    }
    assert!(!started.exists() && greeted.load(Ordering::Relaxed) == 0, "a server was tried");

    let (code, checks, said) = doctor(&home, &["--online"]);
    assert_eq!((code, checks.len(), said.as_str()), (Some(0), 8, ""), "{checks:?}");
    assert!(started.exists() && greeted.load(Ordering::Relaxed) > 0);
    for (name, code) in EIGHT {
        let check = about(&checks, name);
        assert_eq!((&check["code"], &check["level"]), (&code.into(), &"warn".into()), "{check}");
        let advice = check["advice"].as_str().expect("a next step");
        assert!(
            advice.ends_with("`mcpproxy doctor --server NAME` tries it and says more"),
            "{advice}"
        );
    }
    let advice = about(&checks, "refused")["advice"].as_str().expect("a next step");
    assert!(advice.starts_with("Start the server, or correct the host and port"), "{advice}");

    // One by one they are failures, with the same codes.
    for (name, code) in EIGHT {
        let (exit, checks, _) = doctor(&home, &["--server", name]);
        let check = about(&checks, name);
        assert_eq!((exit, checks.len()), (Some(1), 1), "{checks:?}");
        assert_eq!((&check["code"], &check["level"]), (&code.into(), &"fail".into()), "{check}");
    }
    let (exit, checks, said) = doctor(&home, &["--server", "good"]);
    assert_eq!((exit, checks.len(), said.as_str()), (Some(0), 1, ""), "{checks:?}");
    let found = about(&checks, "good")["found"].as_str().expect("words");
    assert!(found.contains("connected in ") && found.contains("2 tools"), "{found}");
    let (exit, checks, _) = doctor(&home, &["--server", "off"]);
    assert_eq!((exit, checks.len()), (Some(1), 2), "{checks:?}");
    assert!(about(&checks, "off")["found"].as_str().is_some_and(|it| it.contains("disabled")));
    assert!(
        checks[1]["found"].as_str().is_some_and(|it| it.contains("(exit code 9)")),
        "{checks:?}"
    );
}

#[test]
fn the_last_lines_of_a_server_that_fails_are_shown_without_its_secrets() {
    let many =
        "for n in $(seq 40); do echo \"line $n\" >&2; done; echo \"token $TOKEN\" >&2; exit 3";
    let mut server = shell(many);
    server["env"] = json!({"TOKEN": "canary-of-the-environment"});
    let home = Home::with(&json!({"mcpServers": {"ends": server}}));
    let (exit, checks, _) = doctor(&home, &["--server", "ends"]);
    let lines = about(&checks, "ends")["lines"].as_array().expect("lines").clone();
    assert_eq!((exit, lines.len(), &lines[0]), (Some(1), 20, &"line 22".into()), "{lines:?}");
    let last = lines[19].as_str().expect("text");
    assert!(last.starts_with("token ") && !last.contains("canary"), "{last}");
    let output = home.command(&["doctor", "--server", "ends"]).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for part in [
        "fail  upstream_servers  \"ends\" is not connected: it ended before it answered (exit code 3).",
        "To do: Run the command of the server's entry in a terminal",
        "MCPX_STDIO_EXITED_EARLY: `mcpproxy explain MCPX_STDIO_EXITED_EARLY` says more.",
        "Its last lines on standard error:",
        "  line 40",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("line 21\n") && !text.contains("canary"), "{text}");
}

#[test]
fn what_is_off_in_what_a_server_offers_is_a_warning() {
    let mut server = shell_server();
    let script = server["args"][1].as_str().expect("a script").to_owned();
    server["args"][1] = format!("echo Server is starting\n{script}").into();
    let home = Home::with(&json!({"mcpServers": {"prints": server}}));
    for args in [&["--online"][..], &["--server", "prints"]] {
        let (exit, checks, _) = doctor(&home, args);
        let check = checks.last().expect("a check");
        assert_eq!((exit, &check["level"]), (Some(0), &"warn".into()), "{checks:?}");
        assert_eq!(check["code"], "MCPX_STDIO_STDOUT_POLLUTED", "{check}");
    }
}

#[test]
fn a_server_that_is_not_there_is_a_wrong_call() {
    let home = Home::with(&json!({"mcpServers": {"notes": shell_server()}}));
    for (args, part) in [
        (&["--server", "nots"][..], "did you mean \"notes\"?"),
        (&["--server", "something else"], "`mcpproxy upstream list`"),
        (&["--server", "notes", "--product", "x"], "leave --product and --endpoint away"),
    ] {
        let (exit, checks, said) = doctor(&home, args);
        assert_eq!((exit, checks.len()), (Some(2), 0), "{said}");
        assert!(said.contains(part), "{part}: {said}");
    }
    // A configuration that cannot be read is what is wrong with each of them.
    fs::write(home.config(), "{").expect("a written config");
    let output = home.command(&["doctor", "--server", "notes", "-o", "json"]).output();
    let answer: Value = serde_json::from_slice(&output.expect("it starts").stdout).expect("JSON");
    assert_eq!(answer["checks"][0]["code"], "MCPX_CONFIG_UNREADABLE", "{answer}");
}
