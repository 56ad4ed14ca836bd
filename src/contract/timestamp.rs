//! RFC 3339 UTC times of whole seconds, the only times of the wire format.
//!
//! One rule: one spelling per second, so equal times are equal strings.

/// Seconds of a day.
pub const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z
const LAST: u64 = 253_402_300_799;

/// `2026-11-22T14:46:00Z` for seconds since 1970. Years past 9999 are cut to its last second.
pub fn format(unix_seconds: u64) -> String {
    let seconds = unix_seconds.min(LAST);
    let (year, month, day) = date(seconds / DAY);
    let rest = seconds % DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 of a text in exactly the form of [`format()`], a real date; else `None`.
/// Leap seconds (`:60`) have no such form.
pub fn parse(text: &str) -> Option<u64> {
    let text: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'Z')];
    if separators.iter().any(|&(at, byte)| text[at] != byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0, |number: u64, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let real = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    real.then(|| days(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

/// The midnight, UTC, at which the day of `text` began; `text` has the form of [`format()`].
pub fn day_of(text: &str) -> Option<String> {
    parse(text).map(|second| format(second - second % DAY))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date from 1970 on. The year is counted from March, so that the leap day
/// is its last one (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_BEFORE_1970
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;

/// The date of a day since 1970-01-01: the inverse of [`days`].
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Counts year by year and month by month, as one would on paper.
    fn naive(unix_seconds: u64) -> String {
        let (mut days, rest) = (unix_seconds / DAY, unix_seconds % DAY);
        let (mut year, mut month) = (1970, 1);
        while days >= if is_leap(year) { 366 } else { 365 } {
            days -= if is_leap(year) { 366 } else { 365 };
            year += 1;
        }
        while days >= days_in_month(year, month) {
            days -= days_in_month(year, month);
            month += 1;
        }
        let (day, hour, minute, second) = (days + 1, rest / 3600, rest % 3600 / 60, rest % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    #[test]
    fn known_seconds_have_known_names() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn a_clock_past_the_year_9999_is_cut_to_its_last_second() {
        assert_eq!(format(LAST + 1), format(LAST));
        assert_eq!(format(u64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn every_second_of_a_day_has_its_midnight() {
        for text in ["2026-11-22T00:00:00Z", "2026-11-22T14:46:00Z", "2026-11-22T23:59:59Z"] {
            assert_eq!(day_of(text).as_deref(), Some("2026-11-22T00:00:00Z"));
        }
        assert_eq!(day_of("2026-11-22"), None);
    }

    #[test]
    fn every_day_of_eight_centuries_has_its_date() {
        for day in 0..300_000 {
            assert_eq!(format(day * DAY), naive(day * DAY));
        }
    }

    #[test]
    fn what_is_no_time_of_this_form_is_refused() {
        for text in [
            "",
            "2026-11-22T14:46:00",
            "2026-11-22T14:46:00z",
            "2026-11-22t14:46:00Z",
            "2026-11-22 14:46:00Z",
            "2026-11-22T14:46:00.5Z",
            "2026-11-22T14:46:00+00:00",
            "2026-11-22T14:46:00Z ",
            "+026-11-22T14:46:00Z",
            "2026-1a-22T14:46:00Z",
            "2026-00-22T14:46:00Z",
            "2026-13-22T14:46:00Z",
            "2026-11-00T14:46:00Z",
            "2026-11-31T14:46:00Z",
            "2026-02-29T14:46:00Z",
            "2100-02-29T14:46:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T14:60:00Z",
            "2016-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "0000-00-00T00:00:00Z",
            "2026-11-22T14:46:0\u{e9}",
            "20\u{e9}6-11-22T14:46:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_counting_on_paper(seconds in 0..=LAST) {
            let text = format(seconds);
            prop_assert_eq!(&text, &naive(seconds));
            prop_assert_eq!(parse(&text), Some(seconds));
        }

        #[test]
        fn what_is_accepted_is_the_one_spelling(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z") {
            if let Some(seconds) = parse(&text) {
                prop_assert_eq!(format(seconds), text);
            }
        }
    }
}
