//! How many lines are read, and how many words are made of those that are not.
//!
//! One rule: pure. A host that floods us costs bounded time, and its standard error a bounded number of lines.

use std::time::Duration;

/// Lines read in a second; those beyond are dropped.
pub const MOST_LINES: u32 = 1000;
/// Bad lines named in a minute; those beyond are counted.
pub const MOST_NAMED: u32 = 10;
/// Between two lines about what was not named.
const MINUTE: Duration = Duration::from_secs(60);

/// What came so far. All times are of one clock that never goes back.
#[derive(Default)]
pub struct Pace {
    /// The second that is running, and the lines read in it.
    second: (u64, u32),
    /// The minute of bad lines that is running, and those named in it.
    minute: (u64, u32),
    /// Since when something waits to be told, and what.
    waits_since: Option<Duration>,
    unsaid: Unsaid,
}

/// What was not named one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsaid {
    /// Lines that came too fast.
    pub dropped: u64,
    /// Bad lines beyond those named.
    pub bad: u64,
}

impl Pace {
    /// Whether a line that comes now is read; else it is counted as dropped.
    pub fn admits(&mut self, now: Duration) -> bool {
        let is_admitted = within(&mut self.second, now.as_secs(), MOST_LINES);
        if !is_admitted {
            self.unsaid.dropped += 1;
            self.waits_since.get_or_insert(now);
        }
        is_admitted
    }

    /// Whether a bad line is named now; else it is counted.
    pub fn names(&mut self, now: Duration) -> bool {
        let is_named = within(&mut self.minute, now.as_secs() / MINUTE.as_secs(), MOST_NAMED);
        if !is_named {
            self.unsaid.bad += 1;
            self.waits_since.get_or_insert(now);
        }
        is_named
    }

    /// What is to be told now: a minute after its first line came.
    pub fn due(&mut self, now: Duration) -> Option<Unsaid> {
        let since = self.waits_since?;
        if now.saturating_sub(since) < MINUTE { None } else { self.rest() }
    }

    /// What has not been told.
    pub fn rest(&mut self) -> Option<Unsaid> {
        self.waits_since.take().map(|_| std::mem::take(&mut self.unsaid))
    }
}

/// Counts one more in the period that is running, up to `most`.
fn within(running: &mut (u64, u32), period: u64, most: u32) -> bool {
    if running.0 != period {
        *running = (period, 0);
    }
    let is_within = running.1 < most;
    running.1 += u32::from(is_within);
    is_within
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_thousand_lines_a_second_are_read_and_the_rest_is_told_once_a_minute() {
        let mut pace = Pace::default();
        // Two minutes with 3,000 lines a second.
        let (mut read, mut told) = (0, Vec::new());
        for now in (0..120_000).map(at) {
            for _ in 0..3 {
                read += u64::from(pace.admits(now));
                told.extend(pace.due(now).map(|unsaid| (now, unsaid.dropped)));
            }
        }
        assert_eq!(read, 120_000);
        assert_eq!(told.len(), 1, "{told:?}");
        let rest = pace.rest().map(|unsaid| unsaid.dropped);
        assert_eq!(told.iter().map(|it| it.1).sum::<u64>() + rest.unwrap_or(0), 240_000);
        assert_eq!(pace.rest(), None);
    }

    #[test]
    fn ten_bad_lines_a_minute_are_named_and_the_rest_is_counted() {
        let mut pace = Pace::default();
        let named = (0..60_000).filter(|now| pace.names(at(*now))).count();
        assert_eq!(named, 10);
        assert_eq!(pace.rest(), Some(Unsaid { dropped: 0, bad: 59_990 }));
        assert!(pace.names(at(60_000)));
    }

    #[test]
    fn nothing_is_told_where_nothing_is_left_out() {
        let mut pace = Pace::default();
        assert!(pace.admits(at(0)) && pace.names(at(0)));
        assert_eq!((pace.due(at(100_000)), pace.rest()), (None, None));
    }
}
