//! What this process knows to be in the store: marks that it need not write again.
//!
//! One rule: it says yes only to what was read from the store or committed to it.

use crate::activation::Mark;
use crate::activation::state::{Funnel, kept_client_name};
use crate::contract::MAX_CLIENTS;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{PoisonError, RwLock};

const CONNECTED: u8 = 1;
const CLIENT: u8 = 2;
const DISCOVERY: u8 = 4;

#[derive(Default)]
pub struct Cache {
    flags: AtomicU8,
    clients: RwLock<Vec<String>>,
}

impl Cache {
    /// Whether the mark would change nothing.
    #[inline(always)]
    pub fn knows(&self, mark: &Mark<'_>) -> bool {
        // Relaxed: the flag is all there is, nothing is read because of it.
        let flags = self.flags.load(Ordering::Relaxed);
        match *mark {
            Mark::ServerConnected => flags & CONNECTED != 0,
            Mark::Client(name) => flags & CLIENT != 0 && self.has_client(kept_client_name(name)),
            Mark::Discovery { .. } | Mark::UpstreamCall | Mark::Request(_) | Mark::Builtin(_) => {
                false
            }
        }
    }

    /// Whether the flag of discovery calls is set.
    pub fn knows_discovery(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & DISCOVERY != 0
    }

    /// Takes over what the store holds, forgetting everything else.
    pub fn refresh(&self, funnel: &Funnel) {
        let mut flags = 0;
        for (set, flag) in [
            (funnel.connected_server, CONNECTED),
            (funnel.mcp_client, CLIENT),
            (funnel.retrieve_tools_call, DISCOVERY),
        ] {
            flags |= if set { flag } else { 0 };
        }
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        if *clients != funnel.clients {
            clients.clone_from(&funnel.clients);
        }
        self.flags.store(flags, Ordering::Relaxed);
    }

    fn has_client(&self, name: &str) -> bool {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        clients.len() >= MAX_CLIENTS || clients.iter().any(|client| client == name)
    }
}
