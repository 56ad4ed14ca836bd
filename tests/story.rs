//! The story of a maintainer, from nothing to a number: what `scripts/story` and `scripts/story-packages` play, played
//! with the built binary.
#![cfg(unix)]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

#[path = "support/endure.rs"]
mod endure;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The exit code of the script when something that it needs is not on this machine.
const OUT_OF_REACH: i32 = 77;
/// Longer than it takes on a slow machine: what hangs fails.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn the_numbers_that_a_maintainer_reads_are_those_that_were_played() {
    play("scripts/story");
}

#[test]
fn the_numbers_of_installed_packages_are_those_that_were_played() {
    play("scripts/story-packages");
}

fn play(script: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().expect("a temporary directory");
    let told = place.path().join("told");
    let out = File::create(&told).expect("a file");
    let mut story = Command::new(root.join(script));
    story.env("BIN", env!("CARGO_BIN_EXE_mcpproxy")).env_remove("KEEP").env_remove("PACKED");
    story.stdin(Stdio::null()).stderr(out.try_clone().expect("a file"));
    let mut story = match story.stdout(out).spawn() {
        Ok(story) => story,
        Err(error) => return skip(&format!("{script}: {error}")),
    };
    let status = endure::end_within(&mut story, PATIENCE);
    let told = fs::read_to_string(&told).expect("text");
    let status = status.unwrap_or_else(|| panic!("{script} hangs: {told}"));
    if status.code() == Some(OUT_OF_REACH) {
        return skip(&format!("{script}: {told}"));
    }
    assert!(status.success(), "{told}");
    assert!(told.contains("\n== Every number is as it was played"), "{told}");
}

/// Says that a story was not told; a failure where the parts that it needs are required.
fn skip(reason: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but {reason}");
    skipped!("{reason}");
}
