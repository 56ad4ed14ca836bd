//! The commands, beside a collector that receives.

use crate::running::{Collector, PRODUCT, heartbeat, now, program};
use crate::server::{Server, versions};
use std::path::Path;
use std::process::Output;

/// A command of the collector with the database in its environment, to its end.
fn run(dir: &Path, address: &str, words: &[&str]) -> Output {
    let mut command = program();
    command.arg("collector").args(words).arg("--data-dir").arg(dir);
    command.env("MCPPROXY_COLLECTOR_DATABASE", address).output().expect("the built command")
}

fn done(dir: &Path, address: &str, words: &[&str]) -> String {
    let output = run(dir, address, words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

fn refused(dir: &Path, address: &str, words: &[&str]) -> (Option<i32>, String) {
    let output = run(dir, address, words);
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success(), "{words:?}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    (output.status.code(), text)
}

fn start(dir: &Path, address: &str) -> Collector {
    Collector::start_with(dir, &["--product", PRODUCT, "--database", address], &[])
}

#[test]
fn a_collector_receives_and_its_commands_work_beside_it() {
    for programs in versions() {
        let Some(server) = Server::start(&programs) else { continue };
        let address = &server.address("fleet");
        let place = tempfile::tempdir().expect("a directory");
        let dir = place.path();
        let (code, text) = refused(dir, address, &["report", "overview"]);
        assert!(code == Some(1) && text.contains("holds no collector's tables"), "{text}");

        let running = start(dir, address);
        assert!(!dir.join("collector.db").exists(), "the rows are on the server");
        for number in 1..=5 {
            assert!(running.post(&heartbeat(number, now())).is_stored());
        }
        let again = heartbeat(6, now());
        assert!(running.post(&again).is_stored());
        assert!(running.post(&again).body.contains("duplicate"), "of a commit before");
        assert_eq!(running.post(b"{}").code, 400);

        let listed = done(dir, address, &["product", "list"]);
        assert!(listed.contains(PRODUCT) && listed.contains('6'), "{listed}");
        done(dir, address, &["product", "add", "other-mcp", "--ephemeral"]);
        done(dir, address, &["product", "rename", "other-mcp", "third-mcp"]);
        done(dir, address, &["product", "remove", "third-mcp"]);
        assert!(done(dir, address, &["product", "list"]).contains("third-mcp"));
        done(dir, address, &["note", "2026-11-02", "On HN"]);
        assert!(done(dir, address, &["notes"]).contains("On HN"));
        done(dir, address, &["retire", PRODUCT, "9.9.9"]);
        done(dir, address, &["unretire", PRODUCT, "9.9.9"]);
        assert!(done(dir, address, &["verify"]).contains("installs"));
        running.stop();

        // Another collector goes on with the same key, and knows what the first has stored.
        let running = start(dir, address);
        assert!(running.post(&again).body.contains("duplicate"), "after a restart");
        running.stop();
        let other = tempfile::tempdir().expect("a directory");
        let words = ["--ephemeral", "--listen", "127.0.0.1:0"];
        let (code, text) = refused(other.path(), address, &words);
        assert!(code == Some(1) && text.contains("is missing"), "{text}");
    }
}

#[test]
fn what_works_with_a_file_alone_is_refused_in_a_line_that_says_what_to_do() {
    let Some(programs) = versions().into_iter().next() else { return };
    let Some(server) = Server::start(&programs) else { return };
    let address = &server.address("fleet");
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    start(dir, address).stop();
    let copy = dir.join("copy.db");
    let copy = copy.to_str().expect("text");
    for command in ["backup", "restore"] {
        let (code, text) = refused(dir, address, &[command, copy]);
        assert!(code == Some(1) && text.contains("pg_dump"), "{text}");
    }
}

#[test]
fn no_error_holds_a_word_of_the_address() {
    let place = tempfile::tempdir().expect("a directory");
    let nobody = crate::server::free_port();
    let secret = "hunter2";
    for address in [
        format!("postgres://me:{secret}@127.0.0.1:{nobody}/{secret}"),
        format!("postgres://me:{secret}@127.0.0.1:{secret}/fleet"),
        format!("mysql://me:{secret}@127.0.0.1/fleet"),
        format!("postgres://me:{secret}@127.0.0.1/fleet?sslmode=require"),
        format!("postgres://me:{secret}@127.0.0.1/fleet?{secret}=1"),
        format!("postgres://me@127.0.0.1/fleet?sslmode=verify-full&sslrootcert=/{secret}"),
    ] {
        for words in [&["product", "list"][..], &["--ephemeral", "--listen", "127.0.0.1:0"]] {
            let (code, text) = refused(place.path(), &address, words);
            assert!(matches!(code, Some(1 | 2)) && !text.contains(secret), "{text}");
        }
    }
}
