//! Child processes: this test binary again, told by the environment what to do.

use mcpproxy::activation::{Mark, Recorded};
use mcpproxy::contract::RoutingMode;
use mcpproxy::paths::DataDir;
use mcpproxy_platform::files::{FileLock, LockMode};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{NOW, flush_surely, open, record_surely};

const ROLE: &str = "MCPPROXY_STORE_TEST_ROLE";
const DATA: &str = "MCPPROXY_STORE_TEST_DATA";
const COUNT: &str = "MCPPROXY_STORE_TEST_COUNT";

/// This binary as a child with a role, its standard output piped.
pub fn command(role: &str, dir: &DataDir, count: u64) -> Command {
    let program = std::env::current_exe().expect("the path of this test");
    let mut command = Command::new(program);
    command
        .args(["--exact", "child::the_role_of_a_child", "--nocapture"])
        .env(ROLE, role)
        .env(DATA, dir.root())
        .env(COUNT, count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Waits until the child has written a line that starts with `word`.
pub fn wait_for(child: &mut Child, word: &str) {
    let output = child.stdout.as_mut().expect("piped");
    // Byte by byte, so that nothing behind the line is taken.
    let mut lines = BufReader::with_capacity(1, output).lines();
    let found = lines.any(|line| line.expect("text").starts_with(word));
    assert!(found, "the child ended before it said {word}");
}

/// Not a test: does what the environment says, if it says something.
#[test]
fn the_role_of_a_child() {
    let (Ok(role), Some(data)) = (std::env::var(ROLE), std::env::var_os(DATA)) else { return };
    let dir = DataDir::at(data);
    let count: u64 = std::env::var(COUNT).expect("a count").parse().expect("a number");
    match role.as_str() {
        "count exactly" => {
            let store = open(&dir);
            for _ in 0..count {
                record_surely(&store, Mark::UpstreamCall);
                record_surely(&store, Mark::Discovery { indexed: Some(3), returned: Some(1) });
            }
            flush_surely(&store);
        }
        #[cfg(feature = "serve")]
        "meet errors" => {
            use mcpproxy::activation::ErrorMark;
            use mcpproxy::diagnostics::Code;
            let store = open(&dir);
            for _ in 0..count {
                record_surely(&store, Mark::Error(ErrorMark::Met(Code::HttpDns)));
                record_surely(&store, Mark::Error(ErrorMark::FixAttempted));
            }
            flush_surely(&store);
        }
        "events until killed" => {
            let store = open(&dir);
            acknowledge_forever(|| {
                store.record(Mark::ServerConnected, NOW);
                // A deferred event is acknowledged by the flush that wrote it.
                if store.record(Mark::UpstreamCall, NOW) != Recorded::Stored {
                    flush_surely(&store);
                }
                true
            });
        }
        #[cfg(feature = "serve")]
        "errors until killed" => {
            use mcpproxy::activation::ErrorMark;
            use mcpproxy::diagnostics::Code;
            let store = open(&dir);
            // One that is new is synced; the others are not.
            let new = Code::ALL[count as usize % Code::ALL.len()];
            record_surely(&store, Mark::Error(ErrorMark::Met(new)));
            acknowledge_forever(|| {
                record_surely(&store, Mark::Error(ErrorMark::Met(Code::HttpDns)));
                true
            });
        }
        "durable changes until killed" => {
            let store = open(&dir);
            acknowledge_forever(|| {
                store.update(true, |state| state.install.anonymity_violations += 1).is_ok()
            });
        }
        "whole events until killed" => super::events::record_until_killed(&dir),
        "record as tap" => super::events::record_some(&dir, RoutingMode::Tap, count),
        "record as serve" => super::events::record_some(&dir, RoutingMode::RetrieveTools, count),
        "hold the lock" => {
            let lock = FileLock::open(&dir.store_lock()).expect("the lock file");
            let held = lock.acquire(LockMode::Exclusive, Duration::from_secs(5)).expect("a lock");
            say(if held.is_some() { "held" } else { "not held" });
            std::thread::sleep(Duration::from_secs(60));
            drop(held);
        }
        "survive mutations" => super::mutations::survive_mutations(dir.root(), count),
        "survive truncations" => super::mutations::survive_truncations(dir.root(), count),
        "be sound in every state" => super::mutations::be_sound_in_every_state(dir.root(), count),
        "be a host on a full disk" => super::hosts::be_on_a_full_disk(&dir),
        "be a host on a remote file system" => super::hosts::be_on_a_remote_file_system(&dir),
        "recover from damage" => super::damage::recover_from_everything(&dir),
        "survive a full disk" => super::storage::survive_a_full_disk(&dir),
        "wait for room" => super::storage::wait_for_room(&dir),
        "wait for names" => super::storage::wait_for_names(&dir),
        "wait for a writable disk" => super::storage::wait_for_a_writable_disk(&dir),
        "survive a read-only directory" => super::storage::survive_a_read_only_directory(&dir),
        other => panic!("no role is called {other}"),
    }
}

/// Sends a signal to a child.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

pub fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "\n{line}").and_then(|()| output.flush()).expect("a pipe");
}

/// One line for each change that the store has acknowledged.
pub fn acknowledge_forever(mut change: impl FnMut() -> bool) {
    let mut output = std::io::stdout().lock();
    loop {
        if change() {
            output.write_all(b"\nack\n").and_then(|()| output.flush()).expect("a pipe");
        }
    }
}
