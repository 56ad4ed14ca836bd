//! Marks that could not be written when they came: a delta of bounded size, merged by the next write.

use crate::activation::state::{Counters, Funnel};
use crate::activation::{HourlyWindow, Mark, State};

/// At most 16 clients, 25 hours and 9 counters, however many marks it stands for.
#[derive(Default)]
pub struct Deferred {
    latest: u64,
    funnel: Funnel,
    discovery_calls: HourlyWindow,
    tokens_saved: HourlyWindow,
    counters: Counters,
}

impl Deferred {
    /// Keeps one mark.
    pub fn add(&mut self, mark: &Mark<'_>, now: u64) {
        self.with_state(|state| state.apply(mark, now).changed);
        self.latest = now;
    }

    /// Keeps flags and clients that the store once had.
    pub fn owe(&mut self, funnel: &Funnel) {
        self.funnel.merge(funnel);
    }

    /// Brings `state` up to date; true when a flag flipped or a client was added.
    ///
    /// Buckets are judged by the clock of the latest mark: that is when they could have been written.
    pub fn merge_into(&self, state: &mut State) -> bool {
        state.discovery_calls.merge(&self.discovery_calls, self.latest);
        state.tokens_saved.merge(&self.tokens_saved, self.latest);
        state.counters = state.counters.plus(self.counters);
        state.funnel.merge(&self.funnel)
    }

    /// Adds what came later.
    pub fn append(&mut self, newer: &Deferred) {
        self.with_state(|state| newer.merge_into(state));
        self.latest = newer.latest;
    }

    /// One rule for a mark, here and in the store: [`State::apply`].
    fn with_state(&mut self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = State {
            funnel: std::mem::take(&mut self.funnel),
            discovery_calls: std::mem::take(&mut self.discovery_calls),
            tokens_saved: std::mem::take(&mut self.tokens_saved),
            counters: self.counters,
            ..State::default()
        };
        change(&mut state);
        self.funnel = state.funnel;
        self.discovery_calls = state.discovery_calls;
        self.tokens_saved = state.tokens_saved;
        self.counters = state.counters;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deferred_marks_end_where_written_ones_would() {
        let now = 1_790_000_000;
        let marks = [
            Mark::Client("goose"),
            Mark::ServerConnected,
            Mark::Discovery { indexed: Some(9), returned: Some(1) },
            Mark::UpstreamCall,
            Mark::Client("zed"),
            Mark::Discovery { indexed: None, returned: None },
        ];
        let (mut written, mut merged) = (State::default(), State::default());
        written.apply(&marks[0], now - 7200);
        merged.apply(&marks[0], now - 7200);
        let mut deferred = Deferred::default();
        for mark in &marks {
            written.apply(mark, now);
            deferred.add(mark, now);
        }
        assert!(deferred.merge_into(&mut merged));
        assert_eq!(merged, written);
    }

    #[test]
    fn what_came_first_stays_first() {
        let now = 1_790_000_000;
        let (mut owed, mut newer) = (Deferred::default(), Deferred::default());
        owed.add(&Mark::Client("first"), now);
        newer.add(&Mark::Client("second"), now + 1);
        newer.add(&Mark::UpstreamCall, now + 1);
        owed.append(&newer);
        let mut state = State::default();
        owed.merge_into(&mut state);
        assert_eq!(state.funnel.clients, ["first", "second"]);
        assert_eq!(state.counters.upstream_tool_calls, 1);
    }
}
