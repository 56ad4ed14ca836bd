//! How long things wait. One rule: what a test or an operator overrides scales the rest along.

use crate::machine::{self, Surroundings};

/// Seconds from the first host start to the first heartbeat, before jitter.
pub const INITIAL_DELAY: u64 = 5 * 60;
/// Seconds of a UTC day.
pub const DAY: u64 = 24 * 60 * 60;
/// Seconds between the timestamps of two heartbeats, when a host started in between.
pub const APART: u64 = 10 * 60 * 60;
/// The same, when no host did: one host that runs on and on.
pub const ALONE: u64 = 20 * 60 * 60;
/// The longest that a host which runs across 00:00 UTC waits: all of them would send at once.
pub const MIDNIGHT_DELAY: u64 = 60 * 60;
/// Seconds that a host waits for the first answer of a server before it sends: how many servers are
/// connected is not known before.
pub const SETTLE: u64 = 60;
/// The same where a test asks for other times.
pub const SETTLE_IN_TESTS: u64 = 10;
/// Seconds for which a version is quiet that the endpoint retired.
pub const RETIRED_FOR: u64 = 28 * DAY;
/// A stored time that is further ahead of the clock is wrong.
pub const AHEAD: u64 = DAY;
/// Seconds a process may call itself the sender. Longer than one request ([`REQUEST_TIMEOUT`]), short
/// enough that the next process soon takes over from one that was killed.
pub const LEASE: u64 = 20;
/// What must be left of the lease when the connection is opened: one whole request.
pub const LEASE_NEEDED: u64 = REQUEST_TIMEOUT + 1;
/// Seconds for one whole request.
pub const REQUEST_TIMEOUT: u64 = 10;
/// Seconds to connect.
pub const CONNECT_TIMEOUT: u64 = 3;
/// Stored bytes are retried for this long and then discarded, whatever the interval.
pub const PENDING_MAX_AGE: u64 = DAY;
/// The longest `Retry-After` that is believed.
pub const RETRY_AFTER_MAX: u64 = DAY;
/// A live mark is believed for this long.
pub const LIVE_FOR: u64 = 2 * 60;
/// Seconds between two live marks of one host.
pub const TICK: u64 = 60;

const DELAY_VARIABLE: &str = "MCPPROXY_TELEMETRY_INITIAL_DELAY";
const INTERVAL_VARIABLE: &str = "MCPPROXY_TELEMETRY_INTERVAL";
/// Seconds by which a host that sends to loopback shifts its clock, and a collector on loopback likewise.
pub const CLOCK_VARIABLE: &str = "MCPPROXY_TEST_CLOCK_OFFSET";
const BACKOFF_FIRST: u64 = 60;
const BACKOFF_LAST: u64 = 6 * 60 * 60;

/// What tests and operators override of the times above.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// `MCPPROXY_TELEMETRY_INITIAL_DELAY`: replaces the stored, jittered delay of the install, and the five
    /// minutes from the first real tool call to the second heartbeat of the first day.
    pub initial_delay: Option<u64>,
    /// `MCPPROXY_TELEMETRY_INTERVAL`: replaces the rhythm. One below a day shortens backoff in proportion
    /// (never below a second); the lease and the age of stored bytes stay as they are.
    pub interval: Option<u64>,
}

impl Timing {
    /// From this process's own variables. One that is no number of seconds is ignored, which is said on
    /// stderr: whoever set it means it, and would wait for a heartbeat that comes in five minutes.
    pub fn of(around: &Surroundings) -> Self {
        let own = |name| around.own(name).filter(|value| !value.trim().is_empty());
        let (timing, ignored) = Self::from_values(own(DELAY_VARIABLE), own(INTERVAL_VARIABLE));
        for name in ignored {
            let what = "is not a whole number of seconds that can be used; it is ignored";
            machine::complain(&format_args!("mcpproxy: {name} {what}"));
        }
        if own(CLOCK_VARIABLE).is_some_and(|value| clock_offset(value).is_none()) {
            let what = "is not a whole number of seconds that can be used; it is ignored";
            machine::complain(&format_args!("mcpproxy: {CLOCK_VARIABLE} {what}"));
        }
        timing
    }

    /// From the two variables' values. One that is not a whole number of seconds is ignored and named
    /// in the second result (the name, never the value).
    pub fn from_values(
        initial_delay: Option<&str>,
        interval: Option<&str>,
    ) -> (Self, Vec<&'static str>) {
        let mut timing = Self::default();
        let mut ignored = Vec::new();
        match initial_delay.map(seconds) {
            Some(Some(delay)) => timing.initial_delay = Some(delay),
            Some(None) => ignored.push(DELAY_VARIABLE),
            None => {}
        }
        match interval.map(seconds) {
            Some(Some(interval)) if interval > 0 => timing.interval = Some(interval),
            Some(_) => ignored.push(INTERVAL_VARIABLE),
            None => {}
        }
        (timing, ignored)
    }

    /// The delay to store for a new install: +-10 % of five minutes.
    pub fn initial_delay(&self, random: u64) -> u64 {
        let jitter = INITIAL_DELAY / 10;
        self.initial_delay.unwrap_or(INITIAL_DELAY - jitter + random % (2 * jitter + 1))
    }

    /// Seconds to wait after `failures` failed attempts in a row: one minute doubling to six hours,
    /// plus up to a tenth.
    pub fn backoff(&self, failures: u32, random: u64) -> u64 {
        let doubled = BACKOFF_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = self.scaled(doubled.min(BACKOFF_LAST));
        wait + random % (wait / 10 + 1)
    }

    /// Seconds from the first real tool call to the second heartbeat of the first day.
    pub fn second_delay(&self) -> u64 {
        self.initial_delay.unwrap_or(INITIAL_DELAY)
    }

    /// Seconds that a host waits for its first server at most.
    pub fn settle(&self) -> u64 {
        if *self == Self::default() { SETTLE } else { SETTLE_IN_TESTS }
    }

    fn scaled(&self, seconds: u64) -> u64 {
        match self.interval {
            Some(interval) if interval < DAY => (seconds * interval / DAY).max(1),
            _ => seconds,
        }
    }
}

/// The value of [`CLOCK_VARIABLE`]: whole seconds, negative ones too, a century at most either way.
pub fn clock_offset(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(back) => seconds(back).map(|seconds| -(seconds as i64)),
        None => seconds(text).map(|seconds| seconds as i64),
    }
}

fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A century is as good as never, and keeps sums of times far from overflow.
    if digits { text.parse().ok().filter(|&s: &u64| s <= 3_155_760_000) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_is_one_minute_doubling_to_six_hours_with_jitter_upward() {
        let timing = Timing::default();
        let bare: Vec<u64> = (1..=11).map(|n| timing.backoff(n, 0)).collect();
        assert_eq!(bare, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600]);
        for random in [0, 1, 77, u64::MAX] {
            for failures in [0, 1, 5, 40, u32::MAX] {
                let (low, got) = (timing.backoff(failures, 0), timing.backoff(failures, random));
                assert!((low..=low + low / 10).contains(&got));
            }
        }
        assert_eq!(timing.backoff(1, 6), 66);
    }

    #[test]
    fn the_first_delay_is_five_minutes_give_or_take_a_tenth() {
        let all: Vec<u64> = (0..61).map(|r| Timing::default().initial_delay(r)).collect();
        assert_eq!((all.iter().min(), all.iter().max()), (Some(&270), Some(&330)));
    }

    #[test]
    fn overrides_are_whole_seconds_and_scale_backoff() {
        let (timing, ignored) = Timing::from_values(Some("0"), Some(" 2 "));
        assert_eq!(timing, Timing { initial_delay: Some(0), interval: Some(2) });
        assert!(ignored.is_empty());
        assert_eq!((timing.backoff(1, 9), timing.backoff(30, 9)), (1, 1));
        let (timing, ignored) = Timing::from_values(Some("-1"), Some("0"));
        assert_eq!(timing, Timing::default());
        assert_eq!(ignored.len(), 2);
        for bad in ["", "1s", "1e3", "99999999999999999999", "\u{661}"] {
            assert_eq!(Timing::from_values(Some(bad), None).1.len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn the_clock_of_tests_goes_whole_seconds_forward_and_back() {
        for (text, offset) in [("0", 0), ("86400", 86_400), (" -3600 ", -3600)] {
            assert_eq!(clock_offset(text), Some(offset), "{text:?}");
        }
        for bad in ["", "-", "+5", "--5", "- 5x", "1d", "9999999999999999999"] {
            assert_eq!(clock_offset(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_host_waits_a_minute_for_its_servers_and_in_tests_less() {
        assert_eq!(Timing::default().settle(), 60);
        let timing = Timing { initial_delay: Some(0), interval: None };
        assert_eq!((timing.settle(), timing.second_delay()), (10, 0));
        assert_eq!(Timing { initial_delay: None, interval: Some(5) }.settle(), 10);
    }
}
