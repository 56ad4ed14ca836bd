//! Thousands of mutations of the files at rest, each met through the real operations, in child processes.

use super::damaging::{self, CheckpointIs};
use super::endure::{self, Random};
use super::life::{Era, eras, has_all_of, live};
use super::*;
use mcpproxy::activation::state::Counters;
use mcpproxy::activation::{Health, StoreError};
use std::path::Path;

/// Mutations of one child process.
const BATCH: u64 = 250;
/// For one batch, on a busy machine: a hang, not a measurement.
const PATIENCE: Duration = Duration::from_secs(300);
/// The built command looks at every so many mutations, too.
const LOOKS: u64 = 50;

const FIRST: &str = "MCPPROXY_STORE_TEST_FIRST";

/// Runs `role` over `total` numbers in children that each begin at `FIRST` and do `BATCH`.
/// `MCPPROXY_ENDURE_FROM` begins elsewhere, to repeat one that failed.
fn in_batches(role: &str, total: u64, base: &Path) {
    let end = endure::scaled("FROM", 0) + total;
    for first in (end - total..end).step_by(BATCH as usize) {
        let count = BATCH.min(end - first);
        let mut command = child::command(role, &DataDir::at(base), count);
        command.env(FIRST, first.to_string());
        endure::run_logged(&mut command, &base.join("log"), PATIENCE);
    }
}

/// For a role: the numbers that it is about.
fn numbers(count: u64) -> std::ops::Range<u64> {
    let first = std::env::var(FIRST).map_or(0, |first| first.parse().expect("a number"));
    first..first + count
}

#[test]
fn no_mutation_of_the_files_hurts_and_flags_come_back_wherever_the_checkpoint_is_good() {
    let total = endure::scaled("MUTATIONS", 750);
    let base = endure::fast_dir();
    live(base.path());
    in_batches("survive mutations", total, base.path());
    println!("{total} mutations from seed {}: all survived", endure::seed());
}

#[test]
fn no_length_of_the_file_hurts() {
    let base = endure::fast_dir();
    live(base.path());
    let length = eras(base.path())[2].data.len() as u64;
    let total = length / endure::scaled("TRUNCATION_STEP", 97) + 1;
    in_batches("survive truncations", total, base.path());
    println!("{total} truncations of {length} bytes: all survived");
}

/// In a child.
pub fn survive_mutations(base: &Path, count: u64) {
    let eras = eras(base);
    for number in numbers(count) {
        let mut random = Random::new(endure::seed(), number);
        let era = &eras[random.below(eras.len())];
        let checkpoint = *random.one_of(&CheckpointIs::ALL);
        let (what, data) = damaging::data(&mut random, era, &eras);
        println!("mutation {number}: {what}, checkpoint {checkpoint:?}");
        let remembered = checkpoint.of(&mut random, era, &eras);
        let case = prepare(base, &data, remembered.as_ref().map(|(bytes, _)| bytes.as_slice()));
        let lock = damaging::lock(&mut random, &case);
        let known = remembered.and_then(|(_, state)| state);
        survive(&case, &data, &eras, known.as_ref(), lock, number % LOOKS == 0);
    }
}

/// In a child: the file cut to every length of the range, with and without a checkpoint.
pub fn survive_truncations(base: &Path, count: u64) {
    let eras = eras(base);
    let era = &eras[2];
    let step = endure::scaled("TRUNCATION_STEP", 97) as usize;
    for number in numbers(count) {
        let length = (number as usize * step).min(era.data.len());
        println!("truncated to {length}");
        let data = &era.data[..length];
        let known = (number % 4 != 3).then_some(era);
        let case = prepare(base, data, known.map(|era| era.checkpoint.as_slice()));
        let known = known.map(|era| &era.state);
        survive(&case, data, &eras, known, damaging::Lock::Usable, number % (20 * LOOKS) == 0);
    }
}

fn prepare(base: &Path, data: &[u8], checkpoint: Option<&[u8]>) -> DataDir {
    let case = DataDir::at(base.join("case"));
    let _ = std::fs::remove_dir_all(case.root());
    std::fs::create_dir_all(case.store()).expect("a directory");
    std::fs::write(case.store().join("data.mdb"), data).expect("the damage");
    if let Some(bytes) = checkpoint {
        std::fs::write(case.checkpoint(), bytes).expect("the checkpoint");
    }
    case
}

/// Look, open, read, record, change, look again: all of it works, nothing is made up, and what a good
/// checkpoint knew is there.
fn survive(
    case: &DataDir,
    data: &[u8],
    eras: &[Era],
    known: Option<&State>,
    lock: damaging::Lock,
    look: bool,
) {
    let seen = Store::peek(case, NOW);
    let file = case.store().join("data.mdb");
    assert_eq!(std::fs::read(&file).ok().as_deref(), Some(data), "a look changes nothing");
    if look {
        status_of(case, &seen);
    }
    if lock == damaging::Lock::NoFile {
        let error = Store::open(case, NOW).expect_err("no lock, no store").to_string();
        assert!(error.contains("telemetry.lock: it is not a file"), "{error}");
        return;
    }
    let store = open(case);
    let state = store.read().expect("a store that is good again");
    check_origin(&state, eras);
    if let Some(known) = known {
        assert!(has_all_of(&state, known), "{:?} lacks some of {:?}", state.funnel, known.funnel);
    }
    match seen {
        Ok(seen) => {
            assert_eq!(seen.as_ref(), Some(&state), "what was seen is what there is");
            assert!(Store::quarantines(case).is_empty());
        }
        Err(StoreError::Damaged(_)) => {
            let expected = match known {
                Some(_) => Health::Restored { quarantined_at: Some(NOW) },
                None => Health::StartedOver { quarantined_at: NOW },
            };
            assert_eq!(store.health(), expected);
            let aside = std::fs::read(case.quarantine(NOW).join("data.mdb"));
            assert_eq!(aside.ok().as_deref(), Some(data), "what is damaged is kept");
        }
        Err(error) => panic!("{error}"),
    }
    let before = state.counters.upstream_tool_calls;
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    store.update(true, |state| state.install.notice_shown_at = 77).expect("a change");
    drop(store);
    let after = peek(case);
    assert_eq!(after.counters.upstream_tool_calls, before + 1);
    assert_eq!(open(case).read().as_ref(), Ok(&after));
    assert!(has_all_of(&after, &state) && after.install.notice_shown_at == 77);
    assert!(Store::remembered(case).is_some_and(|kept| has_all_of(&kept, &state)));
    if look {
        status_of(case, &Ok(Some(after)));
    }
}

/// Every part is as it was at some moment, or as in a new store: damage never passes for a value.
fn check_origin(state: &State, eras: &[Era]) {
    let any = |same: &dyn Fn(&State) -> bool| {
        same(&State::default()) || eras.iter().any(|era| same(&era.state))
    };
    assert!(any(&|era| era.funnel == state.funnel), "{:?}", state.funnel);
    // Between two of the copies it had every count.
    let most = eras.iter().map(|era| era.state.counters.upstream_tool_calls).max().unwrap_or(0);
    let counted = state.counters.upstream_tool_calls;
    let alone = Counters { upstream_tool_calls: counted, ..Counters::default() };
    assert!(counted <= most && state.counters == alone, "{:?}", state.counters);
    assert!(any(&|era| era.pending == state.pending), "{:?}", state.pending);
    assert!(any(&|era| era.sender == state.sender), "{:?}", state.sender);
    assert!(any(&|era| era.install == state.install), "{:?}", state.install);
    assert!(any(&|era| era.discovery_calls == state.discovery_calls));
    assert!(any(&|era| era.tokens_saved == state.tokens_saved));
}

/// The built command says of the store what a look says.
fn status_of(case: &DataDir, seen: &Result<Option<State>, StoreError>) {
    let text = hosts::status_of(case);
    let state = match seen {
        Ok(_) => "ok",
        Err(StoreError::Damaged(_)) => "damaged",
        Err(_) => "unavailable",
    };
    assert!(text.contains(&format!(r#""state":"{state}""#)), "{state}: {text}");
}

#[test]
fn no_legitimate_state_is_taken_for_damage() {
    let total = endure::scaled("STATES", 150);
    let base = endure::fast_dir();
    in_batches("be sound in every state", total, base.path());
    println!("{total} legitimate states from seed {}: all sound", endure::seed());
}

/// In a child: random histories; after every step the file at rest opens as what it is.
pub fn be_sound_in_every_state(base: &Path, count: u64) {
    let first = numbers(count).start;
    let dir = DataDir::at(base.join(format!("history-{first}")));
    let store = open(&dir);
    for number in numbers(count) {
        println!("state {number}");
        let mut random = Random::new(endure::seed(), number);
        for _ in 0..=random.below(12) {
            step(&store, &mut random);
        }
        let state = peek(&dir);
        let data = std::fs::read(dir.store().join("data.mdb")).expect("the file");
        let checkpoint = std::fs::read(dir.checkpoint()).ok();
        let copy = prepare(base, &data, checkpoint.as_deref());
        assert_eq!(peek(&copy), state);
        let again = open(&copy);
        assert_eq!((again.health(), again.read()), (Health::Sound, Ok(state)));
        assert_eq!(again.record(Mark::UpstreamCall, NOW), Recorded::Stored);
        assert!(Store::quarantines(&copy).is_empty());
    }
}

fn step(store: &Store, random: &mut Random) {
    use mcpproxy::activation::state::Pending;
    // Back and forth, and far away.
    let days = random.next() % 40;
    let now = *random.one_of(&[NOW, NOW, NOW + days * 86_400, NOW - days * 3600, 0, u64::MAX]);
    let client = format!("client-{}", random.below(30));
    match random.below(10) {
        0 => _ = store.record(Mark::Client(&client), now),
        1 => _ = store.record(Mark::ServerConnected, now),
        2 | 3 => {
            let indexed = Some(random.next() >> random.below(64));
            store.record(Mark::Discovery { indexed, returned: Some(1) }, now);
        }
        4 => {
            let bytes = vec![b'p'; random.below(30_000)];
            let pending = Pending { bytes, made_at: now, ..Pending::default() };
            store
                .update(random.below(2) == 0, |state| state.pending = Some(pending))
                .expect("kept");
        }
        5 => store.update(random.below(2) == 0, |state| state.pending = None).expect("kept"),
        6 => {
            let version = "v".repeat(random.below(3000));
            store.update(false, |state| state.install.current_version = version).expect("kept");
        }
        _ => _ = store.record(Mark::UpstreamCall, now),
    }
}
