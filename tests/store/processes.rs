//! Many processes at once.

use super::*;
use mcpproxy::activation::{DEADLINE, StoreError};
use mcpproxy::diagnostics::Code;
use std::process::{Child, Command};

#[test]
fn events_of_many_processes_are_counted_exactly() {
    const EVENTS: u64 = 100;
    let processes = endure::scaled("PROCESSES", 64);
    let (_root, dir) = data_dir();
    let children: Vec<Child> = (0..processes)
        .map(|_| child::command("count exactly", &dir, EVENTS).spawn().expect("a child"))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let state = peek(&dir);
    assert_eq!(state.counters.upstream_tool_calls, processes * EVENTS);
    assert_eq!(state.discovery_calls.value(NOW), processes * EVENTS);
    assert_eq!(state.tokens_saved.value(NOW), processes * EVENTS * 300);
    assert!(state.funnel.retrieve_tools_call);
    assert!(Store::quarantines(&dir).is_empty());
}

#[test]
fn a_stopped_process_that_holds_the_lock_delays_nobody_beyond_the_deadline() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    let mut holder = child::command("hold the lock", &dir, 0).spawn().expect("a child");
    child::wait_for(&mut holder, "held");
    let stopped = Command::new("kill").args(["-STOP", &holder.id().to_string()]).status();
    assert!(stopped.expect("kill runs").success());

    let start = Instant::now();
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Deferred);
    let first = start.elapsed();
    assert!(first >= DEADLINE && first < DEADLINE * 10, "{first:?}");
    assert_eq!(store.record(Mark::ServerConnected, NOW), Recorded::Unchanged);
    // From now on events do not wait at all.
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Deferred);
    }
    assert_eq!(store.record(Mark::Client("goose"), NOW), Recorded::Deferred);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(store.update(true, |_| ()), Err(StoreError::Busy));
    assert_eq!(Store::peek(&dir, NOW), Err(StoreError::Busy));
    assert_eq!(StoreError::Busy.code(), Some(Code::StoreBusy));
    assert_eq!(store.read(), Err(StoreError::Busy));

    holder.kill().and_then(|()| holder.wait()).expect("killed");
    assert_eq!(store.read().map(|state| state.counters.upstream_tool_calls), Ok(1002));
    assert_eq!(peek(&dir).counters.upstream_tool_calls, 1, "deferred is not written");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    let state = peek(&dir);
    assert_eq!(state.counters.upstream_tool_calls, 1003);
    assert_eq!(state.funnel.clients, ["claude-code", "zed", "goose"]);
}

#[test]
fn a_host_that_starts_while_the_store_is_busy_has_it_later() {
    let (_root, dir) = data_dir();
    fill(&open(&dir));
    let mut holder = child::command("hold the lock", &dir, 0).spawn().expect("a child");
    child::wait_for(&mut holder, "held");
    let store = open(&dir);
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Deferred);
    holder.kill().and_then(|()| holder.wait()).expect("killed");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert_eq!(peek(&dir).counters.upstream_tool_calls, 3);
}
