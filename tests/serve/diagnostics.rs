//! Every way in which a server fails to connect or to answer, and its code: with real programs and real sockets.

use crate::clients::{Session, call, modern, over_http, own, text};
use crate::gateway::{Gateway, Home, PATIENCE, eventually};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

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

pub fn shell(script: &str) -> Value {
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
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// A listener of raw sockets that does `answer` to each.
pub fn raw(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
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
pub async fn statuses() -> String {
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
            (server["diagnostic"]["code"] == code).then_some(server)
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
        ("missing", "MCPX_STDIO_NOT_FOUND", "parked"),
        ("missing-path", "MCPX_STDIO_NOT_FOUND", "parked"),
        ("directory", "MCPX_CONFIG_INVALID_ENTRY", "parked"),
        ("forbidden", "MCPX_STDIO_NO_PERMISSION", "parked"),
        ("garbage", "MCPX_STDIO_NOT_EXECUTABLE", "parked"),
        ("interpreter", "MCPX_STDIO_NOT_EXECUTABLE", "parked"),
        ("engine", "MCPX_CONTAINER_ENGINE_NOT_FOUND", "parked"),
        ("ends", "MCPX_STDIO_EXITED_EARLY", "waiting"),
        ("status", "MCPX_STDIO_EXITED_EARLY", "waiting"),
        ("file", "MCPX_STDIO_EXITED_EARLY", "waiting"),
        ("key", "MCPX_STDIO_EXITED_EARLY", "waiting"),
        ("docker-words", "MCPX_STDIO_EXITED_EARLY", "waiting"),
        ("refuses", "MCPX_STDIO_HANDSHAKE_INVALID", "waiting"),
        ("version", "MCPX_PROTOCOL_VERSION", "waiting"),
        ("silent", "MCPX_STDIO_HANDSHAKE_TIMEOUT", "waiting"),
        ("secret", "MCPX_CONFIG_MISSING_SECRET", "parked"),
        ("both", "MCPX_CONFIG_INVALID_ENTRY", "failed"),
        ("prints", "MCPX_STDIO_STDOUT_POLLUTED", "connected"),
        ("list", "MCPX_PROTOCOL_INVALID_LIST", "waiting"),
        ("refuses-list", "MCPX_PROTOCOL_INVALID_LIST", "waiting"),
    ] {
        let server = wait_for_code(&gateway, name, code);
        assert_eq!(server["state"], state, "{server}");
        let is_tried_again = !server["retry_at"].is_null();
        assert_eq!(is_tried_again, state == "waiting", "{server}");
        assert!(!server["diagnostic"]["cause"].as_str().expect("words").contains("nonexistent"));
    }
    let cause = wait_for_code(&gateway, "ends", "MCPX_STDIO_EXITED_EARLY")["diagnostic"].clone();
    assert_eq!(cause["cause"], "it ended before it answered (exit code 3)");
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
        ("400", "MCPX_HTTP_CLIENT_ERROR"),
        ("401", "MCPX_HTTP_UNAUTHORIZED"),
        ("402", "MCPX_HTTP_CLIENT_ERROR"),
        ("403", "MCPX_HTTP_FORBIDDEN"),
        ("404", "MCPX_HTTP_NOT_FOUND"),
        ("405", "MCPX_HTTP_LEGACY_SSE"),
        ("502", "MCPX_HTTP_SERVER_ERROR"),
        ("login", "MCPX_HTTP_LOGIN_REQUIRED"),
        ("has-token", "MCPX_HTTP_UNAUTHORIZED"),
        ("wait", "MCPX_HTTP_RATE_LIMITED"),
        ("sse", "MCPX_HTTP_LEGACY_SSE"),
        ("elsewhere", "MCPX_HTTP_REDIRECTED"),
        ("refused", "MCPX_HTTP_REFUSED"),
        ("reset", "MCPX_HTTP_RESET"),
        ("hang", "MCPX_HTTP_TIMEOUT"),
        ("tls", "MCPX_HTTP_TLS"),
        ("name", "MCPX_HTTP_DNS"),
        ("proxy", "MCPX_NETWORK_PROXY"),
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
        ("number", "MCPX_PROTOCOL_INVALID_ANSWER"),
        ("long", "MCPX_PROTOCOL_TOO_LARGE"),
        ("slow", "MCPX_PROTOCOL_CALL_TIMEOUT"),
    ] {
        let tool = format!("{name}:x");
        assert_eq!(call(&session, &tool, json!({})).await.is_error, Some(true), "{name}");
        let server = wait_for_code(&gateway, name, code);
        assert_eq!(server["state"], "connected", "{server}");
        // On a busy machine a good answer may be too late, too.
        calls_until(&session, &tool, |answer| answer.is_error != Some(true)).await;
        eventually(&format!("{name} is well"), || {
            let servers = gateway.status()["servers"].as_array().cloned().unwrap_or_default();
            servers.into_iter().find(|it| it["name"] == name && it["diagnostic"].is_null())
        });
    }
    // It ends at every call; a call that finds it gone has it started again. (How long it is seen to be gone depends on
    // how long it was there: the log has it in any case.)
    for _ in 0..2 {
        let is_lost =
            |answer: &CallToolResult| text(answer).contains("was lost before it answered");
        calls_until(&session, "ends:x", is_lost).await;
    }
    let (_, log) = gateway.stop();
    assert!(log.contains("it ended (exit code 7)") && log.contains("MCPX_STDIO_EXITED\""), "{log}");
}

/// Calls a tool until it answers so.
async fn calls_until(session: &Session, tool: &str, is_wanted: impl Fn(&CallToolResult) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = call(session, tool, json!({})).await;
        if is_wanted(&answer) {
            return;
        }
        assert!(Instant::now() < until, "{tool}: {}", text(&answer));
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

/// An engine in words of its own: a script of that name, for what no machine of tests can do.
#[test]
fn container_engines_are_understood_by_what_they_say_themselves() {
    let home = Home::empty();
    fs::create_dir(home.data()).expect("a data directory");
    let bin = home.root().join("bin");
    fs::create_dir(&bin).expect("a directory");
    let engine = bin.join("docker");
    let script = "#!/bin/sh\necho \"$2\" >&2\nexit \"$1\"\n";
    fs::write(&engine, script).expect("a file");
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).expect("its permissions");
    let says = |exit: &str, line: &str| json!({"command": engine, "args": [exit, line]});
    home.write(&json!({"mcpServers": {
        "down": says("125", "docker: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?"),
        "forbidden": says("126", "docker: permission denied while trying to connect to the Docker daemon socket at x"),
        "pull": says("125", "docker: Error response from daemon: manifest for x:y not found: manifest unknown"),
        "tool": says("127", "sh: 1: git: not found"),
        "builtin": says("127", "sh: 1: source: not found"),
        "server": says("1", "server: docker: Cannot connect to the Docker daemon"),
    }}));
    let gateway = Gateway::start_in(home, &[], &[]);
    for (name, code) in [
        ("down", "MCPX_CONTAINER_DAEMON_DOWN"),
        ("forbidden", "MCPX_CONTAINER_NO_PERMISSION"),
        ("pull", "MCPX_CONTAINER_PULL_FAILED"),
        ("tool", "MCPX_CONTAINER_MISSING_TOOL"),
        ("builtin", "MCPX_STDIO_EXITED_EARLY"),
        ("server", "MCPX_STDIO_EXITED_EARLY"),
    ] {
        assert_eq!(wait_for_code(&gateway, name, code)["state"], "waiting", "{name}");
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

/// Where there is no network at all.
#[test]
fn without_a_network_a_server_elsewhere_is_out_of_reach() {
    let home = Home::with(&json!({"mcpServers": {"far": {"url": "http://192.0.2.1/mcp"}}}));
    let program = crate::gateway::MCPPROXY;
    let mut alone = std::process::Command::new("unshare");
    alone.args(["-rn", program, "upstream", "test", "far"]);
    alone.env_clear().env("HOME", home.root()).env("MCPPROXY_HOME", home.data());
    alone.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let is_possible = std::process::Command::new("unshare").args(["-rn", "true"]).status();
    if !is_possible.is_ok_and(|status| status.success()) {
        return skipped!("a machine without a network: no namespace can be made here");
    }
    let output = alone.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("MCPX_NETWORK_OFFLINE") && !output.status.success(), "{said}");
}
