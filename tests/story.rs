//! The story of a maintainer, from nothing to a number: what `scripts/story` plays, played with the built binary.
#![cfg(unix)]

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().expect("a temporary directory");
    let told = place.path().join("told");
    let out = File::create(&told).expect("a file");
    let mut story = Command::new("bash");
    story.arg(root.join("scripts/story")).env("BIN", env!("CARGO_BIN_EXE_mcpproxy"));
    story.env_remove("KEEP").stdin(Stdio::null()).stderr(out.try_clone().expect("a file"));
    let mut story = match story.stdout(out).spawn() {
        Ok(story) => story,
        Err(error) => {
            eprintln!("SKIPPED: the story: bash: {error}");
            return;
        }
    };
    let status = endure::end_within(&mut story, PATIENCE);
    let told = fs::read_to_string(&told).expect("text");
    let status = status.unwrap_or_else(|| panic!("it hangs: {told}"));
    if status.code() == Some(OUT_OF_REACH) {
        eprintln!("SKIPPED: the story: {told}");
        return;
    }
    assert!(status.success(), "{told}");
    assert!(told.contains("\n== Every number is as it was played"), "{told}");
}
