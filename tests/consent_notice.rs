//! The first-run notice, against a real store.
#![cfg(feature = "activation")]

use mcpproxy::activation::Store;
use mcpproxy::notice::{Notice, NoticeError, TEXT, show_once_to};
use mcpproxy::paths::DataDir;
use std::io::{self, Write};
use std::sync::Mutex;

const NOW: u64 = 1_795_358_800;

fn shown_at(dir: &DataDir) -> u64 {
    Store::peek(dir, NOW).expect("readable").map_or(0, |state| state.install.notice_shown_at)
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn it_is_shown_once_per_install_however_many_hosts_start() {
    let home = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(home.path());
    let out = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut own = Vec::new();
                let store = Store::open(&dir, NOW).expect("a store");
                show_once_to(&mut own, &dir, &store, NOW).expect("shown");
                out.lock().expect("whole").extend(own);
            });
        }
    });
    assert_eq!(String::from_utf8(out.into_inner().expect("whole")).expect("UTF-8"), TEXT);
    assert_eq!(shown_at(&dir), NOW);
}

#[test]
fn what_could_not_be_written_was_not_shown() {
    let home = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(home.path());
    let store = Store::open(&dir, NOW).expect("a store");
    let failed = show_once_to(&mut Broken, &dir, &store, NOW);
    assert_eq!(failed, Err(NoticeError::Write(io::ErrorKind::StorageFull)));
    assert_eq!(shown_at(&dir), 0);
    assert_eq!(show_once_to(&mut Vec::new(), &dir, &store, NOW), Ok(Notice::Shown));
    assert_eq!(show_once_to(&mut Broken, &dir, &store, NOW), Ok(Notice::ShownBefore));
}

#[test]
fn it_names_the_fields_page_the_payload_and_the_switch() {
    for part in [
        "docs/payload.md",
        "mcpproxy telemetry show-payload",
        "mcpproxy telemetry disable",
        "DO_NOT_TRACK",
    ] {
        assert!(TEXT.contains(part), "{part}");
    }
    assert!(TEXT.lines().all(|line| line.starts_with("mcpproxy:") && line.len() <= 110));
}
