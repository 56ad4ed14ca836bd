//! The story of a maintainer, from nothing to a number: what `scripts/story` plays, played with the built binary.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

/// The exit code of the script when something that it needs is not on this machine.
const OUT_OF_REACH: i32 = 77;

#[test]
fn the_numbers_that_a_maintainer_reads_are_those_that_were_played() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut story = Command::new("bash");
    story.arg(root.join("scripts/story")).env("BIN", env!("CARGO_BIN_EXE_mcpproxy"));
    let output = match story.env_remove("KEEP").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: the story: bash: {error}");
            return;
        }
    };
    let [told, complaints] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if output.status.code() == Some(OUT_OF_REACH) {
        eprintln!("SKIPPED: the story: {complaints}");
        return;
    }
    assert!(output.status.success(), "{told}\n{complaints}");
    assert!(told.contains("\n== Every number is as it was played"), "{told}");
}
