//! Many clients at once, many calls, many sessions: nothing fails, and memory does not grow.

use crate::client::{self, Era, Session};
use crate::figures::{Times, megabytes, slope};
use crate::process::{Gateway, request};
use crate::upstream;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Clients of each era.
const CLIENTS: usize = 100;
const CALLS_OF_A_CLIENT: usize = 50;
const ROUNDS: usize = 3;
const CALLS: usize = 100_000;
const CALLS_BETWEEN_LOOKS: usize = 10_000;
/// Sessions that make the many calls, of each era.
const CALLERS: usize = 4;
const DELETED: usize = 5_000;
const ABANDONED: usize = 2_000;
/// Sessions that are opened side by side.
const OPENERS: usize = 8;

async fn gateway() -> Gateway {
    let url = format!("{}/0/mcp", upstream::http().await);
    let gateway = Gateway::start(json!({"s": {"url": url}}));
    gateway.until_connected(1);
    gateway
}

async fn sessions(gateway: &Gateway, of_each_era: usize) -> Vec<Session> {
    let mut sessions = Vec::new();
    for _ in 0..of_each_era {
        for era in [Era::Handshake, Era::Modern] {
            sessions.push(client::http(&gateway.mcp(), era).await.expect("a session"));
        }
    }
    sessions
}

/// All sessions call at the same time; each of them so often.
async fn call_at_once(sessions: Vec<Session>, calls: usize) -> (Vec<Session>, Times) {
    let mut tasks = JoinSet::new();
    for session in sessions {
        tasks.spawn(async move {
            let times = client::echo_often(&session, Some("s"), calls).await;
            (session, times)
        });
    }
    let mut all = Times::default();
    let mut sessions = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (session, times) = ended.expect("every call succeeds");
        sessions.push(session);
        all.extend(times);
    }
    (sessions, all)
}

pub async fn many_clients() {
    let gateway = gateway().await;
    let before = gateway.memory();
    let open = sessions(&gateway, CLIENTS).await;
    let opened = gateway.memory();
    println!("{CLIENTS} clients of each era at once, {CALLS_OF_A_CLIENT} calls each, all answered");
    println!(
        "  memory {} without clients, {} with them",
        megabytes(before.now),
        megabytes(opened.now)
    );
    let mut open = open;
    // The later rounds show what is only held because so much was done at once.
    for round in 1..=ROUNDS {
        let start = Instant::now();
        let mut times;
        (open, times) = call_at_once(open, CALLS_OF_A_CLIENT).await;
        let took = start.elapsed().as_secs_f64();
        println!(
            "  round {round}: {:.0} calls/s, p50 {:.1} ms, p99 {:.1} ms; memory {}",
            times.count() as f64 / took,
            times.at(50) / 1e3,
            times.at(99) / 1e3,
            megabytes(gateway.memory().now),
        );
    }
    println!();
    for session in open {
        let _ = session.cancel().await;
    }
}

pub async fn many_calls() {
    let gateway = gateway().await;
    let mut open = sessions(&gateway, CALLERS).await;
    println!("{CALLS} calls by {CALLERS} clients of each era");
    println!("  before: {}", megabytes(gateway.memory().now));
    let mut looks = Vec::new();
    let start = Instant::now();
    while looks.len() < CALLS / CALLS_BETWEEN_LOOKS {
        let of_each = CALLS_BETWEEN_LOOKS / (2 * CALLERS);
        (open, _) = call_at_once(open, of_each).await;
        let made = (looks.len() + 1) * CALLS_BETWEEN_LOOKS;
        let memory = gateway.memory().now;
        println!("  after {made:>6}: {}", megabytes(memory));
        looks.push((made as f64, memory as f64 * 1024.0));
    }
    let later = looks.split_off(looks.len() / 2 - 1);
    println!(
        "  {:.0} calls/s; over the second half {:+.2} bytes for each call\n",
        CALLS as f64 / start.elapsed().as_secs_f64(),
        slope(&later)
    );
    for session in open {
        let _ = session.cancel().await;
    }
}

pub async fn many_sessions() {
    let gateway = gateway().await;
    println!("Sessions of the older era");
    println!("  before: {}", megabytes(gateway.memory().now));
    for round in 1..=2 {
        open_and_delete(&gateway).await;
        let memory = gateway.memory().now;
        println!(
            "  after {:>5} that were opened and deleted: {}",
            round * DELETED,
            megabytes(memory)
        );
    }
    let before = gateway.memory().now;
    for _ in 0..ABANDONED {
        abandon(&gateway.address);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = gateway.memory().now;
    println!(
        "  after {ABANDONED:>5} more that were opened and left: {}, {} bytes for each\n",
        megabytes(after),
        (after.saturating_sub(before)) * 1024 / ABANDONED as u64
    );
}

async fn open_and_delete(gateway: &Gateway) {
    let mut tasks = JoinSet::new();
    for _ in 0..OPENERS {
        let url = gateway.mcp();
        tasks.spawn(async move {
            for _ in 0..DELETED / OPENERS {
                let session = client::http(&url, Era::Handshake).await.expect("a session");
                // Sends DELETE.
                let _ = session.cancel().await;
            }
        });
    }
    tasks.join_all().await;
}

/// Opens a session as a client that is never heard of again.
fn abandon(address: &str) {
    let head = "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\n\
                Accept: application/json, text/event-stream\r\n";
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "claude-code", "version": "1"}
    }});
    let (answer, _) = request(address, head, &hello.to_string());
    let session = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id").then(|| value.to_owned())
    });
    let session = session.expect("a session");
    let head = format!("{head}Mcp-Session-Id: {session}\r\n");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    request(address, &head, &ready.to_string());
}
