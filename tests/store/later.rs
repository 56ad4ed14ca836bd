//! Two programs on one store: this one, and one whose records hold more. Neither takes anything from the other.
//!
//! The later program is a scratch copy of the source, changed as "Change a record" in CONTRIBUTING.md says.

use super::scratch::copy_folder;
use super::versions::mcpproxy_now;
use super::*;
use mcpproxy::activation::Health;
use mcpproxy::heartbeat::schedule;
use mcpproxy_platform::lmdb::{MAP_SIZE, pages};
use std::path::{Path, PathBuf};
use std::process::Command;

/// File, what stands there, what takes its place: a counter, and fields of three records.
const CHANGES: [[&str; 3]; 15] = [
    // A counter.
    [
        "state.rs",
        "    /// Counters that only later",
        "    /// New.\n    pub errors: u64,\n    /// Counters that only later",
    ],
    ["state.rs", "COUNT: usize = 11;", "COUNT: usize = 12;"],
    ["state.rs", "later: _, .. } = self;", "later: _, errors, .. } = self;"],
    [
        "state.rs",
        "            ended_crashed,\n        ]",
        "            ended_crashed,\n            errors,\n        ]",
    ],
    [
        "state.rs",
        "upstream, clean, crashed] = counts",
        "upstream, clean, crashed, errors] = counts",
    ],
    [
        "state.rs",
        "upstream_tool_calls: upstream,",
        "upstream_tool_calls: upstream,\n            errors,",
    ],
    // A field of the install.
    [
        "state.rs",
        "    /// The id that this store belongs to:",
        "    /// New.\n    pub last_error: String,\n    /// The id that this store belongs to:",
    ],
    [
        "record/bodies.rs",
        "        body.text(&self.anonymous_id);\n    }",
        "        body.text(&self.anonymous_id);\n        body.add(!self.last_error.is_empty(), |body| body.text(&self.last_error));\n    }",
    ],
    [
        "record/bodies.rs",
        "            anonymous_id: body.text()?,\n        })",
        "            anonymous_id: body.text()?,\n            last_error: body.added(Reader::text)?,\n        })",
    ],
    // One of the sender.
    [
        "state.rs",
        "    /// When the lease ends.\n",
        "    /// New.\n    pub attempts: u64,\n    /// When the lease ends.\n",
    ],
    [
        "record/bodies.rs",
        "        body.add(retired != [0; 4], |body| body.numbers(retired));",
        "        body.add(retired != [0; 4], |body| body.numbers(retired));\n        body.add(self.attempts != 0, |body| body.number(self.attempts));",
    ],
    [
        "record/bodies.rs",
        "                Ok([Retired { version, at }, Retired { version: older, at: before }])\n            })?,",
        "                Ok([Retired { version, at }, Retired { version: older, at: before }])\n            })?,\n            attempts: body.added(Reader::number)?,",
    ],
    // One of the pending heartbeat, behind the counters that it has already.
    [
        "state.rs",
        "    /// They say `installer`.\n",
        "    /// New.\n    pub note: String,\n    /// They say `installer`.\n",
    ],
    [
        "record/bodies.rs",
        "            added.iter().for_each(|count| body.number(*count));\n        });",
        "            added.iter().for_each(|count| body.number(*count));\n        });\n        body.add(!self.note.is_empty(), |body| body.text(&self.note));",
    ],
    [
        "record/bodies.rs",
        "        pending.counters = join(first, added);",
        "        pending.counters = join(first, added);\n        pending.note = body.added(Reader::text)?;",
    ],
];

/// Builds the later program.
fn later_program() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("later-program");
    let copy = root.join("mcpproxy");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).expect("removed");
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy_folder(here, &copy);
    for [file, before, after] in CHANGES {
        let path = copy.join("src/activation").join(file);
        let text = std::fs::read_to_string(&path).expect("a source file");
        assert_eq!(text.matches(before).count(), 1, "{file}: {before}");
        std::fs::write(path, text.replace(before, after)).expect("written");
    }
    // What assembles a heartbeat names every field.
    let path = copy.join("src/heartbeat/assemble.rs");
    let text = std::fs::read_to_string(&path).expect("a source file");
    let named = "        installer: payload.launch_source";
    assert_eq!(text.matches(named).count(), 1);
    let text = text.replace(named, &format!("        note: String::new(),\n{named}"));
    std::fs::write(path, text).expect("written");
    // A binary of its own: an example would need everything that tests need.
    std::fs::create_dir_all(copy.join("src/bin")).expect("a folder");
    let driver = here.join("tests/store/later_program.rs");
    std::fs::copy(driver, copy.join("src/bin/later_program.rs")).expect("a copy");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--bin", "later_program", "--no-default-features", "--features"])
        .args(["activation", "--offline", "--color=never", "--target-dir"])
        .arg(root.join("target"))
        .current_dir(copy)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    root.join("target/debug/later_program")
}

/// Does `what` and gives what the later program sees then.
fn run(later: &Path, dir: &DataDir, what: &[&str]) -> String {
    let output = Command::new(later).arg(dir.root()).args(what).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[track_caller]
fn check(seen: &str, all: &[&str]) {
    for one in all {
        assert!(seen.split(' ').any(|word| word == *one), "{one}: {seen}");
    }
}

/// The version of each record.
fn versions(dir: &DataDir) -> Vec<(String, u8)> {
    let bytes = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    let snapshot = pages::read(&bytes, MAP_SIZE).expect("a sound file");
    let version =
        |(key, value): &(&[u8], &[u8])| (String::from_utf8(key.to_vec()).expect("a key"), value[0]);
    snapshot.records.iter().map(version).collect()
}

#[test]
fn nothing_is_lost_in_either_direction_with_two_programs_on_one_store() {
    let later = later_program();
    let (_root, dir) = data_dir();
    let this = Path::new(env!("CARGO_BIN_EXE_mcpproxy"));
    hosts::tap_of(this, &dir);
    let store = open(&dir);
    store.update(true, |state| state.install.installer_pending = true).expect("a change");
    record_surely(&store, Mark::UpstreamCall);
    let is_first = |key: &str| if matches!(key, "counters" | "sender") { 2 } else { 1 };
    let told = versions(&dir);
    assert!(
        told.iter().all(|(key, version)| *version == is_first(key)),
        "a host has ended: {told:?}"
    );

    // The later program reads what this one wrote; its own is of the version that the first ones leave alone.
    let seen = run(&later, &dir, &["call", "discover", "fail"]);
    check(&seen, &["upstream=2", "errors=1", "calls=2", "attempts=1", "last_error=\"timeout\""]);
    check(&seen, &["clients=[\"claude-code\"]", "installer=true", "health=Sound"]);
    let more: Vec<String> = versions(&dir)
        .into_iter()
        .filter(|(_, version)| *version == 2)
        .map(|(key, _)| key)
        .collect();
    assert_eq!(more, ["counters", "install", "sender"]);

    // This one goes on with every record, and keeps what it does not know.
    for mark in [Mark::UpstreamCall, Mark::Client("goose"), Mark::UpstreamCall] {
        record_surely(&store, mark);
    }
    store
        .update(true, |state| {
            state.install.notice_shown_at = 5;
            state.sender.last_attempt = 6;
        })
        .expect("a change");
    hosts::tap_of(this, &dir);
    let state = store.read().expect("a state");
    let calls = state.discovery_calls.value(mcpproxy_now());
    assert_eq!((state.counters.upstream_tool_calls, calls), (4, 3));
    let seen = run(&later, &dir, &["assemble", "fail", "call"]);
    check(&seen, &["upstream=5", "errors=2", "attempts=2", "last_error=\"timeout\""]);
    check(&seen, &["pending=Some((1,", "installer=true", "health=Sound"]);

    // A heartbeat of the later program, sent by this one: what it reported is subtracted, known or not.
    store.update(false, |state| state.sender.failures += 1).expect("a change");
    check(&run(&later, &dir, &[]), &["pending=Some((1,", "\"note\"))"]);
    let bytes = b"of the later program";
    let recorded = store.update(true, |state| schedule::acknowledge(state, NOW, 1, bytes));
    assert_eq!(recorded, Ok(true));
    check(&run(&later, &dir, &[]), &["upstream=1", "errors=1", "pending=None", "attempts=2"]);

    // A heartbeat of this one does not report, and so does not subtract, what it does not know.
    store
        .update(true, |state| {
            let counters = state.counters.known();
            state.pending = Some(mcpproxy::activation::state::Pending {
                bytes: b"of this program".to_vec(),
                counters,
                ..Default::default()
            });
        })
        .expect("a change");
    store
        .update(true, |state| schedule::acknowledge(state, NOW, 1, b"of this program"))
        .expect("one");
    check(&run(&later, &dir, &[]), &["upstream=0", "errors=1", "pending=None"]);

    // The checkpoint of this one holds it all.
    drop(store);
    std::fs::write(dir.store().join("data.mdb"), b"damage").expect("the damage");
    let store = open(&dir);
    assert_eq!(store.health(), Health::Restored { quarantined_at: Some(NOW) });
    let seen = run(&later, &dir, &[]);
    check(
        &seen,
        &["errors=1", "attempts=2", "last_error=\"timeout\"", "clients=[\"claude-code\","],
    );

    // A new install has nothing of the old one, known or not.
    store
        .update(true, |state| {
            *state = State::default();
            state.install.anonymous_id = "another".to_owned();
        })
        .expect("a new install");
    check(&run(&later, &dir, &[]), &["errors=0", "attempts=0", "last_error=\"\"", "clients=[]"]);
    assert!(versions(&dir).iter().all(|(_, version)| *version == 1));
}
