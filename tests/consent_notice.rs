//! The first-run notice, against a real store.
#![cfg(feature = "activation")]

use mcpproxy::activation::Store;
use mcpproxy::identity;
use mcpproxy::notice::{Notice, NoticeError, Program, Showing, show_once_to};
use mcpproxy::paths::DataDir;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex};

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

fn notice(dir: &DataDir) -> Notice<'_> {
    Notice { product: "mcpproxy", host: "t.example.org", first_in: 300, dir, program: &PROGRAM }
}

static PROGRAM: LazyLock<Program> = LazyLock::new(|| Program::at("/opt/mcpproxy".into()));

/// Tries to show the notice of a data directory.
fn show(out: &mut dyn Write, dir: &DataDir, host: &str) -> Result<Showing, NoticeError> {
    let store = Store::open(dir, NOW).expect("a store");
    let identity = identity::ensure(dir, NOW).expect("an id");
    let notice = Notice { host, ..notice(dir) };
    show_once_to((out, false), &notice, &store, &identity, NOW)
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
                show(&mut own, &dir, "t.example.org").expect("shown");
                out.lock().expect("whole").extend(own);
            });
        }
    });
    let shown = String::from_utf8(out.into_inner().expect("whole")).expect("UTF-8");
    assert_eq!(shown, notice(&dir).to_string());
    assert_eq!(shown_at(&dir), NOW);
}

#[test]
fn another_receiver_is_another_notice() {
    let home = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(home.path());
    let said = |host| {
        let mut out = Vec::new();
        show(&mut out, &dir, host).map(|showing| (showing, String::from_utf8(out).expect("UTF-8")))
    };
    for host in ["one.example.org", "two.example.org:8443"] {
        let (showing, text) = said(host).expect("shown");
        assert_eq!(showing, Showing::Shown);
        assert!(text.contains(host), "{text}");
        assert_eq!(said(host), Ok((Showing::ShownBefore, String::new())));
    }
}

/// The first version kept it in the store and named no host: whoever saw that is not told again, but is told
/// of the next receiver.
#[test]
fn what_the_first_version_has_shown_counts_for_the_receiver_that_is_in_use() {
    let home = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(home.path());
    let store = Store::open(&dir, NOW).expect("a store");
    let identity = identity::ensure(&dir, NOW).expect("an id");
    store
        .update(true, |state| {
            state.install.anonymous_id.clone_from(&identity.anonymous_id);
            state.install.notice_shown_at = NOW - 90_000;
        })
        .expect("a store that can be written");
    assert_eq!(show(&mut Broken, &dir, "one.example.org"), Ok(Showing::ShownBefore));
    assert_eq!(show(&mut Vec::new(), &dir, "two.example.org"), Ok(Showing::Shown));
}

#[test]
fn what_could_not_be_written_was_not_shown() {
    let home = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(home.path());
    let failed = show(&mut Broken, &dir, "t.example.org");
    assert_eq!(failed, Err(NoticeError::Write(io::ErrorKind::StorageFull)));
    assert_eq!(shown_at(&dir), 0);
    assert_eq!(show(&mut Vec::new(), &dir, "t.example.org"), Ok(Showing::Shown));
    assert_eq!(show(&mut Broken, &dir, "t.example.org"), Ok(Showing::ShownBefore));
}

#[test]
fn it_names_the_fields_page_the_payload_and_the_switch() {
    let dir = DataDir::at("/data");
    let text = notice(&dir).to_string();
    for part in [
        "docs/payload.md",
        "/opt/mcpproxy telemetry show-payload",
        "/opt/mcpproxy telemetry disable",
        "DO_NOT_TRACK",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(text.lines().all(|line| line.starts_with("mcpproxy:")), "{text}");
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
