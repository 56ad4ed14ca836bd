//! Numbers as people read them: `42 %`, `19 to 68 %`, `12,345`, `5 of 12`.
//!
//! One rule: a share that is not 0 never reads as 0 %, and one that is not whole never as 100 %.

use crate::collector::definitions::{Delay, Measure, Share, State, Step};

/// The share in whole percent: `42 %`; without installs a dash.
pub fn percent(share: Share) -> String {
    share.value().map_or_else(|| "–".to_owned(), part)
}

/// The interval in whole percent: `19 to 68 %`; without installs a dash.
pub fn interval(share: Share) -> String {
    share.interval().map_or_else(|| "–".to_owned(), edges)
}

/// Two edges in whole percent.
pub fn edges((low, high): (f64, f64)) -> String {
    let (low, high) = ((low * 100.0).round(), (high * 100.0).round());
    if (low - high).abs() < 0.5 {
        format!("{low:.0} %")
    } else {
        format!("{low:.0} to {high:.0} %")
    }
}

/// A part of all in whole percent.
pub fn part(value: f64) -> String {
    match value {
        value if value > 0.0 && value < 0.005 => "<1 %".to_owned(),
        value if (0.995..1.0).contains(&value) => ">99 %".to_owned(),
        value => format!("{:.0} %", value * 100.0),
    }
}

/// `5 of 12`
pub fn count_of(share: Share) -> String {
    format!("{} of {}", grouped(share.count), grouped(share.of))
}

/// `12,345`
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 install`, `12 installs`
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// What a reader is told when old rows do not expire.
pub const EXPIRY_STOPPED: &str = "Old rows are kept: two computations of what stays of them differ, or a row does not \
                                  read. Run `mcpproxy collector verify`.";

/// Why a mean over weeks has no share.
pub const NONE_FINAL: &str = "nothing final yet";

/// The words for a step.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::FirstHeartbeat => "First heartbeat",
        Step::ServerConfigured => "Server configured",
        Step::ServerConnected => "Server connected",
        Step::ClientSeen => "Client seen",
        Step::ToolsSearched => "Tools searched",
        Step::FirstRealToolCall => "First real tool call",
        Step::SecondDay => "Active on a second day",
        Step::SecondWeek => "Active in a second week",
    }
}

/// The words for a measure.
pub fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Day1 => "Day 1",
        Measure::Week1 => "Week 1",
        Measure::Week4 => "Week 4",
        Measure::From1 => "Days 1 to 28",
        Measure::From28 => "Days 28 to 55",
        Measure::From84 => "Days 84 to 111",
        Measure::From168 => "Days 168 to 195",
        Measure::From336 => "Days 336 to 363",
    }
}

/// The words for a delay.
pub fn delay(delay: Delay) -> &'static str {
    match delay {
        Delay::Day0 => "Day 0",
        Delay::Day1 => "Day 1",
        Delay::Days2To6 => "Days 2 to 6",
        Delay::Days7To27 => "Days 7 to 27",
        Delay::Days28 => "Day 28 or later",
        Delay::Never => "Not yet",
    }
}

/// What a state means for its reader.
pub fn state(state: State) -> &'static str {
    match state {
        State::Final => "final",
        State::Open => "still open",
        State::Empty => "no installs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(count: u64, of: u64) -> Share {
        Share { count, of }
    }

    #[test]
    fn a_share_reads_as_what_it_is() {
        assert_eq!(percent(share(5, 12)), "42 %");
        assert_eq!(interval(share(5, 12)), "19 to 68 %");
        assert_eq!(count_of(share(5, 12)), "5 of 12");
        assert_eq!(percent(share(0, 12)), "0 %");
        assert_eq!(percent(share(1, 1000)), "<1 %");
        assert_eq!(percent(share(999, 1000)), ">99 %");
        assert_eq!(percent(share(7, 7)), "100 %");
        assert_eq!(percent(share(0, 0)), "–");
        assert_eq!(interval(share(0, 0)), "–");
    }

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
