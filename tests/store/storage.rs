//! Storage that is full or read-only: the host runs on, in a mount namespace of its own.

use super::*;
use mcpproxy::activation::StoreError;
use mcpproxy::contract::RoutingMode;
use mcpproxy::diagnostics::Code;
use mcpproxy::{Event, Telemetry};
use std::process::Command;

fn run_on_tmpfs(role: &str) {
    run_on("tmpfs -o size=128k,mode=700", role);
}

/// Runs a child on a file system of its own that only it can see. Skips where the system lets nobody do that.
pub fn run_on(file_system: &str, role: &str) {
    let (root, dir) = data_dir();
    std::fs::create_dir(dir.root()).expect("a directory");
    let child = child::command(role, &dir, 0);
    let script = format!("mount -t {file_system} none \"$1\" || exit 77; shift; exec \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--ipc", "--map-root-user", "sh", "-c", &script, "sh"])
        .arg(dir.root());
    command.arg(child.get_program()).args(child.get_args());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output();
    drop(root);
    let Ok(output) = output else {
        skipped!("no `unshare` here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text + &String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare: ") || output.status.code() == Some(77) {
        skipped!("no mount namespace here (not root): {file_system}");
        return;
    }
    assert!(output.status.success() && said.contains("survived"), "{}: {said}", output.status);
}

/// Writes until not one block is left.
pub fn fill_up(filler: &std::path::Path) {
    let mut size = 256 * 1024;
    while size >= 64 {
        // Down to the last block.
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(filler);
        let written = file.as_mut().map(|file| std::io::Write::write_all(file, &vec![0; size]));
        if !matches!(written, Ok(Ok(()))) {
            size /= 2;
        }
    }
}

#[test]
fn a_full_disk_is_no_reason_to_fail() {
    run_on_tmpfs("survive a full disk");
}

/// In a child, on 128 KiB.
pub fn survive_a_full_disk(dir: &DataDir) {
    let store = open(dir);
    fill(&store);
    let filler = dir.root().join("filler");
    fill_up(&filler);
    let refused = store.update(true, |state| {
        state.pending = Some(mcpproxy::activation::state::Pending {
            bytes: vec![7; 60_000],
            ..Default::default()
        });
    });
    // LMDB calls a page that was written in part an I/O error.
    assert!(matches!(refused, Err(StoreError::Io(_))), "{refused:?}");
    let second = Store::open(&DataDir::at(dir.root().join("second")), NOW).err();
    assert_eq!(second.and_then(|error| error.code()), Some(Code::StoreFull));
    let before = peek(dir).counters.upstream_tool_calls;
    let recorded = (0..50).map(|_| store.record(Mark::UpstreamCall, NOW));
    let stored = recorded.filter(|recorded| *recorded == Recorded::Stored).count() as u64;
    let state = peek(dir);
    assert!(has_every_flag(&state));
    assert!(state.counters.upstream_tool_calls >= before + stored);
    assert_eq!(Store::open(dir, NOW).map(|_| ()), Ok(()));
    let status = status(dir);
    assert!(status.contains("full: the disk"), "{status}");
    std::fs::remove_file(&filler).expect("removed");
    assert_eq!(store.flush(), Ok(()));
    assert_eq!(peek(dir).counters.upstream_tool_calls, before + 50);
    assert_eq!(peek(dir).pending, None);
    assert!(Store::quarantines(dir).is_empty());
    child::say("survived");
}

#[test]
fn a_read_only_directory_can_be_looked_at_and_has_no_store() {
    run_on_tmpfs("survive a read-only directory");
}

/// In a child.
pub fn survive_a_read_only_directory(dir: &DataDir) {
    let store = open(dir);
    fill(&store);
    drop(store);
    remount(dir, "ro");
    assert!(has_every_flag(&peek(dir)));
    let refused = Store::open(dir, NOW).err();
    assert_eq!(refused.and_then(|error| error.code()), Some(Code::StoreReadOnly));
    assert!(matches!(Store::reset(dir), Err(StoreError::Unwritable(..))));
    remount(dir, "rw");
    let store = open(dir);
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    drop(store);
    Store::reset(dir).expect("a reset");
    remount(dir, "ro");
    assert!(matches!(Store::open(dir, NOW), Err(StoreError::Unwritable(..))));
    assert_eq!(Store::peek(dir, NOW), Ok(None));
    assert_eq!(Store::reset(dir), Ok(()));
    child::say("survived");
}

/// What `status` says to a person.
fn status(dir: &DataDir) -> String {
    let status = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
        .args(["telemetry", "status", "--product", "mcpproxy", "--data-dir"])
        .arg(dir.root())
        .output()
        .expect("the built command");
    String::from_utf8_lossy(&status.stdout).into_owned()
}

/// Events of a host that could not keep them when they came: three calls of one client.
fn record_three(telemetry: &Telemetry) {
    telemetry.record(Event::ClientSeen { name: "zed" });
    for _ in 0..3 {
        assert_eq!(telemetry.record(Event::UpstreamCall), Recorded::NoStore);
    }
}

/// The host that could not keep them keeps them now, and those that come.
fn see_them_kept(dir: &DataDir, telemetry: &Telemetry) {
    let give_up = Instant::now() + Duration::from_secs(120);
    let kept = || Store::peek(dir, NOW).ok().flatten();
    while kept().is_none_or(|state| state.counters.upstream_tool_calls < 3) {
        assert!(Instant::now() < give_up, "it never tried again: {}", status(dir));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(telemetry.record(Event::UpstreamCall), Recorded::Stored);
    let state = peek(dir);
    assert_eq!((state.counters.upstream_tool_calls, state.funnel.clients), (4, vec!["zed".into()]));
    assert!(status(dir).contains("ok"), "{}", status(dir));
    child::say("survived");
}

#[test]
fn a_host_that_starts_on_a_full_disk_counts_once_there_is_room() {
    run_on_tmpfs("wait for room");
}

/// In a child, on 128 KiB.
pub fn wait_for_room(dir: &DataDir) {
    let filler = dir.root().join("filler");
    fill_up(&filler);
    let telemetry = events::host(dir, RoutingMode::Tap);
    record_three(&telemetry);
    assert!(status(dir).contains("full: the disk"), "{}", status(dir));
    std::fs::remove_file(&filler).expect("removed");
    see_them_kept(dir, &telemetry);
}

#[test]
fn a_host_that_starts_without_an_inode_counts_once_there_is_one() {
    run_on("tmpfs -o size=1m,nr_inodes=24,mode=700", "wait for names");
}

/// In a child, where two dozen names are to be had.
pub fn wait_for_names(dir: &DataDir) {
    let name = |number: u32| dir.root().join(number.to_string());
    let made = (0..24).take_while(|number| std::fs::write(name(*number), "").is_ok()).count();
    let telemetry = events::host(dir, RoutingMode::Tap);
    record_three(&telemetry);
    assert!(status(dir).contains("full: the disk"), "{}", status(dir));
    (0..made as u32).for_each(|number| std::fs::remove_file(name(number)).expect("removed"));
    see_them_kept(dir, &telemetry);
}

#[test]
fn a_host_that_starts_on_a_read_only_disk_counts_once_it_may_write() {
    run_on_tmpfs("wait for a writable disk");
}

/// In a child.
pub fn wait_for_a_writable_disk(dir: &DataDir) {
    remount(dir, "ro");
    let telemetry = events::host(dir, RoutingMode::Tap);
    record_three(&telemetry);
    assert!(status(dir).contains("cannot be written"), "{}", status(dir));
    remount(dir, "rw");
    see_them_kept(dir, &telemetry);
}

fn remount(dir: &DataDir, how: &str) {
    let option = format!("remount,{how}");
    let status = Command::new("mount").args(["-o", &option]).arg(dir.root()).status();
    assert!(status.expect("mount runs").success());
}
