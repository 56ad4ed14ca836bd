//! Several versions of the program on one store: a later one is left alone, an earlier one is read.

use super::life::Era;
use super::*;
use mcpproxy::activation::{Health, StoreError};
use mcpproxy_platform::lmdb::{MAP_SIZE, pages};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// What every version keeps: the sum over a name and the bytes before it, at the end of a value.
fn checksum(name: &[u8], value: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let mut sum = FACTOR;
    for bytes in [name, value] {
        sum = mix(sum, bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        sum = words.iter().fold(sum, |sum, word| mix(sum, u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        sum = mix(sum, u64::from_le_bytes(last));
    }
    mix(sum, sum >> 32)
}

/// The same value as a later version would have sealed it.
fn of_later_version(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut later = value[..value.len() - 8].to_vec();
    later[0] += 1;
    later.extend(checksum(name, &later).to_le_bytes());
    later
}

/// Makes every value of the store one of a later version, in place, as that version would: same inode.
fn take_over(dir: &DataDir) {
    let path = dir.store().join("data.mdb");
    let bytes = std::fs::read(&path).expect("the file");
    let snapshot = pages::read(&bytes, MAP_SIZE).expect("a sound file");
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
    for (key, value) in snapshot.records {
        let at = value.as_ptr() as usize - bytes.as_ptr() as usize;
        file.write_all_at(&of_later_version(key, value), at as u64).expect("written");
    }
}

fn take_over_checkpoint(dir: &DataDir) {
    let bytes = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    std::fs::write(dir.checkpoint(), of_later_version(b"checkpoint", &bytes)).expect("written");
}

fn filled() -> (TempDir, DataDir) {
    let (root, dir) = data_dir();
    fill(&open(&dir));
    (root, dir)
}

fn files(dir: &DataDir) -> [Option<Vec<u8>>; 2] {
    [dir.store().join("data.mdb"), dir.checkpoint()].map(|path| std::fs::read(path).ok())
}

#[test]
fn a_store_of_a_later_version_is_left_as_it_is_and_said() {
    let (_root, dir) = filled();
    take_over(&dir);
    take_over_checkpoint(&dir);
    let before = files(&dir);
    assert_eq!(Store::peek(&dir, NOW), Err(StoreError::Newer));
    assert_eq!(Store::open(&dir, NOW).map(|_| ()), Err(StoreError::Newer));
    let said = hosts::pass_through(&dir);
    assert!(said.contains("newer"), "{said}");
    assert_eq!(files(&dir), before);
    assert!(Store::quarantines(&dir).is_empty());
}

#[test]
fn a_host_whose_store_is_taken_over_by_a_later_version_keeps_its_hands_off() {
    let (_root, dir) = filled();
    let store = open(&dir);
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    take_over(&dir);
    take_over_checkpoint(&dir);
    let before = files(&dir);
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::NoStore);
    assert_eq!(store.record(Mark::Client("goose"), NOW), Recorded::NoStore);
    assert_eq!(store.update(true, |_| ()), Err(StoreError::Newer));
    assert_eq!(store.read(), Err(StoreError::Newer));
    assert_eq!(files(&dir), before);
    assert!(Store::quarantines(&dir).is_empty());
}

#[test]
fn beside_the_checkpoint_of_a_later_version_no_store_is_made() {
    for damaged in [false, true] {
        let (_root, dir) = filled();
        take_over_checkpoint(&dir);
        let data = dir.store().join("data.mdb");
        if damaged {
            std::fs::write(data, b"damage").expect("written");
        } else {
            std::fs::remove_file(data).expect("removed");
        }
        let before = files(&dir);
        assert_eq!(Store::open(&dir, NOW).map(|_| ()), Err(StoreError::Newer));
        assert_eq!(files(&dir), before);
        assert!(Store::quarantines(&dir).is_empty());
        // Who asks for a new install gets one.
        Store::reset(&dir).expect("a reset");
        assert_eq!(open(&dir).health(), Health::Fresh);
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1")
}

/// Written once by version 1 of the format (`MCPPROXY_REGENERATE=1` where there is none); every later
/// program reads it.
#[test]
#[cfg(all(target_pointer_width = "64", target_endian = "little"))]
fn a_store_of_format_1_is_read_for_ever() {
    let (_root, dir) = data_dir();
    std::fs::create_dir_all(dir.store()).expect("a directory");
    let [data, checkpoint] = ["data.mdb", "telemetry.checkpoint"].map(|name| fixture().join(name));
    if std::env::var_os("MCPPROXY_REGENERATE").is_some() && !data.exists() {
        let store = open(&dir);
        fill(&store);
        store.update(true, |state| state.install.current_version = "v0.1.0".into()).expect("kept");
        let Era { data: bytes, checkpoint: kept, .. } = Era::read(&dir);
        std::fs::create_dir_all(fixture()).expect("a directory");
        std::fs::write(&data, bytes)
            .and_then(|()| std::fs::write(&checkpoint, kept))
            .expect("kept");
        drop(store);
    }
    std::fs::copy(data, dir.store().join("data.mdb")).expect("a copy");
    let store = open(&dir);
    let check = |store: &Store, health| {
        let state = store.read().expect("a store");
        assert!(has_every_flag(&state) && store.health() == health, "{:?}", store.health());
        assert_eq!(state.install.current_version, "v0.1.0");
        assert_eq!(state.counters.upstream_tool_calls, 1);
        assert_eq!((state.discovery_calls.value(NOW), state.tokens_saved.value(NOW)), (1, 1500));
    };
    check(&store, Health::Sound);
    assert_eq!(store.record(Mark::Client("goose"), NOW), Recorded::Stored);
    drop(store);
    std::fs::remove_dir_all(dir.store()).expect("removed");
    std::fs::copy(checkpoint, dir.checkpoint()).expect("a copy");
    check(&open(&dir), Health::Restored { quarantined_at: None });
}

/// `scripts/endure` builds one with another `MCPPROXY_VERSION`.
#[test]
fn two_versions_of_the_program_share_one_store() {
    let Some(other) = std::env::var_os("MCPPROXY_ENDURE_OTHER") else {
        eprintln!("SKIPPED: no second build of the program; scripts/endure makes one");
        return;
    };
    let (_root, dir) = data_dir();
    let programs = [PathBuf::from(env!("CARGO_BIN_EXE_mcpproxy")), PathBuf::from(other)];
    const ROUNDS: u64 = 10;
    std::thread::scope(|scope| {
        for program in &programs {
            scope.spawn(|| (0..ROUNDS).for_each(|_| hosts::tap_of(program, &dir)));
        }
    });
    let state = peek(&dir);
    assert_eq!(state.discovery_calls.value(mcpproxy_now()), 2 * ROUNDS);
    assert!(state.funnel.retrieve_tools_call && state.funnel.clients == ["claude-code"]);
    assert!(Store::quarantines(&dir).is_empty());
    let versions = [&state.install.current_version, &state.install.previous_version];
    println!("{} sessions of two versions: {versions:?}", 2 * ROUNDS);
    assert!(!versions[0].is_empty() && !versions[1].is_empty() && versions[0] != versions[1]);
}

pub fn mcpproxy_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}
