//! Every way in which a server fails to connect or to answer, and its code: with real programs and real sockets.

use crate::clients::{call, modern, over_http, own, text};
use crate::gateway::{Gateway, Home, eventually};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

/// A server in `sh` that answers the handshake, and then as it is told: `list` and `call` are results.
fn scripted(before: &str, list: &str, call: &str) -> Value {
    let script = format!(
        r#"
        answer() {{ printf '{{"jsonrpc":"2.0","id":%s,%s}}\n' "$1" "$2"; }}
        {before}
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '"result":{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"sh","version":"1"}}}}' ;;
            *'"tools/list"'*) answer "$id" '{list}' ;;
            *'"tools/call"'*) {call} ;;
            *'"id"'*) answer "$id" '"error":{{"code":-32601,"message":"no"}}' ;;
            esac
        done"#
    );
    json!({"command": "sh", "args": ["-c", script], "startup_timeout_sec": 20})
}

/// A list of one tool.
const ONE_TOOL: &str = r#""result":{"tools":[{"name":"x","inputSchema":{"type":"object"}}]}"#;

fn shell(script: &str) -> Value {
    json!({"command": "sh", "args": ["-c", script], "startup_timeout_sec": 20})
}

/// A file with this text and these permissions.
fn file(home: &Path, name: &str, text: &[u8], mode: u32) -> Value {
    let path = home.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its permissions");
    json!({"command": path})
}

/// A port at which nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// A listener of raw sockets that does `answer` to each.
fn raw(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream);
        }
    });
    address
}

/// Answers every request with the status in its path; 401 of `login` says where one signs in.
async fn statuses() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let answer = |path: axum::extract::Path<String>| async move {
        let mut headers = HeaderMap::new();
        let status = match path.as_str() {
            "login" => {
                let asked = "Bearer resource_metadata=\"https://example.org/.well-known/x\"";
                headers.insert("www-authenticate", asked.parse().expect("a value"));
                401
            }
            "wait" => {
                headers.insert("retry-after", "1000".parse().expect("a value"));
                429
            }
            "sse" => 404,
            "elsewhere" => {
                headers.insert("location", "http://127.0.0.1:9/".parse().expect("a value"));
                302
            }
            // The words of a body decide nothing.
            status => status.parse().expect("a status"),
        };
        let status = StatusCode::from_u16(status).expect("a status");
        (status, headers, "status 401: auth failed, docker: not found").into_response()
    };
    let router = axum::Router::new().route("/{status}", axum::routing::any(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Waits until a server has this code, and returns what the status says of it.
#[track_caller]
fn wait_for_code(gateway: &Gateway, name: &str, code: &str) -> Value {
    let mut last = Value::Null;
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(&format!("{name} has {code}"), || {
            let status = gateway.status();
            let servers = status["servers"].as_array().cloned().unwrap_or_default();
            let server = servers.into_iter().find(|server| server["name"] == name)?;
            last = server.clone();
            (server["diagnostic"]["code"] == format!("MCPX_{code}")).then_some(server)
        })
    }));
    found.unwrap_or_else(|_| panic!("{name} has not {code}: {last}"))
}

#[test]
fn programs_that_cannot_be_started_or_end_early_have_their_codes() {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a data directory");
    let root = home.root().to_owned();
    let engine =
        json!({"command": "docker", "args": ["run", "x"], "env": {"PATH": "/nonexistent"}});
    let servers = json!({
        "missing": {"command": "no-such-program-here"},
        "missing-path": {"command": "/nonexistent/server"},
        "directory": {"command": "sh", "cwd": "/nonexistent"},
        "forbidden": file(&root, "forbidden", b"#!/bin/sh\n", 0o644),
        "garbage": file(&root, "garbage", b"\0\0no program\0", 0o755),
        "interpreter": file(&root, "interpreter", b"#!/nonexistent/node\n", 0o755),
        "engine": engine,
        "ends": shell("exit 3"),
        // What it wrote decides nothing: the nearest cause does.
        "status": shell("echo 'status 503' >&2; exit 1"),
        "file": shell("cat /cache/x; exit 1"),
        "key": shell("echo 'git@host: Permission denied (publickey).' >&2; exit 128"),
        "docker-words": shell("echo 'docker: permission denied' >&2; exit 126"),
        "refuses": shell(
            r#"while read -r line; do
                id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"no"}}\n' "$id"
            done"#),
        "version": shell(
            r#"while read -r line; do
                id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32022,"message":"no","data":{"supported":[],"requested":"x"}}}\n' "$id"
            done"#),
        "silent": {
            "command": "sh", "args": ["-c", "echo 'docker: command not found' >&2; sleep 60"],
            "startup_timeout_sec": 1
        },
        "secret": {"command": "sh", "args": ["-c", "exit"], "env": {"TOKEN": "${NO_SUCH_VARIABLE_HERE}"}},
        "both": {"command": "sh", "url": "http://127.0.0.1:9/"},
        "prints": scripted("echo Server is starting; echo", ONE_TOOL, "exit"),
        "list": scripted("", r#""result":{"tools":{}}"#, "exit"),
        "refuses-list": scripted("", r#""error":{"code":-32603,"message":"no"}"#, "exit"),
    });
    home.write(&json!({"mcpServers": servers}));
    // Messages of the system are in the language of the user; codes are not made of them.
    let german = [("LANG", "de_DE.UTF-8"), ("LC_ALL", "de_DE.UTF-8"), ("LANGUAGE", "de")];
    let gateway = Gateway::start_in(home, &[], &german);
    for (name, code, state) in [
        ("missing", "STDIO_NOT_FOUND", "parked"),
        ("missing-path", "STDIO_NOT_FOUND", "parked"),
        ("directory", "CONFIG_INVALID_ENTRY", "parked"),
        ("forbidden", "STDIO_NO_PERMISSION", "parked"),
        ("garbage", "STDIO_NOT_EXECUTABLE", "parked"),
        ("interpreter", "STDIO_NOT_EXECUTABLE", "parked"),
        ("engine", "CONTAINER_ENGINE_NOT_FOUND", "parked"),
        ("ends", "STDIO_EXITED_EARLY", "waiting"),
        ("status", "STDIO_EXITED_EARLY", "waiting"),
        ("file", "STDIO_EXITED_EARLY", "waiting"),
        ("key", "STDIO_EXITED_EARLY", "waiting"),
        ("docker-words", "STDIO_EXITED_EARLY", "waiting"),
        ("refuses", "STDIO_HANDSHAKE_INVALID", "waiting"),
        ("version", "PROTOCOL_VERSION", "waiting"),
        ("silent", "STDIO_HANDSHAKE_TIMEOUT", "waiting"),
        ("secret", "CONFIG_MISSING_SECRET", "parked"),
        ("both", "CONFIG_INVALID_ENTRY", "failed"),
        ("prints", "STDIO_STDOUT_POLLUTED", "connected"),
        ("list", "PROTOCOL_INVALID_LIST", "waiting"),
        ("refuses-list", "PROTOCOL_INVALID_LIST", "waiting"),
    ] {
        let server = wait_for_code(&gateway, name, code);
        assert_eq!(server["state"], state, "{server}");
        let is_tried_again = !server["retry_at"].is_null();
        assert_eq!(is_tried_again, state == "waiting", "{server}");
        assert!(!server["diagnostic"]["cause"].as_str().expect("words").contains("nonexistent"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_over_http_have_the_code_of_their_status_or_of_the_way_to_them() {
    let statuses = statuses().await;
    let at = |status: &str| json!({"url": format!("{statuses}/{status}")});
    let reset = raw(|mut stream| {
        // What is left unread makes the system reset the connection.
        let _ = stream.read(&mut [0; 1]);
    });
    let hang = raw(std::mem::forget);
    let plain = raw(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let gateway = Gateway::start_in(
        Home::with(&json!({"mcpServers": {
            "400": at("400"), "401": at("401"), "402": at("402"), "403": at("403"), "404": at("404"),
            "405": at("405"), "502": at("502"), "login": at("login"), "wait": at("wait"),
            "sse": at("sse"), "elsewhere": at("elsewhere"),
            "has-token": {"url": format!("{statuses}/login"), "headers": {"Authorization": "Bearer x"}},
            "refused": {"url": format!("http://{}/mcp", nobody())},
            "reset": {"url": format!("http://{reset}/mcp")},
            "hang": {"url": format!("http://{hang}/mcp"), "startup_timeout_sec": 1},
            "tls": {"url": format!("https://{plain}/mcp")},
            "name": {"url": "http://no-such-host.invalid/mcp"},
            "proxy": {"url": "http://192.0.2.1/mcp"},
        }})),
        &[],
        &[("http_proxy", &format!("http://{}", nobody())), ("no_proxy", ".invalid")],
    );
    for (name, code) in [
        ("400", "HTTP_CLIENT_ERROR"),
        ("401", "HTTP_UNAUTHORIZED"),
        ("402", "HTTP_CLIENT_ERROR"),
        ("403", "HTTP_FORBIDDEN"),
        ("404", "HTTP_NOT_FOUND"),
        ("405", "HTTP_LEGACY_SSE"),
        ("502", "HTTP_SERVER_ERROR"),
        ("login", "HTTP_LOGIN_REQUIRED"),
        ("has-token", "HTTP_UNAUTHORIZED"),
        ("wait", "HTTP_RATE_LIMITED"),
        ("sse", "HTTP_LEGACY_SSE"),
        ("elsewhere", "HTTP_REDIRECTED"),
        ("refused", "HTTP_REFUSED"),
        ("reset", "HTTP_RESET"),
        ("hang", "HTTP_TIMEOUT"),
        ("tls", "HTTP_TLS"),
        ("name", "HTTP_DNS"),
        ("proxy", "NETWORK_PROXY"),
    ] {
        let server = wait_for_code(&gateway, name, code);
        let cause = server["diagnostic"]["cause"].as_str().expect("words");
        for part in ["docker", "auth failed", "127.0.0.1", ".invalid", "192.0.2"] {
            assert!(!cause.contains(part), "{cause}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_have_codes_and_the_next_good_one_takes_them_away() {
    let once = |answer: &str| {
        format!(
            "if [ -z \"$was\" ]; then was=1; {answer}; else answer \"$id\" '\"result\":{{\"content\":[]}}'; fi"
        )
    };
    let home = Home::with(&json!({"mcpServers": {}}));
    let mut slow = scripted("", ONE_TOOL, &once(":"));
    slow["tool_timeout_sec"] = json!(1);
    let long = "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"a\":\"' \"$id\"; \
                head -c 17000000 /dev/zero | tr '\\0' x; echo '\"}}'";
    home.write(&json!({"mcpServers": {
        "number": scripted("", ONE_TOOL, &once("answer \"$id\" '\"result\":7'")),
        "long": scripted("", ONE_TOOL, &once(long)),
        "slow": slow,
        "ends": scripted("", ONE_TOOL, "exit 7"),
    }}));
    let gateway = Gateway::start_in(home, &[], &[]);
    for name in ["number", "long", "slow", "ends"] {
        gateway.wait_for(name, "connected");
    }
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    for (name, code) in [
        ("number", "PROTOCOL_INVALID_ANSWER"),
        ("long", "PROTOCOL_TOO_LARGE"),
        ("slow", "PROTOCOL_CALL_TIMEOUT"),
    ] {
        let tool = format!("{name}:x");
        assert_eq!(call(&session, &tool, json!({})).await.is_error, Some(true), "{name}");
        let server = wait_for_code(&gateway, name, code);
        assert_eq!(server["state"], "connected", "{server}");
        assert_ne!(call(&session, &tool, json!({})).await.is_error, Some(true), "{name}");
        eventually(&format!("{name} is well"), || {
            let servers = gateway.status()["servers"].as_array().cloned().unwrap_or_default();
            servers.into_iter().find(|it| it["name"] == name && it["diagnostic"].is_null())
        });
    }
    // It ends at every call; a call that finds it gone has it started again.
    for _ in 0..2 {
        let said = text(&call(&session, "ends:x", json!({})).await);
        assert!(said.contains("was lost before it answered"), "{said}");
        wait_for_code(&gateway, "ends", "STDIO_EXITED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_a_server_that_cannot_be_connected_is_answered_with_code_and_cause() {
    let gateway = Gateway::start(&json!({"mcpServers": {
        "missing": {"command": "no-such-program-here"},
        "refused": {"url": format!("http://{}/mcp", nobody())},
    }}));
    gateway.wait_for("missing", "parked");
    gateway.wait_for("refused", "waiting");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    let found = own(&session, "retrieve_tools", json!({"query": "anything"})).await;
    let answer = found.expect("a result").structured_content;
    let note = answer.expect("an answer")["note"].as_str().expect("a note").to_owned();
    for part in ["`missing` (MCPX_STDIO_NOT_FOUND", "`refused` (MCPX_HTTP_REFUSED"] {
        assert!(note.contains(part), "{note}");
    }
    let said = text(&call(&session, "missing:x", json!({})).await);
    for part in
        ["MCPX_STDIO_NOT_FOUND", "no such command", "when its entry or its program has changed"]
    {
        assert!(said.contains(part), "{said}");
    }
    let said = text(&call(&session, "refused:x", json!({})).await);
    for part in ["MCPX_HTTP_REFUSED", "connection refused", "tried again by itself"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_parked_server_wakes_when_its_program_comes() {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a data directory");
    let program = home.root().join("late");
    home.write(&json!({"mcpServers": {"late": {"command": program}}}));
    let gateway = Gateway::start_in(home, &[], &[]);
    gateway.wait_for("late", "parked");
    let Value::Object(entry) = scripted("", ONE_TOOL, "exit") else { panic!("an object") };
    let script = format!("#!/bin/sh\n{}", entry["args"][1].as_str().expect("a script"));
    let new = gateway.home.root().join("new");
    fs::write(&new, script).expect("a file");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("its permissions");
    fs::rename(new, program).expect("the same directory");
    gateway.wait_for("late", "connected");
}
