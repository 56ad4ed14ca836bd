//! RFC 3339 UTC times of whole seconds, the only times of the wire format.

/// `2026-11-22T14:46:00Z` for seconds since 1970. Years past 9999 are cut to its last second.
pub fn format(_unix_seconds: u64) -> String {
    todo!("contract room")
}

/// Seconds since 1970 of a text in exactly the form of [`format`], a real date; else `None`.
pub fn parse(_text: &str) -> Option<u64> {
    todo!("contract room")
}
