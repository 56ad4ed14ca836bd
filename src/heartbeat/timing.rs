//! How long things wait. One rule: what a test or an operator overrides scales the rest along.

use crate::machine::{self, Surroundings};

/// Seconds from the first host start to the first heartbeat, before jitter.
pub const INITIAL_DELAY: u64 = 5 * 60;
/// Seconds between two recorded acknowledgements.
pub const INTERVAL: u64 = 24 * 60 * 60;
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
pub const PENDING_MAX_AGE: u64 = 24 * 60 * 60;
/// The longest `Retry-After` that is believed.
pub const RETRY_AFTER_MAX: u64 = 24 * 60 * 60;
/// A live mark is believed for this long.
pub const LIVE_FOR: u64 = 2 * 60;
/// Seconds between two live marks of one host.
pub const TICK: u64 = 60;

const DELAY_VARIABLE: &str = "MCPPROXY_TELEMETRY_INITIAL_DELAY";
const INTERVAL_VARIABLE: &str = "MCPPROXY_TELEMETRY_INTERVAL";
const BACKOFF_FIRST: u64 = 60;
const BACKOFF_LAST: u64 = 6 * 60 * 60;

/// When heartbeats are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `MCPPROXY_TELEMETRY_INITIAL_DELAY`: replaces the stored, jittered delay of the install.
    pub initial_delay: Option<u64>,
    /// `MCPPROXY_TELEMETRY_INTERVAL`, else [`INTERVAL`]. A shorter interval shortens backoff in
    /// proportion (never below a second); the lease and the age of stored bytes stay as they are.
    pub interval: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { initial_delay: None, interval: INTERVAL }
    }
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
            Some(Some(interval)) if interval > 0 => timing.interval = interval,
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

    fn scaled(&self, seconds: u64) -> u64 {
        if self.interval >= INTERVAL {
            return seconds;
        }
        (seconds * self.interval / INTERVAL).max(1)
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
        assert_eq!(timing, Timing { initial_delay: Some(0), interval: 2 });
        assert!(ignored.is_empty());
        assert_eq!((timing.backoff(1, 9), timing.backoff(30, 9)), (1, 1));
        let (timing, ignored) = Timing::from_values(Some("-1"), Some("0"));
        assert_eq!(timing, Timing::default());
        assert_eq!(ignored.len(), 2);
        for bad in ["", "1s", "1e3", "99999999999999999999", "\u{661}"] {
            assert_eq!(Timing::from_values(Some(bad), None).1.len(), 1, "{bad:?}");
        }
    }
}
