//! Real host processes: this test program again, as a child that embeds the facade.

use crate::install::member;
use crate::receiver::{Receiver, Reply};
use mcpproxy::activation::{Recorded, Store};
use mcpproxy::contract::{LaunchSource, RoutingMode};
use mcpproxy::heartbeat::timing::{LEASE, SETTLE_IN_TESTS};
use mcpproxy::paths::DataDir;
use mcpproxy::{Event, Host, LiveCounts, Telemetry, machine};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub const SOON: Duration = Duration::from_secs(20);
const ROLE: &str = "HEARTBEAT_TEST_ROLE";
/// A server of the host answers at once.
const SERVER: &str = "HEARTBEAT_TEST_SERVER";

/// Not a test: what the children run. Reads one command a line from stdin, says `ok ...` after each.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let begun = Instant::now();
    let telemetry = Telemetry::start(Host {
        routing_mode: if role == "serve" { RoutingMode::RetrieveTools } else { RoutingMode::Tap },
        data_dir: None,
        launched_by: None,
        product: None,
    });
    let connected = Arc::new(AtomicU64::new(0));
    let counts = connected.clone();
    telemetry.provide_live(move || LiveCounts {
        server_count: Some(1),
        connected_server_count: Some(counts.load(Ordering::Relaxed)),
        ..LiveCounts::default()
    });
    let server = || {
        connected.store(1, Ordering::Relaxed);
        telemetry.record(Event::ServerConnected)
    };
    if std::env::var_os(SERVER).is_some() {
        server();
    }
    println!("\nok {} {:?}", telemetry.is_on(), begun.elapsed().as_millis());
    for line in std::io::stdin().lines() {
        match line.as_deref() {
            Ok("result") => println!("ok {:?}", telemetry.record(Event::UpstreamResult)),
            Ok("call") => println!("ok {:?}", telemetry.record(Event::UpstreamCall)),
            Ok("server") => println!("ok {:?}", server()),
            Ok("client") => {
                println!("ok {:?}", telemetry.record(Event::ClientSeen { name: "goose" }));
            }
            #[cfg(feature = "serve")]
            Ok("error") => {
                use mcpproxy::activation::ErrorMark;
                use mcpproxy::diagnostics::Code;
                telemetry.provide_live(|| LiveCounts {
                    current_error_codes: vec![(Code::StdioExited, 2)].into(),
                    ..LiveCounts::default()
                });
                let mark = ErrorMark::Met(Code::StdioExited);
                println!("ok {:?}", telemetry.record(Event::Error(mark)));
            }
            Ok("wake") => {
                telemetry.provide_live(LiveCounts::default);
                println!("ok woken");
            }
            Ok("caught") => {
                let caught = std::panic::catch_unwind(|| panic!("as it was told"));
                println!("ok {}", caught.is_err());
            }
            Ok("panic") => panic!("as it was told"),
            Ok("threads") => {
                let tasks = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
                println!("ok {tasks}");
            }
            Ok("acknowledged") => {
                println!("ok {:?}", telemetry.snapshot().last_heartbeat.is_some())
            }
            _ => break,
        }
    }
    drop(telemetry);
    std::process::exit(0);
}

/// A host process.
pub struct HostProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    started: String,
}

impl HostProcess {
    pub fn start(home: &Path, role: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "hosts::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env_clear()
            .env("HOME", home)
            .env("MCPPROXY_HOME", home.join("data"))
            .env(ROLE, role)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let stdin = child.stdin.take();
        let mut host = Self { child, stdin, stdout, started: String::new() };
        host.started = host.answer();
        host
    }

    pub fn ask(&mut self, command: &str) -> String {
        let stdin = self.stdin.as_mut().expect("an open pipe");
        writeln!(stdin, "{command}").expect("a child that listens");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).expect("a child that speaks") > 0 {
            if let Some(answer) = line.strip_prefix("ok ") {
                return answer.trim().to_owned();
            }
            line.clear();
        }
        panic!("the child ended without an answer");
    }

    /// Closes its input, at which it drops its telemetry and exits. How long that took, and its stderr.
    pub fn leave(mut self) -> (Duration, String) {
        let begun = Instant::now();
        drop(self.stdin.take());
        let status = self.child.wait().expect("an exit status");
        let took = begun.elapsed();
        assert!(status.success());
        let mut stderr = String::new();
        let pipe = self.child.stderr.as_mut().expect("its stderr");
        pipe.read_to_string(&mut stderr).expect("text");
        (took, stderr)
    }

    fn kill(mut self) {
        self.child.kill().expect("a child to kill");
        let _ = self.child.wait();
    }
}

pub fn due_at_once(receiver: &Receiver) -> Vec<(&'static str, String)> {
    vec![
        ("MCPPROXY_TELEMETRY_ENDPOINT", receiver.endpoint()),
        ("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0".to_owned()),
        (SERVER, "answers".to_owned()),
    ]
}

pub fn with<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

pub fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn edit_config(home: &Path, from: &str, to: &str) {
    let path = home.join("data/mcp_config.json");
    let text = std::fs::read_to_string(&path).expect("a config");
    assert!(text.contains(from), "nothing to replace");
    std::fs::write(path, text.replacen(from, to, 1)).expect("a config that can be written");
}

fn disable(home: &Path) {
    edit_config(home, "\"anonymous_id\"", "\"enabled\": false, \"anonymous_id\"");
    // An objection stops what comes a second after it.
    std::thread::sleep(Duration::from_secs(1));
}

/// Waits until the child's id is in the config, which is before anything can be sent.
fn wait_for_config(home: &Path) {
    let until = Instant::now() + SOON;
    let written = || std::fs::read_to_string(home.join("data/mcp_config.json"));
    while !written().is_ok_and(|text| text.contains("anonymous_id_created_at")) {
        assert!(Instant::now() < until, "no id was made");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What `show-payload` shows.
/// What a command about telemetry prints.
fn told(home: &Path, args: &[&str]) -> String {
    let told = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
        .arg("telemetry")
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("MCPPROXY_HOME", home.join("data"))
        .output()
        .expect("it starts");
    String::from_utf8(told.stdout).expect("UTF-8")
}

fn shown(home: &Path) -> serde_json::Value {
    serde_json::from_str(&told(home, &["show-payload"])).expect("a payload")
}

#[cfg(feature = "serve")]
#[test]
fn errors_are_shown_as_they_would_be_sent_and_not_counted_while_telemetry_is_off() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables[1].1 = "3600".to_owned();
    let mut host = HostProcess::start(home.path(), "serve", &with(&variables));
    wait_for_config(home.path());
    assert_eq!(shown(home.path()).get("diagnostics"), None);
    assert_eq!(host.ask("error"), format!("{:?}", Recorded::Stored));
    // The background thread tells the store what stands.
    let until = Instant::now() + SOON;
    let standing = |shown: &serde_json::Value| {
        shown["diagnostics"]["current_error_codes"]["MCPX_STDIO_EXITED"] == 2
    };
    while !standing(&shown(home.path())) {
        assert!(Instant::now() < until, "no mark of the live host");
    }
    let expected = serde_json::json!({
        "error_code_counts_24h": {"MCPX_STDIO_EXITED": 1},
        "current_error_codes": {"MCPX_STDIO_EXITED": 2},
        "fix_attempted_24h": 0,
        "fix_succeeded_24h": 0,
        "unique_codes_ever": 1,
        "last_error_code": "MCPX_STDIO_EXITED",
    });
    assert_eq!(shown(home.path())["diagnostics"], expected);
    // The status says the same, as JSON and in words.
    let status =
        |format: &str| told(home.path(), &["status", "--product", "mcpproxy", "-o", format]);
    let json: serde_json::Value = serde_json::from_str(&status("json")).expect("JSON");
    assert_eq!(json["diagnostics"], expected);
    let table = status("table");
    for row in [
        "Errors in 24 h     MCPX_STDIO_EXITED 1\n",
        "  servers with now MCPX_STDIO_EXITED 2\n",
        "  ever             1 code, last MCPX_STDIO_EXITED\n",
    ] {
        assert!(table.contains(row), "{row}: {table}");
    }

    disable(home.path());
    assert_eq!(host.ask("error"), format!("{:?}", Recorded::NoStore));
    edit_config(home.path(), "\"enabled\": false", "\"enabled\": true");
    // No event looks at the config sooner after the last one.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(host.ask("error"), format!("{:?}", Recorded::Stored), "on again");
    let changes = &shown(home.path())["diagnostics"]["error_code_counts_24h"];
    assert_eq!(*changes, serde_json::json!({"MCPX_STDIO_EXITED": 2}));
    host.leave();
    assert_eq!(shown(home.path())["diagnostics"]["current_error_codes"], serde_json::json!({}));
}

#[test]
fn a_host_that_unwinds_crashed_and_one_that_caught_a_panic_did_not() {
    let receiver = Receiver::start([]);
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", receiver.endpoint())];
    let ended = |commands: &[&str]| {
        let home = home();
        let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
        wait_for_config(home.path());
        for command in commands {
            assert_eq!(host.ask(command), "true");
        }
        let panics = commands.is_empty();
        if panics {
            writeln!(host.stdin.as_mut().expect("open"), "panic").expect("a child that listens");
            assert!(!host.child.wait().expect("an end").success());
        } else {
            host.leave();
        }
        shown(home.path())["previous_shutdown"].clone()
    };
    assert_eq!(ended(&["caught"]), "clean");
    assert_eq!(ended(&[]), "crash");
}

#[test]
fn eight_hosts_send_one_heartbeat() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables[1].1 = "1".to_owned();
    let mut hosts: Vec<_> =
        (0..8).map(|_| HostProcess::start(home.path(), "tap", &with(&variables))).collect();
    receiver.wait_for(1, SOON);
    // Every host has to have had its turn: they all wake within a second of each other.
    let until = Instant::now() + SOON;
    while !hosts.iter_mut().all(|host| host.ask("acknowledged") == "true") {
        assert!(Instant::now() < until, "not every host saw the acknowledgement");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(2));
    let mut notices = 0;
    for host in hosts {
        notices += usize::from(host.leave().1.contains("mcpproxy: mcpproxy counts its installs"));
    }
    assert_eq!((receiver.requests().len(), notices), (1, 1), "one request, one notice");
}

#[test]
fn a_host_killed_while_sending_is_followed_by_the_same_bytes() {
    let (home, receiver) = (home(), Receiver::start([Reply::Hang]));
    let variables = due_at_once(&receiver);
    let host = HostProcess::start(home.path(), "tap", &with(&variables));
    receiver.wait_for(1, SOON);
    host.kill();
    let mut next = HostProcess::start(home.path(), "tap", &with(&variables));
    let lease = Duration::from_secs(LEASE);
    let requests = receiver.wait_for(2, lease + SOON);
    assert_eq!(requests[0].body, requests[1].body);
    let until = Instant::now() + SOON;
    while next.ask("acknowledged") != "true" {
        assert!(Instant::now() < until, "not recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    next.leave();
}

#[test]
fn neither_start_nor_exit_waits_for_a_hanging_endpoint() {
    let (home, receiver) = (home(), Receiver::start([Reply::Hang]));
    let variables = due_at_once(&receiver);
    let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
    let millis: u64 =
        host.started.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a time");
    assert!(millis < 500, "start took {millis} ms");
    receiver.wait_for(1, SOON);
    assert_eq!(host.ask("call"), format!("{:?}", Recorded::Stored), "recording goes on meanwhile");
    let (took, _) = host.leave();
    assert!(took < Duration::from_secs(1), "exit took {took:?}");
}

#[test]
fn a_host_has_one_thread_more() {
    let (home, receiver) = (home(), Receiver::start([]));
    let off = [("DO_NOT_TRACK", "1")];
    let mut plain = HostProcess::start(home.path(), "tap", &off);
    let without: usize = plain.ask("threads").parse().expect("a number");
    plain.leave();
    let variables = due_at_once(&receiver);
    let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
    receiver.wait_for(1, SOON);
    let until = Instant::now() + SOON;
    while host.ask("acknowledged") != "true" {
        assert!(Instant::now() < until, "not recorded");
    }
    assert_eq!(host.ask("threads").parse::<usize>().expect("a number"), without + 1);
    host.leave();
}

#[test]
fn off_means_no_file_no_thread_and_no_packet() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables.push(("MCPPROXY_TELEMETRY", "off".to_owned()));
    let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
    assert!(host.started.starts_with("false"), "{}", host.started);
    assert_eq!(host.ask("call"), format!("{:?}", Recorded::NoStore));
    let (_, stderr) = host.leave();
    assert_eq!(stderr, "");
    assert!(!home.path().join("data").exists());
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn switched_off_during_the_initial_delay_no_packet_leaves_and_nothing_is_written() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables[1].1 = "2".to_owned();
    let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
    assert_eq!(host.ask("call"), format!("{:?}", Recorded::Stored));
    wait_for_config(home.path());
    disable(home.path());
    assert_eq!(host.ask("call"), format!("{:?}", Recorded::NoStore));
    // Its thread is woken by that look at the config, and ends.
    let until = Instant::now() + SOON;
    let alone: usize = host.ask("threads").parse().expect("a number");
    std::thread::sleep(Duration::from_secs(4));
    assert!(Instant::now() < until);
    let after: usize = host.ask("threads").parse().expect("a number");
    assert!(after <= alone);
    assert_eq!(receiver.connections(), 0);

    edit_config(home.path(), "\"enabled\": false", "\"enabled\": true");
    assert_eq!(host.ask("call"), format!("{:?}", Recorded::Stored), "on again");
    receiver.wait_for(1, SOON);
    host.leave();
}

#[test]
fn switched_off_during_backoff_no_packet_leaves() {
    let (home, receiver) = (home(), Receiver::start([Reply::status(503), Reply::status(503)]));
    let mut variables = due_at_once(&receiver);
    // An hour between heartbeats is two seconds of backoff.
    variables.push(("MCPPROXY_TELEMETRY_INTERVAL", "3600".to_owned()));
    let host = HostProcess::start(home.path(), "tap", &with(&variables));
    receiver.wait_for(1, SOON);
    disable(home.path());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(receiver.requests().len(), 1);
    host.leave();
}

#[test]
fn a_host_that_starts_overdue_waits_for_the_first_answer_of_a_server() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables.pop();
    let mut host = HostProcess::start(home.path(), "serve", &with(&variables));
    // Its background thread has come as far as to write a mark.
    let dir = DataDir::at(home.path().join("data"));
    let until = Instant::now() + SOON;
    let peek = || Store::peek(&dir, machine::now()).ok().flatten();
    while peek().is_none_or(|state| state.live_serve.is_none()) {
        assert!(Instant::now() < until, "no mark");
        std::thread::sleep(Duration::from_millis(5));
    }
    host.ask("server");
    let requests = receiver.wait_for(1, SOON);
    assert_eq!(member(&requests[0].body, "/connected_server_count"), 1);
    host.leave();
}

#[test]
fn a_host_whose_servers_never_answer_sends_all_the_same() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables.pop();
    let host = HostProcess::start(home.path(), "serve", &with(&variables));
    let requests = receiver.wait_for(1, Duration::from_secs(SETTLE_IN_TESTS) + SOON);
    assert_eq!(member(&requests[0].body, "/connected_server_count"), 0);
    host.leave();
}

#[test]
fn an_installer_is_reported_by_a_later_host_too() {
    let (home, receiver) = (home(), Receiver::start([Reply::Hang, Reply::status(500)]));
    let mut variables = due_at_once(&receiver);
    variables.push(("MCPPROXY_TELEMETRY_INTERVAL", "3600".to_owned()));
    let mut launched = variables.clone();
    launched.push(("MCPPROXY_LAUNCHED_BY", LaunchSource::Installer.as_str().to_owned()));
    let host = HostProcess::start(home.path(), "tap", &with(&launched));
    receiver.wait_for(1, SOON);
    host.kill();
    let host = HostProcess::start(home.path(), "tap", &with(&variables));
    let requests = receiver.wait_for(3, Duration::from_secs(LEASE) + SOON);
    for request in &requests {
        assert_eq!(member(&request.body, "/launch_source"), "installer");
    }
    let dir = DataDir::at(home.path().join("data"));
    let until = Instant::now() + SOON;
    let pending = || {
        let state = Store::peek(&dir, machine::now()).expect("a store").expect("a state");
        state.install.installer_pending
    };
    while pending() {
        assert!(Instant::now() < until, "the acknowledgement was not recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    host.leave();
}

#[test]
fn a_gateway_says_more_than_a_tap_and_goes_first() {
    let (home, receiver) = (home(), Receiver::start([]));
    let mut variables = due_at_once(&receiver);
    variables[1].1 = "2".to_owned();
    let tap = HostProcess::start(home.path(), "tap", &with(&variables));
    let gateway = HostProcess::start(home.path(), "serve", &with(&variables));
    let requests = receiver.wait_for(1, SOON);
    assert_eq!(member(&requests[0].body, "/routing_mode"), "retrieve_tools");
    gateway.leave();
    tap.leave();
}

#[test]
fn what_a_host_told_the_old_install_it_tells_the_new_one_too() {
    let home = home();
    let receiver = Receiver::start([]);
    let variables = [("MCPPROXY_TELEMETRY_ENDPOINT", receiver.endpoint())];
    let mut host = HostProcess::start(home.path(), "tap", &with(&variables));
    wait_for_config(home.path());
    for event in ["client", "server"] {
        assert_eq!(host.ask(event), "Stored");
        assert_eq!(host.ask(event), "Unchanged");
    }
    let reset = Command::new(env!("CARGO_BIN_EXE_mcpproxy"))
        .args(["telemetry", "reset-id"])
        .env_clear()
        .env("MCPPROXY_HOME", home.path().join("data"))
        .output()
        .expect("the built command");
    assert!(reset.status.success());
    // The background thread is the first to see the new id; what is cached is void from then on.
    host.ask("wake");
    let give_up = Instant::now() + SOON;
    while host.ask("client") != "Stored" {
        assert!(Instant::now() < give_up, "the client is never stored again");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(host.ask("server"), "Stored");
    host.leave();
    let dir = DataDir::at(home.path().join("data"));
    let state = Store::peek(&dir, machine::now()).expect("a store").expect("a store");
    assert_eq!(state.funnel.clients, ["goose"]);
    assert!(state.funnel.mcp_client && state.funnel.connected_server);
}
