//! The record of errors: exactly these bytes, and safe from programs that know nothing of it.
//!
//! One rule: everything here but what reads the errors also holds in a build without the gateway, which meets none.

use super::versions::{record, sealed, with_records};
use super::*;
use mcpproxy::activation::Health;

const NAME: &str = "errors";
const HOUR: u64 = NOW / 3600;
const END: u64 = u64::MAX;

/// As the gateway keeps `MCPX_STDIO_NOT_FOUND` (place 0), met once, `MCPX_HTTP_DNS` (place 16), met twice and last, a
/// code of a later program, two fixes that were tried, and one that helped.
fn kept() -> Vec<u8> {
    let numbers = |all: &[u64]| -> Vec<u8> { all.iter().flat_map(|n| n.to_le_bytes()).collect() };
    let met = numbers(&[3, 0, HOUR, 1, END, 16, HOUR, 2, END, 900, HOUR, 4, END]);
    let (last, fixes) = (numbers(&[16]), numbers(&[HOUR, 2, END, HOUR, 1, END]));
    sealed(NAME.as_bytes(), &[b"\x01", &met, b"\x01", &last, &fixes])
}

fn with_errors() -> (TempDir, DataDir) {
    let (root, dir) = data_dir();
    fill(&open(&dir));
    with_records(&dir, |all| all.put(NAME.as_bytes(), &kept()));
    (root, dir)
}

#[test]
fn errors_outlive_events_a_checkpoint_and_damage() {
    let (_root, dir) = with_errors();
    let store = open(&dir);
    assert_eq!(store.health(), Health::Sound);
    for mark in [Mark::UpstreamCall, Mark::Client("goose"), Mark::ClientActive] {
        assert_eq!(store.record(mark, NOW), Recorded::Stored);
    }
    store.update(true, |state| state.install.notice_shown_at = 7).expect("a change");
    assert_eq!(record(&dir, NAME), Some(kept()));
    drop(store);
    hosts::pass_through(&dir);
    assert_eq!(record(&dir, NAME), Some(kept()), "after a tap");
    std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: Some(NOW) });
    assert_eq!(record(&dir, NAME), Some(kept()));
    store.update(true, |state| *state = State::default()).expect("a new install");
    assert_eq!(record(&dir, NAME), None, "they are no errors of another install");
}

#[test]
fn a_store_without_errors_has_no_record_of_them() {
    let (_root, dir) = data_dir();
    fill(&open(&dir));
    assert_eq!(record(&dir, NAME), None);
}

#[cfg(feature = "serve")]
mod met {
    use super::*;
    use mcpproxy::activation::ErrorMark;
    use mcpproxy::diagnostics::Code;
    use std::process::Child;

    const DNS: Mark<'_> = Mark::Error(ErrorMark::Met(Code::HttpDns));

    fn changes(state: &State, now: u64) -> Vec<(Code, u64)> {
        state.errors.changes(now).filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn the_record_is_written_and_read_as_it_always_was() {
        let (_root, dir) = with_errors();
        let state = peek(&dir);
        assert_eq!(changes(&state, NOW), [(Code::StdioNotFound, 1), (Code::HttpDns, 2)]);
        let errors = &state.errors;
        assert_eq!((errors.ever(), errors.last()), (3, Some(Code::HttpDns)));
        assert_eq!(errors.fixes(NOW), [2, 1]);
        let store = open(&dir);
        assert_eq!(store.record(DNS, NOW), Recorded::Stored);
        assert_eq!(changes(&peek(&dir), NOW), [(Code::StdioNotFound, 1), (Code::HttpDns, 3)]);
        assert_eq!(peek(&dir).errors.ever(), 3, "the later program's is kept");
    }

    #[test]
    fn errors_that_many_processes_met_are_counted_exactly() {
        const EVENTS: u64 = 50;
        let (_root, dir) = data_dir();
        let children: Vec<Child> = (0..8)
            .map(|_| child::command("meet errors", &dir, EVENTS).spawn().expect("a child"))
            .collect();
        for mut child in children {
            assert!(child.wait().expect("it ends").success());
        }
        let state = peek(&dir);
        assert_eq!(changes(&state, NOW), [(Code::HttpDns, 8 * EVENTS)]);
        assert_eq!(state.errors.fixes(NOW), [8 * EVENTS, 0]);
        assert_eq!(state.errors.ever(), 1);
    }

    #[test]
    fn an_error_that_had_to_wait_for_the_lock_is_kept() {
        let (_root, dir) = data_dir();
        let store = open(&dir);
        let mut holder = child::command("hold the lock", &dir, 0).spawn().expect("a child");
        child::wait_for(&mut holder, "held");
        assert_eq!(store.record(DNS, NOW), Recorded::Deferred);
        holder.kill().and_then(|()| holder.wait()).expect("killed");
        assert_eq!(store.record(DNS, NOW), Recorded::Stored);
        assert_eq!(changes(&peek(&dir), NOW), [(Code::HttpDns, 2)]);
    }

    /// Kills `writers` at once, again and again: each met a code that is new to the store, and then one more and more.
    fn kill_rounds(rounds: u32, writers: u32) {
        let (_root, dir) = data_dir();
        open(&dir);
        let (mut acknowledged, mut new) = (0, std::collections::BTreeSet::from([Code::HttpDns]));
        for round in 0..rounds {
            // Not that which is counted.
            let first = u64::from(round) % (Code::HttpDns as u64);
            new.insert(Code::ALL[first as usize]);
            let children = (0..writers)
                .map(|_| {
                    child::command("errors until killed", &dir, first).spawn().expect("a child")
                })
                .collect();
            let after = Duration::from_micros(u64::from(round) * 137 % 4000);
            acknowledged += crashes::killed(children, after);
            let state = peek(&dir);
            let stored = changes(&state, NOW);
            let of =
                |code| stored.iter().find(|(it, _)| *it == code).map_or(0, |(_, count)| *count);
            // Each of the killed may have been told of one less than it wrote.
            let unheard = u64::from((round + 1) * writers);
            let dns = of(Code::HttpDns);
            assert!(dns >= acknowledged, "round {round}: {dns} of {acknowledged} are there");
            assert!(
                dns <= acknowledged + unheard,
                "round {round}: {dns} of {acknowledged}: doubled"
            );
            let others: u64 = stored.iter().map(|(_, count)| count).sum::<u64>() - dns;
            assert_eq!(others, unheard, "round {round}: each met its first code once: {stored:?}");
            let met: Vec<Code> = new.iter().copied().collect();
            assert_eq!(stored.iter().map(|(code, _)| *code).collect::<Vec<_>>(), met);
        }
        assert!(acknowledged > u64::from(rounds * writers), "they hardly wrote: {acknowledged}");
        assert!(Store::quarantines(&dir).is_empty(), "a killed writer damages nothing");
        // The checkpoint, which is all that is left of a store that is lost, has it of one alone: beside others it may
        // find no moment to take its place, and the next one brings all of it.
        std::fs::remove_dir_all(dir.store()).expect("removed");
        let restored = open(&dir).read().expect("restored").errors;
        assert!(restored.ever() > 0 && restored.ever() <= new.len() as u64);
        if writers == 1 {
            assert_eq!(restored.ever(), new.len() as u64);
        }
        println!("{} kills of {writers} at once: {acknowledged} acknowledged", rounds * writers);
    }

    #[test]
    fn a_gateway_killed_at_any_moment_neither_loses_nor_doubles_an_error() {
        kill_rounds(crashes::kills(), 1);
    }

    #[test]
    fn gateways_killed_together_neither_lose_nor_double_an_error() {
        kill_rounds(crashes::kills().div_ceil(8), 8);
    }

    /// What is met for the first time is on disk, and in the checkpoint, before the call returns.
    #[test]
    fn a_code_that_is_new_is_in_the_checkpoint() {
        let (_root, dir) = data_dir();
        fill(&open(&dir));
        assert_eq!(open(&dir).record(DNS, NOW), Recorded::Stored);
        let remembered = Store::remembered(&dir).expect("a checkpoint");
        assert_eq!((remembered.errors.ever(), remembered.errors.last()), (1, Some(Code::HttpDns)));
    }
}
