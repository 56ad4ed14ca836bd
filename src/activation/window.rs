//! A sliding 24-hour count in hourly buckets.

/// value(t) = events with `floor(e/3600) > floor(t/3600) - 24`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HourlyWindow {}

impl HourlyWindow {
    /// Adds `count` events at `now` (seconds since 1970); saturating.
    pub fn add(&mut self, _now: u64, _count: u64) {
        todo!("store room")
    }

    /// Events of the last 24 h as seen at `now`.
    pub fn value(&self, _now: u64) -> u64 {
        todo!("store room")
    }
}
