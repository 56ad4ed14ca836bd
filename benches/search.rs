//! What the tool search costs: making an index of 2,000 tools, and asking it.
//!
//! `cargo bench --bench search` prints figures of one run. The tools are those of `tests/search/`, again
//! and again under other server names, until there are enough; the questions are all of that set.

use mcpproxy::serve::search::{SearchIndex, ToolText};
use serde_json::Value;
use std::hint::black_box;
use std::time::Instant;

const TOOLS: usize = 2_000;
const BUILDS: usize = 30;
/// How often every question is asked.
const ROUNDS: usize = 50;
/// As many as a client shows.
const LIMIT: usize = 10;

struct Tool<'a> {
    server: String,
    tool: &'a Value,
    /// JSON, as the gateway has it.
    input_schema: String,
}

fn main() {
    let servers: Value =
        serde_json::from_str(include_str!("../tests/search/tools.json")).expect("JSON");
    let tools = replicated(servers.as_array().expect("servers"));
    let bytes: usize = tools.iter().map(|tool| tool.tool.to_string().len()).sum();
    println!("{} tools, {} KiB of JSON", tools.len(), bytes / 1024);
    let mut builds = Vec::new();
    for _ in 0..BUILDS {
        let start = Instant::now();
        black_box(index(&tools));
        builds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    report("make an index", "ms", &mut builds);

    let index = index(&tools);
    let lines = include_str!("../tests/search/queries.tsv").lines();
    let queries: Vec<&str> = lines.filter_map(|line| Some(line.split_once('\t')?.0)).collect();
    let long = queries.join(" ");
    let mut searches = Vec::new();
    let mut long_searches = Vec::new();
    for _ in 0..ROUNDS {
        queries.iter().for_each(|query| searches.push(search(&index, query)));
        long_searches.push(search(&index, &long));
    }
    report("search", "us", &mut searches);
    report("search for all questions in one", "us", &mut long_searches);
}

fn replicated(servers: &[Value]) -> Vec<Tool<'_>> {
    let rounds = (0..).flat_map(|round| servers.iter().map(move |server| (round, server)));
    let tools = rounds.flat_map(|(round, server)| {
        let name = server["server"].as_str().expect("a name");
        let tools = server["tools"].as_array().expect("tools").iter();
        tools.map(move |tool| Tool {
            server: format!("{name}{round}"),
            tool,
            input_schema: tool["inputSchema"].to_string(),
        })
    });
    tools.take(TOOLS).collect()
}

fn index(tools: &[Tool<'_>]) -> SearchIndex {
    SearchIndex::new(tools.iter().map(|Tool { server, tool, input_schema }| ToolText {
        server,
        name: tool["name"].as_str().expect("a name"),
        title: tool["title"].as_str(),
        description: tool["description"].as_str(),
        input_schema,
    }))
}

/// Microseconds of one search.
fn search(index: &SearchIndex, query: &str) -> f64 {
    let start = Instant::now();
    black_box(index.search(black_box(query), LIMIT));
    start.elapsed().as_secs_f64() * 1e6
}

fn report(name: &str, unit: &str, samples: &mut [f64]) {
    samples.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize];
    let (median, late) = (at(0.5), at(0.99));
    println!("  {name:34} p50 {median:>8.1} {unit}   p99 {late:>8.1} {unit}");
}
