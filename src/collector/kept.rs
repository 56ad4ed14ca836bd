//! One install as the database holds it, and what a heartbeat does to it.
//!
//! One rule: pure. Lifetime facts only grow, whatever order heartbeats arrive in: an earlier day that arrives
//! late becomes day 0, and takes the facts of the first heartbeat with it. Heartbeats of one day are ordered by
//! their own times as long as these are remembered.

use super::heartbeat::{Heartbeat, day, day_of, moment};
use super::row::{DAYS, Facts, STEPS, VERSIONS};
use crate::contract::MAX_CLIENTS;

/// How long the time of a heartbeat is remembered, so that its repetition is known.
pub const REMEMBERED: u64 = 48 * 3600;
/// Heartbeats of one install that are stored on one UTC day of receipt.
pub const A_DAY: usize = 3;

/// What an install's row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// See [`super::row::InstallRow::day0`].
    pub day0: u32,
    /// See [`super::row::InstallRow::last_day`].
    pub last_day: u32,
    /// See [`super::row::InstallRow::days`].
    pub days: [u64; 6],
    /// Facts of the first heartbeat of day 0.
    pub first: Facts,
    /// Facts of the last heartbeat of the last day.
    pub now: Facts,
    /// See [`super::row::InstallRow::steps`].
    pub steps: [Option<u32>; STEPS],
    /// See [`super::row::InstallRow::versions`].
    pub versions: Vec<(String, u32)>,
    /// See [`super::row::InstallRow::clients`].
    pub clients: Vec<String>,
    /// What the first heartbeat of day 0 said: what a later one says would take the install out of final cells.
    pub carried_over: bool,
    /// What the first heartbeat of day 0 said.
    pub days_since_install: Option<u16>,
    /// The day of the first start, by the first heartbeat of day 0.
    pub install_day: Option<u32>,
    /// See [`super::row::InstallRow::clock_wrong`].
    pub clock_wrong: u32,
    /// The day on which its first heartbeat was received; rows of schema 1 do not say.
    pub received: Option<u32>,
    /// See [`super::row::InstallRow::flood`].
    pub flood: bool,
    /// `timestamp` and time of receipt of every heartbeat stored in the last [`REMEMBERED`] seconds.
    pub recent: Vec<(u64, u64)>,
}

/// A verdict on a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changes the row; it counts for this day, and its clock was wrong or not.
    New(u32, bool),
    /// It has been stored before.
    Duplicate,
    /// The install has had its share of today.
    TooMany,
}

/// Judges a heartbeat of an install that has `recent` ones.
pub fn judge(recent: &[(u64, u64)], claimed: u64, received: u64) -> Verdict {
    // Older times stay in a row until its next heartbeat is stored.
    if recent.iter().any(|(before, when)| *before == claimed && is_remembered(*when, received)) {
        return Verdict::Duplicate;
    }
    let today = day(received);
    if recent.iter().filter(|(_, when)| day(*when) == today).count() >= A_DAY {
        return Verdict::TooMany;
    }
    let (counts_for, is_wrong) = day_of(claimed, received);
    Verdict::New(counts_for, is_wrong)
}

/// The times that are still remembered at `received`.
pub fn remembered(recent: &[(u64, u64)], received: u64) -> Vec<(u64, u64)> {
    recent.iter().copied().filter(|(_, when)| is_remembered(*when, received)).collect()
}

fn is_remembered(when: u64, received: u64) -> bool {
    when.saturating_add(REMEMBERED) > received
}

/// What orders the heartbeats of one install and day: no two that are remembered share it.
fn order(claimed: u64, received: u64) -> (u64, u64) {
    (moment(claimed, received), claimed)
}

impl Kept {
    /// The row of an install whose first heartbeat this is.
    pub fn new(heartbeat: &Heartbeat, day: u32, clock_wrong: bool, received: u64) -> Self {
        let mut kept = Self {
            day0: day,
            last_day: day,
            days: [0; 6],
            first: heartbeat.facts.clone(),
            now: heartbeat.facts.clone(),
            steps: [None; STEPS],
            versions: Vec::new(),
            clients: Vec::new(),
            carried_over: heartbeat.carried_over,
            days_since_install: heartbeat.days_since_install,
            install_day: install_day(heartbeat, day),
            clock_wrong: 0,
            received: Some(self::day(received)),
            flood: false,
            recent: Vec::new(),
        };
        kept.add(heartbeat, day, clock_wrong, received);
        kept
    }

    /// Adds a heartbeat that [`judge`] called new.
    pub fn add(&mut self, heartbeat: &Heartbeat, day: u32, clock_wrong: bool, received: u64) {
        if day < self.day0 || day == self.day0 && self.is_earliest(heartbeat, day, received) {
            shift(&mut self.days, self.day0 - day);
            self.day0 = day;
            self.first = heartbeat.facts.clone();
            self.carried_over = heartbeat.carried_over;
            self.days_since_install = heartbeat.days_since_install;
            self.install_day = install_day(heartbeat, day);
        }
        if day > self.last_day || day == self.last_day && self.is_latest(heartbeat, day, received) {
            self.last_day = day;
            self.now = heartbeat.facts.clone();
        }
        let n = day - self.day0;
        if n < DAYS {
            self.days[(n / 64) as usize] |= 1 << (n % 64);
        }
        for (step, reached) in self.steps.iter_mut().zip(heartbeat.steps) {
            if reached {
                *step = Some(step.map_or(day, |before| before.min(day)));
            }
        }
        self.add_version(&heartbeat.facts.version, day);
        for client in &heartbeat.clients {
            if self.clients.len() < MAX_CLIENTS
                && let Err(at) = self.clients.binary_search(client)
            {
                self.clients.insert(at, client.clone());
            }
        }
        self.clock_wrong = self.clock_wrong.saturating_add(u32::from(clock_wrong));
        self.received = self.received.map(|before| before.min(self::day(received)));
        self.recent = remembered(&self.recent, received);
        self.recent.push((heartbeat.claimed, received));
    }

    /// Whether no remembered heartbeat that counts for `day` is later than this one.
    pub fn is_latest(&self, heartbeat: &Heartbeat, day: u32, received: u64) -> bool {
        self.of_day(day).max().is_none_or(|last| order(heartbeat.claimed, received) > last)
    }

    /// Whether a remembered heartbeat that counts for `day` is later than this one, and none is earlier. When
    /// all are forgotten, the first that came stays the first.
    fn is_earliest(&self, heartbeat: &Heartbeat, day: u32, received: u64) -> bool {
        self.of_day(day).min().is_some_and(|first| order(heartbeat.claimed, received) < first)
    }

    /// The remembered heartbeats that count for `day`.
    fn of_day(&self, day: u32) -> impl Iterator<Item = (u64, u64)> {
        let of_day = move |(claimed, when): &&(u64, u64)| day_of(*claimed, *when).0 == day;
        self.recent.iter().filter(of_day).map(|(claimed, when)| order(*claimed, *when))
    }

    fn add_version(&mut self, version: &str, day: u32) {
        match self.versions.iter_mut().find(|(known, _)| known == version) {
            Some((_, first)) => *first = (*first).min(day),
            None => self.versions.push((version.to_owned(), day)),
        }
        self.versions.sort_by(|(one, first), (other, second)| (first, one).cmp(&(second, other)));
        let surplus = self.versions.len().saturating_sub(VERSIONS);
        self.versions.drain(..surplus);
    }
}

fn install_day(heartbeat: &Heartbeat, day: u32) -> Option<u32> {
    // The day that it counts for is that of its timestamp, or a better one where the clock was wrong.
    heartbeat.days_since_install.map(|days| day.saturating_sub(u32::from(days)))
}

/// Moves every bit `by` days on; what falls off the end is beyond [`DAYS`].
fn shift(days: &mut [u64; 6], by: u32) {
    let (words, bits) = ((by / 64) as usize, by % 64);
    let old = *days;
    for (at, word) in days.iter_mut().enumerate() {
        let from = |at: Option<usize>| at.and_then(|at| old.get(at)).copied().unwrap_or(0);
        let low = from(at.checked_sub(words));
        let high = from(at.checked_sub(words + 1));
        *word = if bits == 0 { low } else { low << bits | high >> (64 - bits) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::heartbeat;
    use proptest::prelude::*;

    const DAY: u64 = 86_400;

    fn bits(kept: &Kept) -> Vec<u32> {
        (0..DAYS)
            .filter(|n| kept.days[(n / 64) as usize] >> (n % 64) & 1 == 1)
            .map(|n| kept.day0 + n)
            .collect()
    }

    /// Days that heartbeats count for, in an order of arrival.
    fn arrive(days: &[u32]) -> Kept {
        let mut kept: Option<Kept> = None;
        for &day in days {
            let mut beat = heartbeat(u64::from(day) * DAY);
            beat.facts.version = format!("1.0.{day}");
            beat.steps = [true, day.is_multiple_of(2), false, day.is_multiple_of(3), false];
            beat.clients = vec![format!("client-{}", day % 5)];
            beat.days_since_install = Some(0);
            match &mut kept {
                None => kept = Some(Kept::new(&beat, day, false, u64::from(day) * DAY)),
                Some(kept) => kept.add(&beat, day, false, u64::from(day) * DAY),
            }
        }
        kept.expect("at least one day")
    }

    #[test]
    fn an_earlier_day_that_arrives_late_becomes_day_0_and_takes_the_first_facts() {
        let kept = arrive(&[20_010, 20_008]);
        assert_eq!((kept.day0, kept.last_day), (20_008, 20_010));
        assert_eq!(bits(&kept), [20_008, 20_010]);
        assert_eq!(kept.first.version, "1.0.20008");
        assert_eq!(kept.now.version, "1.0.20010");
        assert_eq!(kept.steps, [Some(20_008), Some(20_008), None, Some(20_010), None]);
        assert_eq!(kept.install_day, Some(20_008));
    }

    #[test]
    fn a_day_beyond_the_bits_is_remembered_as_the_last_one() {
        let kept = arrive(&[20_000, 20_383, 20_384, 21_000]);
        assert_eq!(bits(&kept), [20_000, 20_383]);
        assert_eq!(kept.last_day, 21_000);
        // And day 0 moving back pushes off what no longer fits.
        let kept = arrive(&[20_001, 20_384, 20_000]);
        assert_eq!(bits(&kept), [20_000, 20_001]);
        assert_eq!(kept.last_day, 20_384);
    }

    #[test]
    fn the_versions_that_came_last_are_remembered() {
        let kept = arrive(&(20_000..20_012).collect::<Vec<_>>());
        let days: Vec<u32> = kept.versions.iter().map(|(_, day)| *day).collect();
        assert_eq!(days, (20_004..20_012).collect::<Vec<_>>());
        assert_eq!(kept.versions.last().map(|(version, _)| version.as_str()), Some("1.0.20011"));
    }

    #[test]
    fn a_heartbeat_is_new_once_and_three_are_new_on_a_day() {
        let now = 20_000 * DAY + 3600;
        let mut recent = Vec::new();
        for claimed in [now, now + 1, now + 2] {
            assert_eq!(judge(&recent, claimed, now), Verdict::New(20_000, false));
            recent.push((claimed, now));
        }
        assert_eq!(judge(&recent, now + 3, now), Verdict::TooMany);
        assert_eq!(judge(&recent, now + 1, now), Verdict::Duplicate);
        let tomorrow = now + DAY;
        assert_eq!(judge(&recent, tomorrow, tomorrow), Verdict::New(20_001, false));
        assert_eq!(judge(&recent, now + 1, tomorrow), Verdict::Duplicate);
        let forgotten = now + REMEMBERED;
        assert_eq!(judge(&recent, now + 1, forgotten - 1), Verdict::Duplicate);
        assert_eq!(judge(&recent, now + 1, forgotten), Verdict::New(20_002, true));
        assert_eq!(remembered(&recent, now + REMEMBERED - 1).len(), 3);
        assert!(remembered(&recent, now + REMEMBERED).is_empty());
    }

    #[test]
    fn only_the_first_heartbeat_says_whether_an_install_is_carried_over() {
        let beat = |at: u64, told: bool| {
            let mut beat = heartbeat(at);
            beat.carried_over = told;
            beat
        };
        let noon = 20_000 * DAY + 12 * 3600;
        let mut kept = Kept::new(&beat(noon, false), 20_000, false, noon);
        kept.add(&beat(noon + DAY, true), 20_001, false, noon + DAY);
        assert!(!kept.carried_over, "a later one would take it out of a final cell");
        kept.add(&beat(noon - 60, true), 20_000, false, noon + DAY + 1);
        assert!(kept.carried_over, "an earlier one of the same day is the first");
    }

    proptest! {
        #[test]
        fn heartbeats_of_a_day_count_by_their_own_times_in_whatever_order_they_arrive(
            claimed in proptest::collection::vec(0_u64..40 * 3600, 2..8),
            turn in 0_usize..8,
        ) {
            // All arrive within a minute; those from more than 26 h ago have a wrong clock.
            let arrival = 20_001 * DAY + 16 * 3600;
            let keep = |claimed: &[u64]| {
                let mut kept: Option<Kept> = None;
                for (number, before) in claimed.iter().enumerate() {
                    let mut beat = heartbeat(arrival - before);
                    beat.facts.version = format!("1.0.{before}");
                    beat.carried_over = before % 2 == 0;
                    let received = if *before > 26 * 3600 { arrival - before } else { arrival + number as u64 };
                    let (day, is_wrong) = day_of(beat.claimed, received);
                    match &mut kept {
                        None => kept = Some(Kept::new(&beat, day, is_wrong, received)),
                        Some(kept) => kept.add(&beat, day, is_wrong, received),
                    }
                }
                let mut kept = kept.expect("one at least");
                kept.recent.clear();
                kept.received = None;
                kept
            };
            let mut mixed = claimed.clone();
            mixed.rotate_left(turn % claimed.len());
            let (one, other) = (keep(&claimed), keep(&mixed));
            let earliest = claimed.iter().max().expect("one at least");
            prop_assert_eq!(&one.first.version, &format!("1.0.{earliest}"));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn the_order_of_arrival_changes_nothing(
            days in proptest::collection::hash_set(20_000_u32..20_500, 1..12),
            seed in any::<u64>(),
        ) {
            let mut sorted: Vec<u32> = days.iter().copied().collect();
            sorted.sort_unstable();
            let mut mixed = sorted.clone();
            let mut state = seed;
            for at in (1..mixed.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                mixed.swap(at, (state >> 33) as usize % (at + 1));
            }
            let (mut one, mut other) = (arrive(&sorted), arrive(&mixed));
            // What was received when is not a lifetime fact.
            one.recent.clear();
            other.recent.clear();
            one.received = None;
            other.received = None;
            prop_assert_eq!(one, other);
        }
    }
}
