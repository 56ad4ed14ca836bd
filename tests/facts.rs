//! Facts of an install as they arrive: real taps around real servers, and a receiver that reads what they send.
#![cfg(all(target_os = "linux", feature = "tap", feature = "activation"))]

#[path = "support/receiver.rs"]
#[allow(dead_code)]
mod receiver;

use mcpproxy::contract::timestamp;
use receiver::{Receiver, Reply};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const DAY: i64 = 86_400;

/// Answers each line with the next of its arguments, then reads on until nothing comes.
const SERVER: &str =
    r#"for answer; do read -r line; printf '%s\n' "$answer"; done; while read -r line; do :; done"#;

#[track_caller]
fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < until, "it never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An install in a home of its own, and who receives what it sends.
struct Life {
    home: tempfile::TempDir,
    receiver: Receiver,
    /// Seconds that the clock of every process is ahead. It begins at noon: no midnight comes in between.
    ahead: i64,
}

impl Life {
    fn new(script: impl IntoIterator<Item = Reply>) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let now = mcpproxy::machine::now() as i64;
        let noon = DAY / 2 - now % DAY;
        Self { home, receiver: Receiver::start(script), ahead: noon }
    }

    /// One whose notice was shown, and which has sent once; with what it sent. No host has ended.
    fn begun() -> (Self, Tap, Value) {
        let life = Self::new([]);
        let tap = life.tap(SERVER, &[]);
        let first = life.send();
        (life, tap, first)
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home.path()).env("MCPPROXY_HOME", self.data()).args(args);
        command.env("MCPPROXY_TELEMETRY_ENDPOINT", self.receiver.endpoint());
        // Only who is told to sends: no tap that ends while it does.
        command.env("MCPPROXY_TELEMETRY_INTERVAL", (3650 * DAY).to_string());
        command.env("MCPPROXY_TEST_CLOCK_OFFSET", self.ahead.to_string());
        command
    }

    /// A tap around a shell that runs `server`, in a process group of its own.
    fn tap(&self, server: &str, arguments: &[Value]) -> Tap {
        let mut command = self.command(&["tap", "--", "sh", "-c", server, "server"]);
        command.args(arguments.iter().map(Value::to_string)).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let tap = Tap { child, input, output };
        // It has noted its start, and is not about to write when it ends.
        let is_noted = || (self.shown()["routing_mode"] == "tap").then_some(());
        eventually("the tap is a host", is_noted);
        tap
    }

    /// What would be sent.
    fn shown(&self) -> Value {
        let output = self.command(&["telemetry", "show-payload"]).output().expect("it starts");
        serde_json::from_slice(&output.stdout).expect("a payload")
    }

    /// Sends now; what arrived. Two in one second would be one.
    fn send(&self) -> Value {
        let before = self.receiver.requests().len();
        eventually("a heartbeat arrives", || {
            let mut send = self.command(&["telemetry", "send", "--now"]);
            let sent = send.stdout(Stdio::null()).stderr(Stdio::null()).status();
            let arrived = self.receiver.requests();
            let is_there = sent.expect("it starts").success() && arrived.len() > before;
            is_there.then(|| serde_json::from_slice(&arrived[before].body).expect("a payload"))
        })
    }

    /// A session of a client of that name, which calls these tools and gets these answers.
    fn session(&self, client: &str, calls: &[(&str, Value)]) {
        let mut answers = vec![answer(0, json!({"result": {}}))];
        answers.extend((1..).zip(calls).map(|(id, (_, said))| answer(id, said.clone())));
        let mut tap = self.tap(SERVER, &answers);
        tap.ask(&initialize(client));
        for (id, (tool, _)) in (1..).zip(calls) {
            tap.ask(&call(id, tool));
        }
        assert_eq!(tap.leave(), Some(0));
    }
}

struct Tap {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Tap {
    fn say(&mut self, message: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{message}").expect("a pipe");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line
    }

    fn ask(&mut self, request: &Value) {
        self.say(request);
        assert_ne!(self.line(), "", "the server is gone");
    }

    fn signal(&self, name: &str, whole_group: bool) {
        let pid = format!("{}{}", if whole_group { "-" } else { "" }, self.child.id());
        let kill = Command::new("kill").args(["-s", name, "--", &pid]).status();
        assert!(kill.expect("it starts").success());
    }

    /// Waits for the end without closing the input; the exit code.
    fn end(mut self) -> Option<i32> {
        self.child.wait().expect("an end").code()
    }

    /// Closes the input, as a client does that is done.
    fn leave(mut self) -> Option<i32> {
        drop(self.input.take());
        self.end()
    }
}

fn initialize(client: &str) -> Value {
    let client = json!({"clientInfo": {"name": client, "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client})
}

fn call(id: u32, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}})
}

fn answer(id: u32, mut said: Value) -> Value {
    said["jsonrpc"] = json!("2.0");
    said["id"] = json!(id);
    said
}

fn is_activated(payload: &Value) -> &Value {
    &payload["activation"]["first_real_tool_call_ever"]
}

#[test]
fn a_real_tool_call_is_one_that_returned_a_result() {
    let (life, tap, first) = Life::begun();
    assert_eq!(tap.leave(), Some(0));
    assert_eq!(is_activated(&first), false);
    let failed = [
        ("echo", json!({"error": {"code": -32602, "message": "no such tool"}})),
        ("echo", json!({"result": {"content": [], "isError": true}})),
        ("echo", json!({"result": {"resultType": "task", "taskId": "1"}})),
        ("echo", json!({"result": {"task": {"taskId": "1", "status": "working"}}})),
        ("retrieve_tools", json!({"result": {"content": []}})),
    ];
    life.session("claude-code", &failed);
    let payload = life.send();
    assert_eq!(is_activated(&payload), false, "{payload}");
    assert_eq!(payload["upstream_tool_call_count_bucket"], "1-10", "they were calls");
    assert_eq!(payload["surface_requests"]["mcp"], 6, "and requests, as `initialize` is");

    life.session("claude-code", &[("echo", json!({"result": {"content": []}}))]);
    let payload = life.send();
    assert_eq!(is_activated(&payload), true, "{payload}");
    assert_eq!(payload["surface_requests"]["mcp"], 2, "each counted once");
    life.session("claude-code", &failed[..1]);
    assert_eq!(is_activated(&life.send()), true, "it never goes back");
}

#[test]
fn a_call_that_is_cut_off_returned_nothing() {
    let (life, tap, _) = Life::begun();
    assert_eq!(tap.leave(), Some(0));
    let mut tap = life.tap("read -r line; echo read; read -r line", &[]);
    tap.ask(&call(1, "echo"));
    assert_eq!(tap.leave(), Some(1));
    let payload = life.send();
    assert_eq!(is_activated(&payload), false);
    assert_eq!(payload["surface_requests"]["mcp"], 1, "a request all the same");
}

#[test]
fn days_are_counted_from_the_first_host_and_active_ones_where_a_client_asked_something() {
    let (mut life, tap, first) = Life::begun();
    assert_eq!(tap.leave(), Some(0));
    let noon = life.ahead;
    let days = |payload: &Value| {
        let number = |name: &str| payload[name].as_u64().expect("a number");
        (number("days_since_install"), number("active_days_30d"))
    };
    assert_eq!(days(&first), (0, 0), "a tap ran, and no client said anything");
    life.session("claude-code", &[]);
    assert_eq!(days(&life.send()), (0, 1));
    for (later, expected) in [(1, (1, 2)), (3, (3, 3)), (29, (29, 4)), (31, (31, 3))] {
        life.ahead = noon + later * DAY;
        life.session("claude-code", &[]);
        life.session("zed", &[("echo", json!({"result": {}}))]);
        let payload = life.send();
        let sent = payload["timestamp"].as_str().and_then(timestamp::parse).expect("a time");
        assert_eq!(days(&payload), expected, "day {later}, {}", timestamp::format(sent));
        assert_eq!(payload["carried_over"], false);
    }
    // The clock was wrong: what was noted then does not come back, and nothing is negative.
    life.ahead = noon - 2 * DAY;
    life.session("claude-code", &[]);
    assert_eq!(days(&life.shown()), (0, 1));
}

#[test]
fn an_id_that_is_a_year_old_is_followed_by_one_that_is_carried_over() {
    let life = Life::new([]);
    let made = mcpproxy::machine::now() - 367 * DAY as u64;
    let config = json!({"telemetry": {
        "anonymous_id": "3f0c9f7e-8f0e-4c5a-9d7b-000000000001",
        "anonymous_id_created_at": timestamp::format(made),
    }});
    std::fs::create_dir_all(life.data()).expect("a directory");
    std::fs::write(life.data().join("mcp_config.json"), config.to_string()).expect("a config");
    life.session("claude-code", &[("echo", json!({"result": {}}))]);
    let payload = life.send();
    assert_ne!(payload["anonymous_id"], config["telemetry"]["anonymous_id"]);
    assert_eq!(
        (&payload["carried_over"], &payload["days_since_install"]),
        (&json!(true), &json!(0))
    );

    let reset = life.command(&["telemetry", "reset-id"]).output().expect("it starts");
    assert!(reset.status.success());
    life.session("claude-code", &[]);
    let payload = life.send();
    assert_eq!(payload["carried_over"], false, "a new install follows nothing");
    assert_eq!(is_activated(&payload), false);
}

#[test]
fn a_server_that_fails_is_a_crash_and_one_that_is_told_to_end_is_not() {
    let (life, tap, first) = Life::begun();
    assert_eq!(first["previous_shutdown"], "unknown", "nothing has ended");
    assert_eq!(tap.leave(), Some(0));
    assert_eq!(life.send()["previous_shutdown"], "clean");
    assert_eq!(life.send()["previous_shutdown"], "unknown", "that was told already");

    let ends = |server: &str| {
        let mut tap = life.tap(server, &[]);
        tap.say(&call(1, "echo"));
        tap
    };
    let told = |server: &str, signal: &str, whole_group: bool| {
        let mut tap = ends(server);
        assert_eq!(tap.line(), "read\n");
        tap.signal(signal, whole_group);
        tap.end()
    };
    type Case<'a> = (&'a str, &'a str, &'a dyn Fn() -> Option<i32>);
    let waits = "read -r line; echo read; while :; do sleep 1; done";
    let asked = "trap 'exit 7' TERM; read -r line; echo read; while :; do sleep 0.05; done";
    let cases: [Case; 9] = [
        ("crash", "killed", &|| ends("read -r line; kill -s KILL $$").end()),
        ("crash", "a fault", &|| ends("read -r line; kill -s SEGV $$").end()),
        ("crash", "its own TERM", &|| ends("read -r line; kill -s TERM $$").end()),
        ("crash", "an error while its input was open", &|| ends("read -r line; exit 3").end()),
        ("clean", "no error", &|| ends("read -r line; exit 0").end()),
        ("clean", "an error after its input was closed", &|| {
            ends("while read -r line; do :; done; exit 3").leave()
        }),
        ("clean", "a signal that was sent on", &|| told(waits, "TERM", false)),
        ("clean", "a signal to the whole group", &|| told(waits, "TERM", true)),
        ("clean", "an error after a signal that asked for it", &|| told(asked, "TERM", false)),
    ];
    for (expected, how, end) in cases {
        let code = end();
        assert_eq!(life.send()["previous_shutdown"], expected, "{how}: {code:?}");
    }
    ends("read -r line; exit 3").end();
    life.session("claude-code", &[]);
    assert_eq!(life.send()["previous_shutdown"], "crash", "a clean end hides no crash");
}

#[test]
fn an_end_while_a_heartbeat_is_under_way_is_told_by_the_next() {
    let life = Life::new([Reply::WaitForGate]);
    let tap = life.tap(SERVER, &[]);
    let mut other = life.tap("read -r line; exit 3", &[]);
    let mut send = life.command(&["telemetry", "send", "--now"]);
    let mut send = send.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    life.receiver.wait_for(1, PATIENCE);
    other.say(&call(1, "echo"));
    assert_eq!(other.end(), Some(3));
    life.receiver.open_gate();
    assert!(send.wait().expect("an end").success());
    let first: Value = serde_json::from_slice(&life.receiver.requests()[0].body).expect("JSON");
    assert_eq!(first["previous_shutdown"], "unknown");
    assert_eq!(tap.leave(), Some(0));
    assert_eq!(life.send()["previous_shutdown"], "crash");
}

#[test]
fn a_tap_that_is_killed_says_nothing_of_its_end() {
    let (life, tap, _) = Life::begun();
    tap.signal("KILL", false);
    assert_eq!(tap.end(), None);
    assert_eq!(life.send()["previous_shutdown"], "unknown");
}

#[test]
fn whether_the_server_answers_is_left_out_before_it_was_asked() {
    let life = Life::new([]);
    let mut tap = life.tap(SERVER, &[answer(0, json!({"result": {}}))]);
    let payload = life.send();
    assert_eq!(payload["server_count"], 1);
    assert_eq!(payload["server_protocol_counts"]["stdio"], 1);
    for unknown in ["connected_server_count", "tool_count"] {
        assert_eq!(payload.get(unknown), None, "{payload}");
    }
    tap.ask(&initialize("claude-code"));
    let connected = || (life.shown()["connected_server_count"] == 1).then_some(());
    eventually("the mark is renewed", connected);
    assert_eq!(life.send()["connected_server_count"], 1);
    assert_eq!(tap.leave(), Some(0));
    let payload = life.send();
    for member in ["server_count", "connected_server_count", "server_protocol_counts"] {
        assert_eq!(payload.get(member), None, "a command line has no servers");
    }
}

/// As a gateway of ours starts the servers behind it, with no client in front.
#[test]
fn our_own_gateway_is_a_client_from_its_first_call_on() {
    let life = Life::new([]);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let result = |id| answer(id, json!({"result": {}}));
    let mut tap = life.tap(SERVER, &[result(0), result(1), result(2)]);
    tap.ask(&initialize("mcpproxy"));
    tap.ask(&list);
    let connected = || (life.shown()["connected_server_count"] == 1).then_some(());
    eventually("the tap has seen the answers", connected);
    let payload = life.send();
    let activation = &payload["activation"];
    assert_eq!(activation["first_connected_server_ever"], true);
    assert_eq!(activation["first_mcp_client_ever"], false, "{payload}");
    assert_eq!(
        (&activation["mcp_clients_seen_ever"], &payload["active_days_30d"]),
        (&json!([]), &json!(0))
    );

    tap.ask(&call(2, "echo"));
    assert_eq!(tap.leave(), Some(0));
    let payload = life.send();
    let activation = &payload["activation"];
    assert_eq!(activation["first_mcp_client_ever"], true);
    assert_eq!(activation["mcp_clients_seen_ever"], json!(["mcpproxy"]));
    assert_eq!(payload["active_days_30d"], 1);
}
