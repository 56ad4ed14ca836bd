//! Error codes as they are kept: what a heartbeat, or a day of heartbeats, says of each.
//!
//! One rule: a code is kept by its place in the catalog, which only grows at its end. A code that is not in it is
//! `other`, however many of them there are.

use crate::contract::MAX_COUNT;
use crate::diagnostics::{CODES, page_of};
use std::collections::BTreeMap;

/// A code: 0 for others, else its place in [`CODES`], counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

/// What heartbeats say of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// The code.
    pub code: Code,
    /// Changes into its state in 24 h.
    pub changes: u64,
    /// Servers that were in its state at the time.
    pub servers: u64,
}

impl Code {
    /// Any code that this program does not know.
    pub const OTHER: Self = Self(0);

    /// The code that a text spells.
    pub fn of(text: &str) -> Self {
        let place = CODES.iter().position(|code| *code == text);
        place.and_then(|place| u8::try_from(place + 1).ok()).map_or(Self::OTHER, Self)
    }

    /// The code of a number, if there is one.
    pub fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) <= CODES.len()).then_some(Self(number))
    }

    /// The inverse of [`Self::numbered`].
    pub fn number(self) -> u8 {
        self.0
    }

    /// As the contract spells it; `other`.
    pub fn name(self) -> &'static str {
        let place = usize::from(self.0).checked_sub(1);
        place.and_then(|place| CODES.get(place)).copied().unwrap_or("other")
    }

    /// The address of the page that explains it; others have none.
    pub fn page(self) -> Option<String> {
        (self != Self::OTHER).then(|| page_of(self.name()))
    }
}

/// What one heartbeat says: by code, without those of which it says 0.
pub fn read(changes: &BTreeMap<String, u64>, servers: &BTreeMap<String, u64>) -> Vec<Met> {
    let mut all = BTreeMap::new();
    for (text, n) in changes {
        let met = entry(&mut all, Code::of(text));
        met.changes = met.changes.saturating_add(*n).min(MAX_COUNT);
    }
    for (text, n) in servers {
        let met = entry(&mut all, Code::of(text));
        met.servers = met.servers.saturating_add(*n).min(MAX_COUNT);
    }
    said(all)
}

/// What a day says of which `before` is known, with one more heartbeat. The 24 hours of two heartbeats of a day
/// overlap: the larger number of changes counts, and the servers of the latest.
pub fn merged(before: &[Met], heartbeat: &[Met], is_latest: bool) -> Vec<Met> {
    let mut all = BTreeMap::new();
    for one in before.iter().chain(heartbeat) {
        let met = entry(&mut all, one.code);
        met.changes = met.changes.max(one.changes);
    }
    for one in if is_latest { heartbeat } else { before } {
        entry(&mut all, one.code).servers = one.servers;
    }
    said(all)
}

fn entry(all: &mut BTreeMap<Code, Met>, code: Code) -> &mut Met {
    all.entry(code).or_insert(Met { code, changes: 0, servers: 0 })
}

fn said(all: BTreeMap<Code, Met>) -> Vec<Met> {
    all.into_values().filter(|met| met.changes > 0 || met.servers > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect()
    }

    fn met(code: &str, changes: u64, servers: u64) -> Met {
        Met { code: Code::of(code), changes, servers }
    }

    #[test]
    fn every_code_has_a_number_and_an_unknown_one_is_other() {
        for code in CODES {
            let of = Code::of(code);
            assert_ne!(of, Code::OTHER);
            assert_eq!((of.name(), Code::numbered(of.number())), (code, Some(of)));
        }
        let page = "/blob/main/docs/reference/diagnostics.md#mcpx_http_dns";
        assert!(Code::of("MCPX_HTTP_DNS").page().is_some_and(|address| address.ends_with(page)));
        assert_eq!(Code::OTHER.page(), None);
        for unknown in ["MCPX_OF_TOMORROW", "", "other", "mcpx_unknown"] {
            assert_eq!(Code::of(unknown), Code::OTHER, "{unknown}");
        }
        assert_eq!(Code::numbered(0).map(Code::name), Some("other"));
        assert_eq!(Code::numbered(200), None);
    }

    /// Rows hold the numbers, so they stay what they are.
    #[test]
    fn a_number_never_means_another_code() {
        for (number, name) in [
            (1, "MCPX_STDIO_NOT_FOUND"),
            (9, "MCPX_HTTP_UNAUTHORIZED"),
            (23, "MCPX_NETWORK_OFFLINE"),
            (40, "MCPX_STORE_BUSY"),
            (51, "MCPX_UNKNOWN"),
        ] {
            assert_eq!(Code::numbered(number).map(Code::name), Some(name));
        }
    }

    #[test]
    fn unknown_codes_are_one_and_zeros_are_none() {
        let changes = counts(&[("MCPX_HTTP_DNS", 2), ("MCPX_LATER", 3), ("MCPX_NEWER", 4)]);
        let servers = counts(&[("MCPX_HTTP_DNS", 0), ("MCPX_HTTP_TLS", 1), ("MCPX_NEWER", 1)]);
        let found = read(&changes, &servers);
        let expected = [met("?", 7, 1), met("MCPX_HTTP_DNS", 2, 0), met("MCPX_HTTP_TLS", 0, 1)];
        assert_eq!(found, expected);
        assert_eq!(read(&counts(&[("MCPX_HTTP_DNS", 0)]), &counts(&[])), []);
        let most = counts(&[("MCPX_LATER", u64::MAX), ("MCPX_NEWER", u64::MAX)]);
        assert_eq!(read(&most, &counts(&[]))[0].changes, MAX_COUNT);
    }

    #[test]
    fn a_day_has_the_larger_number_of_changes_and_the_latest_servers() {
        let morning = [met("MCPX_HTTP_DNS", 2, 1)];
        let evening = [met("MCPX_HTTP_DNS", 1, 0), met("MCPX_HTTP_TLS", 1, 3)];
        let day = [met("MCPX_HTTP_DNS", 2, 0), met("MCPX_HTTP_TLS", 1, 3)];
        assert_eq!(merged(&morning, &evening, true), day);
        assert_eq!(merged(&evening, &morning, false), day);
        // A state that was left before the last heartbeat, and into which nothing changed that day.
        assert_eq!(merged(&[met("MCPX_HTTP_DNS", 0, 1)], &[], true), []);
    }
}
