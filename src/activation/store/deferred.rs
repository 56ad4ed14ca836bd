//! Marks that could not be written when they came: a delta of bounded size, merged by the next write.

use super::owner;
use crate::activation::state::{Counters, Funnel};
use crate::activation::{Days, Errors, HourlyWindow, Mark, State};

/// At most 16 clients, 25 hours (of each code of the catalog, too), the days, and the counters with those of later
/// versions, however many events it stands for; of one install.
#[derive(Default)]
pub struct Deferred {
    /// [`owner`] of the install; 0 when it was not known.
    owner: u64,
    latest: u64,
    funnel: Funnel,
    discovery_calls: HourlyWindow,
    tokens_saved: HourlyWindow,
    counters: Counters,
    days: Days,
    errors: Errors,
}

impl Deferred {
    /// Keeps the marks of one event.
    pub fn add(&mut self, marks: &[Mark<'_>], now: u64, owner: u64) {
        self.belong_to(owner);
        self.with_state(|state| {
            for mark in marks {
                state.apply(mark, now);
            }
            false
        });
        self.latest = now;
    }

    /// Keeps flags and clients that the store of `owner` once had.
    pub fn owe(&mut self, funnel: &Funnel, owner: u64) {
        // What waits belongs to a newer install: nothing of the old one goes with it.
        if self.owner == 0 || self.owner == owner {
            self.owner = owner;
            self.funnel.merge(funnel);
        }
    }

    /// Whether `state` is of the install that the events belong to. One of no install yet may become that of
    /// another, after `reset-id`: only events without an owner are for it.
    pub fn is_of(&self, state: &State) -> bool {
        self.owner == 0 || self.owner == owner(&state.install.anonymous_id)
    }

    /// Another install than before: what waits was the old one's and is never told of the new one.
    fn belong_to(&mut self, owner: u64) {
        if owner != 0 && self.owner != 0 && self.owner != owner {
            *self = Self::default();
        }
        if owner != 0 {
            self.owner = owner;
        }
    }

    /// Brings `state` up to date; true when a flag flipped, a client was added or a code was new.
    ///
    /// Buckets are judged by the clock of the latest mark: that is when they could have been written.
    pub fn merge_into(&self, state: &mut State) -> bool {
        state.discovery_calls.merge(&self.discovery_calls, self.latest);
        state.tokens_saved.merge(&self.tokens_saved, self.latest);
        state.counters = state.counters.plus(self.counters);
        state.days.merge(&self.days);
        let is_new = state.errors.merge(&self.errors, self.latest);
        state.funnel.merge(&self.funnel) || is_new
    }

    /// With what came later.
    #[must_use]
    pub fn followed_by(mut self, newer: Option<Box<Deferred>>) -> Self {
        if let Some(newer) = newer {
            self.belong_to(newer.owner);
            self.with_state(|state| newer.merge_into(state));
            // Nothing was counted where flags and clients alone are owed.
            if newer.latest != 0 {
                self.latest = newer.latest;
            }
        }
        self
    }

    /// One rule for a mark, here and in the store: [`State::apply`].
    fn with_state(&mut self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = State {
            funnel: std::mem::take(&mut self.funnel),
            discovery_calls: std::mem::take(&mut self.discovery_calls),
            tokens_saved: std::mem::take(&mut self.tokens_saved),
            counters: self.counters,
            days: self.days,
            errors: std::mem::take(&mut self.errors),
            ..State::default()
        };
        change(&mut state);
        self.funnel = state.funnel;
        self.discovery_calls = state.discovery_calls;
        self.tokens_saved = state.tokens_saved;
        self.counters = state.counters;
        self.days = state.days;
        self.errors = state.errors;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Ending;

    #[test]
    fn deferred_marks_end_where_written_ones_would() {
        let now = 1_790_000_000;
        let marks = [
            Mark::Client("goose"),
            Mark::ServerConnected,
            Mark::Discovery { indexed: Some(9), returned: Some(1) },
            Mark::UpstreamCall,
            Mark::UpstreamResult,
            Mark::ClientActive,
            Mark::Ended(Ending::Crash),
            #[cfg(feature = "serve")]
            Mark::Error(crate::activation::ErrorMark::Met(crate::diagnostics::Code::HttpDns)),
            Mark::Client("zed"),
            Mark::Discovery { indexed: None, returned: None },
        ];
        let (mut written, mut merged) = (State::default(), State::default());
        written.apply(&marks[0], now - 7200);
        merged.apply(&marks[0], now - 7200);
        let mut deferred = Deferred::default();
        for mark in &marks {
            written.apply(mark, now);
            deferred.add(std::slice::from_ref(mark), now, 0);
        }
        assert!(deferred.merge_into(&mut merged));
        assert_eq!(merged, written);
    }

    #[test]
    fn what_came_first_stays_first() {
        let now = 1_790_000_000;
        let (mut owed, mut newer) = (Deferred::default(), Deferred::default());
        owed.add(&[Mark::Client("first")], now, 1);
        newer.add(&[Mark::Client("second"), Mark::UpstreamCall], now + 1, 0);
        let owed = owed.followed_by(Some(Box::new(newer)));
        let mut state = State::default();
        owed.merge_into(&mut state);
        assert_eq!(state.funnel.clients, ["first", "second"]);
        assert_eq!(state.counters.upstream_tool_calls, 1);
    }

    #[test]
    fn what_waits_is_never_told_of_another_install() {
        let now = 1_790_000_000;
        let mut deferred = Deferred::default();
        deferred.add(&[Mark::Client("of-the-old")], now, owner("old"));
        let mut state = State::default();
        state.install.anonymous_id = "new".to_owned();
        assert!(!deferred.is_of(&state));
        deferred.add(&[Mark::Client("of-the-new")], now, owner("new"));
        assert!(deferred.is_of(&state));
        deferred.merge_into(&mut state);
        assert_eq!(state.funnel.clients, ["of-the-new"]);
        assert!(!deferred.is_of(&State::default()), "after `reset-id` it may become another's");
    }

    #[test]
    fn flags_that_are_owed_do_not_take_the_counted_hours_away() {
        let now = 1_790_000_000;
        let (mut counted, mut flags) = (Deferred::default(), Deferred::default());
        counted.add(&[Mark::Discovery { indexed: None, returned: None }], now, 1);
        flags.owe(&Funnel { connected_server: true, ..Funnel::default() }, 1);
        let mut state = State::default();
        counted.followed_by(Some(Box::new(flags))).merge_into(&mut state);
        assert!(state.funnel.connected_server);
        assert_eq!(state.discovery_calls.value(now), 1);
    }
}
