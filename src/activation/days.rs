//! Days of an install: when it began, and which of the last thirty saw a client.
//!
//! One rule: a day outside the window never counts, and the next write removes it for good: no clock jump
//! brings it back.

/// Seconds.
pub const DAY: u64 = 86_400;

/// The window: today and the 29 days before it. All days are UTC days since 1970.
const WINDOW: u64 = 30;
/// Its days as bits.
const WHOLE: u64 = (1 << WINDOW) - 1;

/// Days of an install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// Those on which a client made a request.
    pub active: ActiveDays,
    /// The day on which the first host ran under this id; 0 when none did, or a program that kept no days.
    pub first: u64,
    /// When an upstream tool first returned a result, seconds since 1970; 0 is never, or not on this
    /// program's watch.
    pub real_tool_call_at: u64,
}

impl Days {
    /// Takes over what `other` knows and this one does not.
    pub fn merge(&mut self, other: &Self) {
        self.active.merge(&other.active);
        for (ours, theirs) in
            [(&mut self.first, other.first), (&mut self.real_tool_call_at, other.real_tool_call_at)]
        {
            if *ours == 0 {
                *ours = theirs;
            }
        }
    }
}

/// The days of the last thirty on which something happened.
///
/// A day that is one ahead of the clock is kept, and does not count before it has come: two processes
/// rarely agree on the moment of midnight. Days further ahead go with the next write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActiveDays {
    /// The newest day; 0 when there is none.
    newest: u64,
    /// Bit n is the day n days before `newest`.
    mask: u64,
}

impl ActiveDays {
    /// Notes the day of `now` (seconds since 1970). Whether it is a new one.
    pub fn add(&mut self, now: u64) -> bool {
        let today = now / DAY;
        let before = *self;
        self.forget(today);
        // 0 or 1, by now.
        let place = 1 << self.newest.saturating_sub(today).min(1);
        self.mask |= place;
        *self != before
    }

    /// How many of the last thirty days, that of `now` included.
    pub fn count(&self, now: u64) -> u64 {
        u64::from((self.seen_at(now / DAY) & WHOLE).count_ones())
    }

    /// The newest day, if there is one.
    pub fn newest(&self) -> Option<u64> {
        (self.mask & 1 != 0).then_some(self.newest)
    }

    /// Whether that day is one of them.
    #[cfg(feature = "activation")]
    pub(super) fn has(&self, day: u64) -> bool {
        day <= self.newest && self.seen_at(day) & 1 != 0
    }

    /// Adds the days of `other`. The clock does not judge them: it did when they were noted.
    pub fn merge(&mut self, other: &Self) {
        let newest = self.newest.max(other.newest);
        self.mask = self.seen_at(newest) | other.seen_at(newest);
        self.newest = if self.mask == 0 { 0 } else { newest };
    }

    /// The newest day and the bits of the days before it.
    #[cfg(any(test, feature = "activation"))]
    pub(super) fn parts(&self) -> (u64, u64) {
        (self.newest, self.mask)
    }

    /// The inverse of [`Self::parts`].
    #[cfg(any(test, feature = "activation"))]
    pub(super) fn of_parts(newest: u64, mask: u64) -> Self {
        Self { newest, mask }
    }

    /// The bits with `day` as the newest one: days after it are gone.
    fn seen_at(&self, day: u64) -> u64 {
        let shift = |by: u64| u32::try_from(by).unwrap_or(u32::MAX);
        match day.checked_sub(self.newest) {
            Some(later) => self.mask.checked_shl(shift(later)).unwrap_or(0),
            None => self.mask.checked_shr(shift(self.newest - day)).unwrap_or(0),
        }
    }

    /// Removes the days that do not count at `today`, but keeps tomorrow.
    fn forget(&mut self, today: u64) {
        let tomorrow = today.saturating_add(1);
        let has_tomorrow = self.newest > today && self.seen_at(tomorrow) & 1 != 0;
        (self.mask, self.newest) = if has_tomorrow {
            (self.seen_at(tomorrow) & (WHOLE << 1 | 1), tomorrow)
        } else {
            (self.seen_at(today) & WHOLE, today)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The definition, day by day.
    #[derive(Default)]
    struct DayList(BTreeSet<u64>);

    impl DayList {
        fn add(&mut self, now: u64) {
            let today = now / DAY;
            // What is out of the window at a write is gone, but for tomorrow.
            self.0.retain(|day| *day <= today + 1 && day + WINDOW > today);
            self.0.insert(today);
        }

        fn count(&self, now: u64) -> u64 {
            let today = now / DAY;
            let counts = |day: &&u64| **day <= today && **day + WINDOW > today;
            self.0.iter().filter(counts).count() as u64
        }
    }

    fn clock() -> impl Strategy<Value = u64> {
        let near = (0_u64..5 * DAY).prop_map(|offset| 1_790_000_000 + offset);
        let far = (0_u64..100 * DAY).prop_map(|offset| 1_790_000_000 + offset);
        prop_oneof![5 => near, 5 => far, 1 => 0_u64..40 * DAY, 1 => (u64::MAX - 40 * DAY)..=u64::MAX]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn active_days_count_like_a_list_of_days(
            steps in prop::collection::vec((clock(), clock()), 1..80),
        ) {
            let mut days = ActiveDays::default();
            let mut list = DayList::default();
            for (now, seen_at) in steps {
                days.add(now);
                list.add(now);
                prop_assert_eq!(days.count(now), list.count(now));
                prop_assert_eq!(days.count(seen_at), list.count(seen_at));
                prop_assert!((1..=WINDOW).contains(&days.count(now)));
                let (newest, mask) = days.parts();
                prop_assert_eq!(ActiveDays::of_parts(newest, mask), days);
            }
        }

        #[test]
        fn nothing_a_clock_or_a_file_does_can_overflow(
            (newest, mask) in any::<(u64, u64)>(),
            steps in prop::collection::vec(any::<u64>(), 1..40),
        ) {
            let mut days = ActiveDays::of_parts(newest, mask);
            for now in steps {
                prop_assert!(days.count(now) <= WINDOW);
                days.add(now);
                prop_assert!((1..=WINDOW).contains(&days.count(now)));
            }
        }

        #[test]
        fn merged_days_are_as_if_all_had_come_here(
            ours in prop::collection::btree_set(0_u64..30, 0..20),
            theirs in prop::collection::btree_set(0_u64..30, 0..20),
        ) {
            let base = 20_000;
            let noted = |days: &BTreeSet<u64>| {
                let mut noted = ActiveDays::default();
                days.iter().for_each(|day| _ = noted.add((base + day) * DAY));
                noted
            };
            let mut one = noted(&ours);
            one.merge(&noted(&theirs));
            let all: BTreeSet<u64> = ours.union(&theirs).copied().collect();
            prop_assert_eq!(one, noted(&all));
        }
    }

    const TODAY: u64 = 20_700 * DAY;

    #[test]
    fn a_day_counts_once_and_through_the_29_after_it() {
        let mut days = ActiveDays::default();
        assert!(days.add(TODAY));
        assert!(!days.add(TODAY + DAY - 1));
        assert_eq!(days.count(TODAY + 29 * DAY), 1);
        assert_eq!(days.count(TODAY + 30 * DAY), 0);
        assert_eq!(days.count(TODAY - 1), 0, "a day that has not come");
    }

    #[test]
    fn days_of_a_wrong_future_do_not_come_back_when_it_arrives() {
        let mut days = ActiveDays::default();
        days.add(TODAY);
        days.add(TODAY + 1000 * DAY);
        days.add(TODAY);
        assert_eq!(days.count(TODAY), 1);
        assert_eq!(days.count(TODAY + 1000 * DAY), 0);
    }

    #[test]
    fn a_process_whose_clock_is_a_moment_behind_takes_no_day_away() {
        let mut days = ActiveDays::default();
        days.add(TODAY);
        days.add(TODAY - 1);
        assert_eq!((days.count(TODAY - 1), days.count(TODAY)), (1, 2));
    }
}
