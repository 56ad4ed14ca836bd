//! Several versions of the program on one store: a later one is left alone, an earlier one is read.

use super::life::Era;
use super::*;
use mcpproxy::activation::{Health, StoreError};
use mcpproxy::diagnostics::Code;
use mcpproxy_platform::lmdb::{Environment, Failure, MAP_SIZE, Transaction, pages};
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

pub fn sealed(name: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut value = parts.concat();
    value.extend(checksum(name, &value).to_le_bytes());
    value
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
    assert_eq!(StoreError::Newer.code(), Some(Code::StoreNewer));
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

/// Changes records behind the back of the store, as another program would.
pub fn with_records(
    dir: &DataDir,
    change: impl FnOnce(&mut Transaction<'_>) -> Result<(), Failure>,
) {
    let mut environment = Environment::at(&dir.store(), &dir.store_lock()).expect("a store");
    let mut session = environment.lock(Duration::from_secs(20)).expect("the lock");
    session.ready().expect("a sound file");
    session.write(change).expect("a change");
}

pub fn record(dir: &DataDir, name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    let snapshot = pages::read(&bytes, MAP_SIZE).expect("a sound file");
    let found = snapshot.records.iter().find(|(key, _)| *key == name.as_bytes());
    found.map(|(_, value)| value.to_vec())
}

/// A record that this program knows nothing of.
const UNKNOWN: &str = "referrals";

fn unknown() -> Vec<u8> {
    sealed(UNKNOWN.as_bytes(), &[b"\x07", b"whatever a later program keeps"])
}

fn with_unknown_record() -> (TempDir, DataDir) {
    let (root, dir) = filled();
    with_records(&dir, |all| all.put(UNKNOWN.as_bytes(), &unknown()));
    (root, dir)
}

#[test]
fn a_record_that_is_not_known_stays_in_store_and_checkpoint() {
    let (_root, dir) = with_unknown_record();
    let store = open(&dir);
    assert_eq!(store.health(), Health::Sound);
    for mark in [Mark::UpstreamCall, Mark::Client("goose")] {
        assert_eq!(store.record(mark, NOW), Recorded::Stored);
    }
    store.update(true, |state| state.install.notice_shown_at = 7).expect("a change");
    assert_eq!(record(&dir, UNKNOWN), Some(unknown()));
    drop(store);
    std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: Some(NOW) });
    assert_eq!(record(&dir, UNKNOWN), Some(unknown()));
    assert_eq!(store.read().map(|state| state.install.notice_shown_at), Ok(7));
    // It told about the install that ends here.
    store.update(true, |state| *state = State::default()).expect("a new install");
    assert_eq!(record(&dir, UNKNOWN), None);
}

#[test]
fn a_damaged_record_that_is_not_known_is_damage() {
    let (_root, dir) = with_unknown_record();
    open(&dir).update(true, |_| ()).expect("a checkpoint");
    let mut damaged = unknown();
    damaged[5] ^= 1;
    with_records(&dir, |all| all.put(UNKNOWN.as_bytes(), &damaged));
    assert!(matches!(Store::peek(&dir, NOW), Err(StoreError::Damaged(_))));
    assert_eq!(open(&dir).health(), Health::Restored { quarantined_at: Some(NOW) });
    assert_eq!(record(&dir, UNKNOWN), Some(unknown()));
    // While the store is open it does not take the place of the good one in the checkpoint.
    let store = open(&dir);
    let checkpoint = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    let data = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    let at = data.windows(UNKNOWN.len()).rposition(|bytes| bytes == UNKNOWN.as_bytes());
    let file = std::fs::OpenOptions::new().write(true).open(dir.store().join("data.mdb"));
    let at = at.expect("the record") + UNKNOWN.len() + 5;
    file.expect("the file").write_all_at(&[data[at] ^ 1], at as u64).expect("written");
    // Met in the middle of a change, damage restores the store, and the change is for another time.
    let changed = store.update(true, |state| state.install.notice_shown_at = 8);
    assert!(matches!(changed, Ok(()) | Err(StoreError::Busy)), "{changed:?}");
    let kept = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    let whole = unknown();
    for bytes in [checkpoint, kept] {
        assert!(bytes.windows(whole.len()).any(|part| part == whole));
    }
}

/// `value` of version 1 with something behind it that this program does not know.
fn with_addition(name: &str, value: &[u8]) -> Vec<u8> {
    let (addition, length) = (b"a third window", 14_u64.to_le_bytes());
    let body = &value[1..value.len() - 8];
    sealed(name.as_bytes(), &[b"\x02", body, addition, &length])
}

#[test]
fn an_event_keeps_what_a_later_program_added_to_its_record() {
    let (_root, dir) = filled();
    for name in ["windows", "funnel", "sender", "install"] {
        let value = record(&dir, name).expect("a record");
        // This program's own additions come first, and hold nothing.
        let own = match name {
            "funnel" => 8,
            "sender" => 64,
            _ => 0,
        };
        let (addition, nothing) = (b"a third window", vec![0; own]);
        let length = (own as u64 + 14).to_le_bytes();
        let body = &value[1..value.len() - 8];
        let value = sealed(name.as_bytes(), &[b"\x02", body, &nothing, addition, &length]);
        with_records(&dir, |all| all.put(name.as_bytes(), &value));
    }
    let holds = |name: &str| {
        let value = record(&dir, name).expect("a record");
        value[0] == 2 && value.windows(14).any(|bytes| bytes == b"a third window")
    };
    let store = open(&dir);
    assert!(has_every_flag(&store.read().expect("a store")));
    let mark = Mark::Discovery { indexed: Some(2), returned: Some(1) };
    for mark in [mark, Mark::Client("goose"), mark] {
        assert_eq!(store.record(mark, NOW), Recorded::Stored);
    }
    store
        .update(true, |state| {
            state.sender.failures = 3;
            state.install.notice_shown_at = 4;
        })
        .expect("a change");
    let state = store.read().expect("a store");
    assert_eq!((state.discovery_calls.value(NOW), state.sender.failures), (3, 3));
    assert!(["windows", "funnel", "sender", "install"].iter().all(|name| holds(name)));
    drop(store);
    std::fs::remove_dir_all(dir.store()).expect("removed");
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: None });
    assert!(["windows", "funnel", "sender", "install"].iter().all(|name| holds(name)));
}

#[test]
fn flags_that_only_a_later_program_knows_are_merged_from_the_checkpoint() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    record_surely(&store, Mark::UpstreamCall);
    let older = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    store.update(true, |state| state.funnel.later_flags = 0b110).expect("a change");
    drop(store);
    std::fs::write(dir.store().join("data.mdb"), older).expect("the older copy");
    assert_eq!(peek(&dir).funnel.later_flags, 0b110);
    assert_eq!(open(&dir).read().map(|state| state.funnel.later_flags), Ok(0b110));
}

#[test]
fn one_record_of_a_later_layout_is_enough_to_leave_the_store_alone() {
    for name in ["origin", "funnel", "windows", "counters", "sender", "install"] {
        let (_root, dir) = filled();
        let later = sealed(name.as_bytes(), &[b"\x03", b"another layout"]);
        with_records(&dir, |all| all.put(name.as_bytes(), &later));
        let before = files(&dir);
        assert_eq!(Store::peek(&dir, NOW), Err(StoreError::Newer), "{name}");
        assert_eq!(Store::open(&dir, NOW).map(|_| ()), Err(StoreError::Newer), "{name}");
        assert_eq!(files(&dir), before, "{name}");
    }
}

/// It says nothing that outlives its process.
#[test]
fn a_mark_of_a_later_layout_stops_no_host() {
    let (_root, dir) = filled();
    let mark = |name: &str| sealed(name.as_bytes(), &[b"\x03", b"another layout"]);
    with_records(&dir, |all| {
        all.put(b"serve", &mark("serve"))?;
        all.put(b"tap", &mark("tap"))
    });
    let store = open(&dir);
    assert_eq!(store.health(), Health::Sound);
    assert_eq!(store.record(Mark::Client("goose"), NOW), Recorded::Stored);
    store.update(true, |state| assert_eq!(state.live_tap, None)).expect("a change");
    assert_eq!(
        (record(&dir, "serve"), record(&dir, "tap")),
        (Some(mark("serve")), Some(mark("tap")))
    );
    drop(store);
    hosts::pass_through(&dir);
    assert_eq!(record(&dir, "serve"), Some(mark("serve")));
}

#[test]
fn damage_beside_a_later_version_that_is_known_is_damage() {
    let (_root, dir) = filled();
    open(&dir).update(true, |state| state.funnel.later_flags = 2).expect("a change");
    assert_eq!(record(&dir, "funnel").map(|value| value[0]), Some(2));
    let mut damaged = record(&dir, "counters").expect("a record");
    damaged[3] ^= 1;
    with_records(&dir, |all| all.put(b"counters", &damaged));
    assert!(matches!(Store::peek(&dir, NOW), Err(StoreError::Damaged(_))));
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: Some(NOW) });
    assert_eq!(store.read().map(|state| state.funnel.later_flags), Ok(2));
}

#[test]
fn a_checkpoint_with_additions_restores_the_store() {
    let (_root, dir) = filled();
    let bytes = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    let with = with_addition("checkpoint", &bytes);
    std::fs::write(dir.checkpoint(), with).expect("written");
    std::fs::remove_dir_all(dir.store()).expect("removed");
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: None });
    assert!(has_every_flag(&store.read().expect("a store")));
    store.update(true, |_| ()).expect("a checkpoint");
    assert_eq!(std::fs::read(dir.checkpoint()).expect("the checkpoint")[0], 1);
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
        skipped!("no second build of the program; scripts/endure makes one");
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
