//! 50 servers with 2,000 tools together: the start, searches from end to end, memory.

use crate::client::{self, Era};
use crate::figures::{Times, megabytes};
use crate::process::Gateway;
use crate::upstream::{self, SERVERS, TOOLS};
use serde_json::{Map, Value, json};
use std::time::Instant;

const SEARCHES: usize = 1_000;

pub async fn many() {
    let base = upstream::http().await;
    println!("{SERVERS} servers, {} tools", SERVERS * TOOLS);
    let over_http = |number| json!({"url": format!("{base}/{number}/mcp")});
    measure("over HTTP", named(over_http)).await;
    measure("child processes", named(upstream::stdio_entry)).await;
    println!();
}

fn named(entry: impl Fn(usize) -> Value) -> Value {
    Value::Object((0..SERVERS).map(|n| (format!("server{n}"), entry(n))).collect::<Map<_, _>>())
}

async fn measure(name: &str, servers: Value) {
    let gateway = Gateway::start(servers);
    let connected = gateway.until_connected(SERVERS as u64);
    let session = client::http(&gateway.mcp(), Era::Modern).await.expect("a session");
    let first = Instant::now();
    search(&session, "echo a text").await;
    let (first, ready) = (first.elapsed(), gateway.started.elapsed());
    let started = gateway.memory();
    let lines = include_str!("../../tests/search/queries.tsv").lines();
    let questions: Vec<_> = lines.filter_map(|line| Some(line.split_once('\t')?.0)).collect();
    let mut times = Times::default();
    for question in questions.iter().cycle().take(SEARCHES) {
        let start = Instant::now();
        search(&session, question).await;
        times.add(start.elapsed());
    }
    let searched = gateway.memory();
    println!(
        "  {name:16} listening after {:.1} ms, all connected after {:.0} ms, first search {:.1} ms, \
         answered after {:.0} ms",
        gateway.until_listening.as_secs_f64() * 1e3,
        connected.as_secs_f64() * 1e3,
        first.as_secs_f64() * 1e3,
        ready.as_secs_f64() * 1e3,
    );
    println!(
        "  {:16} retrieve_tools p50 {:.0} us, p99 {:.0} us; memory {} after the start (peak {}), {} after {} searches",
        "",
        times.at(50),
        times.at(99),
        megabytes(started.now),
        megabytes(started.peak),
        megabytes(searched.now),
        times.count(),
    );
    let _ = session.cancel().await;
}

async fn search(session: &client::Session, question: &str) {
    let answer = client::call(session, "retrieve_tools", json!({"query": question})).await;
    let answer = answer.and_then(|answer| answer.structured_content).expect("an answer");
    assert_eq!(answer["total_indexed_tools"], SERVERS * TOOLS);
}
