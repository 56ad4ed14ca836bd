//! What clients and starts can take from the others: connections, bodies, files, processors.

#![cfg(target_os = "linux")]

use crate::clients::{call, modern, over_http, text};
use crate::gateway::{Gateway, Home, MCPPROXY, PATIENCE, eventually};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// The gateway with another limit of open files, as `ulimit` takes it.
fn limited(limit: &str, config: &Value, args: &[&str]) -> Gateway {
    let home = Home::with(config);
    let words = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh", MCPPROXY]);
    command.args(words.get_args()).args(args).env_clear();
    command.envs(words.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Gateway::of(home, command)
}

/// Begins a request of so many bytes.
fn begun(gateway: &Gateway, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(&gateway.address).expect("it listens");
    let address = &gateway.address;
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
    // A connection that gave its place away takes nothing any more.
    let _ = stream.write_all(head.as_bytes());
    stream
}

#[test]
fn connections_that_say_nothing_and_parts_of_requests_keep_no_request_out() {
    // Far fewer files than connections: half of them are for clients.
    let gateway = limited("-n 160", &json!({}), &[]);
    let mut idle = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(&gateway.address).expect("it listens");
        match number % 3 {
            0 => {}
            1 => {
                let _ = stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-");
            }
            // A head without its body is no more than that.
            _ => stream = begun(&gateway, 100),
        }
        idle.push(stream);
    }
    for _ in 0..10 {
        assert_eq!(gateway.status()["version"].as_str().map(str::is_empty), Some(false));
    }
    let (ended, said) = gateway.stop();
    assert!(ended.success() && !said.contains("new connections wait"), "{said}");
}

#[test]
fn what_has_no_key_holds_nothing_where_others_can_reach_it() {
    let args = ["--listen", "0.0.0.0:0", "--allowed-host", "gateway.example"];
    let mut gateway = limited("-n 160", &json!({}), &args);
    gateway.address = gateway.address.replace("0.0.0.0", "127.0.0.1");
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(&gateway.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let head =
            "POST /mcp HTTP/1.1\r\nHost: gateway.example\r\nContent-Length: 32505856\r\n\r\n{";
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer before the body");
        assert_eq!(&status, b"HTTP/1.1 401");
        held.push(stream);
    }
    let headers = [("Host", "gateway.example"), ("X-API-Key", &*gateway.key)];
    let (status, body) = gateway.ask("GET", "/api/v1/status", &headers, "");
    assert_eq!(status, 200, "{body}");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_ne!(gateway.ask("POST", "/mcp", &headers, ping).0, 503);
}

#[test]
fn large_bodies_that_do_not_end_take_bounded_memory_and_keep_no_usual_request_out() {
    const MIB: usize = 1 << 20;
    let gateway = Gateway::start(&json!({}));
    let mut held = Vec::new();
    for _ in 0..12 {
        let mut stream = begun(&gateway, 31 * MIB + 1);
        // What is refused is not read to its end.
        let _ = (0..31).try_for_each(|_| stream.write_all(&[b' '; MIB]));
        held.push(stream);
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid()));
    let status = status.expect("its status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.trim().strip_suffix(" kB")).expect("a number");
    let peak = peak.trim().parse::<usize>().expect("a number") >> 10;
    assert!(peak < 240, "{peak} MiB of 372");
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_ne!(gateway.ask("POST", "/mcp", &[], ping).0, 503);
}

#[test]
fn without_a_file_left_new_connections_take_the_place_of_those_that_wait_and_the_log_says_why() {
    let gateway = limited("-n 32", &json!({}), &[]);
    let idle: Vec<_> = (0..80).map(|_| TcpStream::connect(&gateway.address)).collect();
    assert_eq!(gateway.status()["version"].as_str().map(str::is_empty), Some(false));
    drop(idle);
    let (ended, said) = gateway.stop();
    let words =
        "new connections wait: this process has all 32 files open that it may; raise the limit";
    assert!(ended.success() && said.contains(words), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_files_is_raised_for_the_gateway_and_not_for_its_servers() {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"tools/list"'*) answer "$id" '{"tools":[{"name":"limit","inputSchema":{"type":"object"}}]}' ;;
            *'"tools/call"'*) answer "$id" "{\"content\":[{\"type\":\"text\",\"text\":\"$(ulimit -Sn)\"}]}" ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    let server = json!({"command": "sh", "args": ["-c", script]});
    let gateway = limited("-S -n 300", &json!({"mcpServers": {"sh": server}}), &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.pid()));
    let limits = limits.expect("its limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let numbers: Vec<u64> =
        line.expect("files").split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [soft, hard, ..] = numbers[..] else { panic!("{limits}") };
    assert_eq!(soft, hard.min(10_240));
    gateway.wait_for("sh", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    assert_eq!(text(&call(&session, "sh:limit", json!({})).await), "300");
}

#[test]
fn as_many_servers_start_at_once_as_there_are_processors_and_two() {
    // It says when it begins, and before the answer that ends its start.
    let script = r#"
        echo begins >>"$HOME/starts"
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
            *'"tools/list"'*) echo ends >>"$HOME/starts"
                printf '{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}\n' "$id" ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    let most = std::thread::available_parallelism().map_or(1, usize::from) + 2;
    let server = json!({"command": "sh", "args": ["-c", script]});
    let servers = (0..most * 3).map(|number| (format!("s{number}"), server.clone()));
    let servers: serde_json::Map<_, _> = servers.collect();
    let gateway = Gateway::start(&json!({ "mcpServers": servers }));
    eventually("all are connected", || {
        let status = gateway.status();
        let servers = status["servers"].as_array().expect("servers");
        servers.iter().all(|server| server["state"] == "connected").then_some(())
    });
    let starts = std::fs::read_to_string(gateway.home.root().join("starts")).expect("a file");
    let (mut now, mut largest) = (0, 0);
    for line in starts.lines() {
        now = if line == "begins" { now + 1 } else { now - 1 };
        largest = largest.max(now);
    }
    assert!((2..=most).contains(&largest), "{largest} of {most} at once:\n{starts}");
}
