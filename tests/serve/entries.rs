//! What users write in an entry, and what servers write beside their messages: it works, or is named in words.

use crate::clients::{call, modern, over_http, text};
use crate::fake::shell_server;
use crate::gateway::{Gateway, Home};
use serde_json::{Value, json};
use std::path::Path;

fn script() -> String {
    shell_server()["args"][1].as_str().expect("a script").to_owned()
}

/// The server in `sh`, whose answers are written in another way.
fn writing(from: &str, to: &str) -> Value {
    let mut server = shell_server();
    let script = script();
    assert!(script.contains(from), "{from}");
    server["args"][1] = script.replace(from, to).into();
    server
}

/// A program that the system cannot start by itself: a script without `#!`.
fn write_script(file: &Path) {
    let before = "printf 'up \\342\\200\\256\\033[31m and running' >&2; echo >&2\n";
    std::fs::write(file, format!("{before}{}\n", script())).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(file, mode).expect("a mode");
    }
}

#[track_caller]
fn faults(server: &Value) -> String {
    let faults = server["faults"].as_array().expect("faults").iter();
    faults.filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn text_beside_messages_costs_no_server_and_is_told_under_its_name() {
    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":%s,"result":%s}\n"#;
    let servers = json!({"mcpServers": {
        "before": writing(ANSWER, &format!("Starting \"it\"...{ANSWER}")),
        "after": writing(ANSWER, r#"{"jsonrpc":"2.0","id":%s,"result":%s}Ready to serve\n"#),
        "unended": writing(ANSWER, r#"{"jsonrpc":"2.0","id":%s,"result":%s}"#),
        "ends": {"command": "sh", "args": ["-c", "printf 'no such thing' >&2; exit 3"]},
        "quiet": shell_server(),
    }});
    let args = ["--server-stderr", "--log-level", "warn"];
    let gateway = Gateway::start_in(Home::with(&servers), &args, &[]);
    for (name, words) in [
        ("before", "other text on the lines of its messages"),
        ("after", "other text on the lines of its messages"),
        ("unended", "does not end the lines of its messages"),
    ] {
        let server = gateway.wait_for(name, "connected");
        assert_eq!(server["tool_count"], 2, "{server}");
        assert!(faults(&server).contains(words), "{server}");
        assert!(server["detail"].as_str().is_some_and(|it| it.contains(words)), "{server}");
    }
    assert_eq!(faults(&gateway.wait_for("quiet", "connected")), "");
    gateway.wait_for("ends", "waiting");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    for name in ["before", "after", "unended"] {
        let said = text(&call(&session, &format!("{name}:env"), json!({})).await);
        assert!(said.contains("PATH"), "{name}: {said}");
    }
    let listed = gateway.home.out(&["upstream", "list"]);
    assert!(listed.contains("fault: it writes other text"), "{listed}");
    let (_, said) = gateway.stop();
    assert!(said.lines().any(|line| line == "ends: no such thing"), "{said}");
    for name in ["before", "after"] {
        let is_named = |line: &str| line.contains("other text on the lines") && line.contains(name);
        assert_eq!(said.lines().filter(|line| is_named(line)).count(), 1, "{name}: {said}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_added_in_a_project_works_wherever_the_gateway_is_started() {
    let home = Home::with(&json!({"mcpServers": {}}));
    let project = home.root().join("project");
    std::fs::create_dir(&project).expect("a directory");
    write_script(&project.join("server"));
    let add = |words: &[&str]| {
        let mut command = home.command(&[&["upstream", "add"], words].concat());
        let added = command.current_dir(&project).output().expect("it starts");
        assert!(added.status.success(), "{words:?}: {added:?}");
    };
    add(&["direct", "./server"]);
    add(&["shell", "--", "sh", "./server"]);
    // Without `#!`, and the same under `tap`.
    let whole = project.join("server");
    let tapped = home.command(&["tap", "--", whole.to_str().expect("UTF-8")]).output();
    let tapped = tapped.expect("it starts");
    assert!(tapped.status.success(), "{tapped:?}");
    let gateway = Gateway::start_in(home, &["--server-stderr"], &[]);
    for name in ["direct", "shell"] {
        let server = gateway.wait_for(name, "connected");
        assert_eq!((&server["tool_count"], faults(&server)), (&json!(2), String::new()));
    }
    let (_, said) = gateway.stop();
    for name in ["direct", "shell"] {
        let line = format!("{name}: up \\u202e and running");
        assert!(said.lines().any(|it| it == line), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_count_from_elsewhere_and_addresses_of_an_older_transport_are_named() {
    // As a server of HTTP with SSE: its messages go to another address.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let stream = axum::routing::get(|| async { "event: endpoint\ndata: /messages\n\n" });
    let router = axum::Router::new().route("/sse", stream);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let gateway = Gateway::start(&json!({"mcpServers": {
        "old": {"url": format!("http://{address}/sse")},
        "command": {"command": "./no-such-server"},
        "argument": {"command": "sh", "args": ["./no-such-server.sh"]},
        "directory": {"command": "sh", "cwd": "no-such-directory"},
        "other": {"command": "sh", "args": ["-c", "exit 1"]},
    }}));
    let command = ["no such file", "`command` is a relative path", "the gateway was started"];
    for (name, state, parts) in [
        ("old", "waiting", &["405", "/sse", "streamable HTTP"][..]),
        ("command", "parked", &command),
        ("argument", "waiting", &["ended before it answered", "`args[0]` is a relative path"]),
        ("directory", "parked", &["(`cwd`) does not exist", "`cwd` is a relative path"]),
    ] {
        let server = gateway.wait_for(name, state);
        let detail = server["detail"].as_str().expect("a reason");
        for part in parts {
            assert!(detail.contains(part), "{part} is not in {detail}");
        }
        assert!(!detail.contains("no-such"), "{detail}");
    }
    let other = gateway.wait_for("other", "waiting");
    assert!(!other["detail"].as_str().expect("a reason").contains("relative"), "{other}");
}
