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

/// `telemetry send --now` below a shell that treats its standard error so.
#[cfg(all(target_os = "linux", feature = "heartbeat"))]
fn send_now(home: &std::path::Path, redirection: &str) -> (std::process::ExitStatus, bool) {
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    receiver.set_nonblocking(true).expect("set");
    let endpoint = format!("http://{}", receiver.local_addr().expect("bound"));
    let status = std::process::Command::new("sh")
        .args(["-c", &format!(r#"exec "$0" telemetry send --now {redirection}"#)])
        .arg(env!("CARGO_BIN_EXE_mcpproxy"))
        .env_clear()
        .env("MCPPROXY_HOME", home)
        .env("MCPPROXY_TELEMETRY_ENDPOINT", endpoint)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("a shell");
    (status, receiver.accept().is_ok())
}

#[test]
#[cfg(all(target_os = "linux", feature = "heartbeat"))]
fn on_a_closed_standard_error_it_was_not_shown_and_nothing_is_sent() {
    for redirection in ["2>&-", "2</dev/null", "2>/dev/full"] {
        let home = tempfile::tempdir().expect("dir");
        let (status, connected) = send_now(home.path(), redirection);
        assert_eq!((status.code(), connected), (Some(1), false), "{redirection}");
        let shown = shown_at(&DataDir::at(home.path()));
        assert_eq!(shown, 0, "{redirection}");
    }
}
