//! A sliding 24-hour count in hourly buckets.
//!
//! One rule: a bucket outside the window never counts, and the next write removes it for good: no clock
//! jump brings it back.

const HOUR: u64 = 3600;
/// The window: this hour and the 23 before it.
const HOURS: u64 = 24;
/// Buckets stamped up to one hour ahead count too: one slot more, so that they displace nothing.
pub(super) const SLOTS: usize = HOURS as usize + 1;

/// value(t) = events with `floor(e/3600) > floor(t/3600) - 24`.
///
/// Buckets stamped up to one hour ahead of `t` count as current (two processes rarely agree on the second,
/// and clocks are set back); those further ahead are ignored, and reused by the next write. Counts
/// saturate, both each bucket and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourlyWindow {
    /// By hour; behind `filled` there are none. Few hours have events, and every event walks through them.
    buckets: [Bucket; SLOTS],
    filled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    hour: u64,
    count: u64,
}

const NO_BUCKET: Bucket = Bucket { hour: 0, count: 0 };
/// A constant is copied as a whole, and not made bucket by bucket: one is made for every event.
const NO_BUCKETS: [Bucket; SLOTS] = [NO_BUCKET; SLOTS];

impl Default for HourlyWindow {
    fn default() -> Self {
        Self { buckets: NO_BUCKETS, filled: 0 }
    }
}

impl HourlyWindow {
    /// Adds `count` events at `now` (seconds since 1970); saturating. Adding none changes nothing.
    pub fn add(&mut self, now: u64, count: u64) {
        self.add_bucket(now / HOUR, now / HOUR, count);
    }

    /// Events of the last 24 h as seen at `now`.
    pub fn value(&self, now: u64) -> u64 {
        let current = now / HOUR;
        self.filled()
            .iter()
            .filter(|bucket| counts(bucket.hour, current))
            .fold(0, |sum, bucket| sum.saturating_add(bucket.count))
    }

    /// Adds the events of `other` that still count at `now`.
    pub fn merge(&mut self, other: &HourlyWindow, now: u64) {
        let current = now / HOUR;
        for bucket in other.filled().iter().filter(|bucket| counts(bucket.hour, current)) {
            self.add_bucket(current, bucket.hour, bucket.count);
        }
    }

    /// Removes what does not count at `now`, as a write would.
    #[cfg(feature = "serve")]
    pub(super) fn forget_before(&mut self, now: u64) {
        self.forget(now / HOUR);
    }

    /// Hour (since 1970) and count of each bucket.
    #[cfg(feature = "activation")]
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.filled().iter().map(|bucket| (bucket.hour, bucket.count))
    }

    /// Whether a bucket of `hour` counts at `now`, and stays at a write.
    #[cfg(feature = "activation")]
    pub(super) fn keeps(hour: u64, now: u64) -> bool {
        counts(hour, now / HOUR)
    }

    /// Whether `hour` is that of `now`.
    #[cfg(feature = "activation")]
    pub(super) fn is_of(hour: u64, now: u64) -> bool {
        hour == now / HOUR
    }

    /// Puts a bucket back as [`Self::buckets`] gave it; false when its hour has one, there is no room, or
    /// it is empty.
    #[cfg(feature = "activation")]
    pub(super) fn restore(&mut self, hour: u64, count: u64) -> bool {
        match self.bucket(hour) {
            Some(bucket) if bucket.count == 0 && count > 0 => {
                bucket.count = count;
                true
            }
            _ => false,
        }
    }

    fn filled(&self) -> &[Bucket] {
        self.buckets.get(..self.filled).unwrap_or_default()
    }

    /// The bucket of `hour`, made in its place if it is missing and there is room.
    fn bucket(&mut self, hour: u64) -> Option<&mut Bucket> {
        let later = self.filled().iter().rev().take_while(|bucket| bucket.hour > hour).count();
        let end = self.filled - later;
        if let Some(last) = end.checked_sub(1)
            && self.buckets.get(last).is_some_and(|bucket| bucket.hour == hour)
        {
            return self.buckets.get_mut(last);
        }
        self.buckets.get_mut(end..=self.filled)?.rotate_right(1);
        self.filled += 1;
        let bucket = self.buckets.get_mut(end)?;
        bucket.hour = hour;
        Some(bucket)
    }

    /// `hour` counts at `current`.
    fn add_bucket(&mut self, current: u64, hour: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.forget(current);
        // All hours that count have room: there is a bucket.
        if let Some(bucket) = self.bucket(hour) {
            bucket.count = bucket.count.saturating_add(count);
        }
    }

    /// Removes the buckets that do not count at `current`.
    fn forget(&mut self, current: u64) {
        if self.filled().iter().all(|bucket| counts(bucket.hour, current)) {
            return;
        }
        let old = std::mem::take(self);
        for (place, bucket) in self
            .buckets
            .iter_mut()
            .zip(old.filled().iter().filter(|bucket| counts(bucket.hour, current)))
        {
            *place = *bucket;
            self.filled += 1;
        }
    }
}

/// Whether events of `hour` count in the hour `current`: it, the 23 before, the one ahead.
#[inline(always)]
fn counts(hour: u64, current: u64) -> bool {
    let (oldest, newest) = (current.saturating_sub(HOURS - 1), current.saturating_add(1));
    // One comparison: an earlier hour wraps round to a late one.
    hour.wrapping_sub(oldest) <= newest - oldest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, event by event.
    #[derive(Default)]
    struct EventList(Vec<(u64, u64)>);

    impl EventList {
        fn add(&mut self, now: u64, count: u64) {
            let current = (now / HOUR) as u128;
            // What is out of the window at a write is gone.
            self.0.retain(|(at, _)| Self::within((at / HOUR) as u128, current));
            self.0.push((now, count));
        }

        fn within(hour: u128, current: u128) -> bool {
            hour as i128 > current as i128 - 24 && hour <= current + 1
        }

        fn value(&self, now: u64) -> u64 {
            let current = (now / HOUR) as u128;
            self.0
                .iter()
                .filter(|(at, _)| Self::within((at / HOUR) as u128, current))
                .fold(0, |sum, (_, count)| sum.saturating_add(*count))
        }
    }

    fn clock() -> impl Strategy<Value = u64> {
        // A day and a half around one moment, jumps of days, both ends of time.
        let near = (0_u64..130_000).prop_map(|offset| 1_790_000_000 + offset);
        let far = (0_u64..2_000_000).prop_map(|offset| 1_790_000_000 + offset);
        prop_oneof![6 => near, 3 => far, 1 => 0_u64..200_000, 1 => (u64::MAX - 200_000)..=u64::MAX]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_window_counts_like_a_list_of_events(
            steps in prop::collection::vec((clock(), 1_u64..5, clock()), 1..60),
        ) {
            let mut window = HourlyWindow::default();
            let mut list = EventList::default();
            for (now, count, seen_at) in steps {
                window.add(now, count);
                list.add(now, count);
                prop_assert_eq!(window.value(now), list.value(now));
                prop_assert_eq!(window.value(seen_at), list.value(seen_at));
            }
        }

        #[test]
        fn nothing_a_clock_does_can_overflow(
            steps in prop::collection::vec((any::<u64>(), any::<u64>()), 1..60),
        ) {
            let mut window = HourlyWindow::default();
            for (now, count) in steps {
                window.add(now, count);
                prop_assert!(window.value(now) >= count);
            }
        }

        #[test]
        fn a_merged_window_is_as_if_its_events_had_come_here(
            ours in prop::collection::vec(0_u64..90_000, 0..20),
            theirs in prop::collection::vec(0_u64..90_000, 0..20),
        ) {
            let base = 1_790_000_000;
            let mut times: Vec<u64> = ours.iter().chain(&theirs).map(|at| base + at).collect();
            times.sort_unstable();
            let last = times.last().copied().unwrap_or(base);
            let (mut one, mut two) = (HourlyWindow::default(), HourlyWindow::default());
            let mut sorted = ours.clone();
            sorted.sort_unstable();
            sorted.iter().for_each(|at| one.add(base + at, 1));
            let mut sorted = theirs.clone();
            sorted.sort_unstable();
            sorted.iter().for_each(|at| two.add(base + at, 1));
            one.merge(&two, last);
            let mut list = EventList::default();
            times.iter().for_each(|at| list.add(*at, 1));
            prop_assert_eq!(one.value(last), list.value(last));
        }
    }

    const T: u64 = 1_790_000_000 / HOUR * HOUR;

    #[test]
    fn an_event_counts_through_the_23_hours_after_its_own() {
        let mut window = HourlyWindow::default();
        window.add(T + 3599, 1);
        assert_eq!(window.value(T), 1);
        assert_eq!(window.value(T + 24 * HOUR - 1), 1);
        assert_eq!(window.value(T + 24 * HOUR), 0);
    }

    #[test]
    fn one_hour_ahead_counts_and_two_do_not() {
        let mut window = HourlyWindow::default();
        window.add(T + HOUR, 1);
        assert_eq!(window.value(T), 1);
        assert_eq!(window.value(T - 1), 0);
    }

    #[test]
    fn the_hour_ahead_does_not_displace_the_oldest_one() {
        let mut window = HourlyWindow::default();
        window.add(T - 23 * HOUR, 5);
        window.add(T + HOUR, 7);
        // At the write the oldest hour had left the window of that moment.
        assert_eq!(window.value(T), 7);
        let mut window = HourlyWindow::default();
        window.add(T + HOUR, 7);
        window.add(T, 1);
        let mut oldest = HourlyWindow::default();
        oldest.add(T - 23 * HOUR, 5);
        window.merge(&oldest, T);
        assert_eq!(window.value(T), 13);
    }

    #[test]
    fn events_from_a_wrong_future_do_not_come_back_when_it_arrives() {
        let mut window = HourlyWindow::default();
        window.add(T + 1000 * HOUR, 9);
        window.add(T, 1);
        assert_eq!(window.value(T), 1);
        assert_eq!(window.value(T + 1000 * HOUR), 0);
    }

    #[test]
    fn the_first_day_of_the_epoch_and_the_end_of_time_are_ordinary() {
        let mut window = HourlyWindow::default();
        window.add(0, 1);
        assert_eq!(window.value(0), 1);
        assert_eq!(window.value(23 * HOUR), 1);
        window.add(u64::MAX, u64::MAX);
        window.add(u64::MAX, u64::MAX);
        assert_eq!(window.value(u64::MAX), u64::MAX);
        assert_eq!(window.value(0), 0);
    }
}
