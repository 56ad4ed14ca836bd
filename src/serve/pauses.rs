//! When a server that is not connected is tried again.
//!
//! One rule: a server that stays away is tried rarely, at most 20 times in its first 24 hours; one that has just
//! been there is tried at once.

use std::time::Duration;

/// The pauses between attempts; the last one stays.
const PAUSES: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
    LONGEST,
];
/// Also the longest `Retry-After` that is believed.
const LONGEST: Duration = Duration::from_secs(4 * 60 * 60);

/// The pauses of one outage.
pub struct Pauses(usize);

impl Default for Pauses {
    /// Of a server that was just tried for the first time.
    fn default() -> Self {
        Self(1)
    }
}

impl Pauses {
    /// Of a server whose connection lasted and ended.
    pub fn after_a_good_connection() -> Self {
        Self(0)
    }

    /// The pause before the next attempt. `asked`: how long the server itself wants to be left alone.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = PAUSES.get(self.0).copied().unwrap_or(LONGEST);
        self.0 += 1;
        pause.max(asked.unwrap_or_default()).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stays_away_is_tried_at_most_20_times_in_a_day() {
        for mut pauses in [Pauses::default(), Pauses::after_a_good_connection()] {
            let (mut at, mut attempts) = (Duration::ZERO, 1);
            loop {
                at += pauses.next(None);
                if at >= Duration::from_secs(24 * 60 * 60) {
                    break;
                }
                attempts += 1;
            }
            assert!((8..=20).contains(&attempts), "{attempts}");
        }
    }

    #[test]
    fn the_pauses_are_those_that_are_documented_and_a_server_may_ask_for_longer_ones() {
        let seconds = |pause: Duration| pause.as_secs();
        let mut pauses = Pauses::after_a_good_connection();
        let first: Vec<u64> = (0..8).map(|_| seconds(pauses.next(None))).collect();
        assert_eq!(first, [0, 5, 30, 300, 900, 3600, 14_400, 14_400]);
        let mut pauses = Pauses::default();
        assert_eq!(seconds(pauses.next(Some(Duration::from_secs(2)))), 5);
        assert_eq!(seconds(pauses.next(Some(Duration::from_secs(120)))), 120);
        assert_eq!(seconds(pauses.next(Some(Duration::from_secs(1 << 40)))), 14_400);
    }
}
