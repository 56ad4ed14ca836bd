//! What is added to a call by what stands between, and the memory that costs.

use crate::client::{self, Era, Session};
use crate::figures::{Times, megabytes};
use crate::process::{Command, Gateway, Home, Memory, Running};
use crate::upstream;
use serde_json::json;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TURNS: usize = 20;
const CALLS: usize = 50;
/// How long another gateway may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// One way to the server.
struct Way {
    name: &'static str,
    /// The position of the way without anything between.
    base: usize,
    session: Session,
    /// Our name of the server, where it is called through our gateway.
    through: Option<&'static str>,
    pid: Option<u32>,
    times: Times,
}

impl Way {
    fn new(name: &'static str, base: usize, session: Session) -> Self {
        Self { name, base, session, through: None, pid: None, times: Times::default() }
    }

    fn through(mut self, server: &'static str, pid: Option<u32>) -> Self {
        self.through = Some(server);
        self.pid = pid;
        self
    }
}

/// Where `scripts/peers` installed the other gateways.
fn peers() -> Option<PathBuf> {
    std::env::var_os("MCPPROXY_PEERS").map(PathBuf::from)
}

pub async fn compare() {
    let url = format!("{}/0/mcp", upstream::http().await);
    let gateways = [
        Gateway::start(json!({"s": {"url": url}})),
        Gateway::start(json!({"s": {"url": url}})),
        Gateway::start(json!({"s": upstream::stdio_entry(0)})),
        Gateway::start(json!({"s": upstream::stdio_entry(0)})),
    ];
    gateways.iter().for_each(|gateway| {
        gateway.until_connected(1);
    });
    let (command, arguments) = upstream::stdio_command(0);
    let mut server = Command::new(&command);
    server.args(&arguments);
    let mut ways = vec![
        Way::new("HTTP server, direct", 0, client::http(&url, Era::Handshake).await.expect("one")),
        Way::new("stdio server, direct", 1, client::stdio(server).await.expect("one")),
    ];
    for (at, (name, era)) in [
        ("mcpproxy, HTTP (handshake) to HTTP", Era::Handshake),
        ("mcpproxy, HTTP (modern) to HTTP", Era::Modern),
        ("mcpproxy, HTTP (handshake) to stdio", Era::Handshake),
        ("mcpproxy, HTTP (modern) to stdio", Era::Modern),
    ]
    .into_iter()
    .enumerate()
    {
        let session = client::http(&gateways[at].mcp(), era).await.expect("a session");
        ways.push(Way::new(name, at / 2, session).through("s", Some(gateways[at].pid())));
    }
    let home = Home::with(json!({"s": upstream::stdio_entry(0)}));
    let session = client::stdio(home.command(&["--stdio"])).await.expect("a session");
    ways.push(
        Way::new("mcpproxy, stdio to stdio", 1, session).through("s", child_named("--stdio")),
    );
    let mut others = Vec::new();
    for (name, command) in other_gateways(&command, &arguments) {
        match start_other(command).await {
            Some((running, session)) => {
                let mut way = Way::new(name, 1, session);
                way.pid = Some(running.0.id());
                ways.push(way);
                others.push(running);
            }
            None => println!("SKIPPED: {name} did not start"),
        }
    }
    for turn in 0..=TURNS {
        for way in &mut ways {
            let times = client::echo_often(&way.session, way.through, CALLS).await;
            way.times.extend(times);
            if turn == 0 {
                way.times.clear();
            }
        }
    }
    report(&mut ways);
    for way in ways {
        let _ = way.session.cancel().await;
    }
}

/// Our child process with that argument.
fn child_named(argument: &str) -> Option<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    let children = tasks.flat_map(|task| {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
    });
    let is_named = |pid: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split('\0').any(|given| given == argument)
    };
    children.into_iter().find(is_named)
}

fn report(ways: &mut [Way]) {
    let figures: Vec<_> = ways.iter_mut().map(|way| (way.times.at(50), way.times.at(90))).collect();
    println!("One call at a time, {} each, in turns of {CALLS}", ways[0].times.count());
    for (way, (p50, p90)) in ways.iter().zip(&figures) {
        let added = p50 - figures[way.base].0;
        let memory = way.pid.map(Memory::of).unwrap_or_default();
        let memory = match memory.processes {
            0 => String::new(),
            1 => format!("peak {}", megabytes(memory.peak)),
            count => format!("peak {} in {count} processes", megabytes(memory.peak)),
        };
        println!(
            "  {:36} p50 {p50:>7.0} us  p90 {p90:>7.0} us  added {added:>7.0} us  {memory}",
            way.name
        );
    }
    println!();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// What starts each of the other gateways in front of the stdio server, and where it listens then.
fn other_gateways(command: &str, arguments: &[String]) -> Vec<(&'static str, (Command, String))> {
    let Some(peers) = peers() else {
        println!("Without other gateways: scripts/peers installs them.\n");
        return Vec::new();
    };
    let mut found = Vec::new();
    let python = peers.join("py/bin/python");
    if python.is_file() {
        let port = free_port().to_string();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/fastmcp_proxy.py");
        let mut proxy = Command::new(python);
        proxy.arg(script).args([&port, command]).args(arguments);
        found.push((
            "fastmcp proxy, HTTP to stdio",
            (proxy, format!("http://127.0.0.1:{port}/mcp")),
        ));
    }
    let script = peers.join("npm/node_modules/supergateway/dist/index.js");
    if script.is_file() {
        let port = free_port().to_string();
        let mut proxy = Command::new("node");
        let server = format!("'{command}' {}", arguments.join(" "));
        // Without `--stateful` it starts the server anew for every call.
        proxy.arg(script).args([
            "--stdio",
            &server,
            "--outputTransport",
            "streamableHttp",
            "--stateful",
        ]);
        proxy.args(["--port", &port, "--logLevel", "none"]);
        found
            .push(("supergateway, HTTP to stdio", (proxy, format!("http://127.0.0.1:{port}/mcp"))));
    }
    found
}

async fn start_other((mut command, url): (Command, String)) -> Option<(Running, Session)> {
    let running = Running::start(&mut command).ok()?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(session) = client::http(&url, Era::Handshake).await {
            let (tool, arguments) = client::echo(None);
            client::call(&session, tool, arguments).await?;
            return Some((running, session));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}
