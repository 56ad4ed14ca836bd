//! What a row is marked as, against the same on paper.

use super::*;
use crate::collector::definitions::Day;
use crate::collector::testing::heartbeat;
use proptest::prelude::*;

proptest! {
    #[test]
    fn carried_over_and_late_starts_are_what_one_reads_on_paper(
        says in any::<bool>(),
        since in prop::option::of(0_u16..=366),
        day0 in 20_700_u32..20_760,
        first_day in 20_700_u32..20_760,
    ) {
        let at = u64::from(day0) * 86_400;
        let mut beat = heartbeat(at);
        (beat.carried_over, beat.days_since_install) = (says, since);
        let row = marked(Kept::new(&beat, day0, false, at), first_day.min(day0));
        // The day of the install, by the claimed day and the days since.
        let installed = since.map(|days| day0 - u32::from(days));
        let carried_over = says || installed.is_some_and(|day| day < first_day.min(day0));
        prop_assert_eq!(row.carried_over, carried_over);
        let late = !carried_over && installed.is_some_and(|day| day + 2 <= day0);
        prop_assert_eq!(row.late_start, late);
    }
}

/// The worked example of `docs/collector/definitions.md`.
#[test]
fn an_install_of_three_days_before_is_late_or_carried_over_by_the_first_day_of_its_product() {
    let of = |text: &str| Day::parse(text).expect("a day").0;
    let day0 = of("2026-11-26");
    let mut beat = heartbeat(u64::from(day0) * 86_400);
    beat.days_since_install = Some(3);
    let kept = Kept::new(&beat, day0, false, beat.claimed);
    let marks = |first_day: &str| {
        let row = marked(kept.clone(), of(first_day));
        (row.carried_over, row.late_start)
    };
    assert_eq!(marks("2026-11-23"), (false, true));
    assert_eq!(marks("2026-11-24"), (true, false));
}
