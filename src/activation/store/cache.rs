//! What this process knows to be in the store: marks that it need not write again.
//!
//! One rule: it says yes only to what was read from the store or committed to it.

use super::owner;
use crate::activation::state::Funnel;
use crate::activation::{DAY, Days, Mark, State};
use crate::contract::MAX_CLIENTS;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

const CONNECTED: u8 = 1;
const CLIENT: u8 = 2;
const DISCOVERY: u8 = 4;
const RESULT: u8 = 8;

/// What is remembered of a state. An event hands it on, and a whole state takes longer to move than to read.
pub struct Known {
    funnel: Funnel,
    days: Days,
    owner: u64,
}

impl Known {
    pub fn of(state: &State) -> Self {
        let owner = owner(&state.install.anonymous_id);
        Self { funnel: state.funnel.clone(), days: state.days, owner }
    }
}

#[derive(Default)]
pub struct Cache {
    flags: AtomicU8,
    /// The newest active day plus 1, or 0; and in the lowest bit, whether the day before it is one.
    active: AtomicU64,
    /// [`owner`] of the install.
    owner: AtomicU64,
    clients: RwLock<Vec<String>>,
}

impl Cache {
    /// Whether the mark would change nothing at `now`.
    #[inline(always)]
    pub fn knows(&self, mark: &Mark<'_>, now: u64) -> bool {
        // Relaxed: the flag is all there is, nothing is read because of it.
        let flags = self.flags.load(Ordering::Relaxed);
        match *mark {
            Mark::ServerConnected => flags & CONNECTED != 0,
            Mark::Client(name) => flags & CLIENT != 0 && self.has_client(name),
            Mark::UpstreamResult => flags & RESULT != 0,
            Mark::ClientActive => self.is_active(now / DAY),
            Mark::Discovery { .. }
            | Mark::UpstreamCall
            | Mark::Ended(_)
            | Mark::Request(_)
            | Mark::Builtin(_)
            | Mark::Error(_) => false,
        }
    }

    /// Whether the mark would change counters and windows at most.
    pub fn is_count(&self, mark: &Mark<'_>, now: u64) -> bool {
        match *mark {
            Mark::Discovery { .. } => self.flags.load(Ordering::Relaxed) & DISCOVERY != 0,
            Mark::UpstreamCall | Mark::Ended(_) | Mark::Request(_) | Mark::Builtin(_) => true,
            Mark::Client(_) | Mark::ServerConnected | Mark::UpstreamResult | Mark::ClientActive => {
                self.knows(mark, now)
            }
            Mark::Error(_) => false,
        }
    }

    /// Whose the store is.
    pub fn owner(&self) -> u64 {
        self.owner.load(Ordering::Relaxed)
    }

    /// Takes over what the store holds, forgetting everything else.
    pub fn refresh(&self, known: &Known) {
        let Known { funnel, days, owner } = known;
        let mut flags = 0;
        for (set, flag) in [
            (funnel.connected_server, CONNECTED),
            (funnel.mcp_client, CLIENT),
            (funnel.retrieve_tools_call, DISCOVERY),
            (funnel.real_tool_call, RESULT),
        ] {
            flags |= if set { flag } else { 0 };
        }
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        if *clients != funnel.clients {
            clients.clone_from(&funnel.clients);
        }
        self.flags.store(flags, Ordering::Relaxed);
        let newest = days.active.newest();
        let active = newest.map_or(0, |newest| newest.saturating_add(1) << 1);
        let before = newest.and_then(|newest| newest.checked_sub(1));
        let has_before = before.is_some_and(|before| days.active.has(before));
        self.active.store(active | u64::from(has_before), Ordering::Relaxed);
        self.owner.store(*owner, Ordering::Relaxed);
    }

    fn is_active(&self, day: u64) -> bool {
        let active = self.active.load(Ordering::Relaxed);
        let (newest, before) = (day + 1 == active >> 1, day + 2 == active >> 1 && active & 1 != 0);
        newest || before
    }

    fn has_client(&self, name: &str) -> bool {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.len() >= MAX_CLIENTS || clients.iter().any(|client| client == name)
    }
}
