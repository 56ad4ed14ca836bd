//! The activation store as hosts use it: threads, processes, crashes, damage, bad storage.
#![cfg(all(target_os = "linux", feature = "activation"))]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod child;
mod crashes;
mod damage;
mod damaging;
#[path = "../support/endure.rs"]
mod endure;
mod errors;
mod events;
mod fixtures;
mod foreign;
mod hosts;
mod later;
mod life;
mod mutations;
mod processes;
#[path = "../support/scratch.rs"]
mod scratch;
mod storage;
mod threads;
mod versions;

use mcpproxy::activation::{Mark, Recorded, State, Store};
use mcpproxy::paths::DataDir;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A moment in 2026.
const NOW: u64 = 1_790_000_000;

/// A data directory that lives as long as the first value.
fn data_dir() -> (TempDir, DataDir) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let dir = DataDir::at(root.path().join("data"));
    (root, dir)
}

fn open(dir: &DataDir) -> Store {
    Store::open(dir, NOW).expect("a store on a local disk")
}

fn peek(dir: &DataDir) -> State {
    Store::peek(dir, NOW).expect("a readable store").expect("a store")
}

/// Records the mark, whatever it takes.
fn record_surely(store: &Store, mark: Mark<'_>) {
    if store.record(mark, NOW) == Recorded::Deferred {
        flush_surely(store);
    }
}

fn flush_surely(store: &Store) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while let Err(error) = store.flush() {
        assert!(Instant::now() < give_up, "{error}");
    }
}

/// All three flags, two clients, some counts.
fn fill(store: &Store) {
    for mark in [
        Mark::ServerConnected,
        Mark::Client("claude-code"),
        Mark::Client("zed"),
        Mark::Discovery { indexed: Some(12), returned: Some(2) },
        Mark::UpstreamCall,
    ] {
        record_surely(store, mark);
    }
}

fn has_every_flag(state: &State) -> bool {
    let funnel = &state.funnel;
    funnel.connected_server
        && funnel.mcp_client
        && funnel.retrieve_tools_call
        && funnel.clients == ["claude-code", "zed"]
}
