//! A third party's host with telemetry in five lines. `cargo run --example embed` runs it for real: this
//! program is the host in a child process, and around it a receiver on loopback that prints what arrives.

use mcpproxy::contract::RoutingMode;
use mcpproxy::{Event, Host, HostProduct, LiveCounts, Telemetry};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The host: everything between the two lines is what an embedding program adds to its own code.
fn host(data_dir: String) {
    let host = Host {
        routing_mode: RoutingMode::RetrieveTools,
        data_dir: Some(data_dir.into()),
        launched_by: None,
        product: Some(HostProduct {
            name: "notes-mcp".into(),
            version: "1.4.0".into(),
            ..HostProduct::default()
        }),
    };
    // ------------------------------------------------------------------------------------------------
    let telemetry = Telemetry::start(host);
    telemetry.provide_live(|| LiveCounts { server_count: Some(1), ..LiveCounts::default() });
    telemetry.record(Event::ClientSeen { name: "claude-code" });
    telemetry.record(Event::ServerConnected);
    telemetry.record(Event::Discovery { indexed: Some(120), returned: Some(5) });
    // ------------------------------------------------------------------------------------------------
    // A real host now does its work. This one waits until its heartbeat is acknowledged.
    let until = Instant::now() + Duration::from_secs(20);
    while telemetry.is_on() && Instant::now() < until {
        if telemetry.snapshot().last_heartbeat.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("host: {:#?}", telemetry.snapshot());
}

fn main() -> std::io::Result<()> {
    if let Ok(data_dir) = std::env::var("EMBED_EXAMPLE_HOST") {
        host(data_dir);
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    println!("receiver: listening on {endpoint}");
    let arrived = receive_one(listener);
    let mut child = start_host(&home.path().to_string_lossy(), &endpoint)?;
    let status = child.wait()?;
    match arrived.try_recv() {
        Ok(body) => println!("receiver: one heartbeat arrived\n{body}"),
        Err(_) => println!("receiver: nothing arrived (see the host's consent above)"),
    }
    println!("host: {status}");
    Ok(())
}

/// This program again, as the host. The two variables are for tests and demonstrations: without them the
/// first heartbeat goes to the endpoint of the build, five minutes after the start.
fn start_host(data_dir: &str, endpoint: &str) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .env("EMBED_EXAMPLE_HOST", data_dir)
        .env("MCPPROXY_TELEMETRY_ENDPOINT", endpoint)
        .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
        .spawn()
}

/// Answers one request with 202 and hands its body over.
fn receive_one(listener: TcpListener) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let _ = sender.send(String::from_utf8_lossy(&body).into_owned());
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
    });
    receiver
}
