//! `Retry-After`: seconds, or one of the three HTTP dates of RFC 9110, section 5.6.7.

const MONTHS: &[&str; 12] =
    &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds from `now`; a date in the past is 0, what is neither form is `None`.
pub fn parse(value: &str, now: u64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    date(value, now).map(|at| at.saturating_sub(now))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
fn date(value: &str, now: u64) -> Option<u64> {
    let words: Vec<&str> = value.split([' ', '-', ',']).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [_, day, month, year, time, "GMT"] if year.len() == 4 => {
            seconds(day, month, number(year)?, time)
        }
        [_, day, month, year, time, "GMT"] if year.len() == 2 => {
            // A two-digit year more than 50 years ahead is the past century's.
            let this_year = 1970 + now / 31_556_952;
            let year = this_year - this_year % 100 + number(year)?;
            seconds(day, month, if year > this_year + 50 { year - 100 } else { year }, time)
        }
        [_, month, day, time, year] if year.len() == 4 => seconds(day, month, number(year)?, time),
        _ => None,
    }
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn seconds(day: &str, month: &str, year: u64, time: &str) -> Option<u64> {
    let month = MONTHS.iter().position(|name| *name == month)?;
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    let [hour, minute, second] = time.split(':').collect::<Vec<_>>().try_into().ok()?;
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    if !(1970..=9999).contains(&year) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let text = format!("{year:04}-{:02}-{day:02}T00:00:00Z", month + 1);
    let midnight = crate::contract::timestamp::parse(&text)?;
    Some(midnight + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 784_111_777; // 1994-11-06T08:49:37Z

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(parse("120", NOW), Some(120));
        assert_eq!(parse(" 0 ", NOW), Some(0));
        assert_eq!(parse("99999999999999999999999", NOW), Some(u64::MAX));
    }

    #[test]
    fn all_three_date_forms_are_read() {
        for (text, wait) in [
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
            ("Sun Nov  6 08:50:37 1994", 60),
            ("Sun, 06 Nov 1994 08:49:36 GMT", 0),
        ] {
            assert_eq!(parse(text, NOW), Some(wait), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_a_time() {
        for text in ["", "soon", "-5", "1.5", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994"] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
        assert_eq!(parse("Sun, 06 Nov 1994 25:49:37 GMT", NOW), None);
        assert_eq!(parse("Sun, 06 Nov \u{661}994 08:49:37 GMT", NOW), None);
    }
}
