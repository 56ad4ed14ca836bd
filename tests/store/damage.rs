//! Damage at rest: no signal, no hang, the flags come back.

use super::*;
use mcpproxy::activation::{Health, StoreError};
use mcpproxy::diagnostics::Code;
use mcpproxy_platform::files::{FileLock, LockMode};
use std::path::Path;

#[test]
fn no_damaged_file_hurts_the_process_that_opens_it() {
    let (_root, dir) = data_dir();
    let output = child::command("recover from damage", &dir, 0).output().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {text}", output.status);
    assert!(text.contains("recovered from everything"), "{text}");
}

/// In a child: a signal must not take the other tests with it.
pub fn recover_from_everything(dir: &DataDir) {
    let store = open(dir);
    fill(&store);
    store.update(true, |state| state.sender.last_success = 7).expect("a checkpoint");
    drop(store);
    let good = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    let checkpoint = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    for (number, (what, bytes)) in damages(&good).into_iter().enumerate() {
        let case = DataDir::at(dir.root().join(format!("case-{number}")));
        std::fs::create_dir_all(case.store()).expect("a directory");
        std::fs::write(case.store().join("data.mdb"), &bytes).expect("the damage");
        std::fs::write(case.checkpoint(), &checkpoint).expect("the checkpoint");
        recover_from(&case, &what, &bytes);
    }
    child::say("recovered from everything");
}

fn recover_from(case: &DataDir, what: &str, bytes: &[u8]) {
    let seen = Store::peek(case, NOW);
    assert_eq!(std::fs::read(case.store().join("data.mdb")).ok().as_deref(), Some(bytes), "{what}");
    assert!(Store::quarantines(case).is_empty(), "{what}: a look repairs nothing");
    let store = open(case);
    let state = store.read().expect("a sound store");
    assert!(has_every_flag(&state), "{what}: {:?}", state.funnel);
    assert_eq!(state.sender.last_success, 7, "{what}");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored, "{what}");
    match seen {
        // Only what no page refers to was hit.
        Ok(seen) => {
            assert!(has_every_flag(&seen.expect("a store")), "{what}");
            assert_eq!(store.health(), Health::Sound, "{what}");
        }
        Err(StoreError::Damaged(_)) => {
            let health = Health::Restored { quarantined_at: Some(NOW) };
            assert_eq!(store.health(), health, "{what}");
            assert_eq!(Store::peek_health(case), Ok(Some(health)), "{what}");
            assert_eq!(Store::quarantines(case), [NOW], "{what}");
            let aside = std::fs::read(case.quarantine(NOW).join("data.mdb"));
            assert_eq!(aside.ok().as_deref(), Some(bytes), "{what}");
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

fn damages(good: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut cases = vec![
        ("empty".to_owned(), Vec::new()),
        ("foreign: text".to_owned(), b"SQLite format 3\0".repeat(1000)),
        ("foreign: zeros".to_owned(), vec![0; 40_000]),
        ("doubled".to_owned(), good.repeat(2)),
    ];
    for length in (0..good.len()).step_by(701).chain([1, 4095, 4097, 5000, 8191, good.len() - 1]) {
        cases.push((format!("truncated to {length}"), good[..length].to_vec()));
    }
    let mut seed = 42_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for round in 0..200 {
        let mut bytes = good.to_vec();
        let page = next(good.len() / 4096) * 4096;
        match round % 4 {
            0 => bytes[page..page + 4096].fill_with(|| next(256) as u8),
            1 => bytes[page..page + 24].fill_with(|| next(256) as u8),
            2 => (0..3).for_each(|_| bytes[next(good.len())] ^= 1 << next(8)),
            _ => bytes[page..page + 4096].fill(0),
        }
        cases.push((format!("random {round}"), bytes));
    }
    // An older version: of LMDB's format in the meta pages, of ours in every value.
    let mut older = good.to_vec();
    for page in [0, 4096] {
        older[page + 20] = 0;
    }
    cases.push(("older LMDB".to_owned(), older));
    let mut older = good.to_vec();
    let at = good.windows(6).rposition(|bytes| bytes == b"funnel").expect("the record");
    older[at + 6] = 0;
    cases.push(("older record".to_owned(), older));
    cases
}

#[test]
fn damage_in_a_value_is_found_while_the_store_is_open() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    fill(&store);
    let data = dir.store().join("data.mdb");
    let mut bytes = std::fs::read(&data).expect("the file");
    let keys: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"counters")).collect();
    for at in keys {
        bytes[at + 9] ^= 1;
    }
    // In place, as a bad disk would do it: same inode, same length.
    let file = std::fs::OpenOptions::new().write(true).open(&data).expect("the file");
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).expect("written");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert!(matches!(store.health(), Health::Restored { quarantined_at: Some(_) }));
    let state = peek(&dir);
    assert!(has_every_flag(&state));
    assert_eq!(Store::quarantines(&dir).len(), 1);
}

#[test]
fn without_a_checkpoint_a_damaged_store_starts_over() {
    for checkpoint in [None, Some(&b"not a checkpoint"[..])] {
        let (_root, dir) = data_dir();
        fill(&open(&dir));
        std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
        std::fs::remove_file(dir.checkpoint()).expect("removed");
        if let Some(bytes) = checkpoint {
            std::fs::write(dir.checkpoint(), bytes).expect("a bad checkpoint");
        }
        let store = open(&dir);
        assert_eq!(store.health(), Health::StartedOver { quarantined_at: NOW });
        assert_eq!(store.read(), Ok(State::default()));
    }
}

#[test]
fn three_damaged_stores_are_kept_and_the_oldest_goes_first() {
    let (_root, dir) = data_dir();
    for number in 0..5 {
        fill(&open(&dir));
        std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
        drop(Store::open(&dir, NOW + number / 2));
    }
    // Two in one second get numbers of their own.
    assert_eq!(Store::quarantines(&dir), [NOW + 2, NOW + 3, NOW + 4]);
}

#[test]
fn anything_may_lie_where_the_store_should_be() {
    type Make = fn(&Path);
    let in_place: [(&str, Make); 4] = [
        ("a file", |path| std::fs::write(path, b"a file").expect("a file")),
        ("a pipe in it", |path| {
            std::fs::create_dir(path).expect("a directory");
            let made = std::process::Command::new("mkfifo").arg(path.join("data.mdb")).status();
            assert!(made.expect("mkfifo runs").success());
        }),
        ("a directory in it", |path| {
            std::fs::create_dir_all(path.join("data.mdb")).expect("a directory");
        }),
        ("a store of others", |path| {
            std::fs::create_dir(path).expect("a directory");
            std::fs::write(path.join("data.mdb"), vec![1; 5 << 20]).expect("a large file");
        }),
    ];
    for (what, make) in in_place {
        let (_root, dir) = data_dir();
        std::fs::create_dir(dir.root()).expect("a directory");
        make(&dir.store());
        let seen = Store::peek(&dir, NOW).err();
        assert_eq!(seen.and_then(|error| error.code()), Some(Code::StoreDamaged), "{what}");
        let store = open(&dir);
        assert_eq!(store.health(), Health::StartedOver { quarantined_at: NOW }, "{what}");
        assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored, "{what}");
    }
}

/// All flags, a checkpoint of them, and no store open.
fn filled() -> (tempfile::TempDir, DataDir) {
    let (root, dir) = data_dir();
    fill(&open(&dir));
    (root, dir)
}

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

#[test]
fn a_look_at_a_damaged_or_missing_store_finds_what_its_checkpoint_holds() {
    let (_root, dir) = filled();
    std::fs::write(dir.store().join("data.mdb"), b"junk").expect("the damage");
    assert!(matches!(Store::peek(&dir, NOW), Err(StoreError::Damaged(_))));
    assert!(has_every_flag(&Store::remembered(&dir).expect("a checkpoint")));
    std::fs::remove_dir_all(dir.store()).expect("removed");
    assert_eq!(Store::peek(&dir, NOW), Ok(None));
    assert!(has_every_flag(&Store::remembered(&dir).expect("a checkpoint")));
    std::fs::write(dir.checkpoint(), b"junk").expect("the damage");
    assert_eq!(Store::remembered(&dir), None);
    assert!(!dir.store().exists() && Store::quarantines(&dir).is_empty(), "a look repairs nothing");
}

#[test]
fn a_lock_file_that_is_a_pipe_or_a_directory_is_said_and_nobody_waits_for_it() {
    for make in [make_pipe, |path: &Path| std::fs::create_dir(path).expect("a directory")] {
        let (_root, dir) = filled();
        std::fs::remove_file(dir.store_lock()).expect("removed");
        make(&dir.store_lock());
        // In a thread: what this is about is that it ends.
        let (say, hear) = std::sync::mpsc::channel();
        let data = dir.clone();
        std::thread::spawn(move || {
            let _ = say.send((Store::peek(&data, NOW), Store::open(&data, NOW).map(|_| ())));
        });
        let (seen, opened) = hear.recv_timeout(Duration::from_secs(20)).expect("an end");
        for error in [seen.map(|_| ()), opened] {
            let error = error.expect_err("no lock, no store").to_string();
            assert!(error.contains("lock") && error.contains("not a file; remove it"), "{error}");
        }
        assert!(has_every_flag(&Store::remembered(&dir).expect("a checkpoint")));
    }
}

#[test]
fn a_directory_where_a_new_file_is_made_does_not_end_the_store_for_good() {
    let (_root, dir) = filled();
    std::fs::remove_file(dir.store().join("data.mdb")).expect("removed");
    std::fs::create_dir(dir.store().join("new.mdb")).expect("a directory");
    let state = open(&dir).read().expect("a store");
    assert!(has_every_flag(&state));
    assert_eq!(Store::quarantines(&dir), [NOW]);
}

#[test]
fn a_link_to_storage_that_is_gone_is_kept_and_said() {
    let (root, dir) = filled();
    let elsewhere = root.path().join("elsewhere");
    std::fs::rename(dir.store(), &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, dir.store()).expect("a link");
    assert!(has_every_flag(&peek(&dir)));
    std::fs::rename(&elsewhere, root.path().join("gone")).expect("moved");
    for error in [Store::peek(&dir, NOW).map(|_| ()), Store::open(&dir, NOW).map(|_| ())] {
        assert!(error.expect_err("no storage").to_string().contains("leads nowhere"));
    }
    std::fs::rename(root.path().join("gone"), &elsewhere).expect("moved back");
    assert!(has_every_flag(&open(&dir).read().expect("a store")));
}

#[test]
fn a_host_whose_data_directory_is_moved_away_locks_the_new_one() {
    let (root, dir) = filled();
    let store = open(&dir);
    store.record(Mark::UpstreamCall, NOW);
    std::fs::rename(dir.root(), root.path().join("aside")).expect("moved");
    std::fs::create_dir(dir.root()).expect("a new one");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    let lock = FileLock::open(&dir.store_lock()).expect("the new lock");
    let _held = lock.acquire(LockMode::Exclusive, Duration::ZERO).expect("a lock").expect("free");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Deferred);
}

/// A backup that was put back, say: every checksum in it is good.
#[test]
fn an_older_copy_of_the_file_does_not_forget_what_its_checkpoint_knows() {
    let (_root, dir) = data_dir();
    let data = dir.store().join("data.mdb");
    let store = open(&dir);
    record_surely(&store, Mark::Client("claude-code"));
    let older = std::fs::read(&data).expect("the file");
    fill(&store);
    drop(store);
    std::fs::write(&data, older).expect("the older copy");
    assert!(has_every_flag(&peek(&dir)), "a look finds it, too");
    let store = open(&dir);
    assert!(has_every_flag(&store.read().expect("a store")));
    assert_eq!(store.health(), Health::Sound);
    // Written, not only remembered.
    std::fs::remove_file(dir.checkpoint()).expect("removed");
    assert!(has_every_flag(&peek(&dir)));
}

/// The checkpoint of another install must not bring back what `reset-id` or a rotation ended.
#[test]
fn the_checkpoint_of_another_install_adds_nothing() {
    let (_root, dir) = data_dir();
    let store = open(&dir);
    store.update(true, |state| state.install.anonymous_id = "one".into()).expect("an id");
    fill(&store);
    let checkpoint = std::fs::read(dir.checkpoint()).expect("the checkpoint");
    let begin = |state: &mut State| {
        *state = State::default();
        state.install.anonymous_id = "two".into();
    };
    store.update(true, begin).expect("another install");
    drop(store);
    std::fs::write(dir.checkpoint(), checkpoint).expect("the older checkpoint");
    assert_eq!(peek(&dir).funnel, State::default().funnel);
    assert_eq!(open(&dir).read().map(|state| state.funnel), Ok(State::default().funnel));
}

#[test]
fn whatever_the_clock_says_damage_is_put_aside_and_the_host_goes_on() {
    let (_root, dir) = data_dir();
    for now in [NOW, 0, u64::MAX, u64::MAX, NOW, 1, u64::MAX - 1, 0] {
        let store = Store::open(&dir, now).expect("a store");
        assert!(matches!(store.record(Mark::UpstreamCall, now), Recorded::Stored));
        assert!(
            store.record(Mark::Discovery { indexed: Some(2), returned: Some(1) }, now)
                == Recorded::Stored
        );
        assert!(store.read().expect("a store").counters.upstream_tool_calls > 0);
        drop(store);
        std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
    }
    assert_eq!(Store::quarantines(&dir).len(), 3);
}
