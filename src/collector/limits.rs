//! Limits: how much one origin may ask for, in tables of a fixed size.
//!
//! One rule: pure and bounded. Time is passed in, a table never grows, and where it has no place left it forgets
//! the origin that used least of its share: forgetting lets somebody ask more, and never keeps a newcomer out.

use super::origin::Origin;
use std::time::Duration;

/// Places that one origin may have: a table looks at no more.
const WAYS: usize = 8;
/// Places of a table of heartbeats or floods: 16,384 networks at once, in 256 KiB.
pub(super) const PLACES: usize = 16_384;
/// Places of a table of what is asked for rarely.
const FEW_PLACES: usize = 1_024;

/// What is known of origins, as many as have places. The default value is that of an origin nothing is known of.
pub(super) struct Table<V> {
    places: Box<[(u64, V)]>,
}

impl<V: Copy + Default> Table<V> {
    /// An empty table. It never has more than `places`, a multiple of [`WAYS`].
    pub(super) fn new(places: usize) -> Self {
        Self { places: vec![(0, V::default()); places.next_multiple_of(WAYS)].into() }
    }

    /// The value of `origin`. Without one it takes the place whose value has the least `weight`.
    pub(super) fn of(&mut self, origin: Origin, weight: impl Fn(&V) -> u64) -> Option<&mut V> {
        let sets = self.places.len() / WAYS;
        let key = origin.key();
        let set = usize::try_from(key % u64::try_from(sets).ok()?).ok()? * WAYS;
        let places = self.places.get_mut(set..set + WAYS)?;
        let known = places.iter().position(|(whose, _)| *whose == key);
        let at = known.or_else(|| {
            let least = (0..WAYS).min_by_key(|at| places.get(*at).map(|(_, value)| weight(value)));
            let place = places.get_mut(least?)?;
            *place = (key, V::default());
            least
        });
        places.get_mut(at?).map(|(_, value)| value)
    }
}

/// How often each origin may ask.
pub struct Limit {
    /// When the share of an origin is whole again, in microseconds of the caller's clock.
    whole_at: Table<u64>,
    /// Microseconds that one request costs.
    cost: u64,
    /// Requests that may come at once.
    burst: u64,
}

impl Limit {
    /// `many` requests `within` a time, of which `burst` may come at once.
    fn new(places: usize, many: u32, within: Duration, burst: u64) -> Self {
        Self { whole_at: Table::new(places), cost: micros(within / many), burst }
    }

    /// Heartbeats: 20 a second, 200 at once.
    pub fn heartbeats() -> Self {
        Self::new(PLACES, 20, Duration::from_secs(1), 200)
    }

    /// Erasures: ten a minute.
    pub fn erasures() -> Self {
        Self::new(FEW_PLACES, 10, Duration::from_secs(60), 10)
    }

    /// Takes one request of `origin`. The error is the number of seconds until the next one is taken. `now` is the
    /// time since any moment that stays the same.
    pub fn take(&mut self, origin: Origin, now: Duration) -> Result<(), u64> {
        let (now, cost) = (micros(now), self.cost);
        let share = cost.saturating_mul(self.burst);
        let Some(whole_at) = self.whole_at.of(origin, |whole_at| *whole_at) else { return Ok(()) };
        let then = (*whole_at).max(now).saturating_add(cost);
        let wait = then.saturating_sub(now).saturating_sub(share);
        if wait > 0 {
            return Err(wait.div_ceil(1_000_000));
        }
        *whole_at = then;
        Ok(())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many of `asked` requests at one moment are taken.
    fn taken(limit: &mut Limit, origin: u64, asked: u64, now: Duration) -> u64 {
        let origin = Origin::for_tests(origin);
        (0..asked).map(|_| u64::from(limit.take(origin, now).is_ok())).sum()
    }

    #[test]
    fn a_burst_is_taken_and_then_twenty_a_second() {
        let mut limit = Limit::heartbeats();
        assert_eq!(taken(&mut limit, 1, 1000, SECOND), 200);
        assert_eq!(limit.take(Origin::for_tests(1), SECOND), Err(1));
        assert_eq!(taken(&mut limit, 2, 1000, SECOND), 200, "another network has its own share");
        assert_eq!(taken(&mut limit, 1, 1000, 2 * SECOND), 20);
        assert_eq!(taken(&mut limit, 1, 1000, 100 * SECOND), 200);
    }

    #[test]
    fn erasures_are_ten_a_minute() {
        let mut limit = Limit::erasures();
        assert_eq!(taken(&mut limit, 1, 50, SECOND), 10);
        assert_eq!(limit.take(Origin::for_tests(1), SECOND), Err(6));
        assert_eq!(taken(&mut limit, 1, 50, 61 * SECOND), 10);
    }

    #[test]
    fn a_full_table_never_keeps_a_newcomer_out() {
        let mut limit = Limit::new(WAYS, 20, SECOND, 200);
        for origin in 0..10_000 {
            assert_eq!(taken(&mut limit, origin, 300, SECOND), 200, "{origin}");
        }
        assert_eq!(limit.whole_at.places.len(), WAYS);
    }

    proptest! {
        /// Against a table that knows everybody: never stricter, and the same while all have a place.
        #[test]
        fn a_table_without_a_place_left_is_lenient_and_never_strict(
            asked in proptest::collection::vec((0_u64..24, 0_u64..3_000), 1..400),
            few in any::<bool>(),
        ) {
            let mut limit = Limit::new(WAYS, 2, SECOND, 4);
            let mut all: HashMap<u64, u64> = HashMap::new();
            let mut now = 0;
            for (origin, later) in asked {
                let origin = if few { origin % WAYS as u64 } else { origin };
                now += later * 100;
                let whole_at = all.entry(origin).or_default();
                let then = (*whole_at).max(now) + 500_000;
                let allowed = then - now <= 4 * 500_000;
                let given = limit.take(Origin::for_tests(origin), Duration::from_micros(now)).is_ok();
                prop_assert!(given || !allowed, "{origin} is refused at {now}");
                if few {
                    prop_assert_eq!(given, allowed);
                }
                if allowed {
                    *whole_at = then;
                }
            }
            prop_assert_eq!(limit.whole_at.places.len(), WAYS);
        }
    }
}
