//! Peers that ask and never read: what they can make the gateway keep is bounded.
//!
//! "It does not receive any more" is seen at the flood: what was written of it stays the same.

#![cfg(target_os = "linux")]

use crate::clients::{call, modern, over_http, text};
use crate::fake::{Fake, shell_server};
use crate::gateway::{Gateway, Home, eventually};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the gateway may use at most.
const MOST_KIB: u64 = 200 * 1024;

/// The resident memory of a process.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// Waits until what was written stays the same for five looks, with the memory bounded at each.
#[track_caller]
fn stands(pid: u32, written: impl Fn() -> u64) -> u64 {
    let mut last = (0, 0);
    eventually("the flood stands", || {
        let resident = resident_kib(pid);
        assert!(resident < MOST_KIB, "{resident} KiB after {} bytes", last.0);
        let now = written();
        last = if now > 0 && now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        std::thread::sleep(Duration::from_millis(100));
        (last.1 == 5).then_some(now)
    })
}

/// A server in `sh` that shakes hands and then only writes `line`, for ever; it writes its process id to `pid`.
fn flooding_server(line: &str) -> Value {
    let script = r#"
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
        while read -r line; do
            id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
            case "$line" in
            *'"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
            *'"tools/list"'*) answer "$id" '{"tools":[]}'; echo $$ > "$HOME/pid"; exec yes "$LINE" ;;
            *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
            esac
        done"#;
    json!({"command": "sh", "args": ["-c", script], "env": {"LINE": line}})
}

/// How much a process has written.
fn written_by(pid: &str) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap_or_default();
    line.parse().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stdio_server_that_asks_and_never_reads_does_not_fill_the_memory() {
    let long = "x".repeat(100_000);
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"a","method":"roots/list"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":2,"method":"no/such/method"}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#),
    ] {
        let servers = json!({"floods": flooding_server(&line), "sh": shell_server()});
        let gateway = Gateway::start(&json!({ "mcpServers": servers }));
        let pid = eventually("it floods", || {
            let pid = std::fs::read_to_string(gateway.home.root().join("pid")).ok()?;
            pid.ends_with('\n').then(|| pid.trim().to_owned())
        });
        stands(gateway.pid(), || written_by(&pid));
        // Nothing of that reaches the others.
        gateway.wait_for("sh", "connected");
        let session = over_http(&gateway.mcp(), "zed", modern()).await;
        assert_eq!(call(&session, "sh:env", json!({})).await.is_error, None);
        let (ended, _) = gateway.stop();
        assert!(ended.success(), "{ended:?}");
        let gone = || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(());
        eventually("the server is ended", gone);
    }
}

#[test]
fn what_needs_no_answer_passes_and_is_not_kept() {
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
        r#"{"jsonrpc":"2.0","id":999,"result":{}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"x"}}"#,
        "not JSON",
    ] {
        let gateway = Gateway::start(&json!({"mcpServers": {"floods": flooding_server(line)}}));
        let pid = eventually("it floods", || {
            let pid = std::fs::read_to_string(gateway.home.root().join("pid")).ok()?;
            pid.ends_with('\n').then(|| pid.trim().to_owned())
        });
        // Of notifications 5,000 a second are read.
        eventually("1 MB passed", || {
            let resident = resident_kib(gateway.pid());
            assert!(resident < MOST_KIB, "{resident} KiB of {line}");
            (written_by(&pid) > 1_000_000).then_some(())
        });
        let (ended, _) = gateway.stop();
        assert!(ended.success(), "{ended:?}");
    }
}

/// A server over streamable HTTP, of the older era, that asks for ever in the stream of the session and takes no
/// answer; how much it has written.
async fn flooding_http_server() -> (String, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("its address"));
    let written = Arc::new(AtomicU64::new(0));
    let counter = written.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(flood_over(stream, counter.clone()));
        }
    });
    (url, written)
}

async fn flood_over(mut stream: tokio::net::TcpStream, written: Arc<AtomicU64>) {
    let mut asked = Vec::new();
    while stream.read_buf(&mut asked).await.is_ok_and(|count| count > 0) {
        let request = String::from_utf8_lossy(&asked).into_owned();
        let answer = if request.starts_with("GET") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
            let event = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n".repeat(100);
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(event.as_bytes()).await.is_ok() {
                written.fetch_add(event.len() as u64, Ordering::Relaxed);
            }
            return;
        } else if request.contains("\"initialize\"") {
            r#"{"jsonrpc":"2.0","id":ID,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"f","version":"1"}}}"#
        } else if request.contains("server/discover") {
            r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no"}}"#
        } else if request.contains("notifications/initialized") {
            ""
        } else if request.contains("\"result\"") {
            // The answer to a ping is read and never taken.
            std::future::pending::<&str>().await
        } else if request.contains("}") {
            r#"{"jsonrpc":"2.0","id":ID,"result":{}}"#
        } else {
            continue;
        };
        let id = request.split("\"id\":").nth(1).unwrap_or("0");
        let id: String = id.chars().take_while(char::is_ascii_digit).collect();
        let body = answer.replace("ID", &id);
        let status = if body.is_empty() { "202 Accepted" } else { "200 OK" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all((head + &body).as_bytes()).await;
        asked.clear();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_server_that_asks_and_takes_no_answer_does_not_fill_the_memory() {
    let (url, written) = flooding_http_server().await;
    let fake = Fake::default().serve().await;
    let servers = json!({"floods": {"url": url}, "fake": {"url": fake}});
    let gateway = Gateway::start(&json!({ "mcpServers": servers }));
    let pid = gateway.pid();
    stands(pid, || written.load(Ordering::Relaxed));
    gateway.wait_for("fake", "connected");
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    assert_eq!(text(&call(&session, "fake:echo", json!({})).await), "echo");
    let (ended, _) = gateway.stop();
    assert!(ended.success(), "{ended:?}");
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_on_the_standard_streams_that_never_reads_does_not_fill_the_memory() {
    let search = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"retrieve_tools","arguments":{"query":"anything"}}}"#;
    for line in [r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#, search] {
        let home = Home::with(&json!({}));
        let mut command = home.command(&["serve", "--stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Ended(command.spawn().expect("it starts"));
        let mut stdin = child.0.stdin.take().expect("a pipe");
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "zed", "version": "1.0.0"}}});
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        write!(stdin, "{hello}\n{ready}\n").expect("a reader");
        let written = Arc::new(AtomicU64::new(0));
        let (counter, line) = (written.clone(), format!("{line}\n").repeat(100));
        // Ends when the gateway does.
        let flood = std::thread::spawn(move || {
            while stdin.write_all(line.as_bytes()).is_ok() {
                counter.fetch_add(line.len() as u64, Ordering::Relaxed);
            }
        });
        stands(child.0.id(), || written.load(Ordering::Relaxed));
        drop(child);
        flood.join().expect("an end");
    }
}
