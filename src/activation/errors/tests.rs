//! What is kept of errors.

use super::*;
use proptest::prelude::*;

const T: u64 = 1_790_000_000;
const HOUR: u64 = 3600;

fn changes(errors: &Errors, now: u64) -> Vec<(Code, u64)> {
    errors.changes(now).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_change_counts_for_a_day_and_its_code_is_met_for_ever() {
    let mut errors = Errors::default();
    let dns = ErrorMark::Met(Code::HttpDns);
    assert_eq!(errors.apply(dns, T), Applied { changed: true, rare: true });
    assert_eq!(errors.apply(dns, T + HOUR), Applied { changed: true, rare: false });
    errors.apply(ErrorMark::Met(Code::StdioNotFound), T + HOUR);
    let both = [(Code::StdioNotFound, 1), (Code::HttpDns, 2)];
    assert_eq!(changes(&errors, T + HOUR), both, "in the order of the catalog");
    assert_eq!(changes(&errors, T + 24 * HOUR), [(Code::StdioNotFound, 1), (Code::HttpDns, 1)]);
    assert_eq!(changes(&errors, T + 48 * HOUR), []);
    assert_eq!((errors.ever(), errors.last()), (2, Some(Code::StdioNotFound)));
}

#[test]
fn fixes_are_counted_apart_from_codes() {
    let mut errors = Errors::default();
    for mark in [ErrorMark::FixAttempted, ErrorMark::FixAttempted, ErrorMark::FixSucceeded] {
        assert_eq!(errors.apply(mark, T), Applied { changed: true, rare: false });
    }
    assert_eq!(errors.fixes(T), [2, 1]);
    assert_eq!(errors.fixes(T + 25 * HOUR), [0, 0]);
    assert_eq!((errors.ever(), errors.last()), (0, None));
}

#[test]
fn the_servers_in_one_state_are_summed() {
    let given =
        vec![(Code::HttpTls, 2), (Code::HttpDns, 1), (Code::HttpTls, 1), (Code::Unknown, 0)];
    let standing = Standing::from(given);
    let servers: Vec<_> = standing.servers().collect();
    assert_eq!(servers, [(Code::HttpDns, 1), (Code::HttpTls, 3)]);
}

fn marks() -> impl Strategy<Value = Vec<(ErrorMark, u64)>> {
    let mark = prop_oneof![
        6 => (0..Code::ALL.len()).prop_map(|place| ErrorMark::Met(Code::ALL[place])),
        1 => Just(ErrorMark::FixAttempted),
        1 => Just(ErrorMark::FixSucceeded),
    ];
    prop::collection::vec((mark, 0..40_u64), 0..60).prop_map(|mut all| {
        all.sort_by_key(|(_, hour)| *hour);
        all.into_iter().map(|(mark, hour)| (mark, T + hour * HOUR)).collect()
    })
}

proptest! {
    #[test]
    fn errors_that_were_merged_are_as_if_they_had_come_here(all in marks(), at in 0..60_usize) {
        let (before, after) = all.split_at(at.min(all.len()));
        let [mut whole, mut first, mut second] = [(); 3].map(|()| Errors::default());
        all.iter().for_each(|(mark, now)| _ = whole.apply(*mark, *now));
        before.iter().for_each(|(mark, now)| _ = first.apply(*mark, *now));
        after.iter().for_each(|(mark, now)| _ = second.apply(*mark, *now));
        let now = all.last().map_or(T, |(_, now)| *now);
        let new = second.met.keys().any(|place| !first.met.contains_key(place));
        prop_assert_eq!(first.merge(&second, now), new);
        prop_assert_eq!(changes(&first, now), changes(&whole, now));
        prop_assert_eq!(first.fixes(now), whole.fixes(now));
        prop_assert_eq!((first.ever(), first.last()), (whole.ever(), whole.last()));
    }

    /// However long it lasts: one window for each code, and no hour that is over.
    #[test]
    fn what_is_kept_has_a_bound(all in marks()) {
        let mut errors = Errors::default();
        for (mark, now) in &all {
            errors.apply(*mark, *now);
        }
        prop_assert!(errors.met.len() <= Code::ALL.len());
        if let Some((ErrorMark::Met(_), now)) = all.last() {
            let mut hours = errors.met.values().flat_map(HourlyWindow::buckets);
            prop_assert!(hours.all(|(hour, _)| HourlyWindow::keeps(hour, *now)));
        }
    }
}
