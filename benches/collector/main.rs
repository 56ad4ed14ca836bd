//! The collector measured from outside: acknowledged heartbeats a second over HTTP, beside the bare engine.
//!
//! `cargo bench --profile collector --features collector --bench collector` prints figures of one run and asserts no time; `-- ROUNDS
//! HEARTBEATS` are other numbers than 3 rounds of 20,000. What is compared takes turns in each round, so that a noisy
//! machine is noisy for all: the engine that inserts the same rows in batches, and the collector with 1, 16 and 200
//! connections. Each begins with an empty database on the same disk. The heartbeats are made before the clock starts.

mod bare;
mod load;
mod running;

use running::Collector;
use std::time::Duration;

/// How many connections are open at once.
const CONNECTIONS: [usize; 3] = [1, 16, 200];

/// What one part of a round gave.
#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    let rounds = numbers.first().copied().unwrap_or(3);
    let count = numbers.get(1).copied().unwrap_or(20_000);
    let mut bare: Vec<[f64; 2]> = Vec::new();
    let mut all: [Vec<Figures>; CONNECTIONS.len()] = Default::default();
    let mut sizes = None;
    for round in 0..rounds {
        for (at, connections) in CONNECTIONS.into_iter().enumerate() {
            let directory = tempfile::tempdir().expect("a directory");
            let collector = Collector::start(directory.path());
            // One connection waits for the disk with each heartbeat.
            let count = if connections == 1 { count / 10 } else { count };
            let bodies = load::bodies((round * CONNECTIONS.len() + at) as u64, count);
            let before = collector.cpu();
            let (took, mut times) = load::send(collector.address, connections, &bodies);
            let cpu = collector.cpu() - before;
            drop(collector);
            all[at].push(Figures {
                per_second: count as f64 / took.as_secs_f64(),
                p50: percentile(&mut times, 50),
                p99: percentile(&mut times, 99),
                cpu: cpu.as_secs_f64() * 1e6 / count as f64,
            });
            if connections == 200 {
                let rows = bare::Rows::of(directory.path());
                // This empties the database.
                sizes = Some(bare::sizes(directory.path()));
                bare.push([rows.insert(count, 512), rows.insert(count / 10, 1)]);
            }
        }
    }
    let engine = median(bare.iter().map(|[batched, _]| *batched));
    println!("bare engine, 512 installs a commit:  {engine:>9.0} /s");
    println!(
        "bare engine, 1 install a commit:     {:>9.0} /s",
        median(bare.iter().map(|of| of[1]))
    );
    for (connections, figures) in CONNECTIONS.into_iter().zip(&all) {
        let of = |of: fn(&Figures) -> f64| median(figures.iter().map(of));
        let rate = of(|one| one.per_second);
        println!(
            "collector, {connections:>3} connections:          {rate:>9.0} /s  {:.2} x  p50 {:.1} ms  p99 {:.1} ms  \
             CPU {:.0} us a heartbeat",
            rate / engine,
            of(|one| one.p50),
            of(|one| one.p99),
            of(|one| one.cpu),
        );
    }
    if let Some((install, day)) = sizes {
        println!("on disk: {install:.0} bytes an install, {day:.0} bytes a day row");
    }
}

/// Milliseconds that `percent` of all took at most.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
