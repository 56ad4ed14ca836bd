//! Real hosts and commands over days, on the clock that `MCPPROXY_TEST_CLOCK_OFFSET` moves.

use crate::commands::run;
use crate::hosts::{HostProcess, SOON, due_at_once, home, with};
use crate::install::member;
use crate::receiver::Receiver;
use mcpproxy::activation::Store;
use mcpproxy::contract::timestamp;
use mcpproxy::machine;
use mcpproxy::paths::DataDir;
use std::path::Path;
use std::time::{Duration, Instant};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// An install whose clock says what the test wants.
struct Days {
    home: tempfile::TempDir,
    receiver: Receiver,
    /// 00:00 UTC of the first day.
    first: u64,
}

impl Days {
    fn new() -> Self {
        let first = (machine::now() / DAY + 3) * DAY;
        Self { home: home(), receiver: Receiver::start([]), first }
    }

    /// Variables of processes that run `since` seconds after the first midnight.
    fn variables(&self, since: u64) -> Vec<(&'static str, String)> {
        let mut variables = due_at_once(&self.receiver);
        let offset = self.first + since - machine::now();
        variables.push(("MCPPROXY_TEST_CLOCK_OFFSET", offset.to_string()));
        variables
    }

    /// A host starts at that time.
    fn host(&self, since: u64) -> HostProcess {
        HostProcess::start(self.home.path(), "tap", &with(&self.variables(since)))
    }

    /// Waits until so many have arrived, and the last of them is recorded.
    fn acknowledged(&self, count: usize) {
        self.receiver.wait_for(count, SOON);
        let dir = DataDir::at(self.home.path().join("data"));
        let until = Instant::now() + SOON;
        let is_pending = || Store::peek(&dir, 0).ok().flatten().is_none_or(|s| s.pending.is_some());
        while is_pending() {
            assert!(Instant::now() < until, "not recorded");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What `telemetry send` says at that time.
    fn send(&self, since: u64) -> String {
        let variables = self.variables(since);
        let ran = run(self.home.path(), &["send"], &with(&variables));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        String::from_utf8(ran.stdout).expect("text")
    }

    /// The timestamps that arrived: days since the first, and hours.
    fn arrived(&self) -> Vec<(u64, u64)> {
        let of = |body: &[u8]| {
            let text = member(body, "/timestamp");
            let at = text.as_str().and_then(timestamp::parse).expect("a time") - self.first;
            (at / DAY, at % DAY / HOUR)
        };
        self.receiver.requests().iter().map(|request| of(&request.body)).collect()
    }
}

#[test]
fn one_arrives_on_each_day_of_use_and_no_second_one_of_a_day() {
    let days = Days::new();
    let host = days.host(9 * HOUR);
    days.acknowledged(1);
    host.leave();
    for hour in [10, 15, 23] {
        let said = days.send(hour * HOUR);
        assert!(said.starts_with("not due: "), "{hour}: {said}");
    }
    // No host started since: twenty hours, and not at 00:00.
    assert!(days.send(DAY + 4 * HOUR).starts_with("not due: "));
    let host = days.host(DAY + 8 * HOUR);
    days.acknowledged(2);
    host.leave();
    assert!(days.send(DAY + 23 * HOUR).starts_with("not due: "));
    // The clock is set back by less than a day: the time that is stored stays.
    assert!(days.send(12 * HOUR).starts_with("not due: "));
    assert!(days.send(2 * DAY + 5 * HOUR).starts_with("sent: "));
    assert_eq!(days.arrived(), [(0, 9), (1, 8), (2, 5)]);
}

#[test]
fn the_first_real_call_of_the_first_day_brings_one_more_and_the_next_day_comes_as_it_would() {
    let days = Days::new();
    let mut host = days.host(9 * HOUR);
    days.acknowledged(1);
    assert_eq!(host.ask("result"), "Stored");
    days.acknowledged(2);
    let flags: Vec<_> = days
        .receiver
        .requests()
        .iter()
        .map(|request| member(&request.body, "/activation/first_real_tool_call_ever"))
        .collect();
    assert_eq!(flags, [false, true]);
    host.leave();
    assert!(days.send(20 * HOUR).starts_with("not due: "));
    assert!(days.send(DAY + 6 * HOUR).starts_with("sent: "), "twenty hours after the first");
    assert_eq!(days.arrived(), [(0, 9), (0, 9), (1, 6)]);
}

/// The time that `show-payload` would send, with the clock ten days ahead.
fn shown(home: &Path, endpoint: &str) -> u64 {
    let offset = (10 * DAY).to_string();
    let variables =
        [("MCPPROXY_TELEMETRY_ENDPOINT", endpoint), ("MCPPROXY_TEST_CLOCK_OFFSET", &offset)];
    let ran = run(home, &["show-payload"], &variables);
    let text = member(&ran.stdout, "/timestamp");
    text.as_str().and_then(timestamp::parse).expect("a time")
}

#[test]
fn only_what_goes_to_this_machine_has_a_clock_that_is_shifted() {
    let home = home();
    let now = machine::now();
    assert!(shown(home.path(), "http://127.0.0.1:9") >= now + 10 * DAY);
    assert!(shown(home.path(), "https://telemetry.example.org") < now + DAY);
}
