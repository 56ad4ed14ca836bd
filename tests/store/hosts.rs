//! The host goes on: `mcpproxy tap` and `telemetry status` on every kind of bad storage.

use super::storage::run_on;
use super::*;
use mcpproxy_platform::files::{FileLock, LockMode};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is bounded are the waits for locks; this is for a machine that does a dozen other things.
const GENEROUS: Duration = Duration::from_secs(20);
/// Names a client and calls the discovery tool.
const REQUEST: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve_tools","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"1"}}}}
"#;

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

#[derive(Clone, Copy, PartialEq)]
enum User {
    Same,
    Nobody,
}

fn mcpproxy(program: &Path, dir: &DataDir, user: User) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", dir.root()).current_dir("/");
    command.env("MCPPROXY_HOME", dir.root());
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn this() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_mcpproxy"))
}

/// One session through the tap: every byte arrives, it ends with the server's code, in time.
fn session(program: &Path, dir: &DataDir, user: User) {
    let mut command = mcpproxy(program, dir, user);
    command.args(["tap", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut tap = command.stderr(Stdio::null()).spawn().expect("it starts");
    tap.stdin.take().expect("piped").write_all(REQUEST).expect("a pipe");
    let ended = endure::end_within(&mut tap, GENEROUS).expect("an end");
    let mut echoed = Vec::new();
    std::io::Read::read_to_end(&mut tap.stdout.take().expect("piped"), &mut echoed).expect("read");
    assert_eq!((ended.code(), echoed.as_slice()), (Some(0), REQUEST), "{:?}", start.elapsed());
}

pub fn tap_of(program: &Path, dir: &DataDir) {
    session(program, dir, User::Same);
}

/// What `telemetry status` says, without blanks behind colons.
fn status(dir: &DataDir, user: User) -> String {
    let mut command = mcpproxy(this(), dir, user);
    let start = Instant::now();
    let output = command
        .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
        .output()
        .expect("it starts");
    assert!(output.status.success() && start.elapsed() < GENEROUS, "{output:?}");
    String::from_utf8(output.stdout).expect("text").replace("\": ", "\":")
}

pub fn status_of(dir: &DataDir) -> String {
    status(dir, User::Same)
}

/// A session, then what `status` says.
pub fn pass_through(dir: &DataDir) -> String {
    session(this(), dir, User::Same);
    status(dir, User::Same)
}

#[track_caller]
fn check(said: &str, state: &str, detail: &str) {
    let state = format!(r#""state":"{state}""#);
    assert!(said.contains(&state) && said.contains(detail), "{state} {detail}: {said}");
}

fn filled() -> (TempDir, DataDir) {
    let (root, dir) = data_dir();
    fill(&open(&dir));
    (root, dir)
}

#[test]
fn on_a_missing_directory_a_host_makes_its_store() {
    let (_root, dir) = data_dir();
    check(&status(&dir, User::Same), "none", "null");
    check(&pass_through(&dir), "ok", r#""first_retrieve_tools_call_ever":true"#);
}

#[test]
fn on_foreign_files_a_host_begins_anew_and_keeps_them_aside() {
    let (_root, dir) = filled();
    let foreign = b"SQLite format 3\0".repeat(1000);
    std::fs::write(dir.store().join("data.mdb"), &foreign).expect("written");
    for name in ["lock.mdb", "notes.txt"] {
        std::fs::write(dir.store().join(name), b"foreign").expect("written");
    }
    check(&status(&dir, User::Same), "damaged", "the next host puts it aside");
    check(&pass_through(&dir), "ok", "restored from the checkpoint");
    let aside = dir.quarantine(Store::quarantines(&dir)[0]);
    assert_eq!(std::fs::read(aside.join("data.mdb")).ok(), Some(foreign));
    assert!(aside.join("notes.txt").exists());
    assert!(peek(&dir).funnel.clients == ["claude-code", "zed"]);

    let (_root, dir) = data_dir();
    std::fs::create_dir(dir.root()).expect("a directory");
    std::fs::write(dir.store(), b"a file").expect("written");
    check(&pass_through(&dir), "ok", "started over");
}

#[test]
fn where_a_file_stands_in_for_the_data_directory_a_host_is_off() {
    let (_root, dir) = data_dir();
    std::fs::write(dir.root(), b"a file").expect("written");
    let said = pass_through(&dir);
    assert!(said.contains(r#""effective":"off""#), "{said}");
    assert_eq!(std::fs::read(dir.root()).expect("the file"), b"a file");
}

#[test]
fn behind_a_lock_that_is_no_file_a_host_goes_on_without_a_store() {
    let (_root, dir) = filled();
    std::fs::remove_file(dir.store_lock()).expect("removed");
    std::fs::create_dir(dir.store_lock()).expect("a directory");
    check(&pass_through(&dir), "unavailable", "telemetry.lock: it is not a file; remove it");
    // A link to nothing: no host can make it, whatever a look can read.
    std::fs::remove_dir(dir.store_lock()).expect("removed");
    std::os::unix::fs::symlink("/nowhere/at/all", dir.store_lock()).expect("a link");
    check(&pass_through(&dir), "unavailable", "telemetry.lock: it is a link to nothing; remove it");
}

#[test]
fn a_directory_in_the_place_of_the_checkpoint_is_put_aside() {
    let (_root, dir) = data_dir();
    std::fs::create_dir_all(dir.checkpoint().join("x")).expect("a directory");
    session(this(), &dir, User::Same);
    assert!(dir.checkpoint().is_file());
    let aside = Store::quarantines(&dir);
    assert!(dir.quarantine(aside[0]).join("x").is_dir(), "{aside:?}");
}

#[test]
fn while_a_stopped_process_holds_the_lock_a_host_goes_on() {
    let (_root, dir) = filled();
    let mut holder = child::command("hold the lock", &dir, 0).spawn().expect("a child");
    child::wait_for(&mut holder, "held");
    child::signal(&holder, "STOP");
    let said = pass_through(&dir);
    holder.kill().and_then(|()| holder.wait()).expect("killed");
    check(&said, "busy", "held <data dir>/telemetry.lock for 50 ms");
}

#[test]
fn a_host_whose_directory_is_removed_goes_on_and_does_not_make_it_again() {
    let (_root, dir) = data_dir();
    let mut command = mcpproxy(this(), &dir, User::Same);
    command.args(["tap", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut tap = command.stderr(Stdio::null()).spawn().expect("it starts");
    let mut input = tap.stdin.take().expect("piped");
    let mut output = BufReader::new(tap.stdout.take().expect("piped"));
    let mut line = Vec::new();
    let mut turn = || {
        line.clear();
        input.write_all(REQUEST).expect("a pipe");
        output.read_until(b'\n', &mut line).expect("a pipe");
        assert_eq!(line, REQUEST);
    };
    turn();
    let give_up = Instant::now() + GENEROUS;
    while !matches!(Store::peek(&dir, NOW), Ok(Some(state)) if state.funnel.mcp_client) {
        assert!(Instant::now() < give_up, "nothing was recorded");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Again, where the host has just put a file into it.
    while dir.root().exists() {
        assert!(Instant::now() < give_up, "it cannot be removed");
        let _ = std::fs::remove_dir_all(dir.root());
    }
    (0..200).for_each(|_| turn());
    std::thread::sleep(Duration::from_millis(50));
    turn();
    drop(input);
    let ended = endure::end_within(&mut tap, GENEROUS).expect("an end");
    assert_eq!(ended.code(), Some(0));
    assert!(!dir.root().exists(), "who removed it does not want it back");
    check(&status(&dir, User::Same), "none", "null");
}

#[test]
fn in_a_read_only_directory_another_user_goes_on() {
    let (root, dir) = filled();
    let mut program = Command::new(this());
    program.arg("--version").uid(NOBODY).gid(NOBODY).current_dir("/").stdout(Stdio::null());
    if !program.status().is_ok_and(|status| status.success()) {
        skipped!("another user cannot run this program (not root, or out of its reach)");
        return;
    }
    // Readable, not writable: what an image or an administrator may have put there.
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    };
    set(root.path(), 0o755);
    for (path, mode) in [
        (dir.store().join("data.mdb"), 0o644),
        (dir.store_lock(), 0o644),
        (dir.checkpoint(), 0o644),
        (dir.store(), 0o555),
        (dir.root().to_owned(), 0o555),
    ] {
        set(&path, mode);
    }
    let before = std::fs::read(dir.store().join("data.mdb")).expect("the file");
    session(this(), &dir, User::Nobody);
    check(&status(&dir, User::Nobody), "read_only", r#""first_retrieve_tools_call_ever":true"#);
    assert_eq!(std::fs::read(dir.store().join("data.mdb")).ok().as_ref(), Some(&before));
    // What is in it may be written; it may not: no checkpoint, no repair, so no store.
    for path in [dir.store().join("data.mdb"), dir.store_lock(), dir.checkpoint()] {
        set(&path, 0o666);
    }
    set(&dir.store(), 0o777);
    session(this(), &dir, User::Nobody);
    check(&status(&dir, User::Nobody), "read_only", "the data directory cannot be written");
    // And the other way round.
    set(dir.root(), 0o777);
    for (path, name) in [
        (dir.store_lock(), "<data dir>/telemetry.lock"),
        (dir.store().join("data.mdb"), "<data dir>/telemetry/data.mdb"),
    ] {
        set(&path, 0o444);
        session(this(), &dir, User::Nobody);
        check(&status(&dir, User::Nobody), "read_only", name);
        set(&path, 0o666);
    }
    assert_eq!(std::fs::read(dir.store().join("data.mdb")).ok(), Some(before));
    session(this(), &dir, User::Nobody);
    check(&status(&dir, User::Nobody), "ok", r#""detail":null"#);
    set(dir.root(), 0o555);
    // Nothing that could be read.
    set(&dir.store(), 0o700);
    session(this(), &dir, User::Nobody);
    check(&status(&dir, User::Nobody), "read_only", "permission denied");
    set(dir.root(), 0o700);
    session(this(), &dir, User::Nobody);
    assert!(status(&dir, User::Nobody).contains(r#""effective":"off""#));
}

#[test]
fn on_a_full_disk_a_host_goes_on() {
    run_on("tmpfs -o size=128k,mode=700", "be a host on a full disk");
}

/// In a child, on 128 KiB.
pub fn be_on_a_full_disk(dir: &DataDir) {
    storage::fill_up(&dir.root().join("filler"));
    check(&pass_through(dir), "full", "make room");
    std::fs::remove_file(dir.root().join("filler")).expect("removed");
    check(&pass_through(dir), "ok", r#""first_retrieve_tools_call_ever":true"#);
    storage::fill_up(&dir.root().join("filler"));
    check(&pass_through(dir), "full", r#""first_retrieve_tools_call_ever":true"#);
    assert!(Store::quarantines(dir).is_empty());
    child::say("survived");
}

/// A file system that nobody knows stands in for a network's: this kernel may have none of those.
#[test]
fn on_a_file_system_that_is_not_known_to_be_local_a_host_makes_no_store() {
    run_on("mqueue", "be a host on a remote file system");
}

/// In a child, on a file system of message queues.
pub fn be_on_a_remote_file_system(dir: &DataDir) {
    let refused = Store::open(dir, NOW).err();
    assert_eq!(
        refused.and_then(|error| error.code()),
        Some(mcpproxy::diagnostics::Code::StoreRemote)
    );
    check(&pass_through(dir), "remote", "point MCPPROXY_HOME to a local disk");
    assert_eq!(std::fs::read_dir(dir.root()).expect("a directory").count(), 0);
    // The directory is local, what it links to is not.
    let local = tempfile::tempdir().expect("a directory");
    let linked = DataDir::at(local.path());
    std::os::unix::fs::symlink(dir.root(), linked.store()).expect("a link");
    assert!(Store::open(&linked, NOW).is_err());
    session(this(), &linked, User::Same);
    assert_eq!(std::fs::read_dir(dir.root()).expect("a directory").count(), 0);
    child::say("survived");
}

/// A writer that is stopped at any moment, with or without the lock, holds nobody up.
#[test]
fn a_writer_stopped_at_any_moment_delays_nobody_beyond_the_deadline() {
    let rounds = endure::scaled("STOPS", 40);
    assert_eq!(mcpproxy::activation::DEADLINE, Duration::from_millis(50));
    let (_root, dir) = data_dir();
    let store = open(&dir);
    let mut random = endure::Random::new(endure::seed(), 1);
    let mut writer = child::command("events until killed", &dir, 0)
        .stdout(Stdio::null())
        .spawn()
        .expect("a child");
    let (mut ours, mut deferred, mut longest) = (0, 0, Duration::ZERO);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_micros(random.next() % 3000));
        child::signal(&writer, "STOP");
        for _ in 0..3 {
            let start = Instant::now();
            let recorded = store.record(Mark::Request(mcpproxy::contract::Surface::Cli), NOW);
            longest = longest.max(start.elapsed());
            assert_ne!(recorded, Recorded::NoStore);
            ours += 1;
            deferred += u64::from(recorded == Recorded::Deferred);
        }
        child::signal(&writer, "CONT");
    }
    writer.kill().and_then(|()| writer.wait()).expect("killed");
    flush_surely(&store);
    assert_eq!(peek(&dir).counters.surface_requests.cli, ours, "none lost, none twice");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert!(Store::quarantines(&dir).is_empty());
    println!("{rounds} stops: {deferred} of {ours} events deferred, the longest took {longest:?}");
}

/// Whoever holds the lock, what it costs others is counted in tries, not in the holder's patience.
#[test]
fn the_lock_loop_gives_up_at_its_deadline() {
    let (_root, dir) = filled();
    let lock = FileLock::open(&dir.store_lock()).expect("the lock");
    let _held = lock.acquire(LockMode::Exclusive, Duration::ZERO).expect("a lock").expect("free");
    let start = Instant::now();
    assert!(Store::peek(&dir, NOW).is_err());
    let waited = start.elapsed();
    assert!(waited >= mcpproxy::activation::DEADLINE && waited < GENEROUS, "{waited:?}");
}
