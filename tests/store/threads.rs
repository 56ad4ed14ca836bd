//! One process, many threads.

use super::*;
use mcpproxy::activation::{Health, StoreError};
use mcpproxy::contract::Surface;

#[test]
fn a_new_store_holds_nothing_and_says_so() {
    let (_root, dir) = data_dir();
    assert_eq!(Store::peek(&dir, NOW), Ok(None));
    assert!(!dir.root().exists(), "a look makes nothing");
    let store = open(&dir);
    assert_eq!(store.read(), Ok(State::default()));
    assert_eq!(store.health(), Health::Fresh);
    assert_eq!(peek(&dir), State::default());
}

#[test]
fn what_is_ours_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_root, dir) = data_dir();
    fill(&open(&dir));
    let mode = |path: std::path::PathBuf| {
        std::fs::metadata(path).expect("it was made").permissions().mode() & 0o777
    };
    assert_eq!(mode(dir.root().to_owned()), 0o700);
    assert_eq!(mode(dir.store()), 0o700);
    assert_eq!(mode(dir.store().join("data.mdb")), 0o600);
    assert_eq!(mode(dir.store_lock()), 0o600);
    assert_eq!(mode(dir.checkpoint()), 0o600);
    let names = std::fs::read_dir(dir.store()).expect("a directory");
    let names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["data.mdb"], "LMDB's own lock file is never made");
}

#[test]
fn a_mark_is_stored_once_and_then_unchanged() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let discovery = Mark::Discovery { indexed: Some(12), returned: Some(2) };
    for (mark, again) in [
        (Mark::ServerConnected, Recorded::Unchanged),
        (Mark::Client("zed"), Recorded::Unchanged),
        (discovery, Recorded::Stored),
        (Mark::UpstreamCall, Recorded::Stored),
        (Mark::Request(Surface::Webui), Recorded::Stored),
    ] {
        assert_eq!(store.record(mark, NOW), Recorded::Stored, "{mark:?}");
        assert_eq!(store.record(mark, NOW), again, "{mark:?}");
    }
    let state = peek(&dir);
    assert_eq!(Ok(&state), store.read().as_ref());
    assert_eq!(state.funnel.clients, ["zed"]);
    assert_eq!(state.discovery_calls.value(NOW), 2);
    assert_eq!(state.tokens_saved.value(NOW), 3000);
    assert_eq!(state.counters.upstream_tool_calls, 2);
    assert_eq!(state.counters.surface_requests.webui, 2);
}

#[test]
fn a_store_that_was_closed_comes_back_as_it_was() {
    let (_root, dir) = data_dir();
    let before = {
        let store = open(&dir);
        fill(&store);
        store.read()
    };
    let store = open(&dir);
    assert_eq!(store.read(), before);
    assert_eq!(store.health(), Health::Sound);
    assert_eq!(store.record(Mark::Client("zed"), NOW), Recorded::Unchanged);
}

#[test]
fn events_of_many_threads_are_counted_exactly() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let names: Vec<String> = (0..20).map(|number| format!("client-{number}")).collect();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (store, names) = (&store, &names);
            scope.spawn(move || {
                for event in 0..400 {
                    record_surely(store, Mark::UpstreamCall);
                    record_surely(store, Mark::Discovery { indexed: Some(2), returned: Some(1) });
                    if event % 100 == thread {
                        record_surely(store, Mark::Client(&names[(event / 20) as usize]));
                    }
                }
            });
        }
    });
    flush_surely(&store);
    let state = peek(&dir);
    assert_eq!(state.counters.upstream_tool_calls, 3200);
    assert_eq!(state.discovery_calls.value(NOW), 3200);
    assert_eq!(state.tokens_saved.value(NOW), 3200 * 150);
    let mut clients = state.funnel.clients.clone();
    clients.sort();
    clients.dedup();
    assert_eq!(clients.len(), state.funnel.clients.len(), "no name twice");
}

#[test]
fn readers_see_whole_transactions_while_a_writer_runs() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    // A reader may be too late; what it sees is never half of a change.
                    let Ok(Some(state)) = Store::peek(&dir, NOW) else { continue };
                    let violations = state.install.anonymity_violations;
                    assert_eq!(state.counters.upstream_tool_calls, violations);
                    assert!(violations >= last);
                    last = violations;
                }
            });
        }
        let mut changes = 0;
        while changes < 1000 {
            let changed = store.update(false, |state| {
                state.install.anonymity_violations += 1;
                state.counters.upstream_tool_calls += 1;
            });
            match changed {
                Ok(()) => changes += 1,
                Err(error) => assert_eq!(error, StoreError::Busy),
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(peek(&dir).install.anonymity_violations, 1000);
}

#[test]
fn two_handles_of_one_directory_are_one_store() {
    let (_root, dir) = data_dir();
    let (one, two) = (open(&dir), open(&dir));
    assert_eq!(one.record(Mark::ServerConnected, NOW), Recorded::Stored);
    assert_eq!(two.record(Mark::ServerConnected, NOW), Recorded::Unchanged);
    drop(one);
    assert_eq!(two.record(Mark::UpstreamCall, NOW), Recorded::Stored);
}

#[test]
fn a_change_that_panics_changes_nothing_and_blocks_nobody() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.update(false, |state| {
            state.funnel.connected_server = true;
            panic!("on purpose");
        })
    }));
    assert!(outcome.is_err());
    assert_eq!(store.read(), Ok(State::default()));
    assert_eq!(store.record(Mark::ServerConnected, NOW), Recorded::Stored);
}

#[test]
fn a_mark_recorded_within_a_change_is_deferred_not_a_deadlock() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let inner = store.update(false, |_| store.record(Mark::UpstreamCall, NOW));
    assert_eq!(inner, Ok(Recorded::Deferred));
    assert_eq!(store.read().map(|state| state.counters.upstream_tool_calls), Ok(1));
    assert_eq!(peek(&dir).counters.upstream_tool_calls, 0);
    assert_eq!(store.flush(), Ok(()));
    assert_eq!(peek(&dir).counters.upstream_tool_calls, 1);
}

#[test]
fn a_reset_is_noticed_by_a_running_host() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    assert!(!store.refresh_if_replaced());
    assert_eq!(Store::reset(&dir), Ok(()));
    assert!(!dir.store().exists() && !dir.checkpoint().exists());
    assert_eq!(Store::peek(&dir, NOW), Ok(None));
    assert!(store.refresh_if_replaced());
    assert!(!store.refresh_if_replaced());
    assert_eq!(store.read(), Ok(State::default()));
    assert_eq!(store.record(Mark::ServerConnected, NOW), Recorded::Stored);
    assert_eq!(store.record(Mark::Client("zed"), NOW), Recorded::Stored);
}

#[test]
fn a_reset_without_a_tick_is_noticed_by_the_next_write() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    Store::reset(&dir).expect("a reset");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert_eq!(store.record(Mark::ServerConnected, NOW), Recorded::Stored);
    let state = peek(&dir);
    assert_eq!(state.counters.upstream_tool_calls, 1);
    assert!(state.funnel.connected_server && !state.funnel.mcp_client);
}

#[test]
fn a_reset_of_nothing_makes_nothing() {
    let (_root, dir) = data_dir();
    assert_eq!(Store::reset(&dir), Ok(()));
    assert!(!dir.root().exists());
}

#[test]
fn clients_that_begin_again_are_seen_by_whoever_reads_next() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    store.update(true, |state| state.funnel.clients.clear()).expect("a rotation");
    assert_eq!(store.record(Mark::Client("zed"), NOW), Recorded::Stored);
    assert_eq!(peek(&dir).funnel.clients, ["zed"]);
    assert!(peek(&dir).funnel.connected_server);
}

#[test]
fn a_data_directory_that_is_gone_is_not_made_again() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    std::fs::remove_dir_all(dir.root()).expect("removed");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::NoStore);
    assert_eq!(store.record(Mark::ServerConnected, NOW), Recorded::Unchanged);
    assert!(store.update(true, |_| ()).is_err());
    assert!(store.read().is_err());
    assert!(!dir.root().exists());
    // A directory that comes back is used, and what was kept in memory is not lost.
    std::fs::create_dir(dir.root()).expect("made");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert_eq!(peek(&dir).counters.upstream_tool_calls, 2);
}

#[test]
fn a_removed_store_begins_again_with_its_checkpoint() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    std::fs::remove_dir_all(dir.store()).expect("removed");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert_eq!(store.health(), Health::Restored { quarantined_at: None });
    assert!(has_every_flag(&peek(&dir)));
}

#[test]
fn a_removed_lock_file_does_not_split_the_store() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    std::fs::remove_file(dir.store_lock()).expect("removed");
    // The name of the lock file is not looked up for every event.
    std::thread::sleep(Duration::from_millis(25));
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert!(dir.store_lock().exists());
    let mut other = child::command("hold the lock", &dir, 0).spawn().expect("a child");
    child::wait_for(&mut other, "held");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Deferred);
    other.kill().and_then(|()| other.wait()).expect("killed");
}

#[test]
fn every_part_of_the_state_is_kept() {
    use mcpproxy::activation::state::{Pending, Sender};
    let (_root, dir) = data_dir();
    let changed = open(&dir).update(true, |state| {
        state.sender = Sender { first_start: 1, last_success: 2, failures: 3, ..Sender::default() };
        state.pending = Some(Pending { bytes: vec![b'x'; 8192], made_at: 4, ..Pending::default() });
        state.install.current_version = "v1.0.0".to_owned();
        state.clone()
    });
    assert_eq!(changed.as_ref(), Ok(&peek(&dir)));
    let store = open(&dir);
    assert_eq!(store.read(), changed);
    store.update(false, |state| state.pending = None).expect("a change");
    assert_eq!(peek(&dir).pending, None);
}
