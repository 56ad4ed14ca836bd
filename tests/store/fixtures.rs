//! Stores as every commit of main wrote them, packed by `scripts/store-fixture`: all of them are read for ever.
#![cfg(all(target_pointer_width = "64", target_endian = "little"))]

#[path = "../data/stores/make.rs"]
#[allow(dead_code)]
mod make;
#[path = "../support/packed.rs"]
mod packed;

use super::*;
use mcpproxy::activation::Health;
use mcpproxy_platform::lmdb::{MAP_SIZE, pages};
use packed::unpack;
use std::path::{Path, PathBuf};

/// The program that was first given to others: it reads version 1 of every record, and nothing behind it.
const FIRST_GIVEN: &str = "8f74b77";

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/stores");
    let files =
        std::fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("one").path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_none()).collect();
    files.sort();
    assert!(files.iter().any(|path| path.ends_with(FIRST_GIVEN)));
    files
}

/// The records of the data file, without that of its origin, which is another one in every store.
fn records(dir: &DataDir) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    let snapshot = pages::read(&bytes, MAP_SIZE).expect("a sound file");
    let named = |(key, value): &(&[u8], &[u8])| {
        (String::from_utf8(key.to_vec()).expect("a key"), value.to_vec())
    };
    snapshot.records.iter().map(named).filter(|(key, _)| key != "origin").collect()
}

fn keys(dir: &DataDir) -> Vec<String> {
    records(dir).into_iter().map(|(key, _)| key).collect()
}

/// As this program fills a store.
fn filled() -> (TempDir, DataDir) {
    let (root, dir) = data_dir();
    make::fill(&open(&dir));
    (root, dir)
}

/// What a user would miss, in words: equality with another reading alone would not notice two empty ones.
fn check(state: &State, upstream_calls: u64, from: &Path) {
    let from = from.display();
    assert!(has_every_flag(state), "{from}: {:?}", state.funnel);
    let counters = state.counters;
    assert_eq!(counters.upstream_tool_calls, upstream_calls, "{from}");
    assert_eq!((counters.surface_requests.mcp, counters.surface_requests.cli), (2, 1), "{from}");
    assert_eq!(counters.builtin_tool_calls.retrieve_tools, 1, "{from}");
    let windows = (state.discovery_calls.value(NOW), state.tokens_saved.value(NOW));
    assert_eq!(windows, (4, 6000), "{from}");
    let install = &state.install;
    assert!(install.installer_pending && install.installer_stamp == "2026-09-21", "{from}");
    assert_eq!((install.anonymous_id.as_str(), install.anonymity_violations), (make::ID, 1));
    let pending = state.pending.as_ref().expect("pending bytes");
    assert_eq!((pending.bytes.len(), pending.anonymous_id.as_str()), (1200, make::ID), "{from}");
    assert_eq!((pending.counters.upstream_tool_calls, pending.installer), (3, true), "{from}");
}

#[test]
fn a_store_of_every_commit_is_read_and_written_on() {
    let (_root, dir) = filled();
    let own = peek(&dir);
    for fixture in fixtures() {
        let (_root, dir) = data_dir();
        unpack(&fixture, &dir);
        let before = std::fs::read(dir.store().join("data.mdb")).expect("the file");
        let state = peek(&dir);
        check(&state, 4, &fixture);
        assert_eq!(state, own, "{}", fixture.display());
        let store = open(&dir);
        assert_eq!((store.read().as_ref(), store.health()), (Ok(&own), Health::Sound));
        let after = std::fs::read(dir.store().join("data.mdb")).expect("the file");
        assert!(before == after, "{}: reading writes nothing", fixture.display());
        // Each the first write of its record; the last one writes all of them.
        let discovery = Mark::Discovery { indexed: Some(2), returned: Some(2) };
        for mark in [Mark::UpstreamCall, discovery, Mark::Client("goose")] {
            assert_eq!(store.record(mark, NOW), Recorded::Stored, "{}", fixture.display());
            let mut expected = own.clone();
            expected.counters.upstream_tool_calls += 1;
            if mark != Mark::UpstreamCall {
                expected.discovery_calls.add(NOW, 1);
            }
            if matches!(mark, Mark::Client(_)) {
                expected.funnel.clients.push("goose".to_owned());
            }
            assert_eq!(peek(&dir), expected, "{}", fixture.display());
        }
        let all = ["counters", "funnel", "install", "pending", "sender", "serve", "tap", "windows"];
        assert_eq!(keys(&dir), all, "{}", fixture.display());
        #[cfg(feature = "serve")]
        {
            use mcpproxy::activation::ErrorMark;
            let mut expected = peek(&dir);
            let met = ErrorMark::Met(mcpproxy::diagnostics::Code::HttpDns);
            expected.errors.apply(met, NOW);
            assert_eq!(store.record(Mark::Error(met), NOW), Recorded::Stored);
            assert_eq!(peek(&dir), expected, "{}: nothing else has changed", fixture.display());
            assert_eq!(keys(&dir).len(), all.len() + 1, "{}", fixture.display());
        }
        assert!(Store::quarantines(&dir).is_empty());
    }
}

#[test]
fn a_checkpoint_of_every_commit_brings_the_store_back() {
    for fixture in fixtures() {
        let (_root, dir) = data_dir();
        unpack(&fixture, &dir);
        std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
        check(&Store::remembered(&dir).expect("a checkpoint"), 3, &fixture);
        let store = open(&dir);
        assert_eq!(store.health(), Health::Restored { quarantined_at: Some(NOW) });
        check(&store.read().expect("a store"), 3, &fixture);
        record_surely(&store, Mark::UpstreamCall);
        store.update(true, |_| ()).expect("a checkpoint of this program");
        drop(store);
        check(&peek(&dir), 4, &fixture);
        check(&Store::remembered(&dir).expect("a checkpoint"), 4, &fixture);
    }
}

/// One flipped bit in a record, wherever it is and whichever commit wrote it.
#[test]
fn damage_is_damage_in_a_store_of_every_commit() {
    for fixture in fixtures() {
        let (_root, dir) = data_dir();
        unpack(&fixture, &dir);
        let path = dir.store().join("data.mdb");
        let good = std::fs::read(&path).expect("the file");
        let snapshot = pages::read(&good, MAP_SIZE).expect("a sound file");
        let place = |value: &[u8]| value.as_ptr() as usize - good.as_ptr() as usize;
        for (key, value) in snapshot.records {
            // In the key, too: a record that is missing would pass for one that is empty.
            for at in [place(key), place(value), place(value) + value.len() / 2] {
                for bit in [1, 0x20] {
                    let mut bytes = good.clone();
                    bytes[at] ^= bit;
                    std::fs::write(&path, bytes).expect("the damage");
                    let seen = Store::peek(&dir, NOW);
                    let key = String::from_utf8_lossy(key);
                    let damaged = matches!(seen, Err(mcpproxy::activation::StoreError::Damaged(_)));
                    assert!(damaged, "{}: {key} {at}: {seen:?}", fixture.display());
                }
            }
        }
    }
}

/// The other direction, shown by bytes: what this program writes is what the first given one wrote, while no
/// record holds more than it knew. (When one does, its version is a later one, which that program leaves alone.)
#[test]
fn a_store_is_written_as_the_first_given_program_wrote_it() {
    let (_root, dir) = filled();
    let (_other_root, other) = data_dir();
    let all = fixtures();
    let first = all.iter().find(|path| path.ends_with(FIRST_GIVEN)).expect("it is there");
    unpack(first, &other);
    assert_eq!(records(&dir), records(&other));
    let same = records(&other);
    open(&other).update(true, |_| ()).expect("a change");
    assert_eq!(records(&other), same, "nothing to migrate");
}
