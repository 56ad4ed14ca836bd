//! `kill -9` at any moment: what was acknowledged is there.

use super::*;
use std::io::Read as _;
use std::process::Child;

/// Lets `writers` run for a moment and kills them all; how many changes they were told are stored.
pub fn killed(mut writers: Vec<Child>, after: Duration) -> u64 {
    for writer in &mut writers {
        child::wait_for(writer, "ack");
    }
    std::thread::sleep(after);
    let mut acknowledged = 0;
    for writer in &mut writers {
        writer.kill().expect("a child that runs");
        writer.wait().expect("a dead child");
        let mut output = Vec::new();
        writer.stdout.take().expect("piped").read_to_end(&mut output).expect("its last words");
        // The line that `wait_for` took, and all the others.
        acknowledged += 1 + output.windows(4).filter(|line| line == b"ack\n").count() as u64;
    }
    acknowledged
}

fn kill_rounds(role: &str, rounds: u32, writers: u32, stored: impl Fn(&State) -> u64) {
    let (_root, dir) = data_dir();
    open(&dir);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let children =
            (0..writers).map(|_| child::command(role, &dir, 0).spawn().expect("a child")).collect();
        acknowledged += killed(children, Duration::from_micros(u64::from(round) * 137 % 4000));
        let stored = stored(&peek(&dir));
        assert!(stored >= acknowledged, "round {round}: {stored} of {acknowledged} are there");
        let unheard = u64::from((round + 1) * writers);
        assert!(stored <= acknowledged + unheard, "round {round}: {stored} of {acknowledged}");
    }
    assert!(acknowledged > u64::from(rounds * writers), "they hardly wrote: {acknowledged}");
    assert!(Store::quarantines(&dir).is_empty(), "a killed writer damages nothing");
    let stored = stored(&open(&dir).read().expect("a sound store"));
    println!(
        "{} kills of {writers} at once: {acknowledged} acknowledged, {stored} there",
        rounds * writers
    );
}

/// Processes that are killed in each of the tests that kill many.
pub fn kills() -> u32 {
    endure::scaled("KILLS", 120) as u32
}

#[test]
fn one_writer_killed_again_and_again_loses_no_acknowledged_event() {
    kill_rounds("events until killed", kills(), 1, |state| state.counters.upstream_tool_calls);
}

#[test]
fn eight_writers_killed_again_and_again_lose_no_acknowledged_event() {
    let rounds = kills().div_ceil(8);
    kill_rounds("events until killed", rounds, 8, |state| state.counters.upstream_tool_calls);
}

#[test]
fn writers_killed_while_they_sync_lose_nothing_and_leave_a_good_checkpoint() {
    let (_root, dir) = data_dir();
    open(&dir);
    for round in 0..20 {
        let children = (0..3)
            .map(|_| child::command("durable changes until killed", &dir, 0).spawn())
            .collect::<Result<Vec<_>, _>>();
        killed(children.expect("children"), Duration::from_millis(round));
    }
    let stored = peek(&dir).install.anonymity_violations;
    assert!(stored >= 60);
    std::fs::remove_dir_all(dir.store()).expect("removed");
    let restored = open(&dir).read().expect("restored").install.anonymity_violations;
    assert!(restored > 0 && restored <= stored, "{restored} of {stored}");
}
