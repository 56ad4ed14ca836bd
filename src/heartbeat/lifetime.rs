//! How long an id has been in use: the days since the first host ran under it.
//!
//! One rule: pure, and never negative, whatever the clock does.

use crate::activation::{DAY, State};
use crate::contract::timestamp;
use crate::identity::{FIRST_PLAUSIBLE_TIME, Identity};

/// What a heartbeat says of more days than a year has.
pub const MORE: u64 = 366;

/// Notes the day on which a host runs under this id, unless an earlier one did. A first day that is more than one
/// day ahead of the clock is the mistake of another clock: it becomes today.
pub fn begin(state: &mut State, identity: &Identity, now: u64) {
    if now < FIRST_PLAUSIBLE_TIME {
        return;
    }
    let today = now / DAY;
    let first = first_day(state, identity).unwrap_or(today);
    state.days.first = if first > today.saturating_add(1) { today } else { first };
}

/// A host runs while a new id takes the place of the one before it: that is its first day.
pub fn rotate(state: &mut State, identity: &Identity) {
    state.days.first = made_on(identity).unwrap_or(0);
}

/// UTC days from the first on which a host ran under this id to that of `now`, at most [`MORE`].
pub fn days_since_install(state: &State, identity: &Identity, now: u64) -> u64 {
    let today = now / DAY;
    let first = first_day(state, identity).unwrap_or(today);
    today.saturating_sub(first).min(MORE)
}

/// The first day, also of an install whose hosts kept no days so far: they kept the moment of the first start,
/// of the id before this one if there was one.
fn first_day(state: &State, identity: &Identity) -> Option<u64> {
    if state.days.first != 0 {
        return Some(state.days.first);
    }
    let first_start = state.sender.first_start;
    if first_start < FIRST_PLAUSIBLE_TIME {
        return None;
    }
    let rotated_on = identity.rotated_from.as_ref().and_then(|_| made_on(identity));
    Some((first_start / DAY).max(rotated_on.unwrap_or(0)))
}

fn made_on(identity: &Identity) -> Option<u64> {
    timestamp::parse(&identity.created_at).map(|made| made / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TODAY: u64 = 20_700 * DAY;

    fn identity(made: u64, rotated: bool) -> Identity {
        Identity {
            created_at: timestamp::format(made),
            rotated_from: rotated.then(|| "an older id".to_owned()),
            ..Identity::default()
        }
    }

    #[test]
    fn days_are_counted_from_midnight_to_midnight_and_stop_after_a_year() {
        let (mut state, id) = (State::default(), identity(TODAY, false));
        assert_eq!(days_since_install(&state, &id, TODAY), 0, "no host has run");
        begin(&mut state, &id, TODAY + DAY - 1);
        for (later, days) in [(0, 0), (DAY - 1, 0), (DAY, 1), (365 * DAY, 365), (366 * DAY, 366)] {
            assert_eq!(days_since_install(&state, &id, TODAY + later), days, "{later}");
        }
        assert_eq!(days_since_install(&state, &id, u64::MAX), MORE);
        assert_eq!(days_since_install(&state, &id, 0), 0, "a clock that is not set");
        begin(&mut state, &id, TODAY + 9 * DAY);
        assert_eq!(days_since_install(&state, &id, TODAY + 9 * DAY), 9, "a later host");
    }

    #[test]
    fn an_install_of_before_is_as_old_as_its_first_start() {
        let mut state = State::default();
        state.sender.first_start = TODAY - 40 * DAY;
        let id = identity(TODAY - 90 * DAY, false);
        assert_eq!(days_since_install(&state, &id, TODAY), 40, "shown before a host has run");
        begin(&mut state, &id, TODAY);
        assert_eq!(days_since_install(&state, &id, TODAY), 40);

        state.days.first = 0;
        let id = identity(TODAY - 3 * DAY, true);
        assert_eq!(
            days_since_install(&state, &id, TODAY),
            3,
            "the start was that of the id before"
        );
    }

    #[test]
    fn a_first_day_in_the_future_becomes_today() {
        let (mut state, id) = (State::default(), identity(TODAY, false));
        begin(&mut state, &id, TODAY + 500 * DAY);
        assert_eq!(days_since_install(&state, &id, TODAY), 0);
        begin(&mut state, &id, TODAY);
        assert_eq!(days_since_install(&state, &id, TODAY + 500 * DAY), 366);
        assert_eq!(days_since_install(&state, &id, TODAY + 5 * DAY), 5);
        begin(&mut state, &id, 7);
        assert_eq!(days_since_install(&state, &id, TODAY + 5 * DAY), 5, "a clock that is not set");
    }

    proptest! {
        #[test]
        fn no_clock_makes_a_number_out_of_bounds(
            starts in prop::collection::vec(any::<u64>(), 0..9),
            first_start in any::<u64>(),
            rotated in any::<bool>(),
            now in any::<u64>(),
        ) {
            let (mut state, id) = (State::default(), identity(TODAY, rotated));
            state.sender.first_start = first_start;
            for start in starts {
                begin(&mut state, &id, start);
                prop_assert!(days_since_install(&state, &id, start) <= MORE);
            }
            prop_assert!(days_since_install(&state, &id, now) <= MORE);
        }
    }
}
