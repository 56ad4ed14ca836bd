//! One event of a host is one transaction: all of it is there or nothing, and it is cheap.

use super::*;
use mcpproxy::contract::RoutingMode;
use mcpproxy::{Event, Host, Telemetry, machine};
use std::process::{Command, Stdio};

pub const DISCOVERY: Event<'static> = Event::Discovery { indexed: Some(200), returned: Some(5) };

/// Telemetry as a host has it; the environment of the tests may object to it.
pub fn host(dir: &DataDir, routing_mode: RoutingMode) -> Telemetry {
    let data_dir = Some(dir.root().to_owned());
    let telemetry =
        Telemetry::start(Host { routing_mode, data_dir, launched_by: None, product: None });
    assert!(telemetry.is_on(), "no objection was passed on");
    telemetry
}

/// A child with a role and without the objections of this environment.
pub fn child(role: &str, dir: &DataDir, count: u64, before: &[&str]) -> Command {
    let child = child::command(role, dir, count);
    let words = before.iter().map(std::ffi::OsStr::new).chain([child.get_program()]);
    let mut words = words.chain(child.get_args());
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// How often the event was counted: in the window, among the requests, among our own tools.
fn counts(dir: &DataDir) -> [u64; 3] {
    let state = peek(dir);
    let counters = state.counters;
    [
        state.discovery_calls.value(machine::now()),
        counters.surface_requests.mcp,
        counters.builtin_tool_calls.retrieve_tools,
    ]
}

#[test]
fn a_host_killed_at_any_moment_leaves_no_half_event() {
    let rounds = endure::scaled("EVENT_KILLS", 60);
    let (_root, dir) = data_dir();
    let mut random = endure::Random::new(endure::seed(), 2);
    for round in 0..rounds {
        // Two at once wait for each other, and some of their events are written later.
        let writers = 1 + round % 2;
        let children =
            (0..writers).map(|_| child("whole events until killed", &dir, 0, &[]).spawn());
        let mut children: Vec<_> = children.map(|child| child.expect("a child")).collect();
        children.iter_mut().for_each(|host| child::wait_for(host, "ack"));
        std::thread::sleep(Duration::from_micros(random.next() % 4000));
        for host in &mut children {
            host.kill().and_then(|()| host.wait()).expect("a child that ran");
        }
        let [calls, requests, own] = counts(&dir);
        assert!(calls > round, "round {round}");
        assert_eq!([requests, own], [calls; 2], "round {round}: half an event");
    }
    let [calls, ..] = counts(&dir);
    println!("{rounds} rounds of kills: {calls} events, each of them whole");
}

/// In a child.
pub fn record_until_killed(dir: &DataDir) {
    let telemetry = host(dir, RoutingMode::RetrieveTools);
    child::acknowledge_forever(|| telemetry.record(DISCOVERY) == Recorded::Stored);
}

/// In a child.
pub fn record_some(dir: &DataDir, routing_mode: RoutingMode, count: u64) {
    let telemetry = host(dir, routing_mode);
    for _ in 0..count {
        telemetry.record(Event::UpstreamCall);
        telemetry.record(DISCOVERY);
    }
    telemetry.stop();
    // Its thread may be in the middle of something, which is no event.
    child::say("recorded");
}

#[test]
fn a_counted_event_costs_six_system_calls() {
    const PAIRS: u64 = 500;
    for role in ["record as tap", "record as serve"] {
        let (root, dir) = data_dir();
        let log = root.path().join("calls");
        let log_name = log.to_str().expect("a plain path");
        let traced = |pairs| {
            let strace = ["strace", "-f", "-qq", "-o", log_name];
            let ended = child(role, &dir, pairs, &strace).output().ok()?;
            assert!(ended.status.success(), "{role}: {ended:?}");
            let calls = std::fs::read_to_string(&log).ok()?;
            Some(calls.lines().filter(|call| !call.contains("resumed>")).count() as u64)
        };
        let Some(_first) = traced(1) else {
            skipped!("no `strace` here");
            return;
        };
        let (few, many) = (traced(1).expect("strace"), traced(1 + PAIRS).expect("strace"));
        let each = many.saturating_sub(few) as f64 / (2 * PAIRS) as f64;
        println!("{role}: {each:.2} system calls for each event");
        // Six, and what the clocks and the other thread add meanwhile.
        assert!(each < 6.9, "{role}: {each:.2}");
    }
}
