//! How much the endurance tests do: a little with `cargo test`, all of it with `scripts/endure`.
//!
//! One rule: whatever they do at random follows from a number that they print.
#![allow(dead_code)]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// The number in `MCPPROXY_ENDURE_<name>`, else `short`.
pub fn scaled(name: &str, short: u64) -> u64 {
    match std::env::var(format!("MCPPROXY_ENDURE_{name}")) {
        Ok(number) => number.parse().expect("a number"),
        Err(_) => short,
    }
}

/// Where the random choices of this run begin: `MCPPROXY_ENDURE_SEED`, to repeat a run that failed.
pub fn seed() -> u64 {
    scaled("SEED", 20_261_125)
}

/// Random enough for tests, and the same again for the same seed.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// Two numbers, so that neighbours have nothing in common.
    pub fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of `choices`.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Random bytes into all of `place`.
    pub fn fill(&mut self, place: &mut [u8]) {
        for chunk in place.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A directory in memory where the system has one: thousands of syncs to a disk would be most of a test.
pub fn fast_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir().then(|| tempfile::tempdir_in(memory));
    match in_memory {
        Some(Ok(dir)) => dir,
        _ => tempfile::tempdir().expect("a temporary directory"),
    }
}

/// Waits for the end of a process, and kills it when it does not come: `None` is a hang.
pub fn end_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return Some(status);
        }
        if Instant::now() > give_up {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a command whose output goes to `log`, and fails with the end of it when it fails or hangs.
pub fn run_logged(command: &mut Command, log: &PathBuf, limit: Duration) {
    let output = File::create(log).expect("a log");
    command.env("RUST_BACKTRACE", "0").stdout(output.try_clone().expect("a log")).stderr(output);
    let mut child = command.spawn().expect("it starts");
    let ended = end_within(&mut child, limit);
    if ended.is_some_and(|status| status.success()) {
        return;
    }
    let mut text = String::new();
    let _ = File::open(log).and_then(|mut file| file.read_to_string(&mut text));
    let from = text.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
    let how = ended.map_or("it hangs".to_owned(), |status| status.to_string());
    panic!("{how}; its last words:\n{}", &text[from..]);
}
