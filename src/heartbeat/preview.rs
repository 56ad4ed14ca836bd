//! What the next heartbeat would say: one reading for `telemetry status`, `show-payload`, the status page and a
//! host's own page.
//!
//! One rule: no side effects. It reads the config and peeks into the store; it makes no id, no file, no
//! lease, and clears nothing.

use super::assemble;
use super::live::Live;
use super::permission::Permission;
use super::schedule;
use crate::activation::{State, Store, StoreError};
use crate::contract::{Payload, timestamp};
use crate::identity::{Identity, IdentityError, PROVISIONAL_ID};
use crate::machine::Surroundings;
use crate::paths::Place;
use crate::products::Subject;

/// What the next heartbeat would say.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What config and environment allow.
    pub permission: Permission,
    /// Whether there is a store, or why it cannot be read; what its checkpoint holds is shown then.
    pub store: Result<bool, StoreError>,
    /// What is stored of the install that would send.
    pub state: State,
    /// Under which id it would be sent, or why under none.
    pub identity: Result<Identity, IdentityError>,
    /// The process-bound fields: of the live host, else of this process.
    pub live: Live,
    /// What would be assembled now. [`PROVISIONAL_ID`] stands for an id that is still to be made.
    pub payload: Payload,
    now: u64,
}

impl Preview {
    /// As it is for `subject` at `now`, with what is kept in `place`; `None` is that of its endpoint.
    pub fn read(subject: &Subject, place: Option<&Place>, around: &Surroundings, now: u64) -> Self {
        let live = |state: &State| Live::of_sender(state, &subject.dir, now);
        Self::read_as(subject, place, around, live, now)
    }

    /// As [`Self::read`], by a sender that says this of itself.
    pub fn read_as(
        subject: &Subject,
        place: Option<&Place>,
        around: &Surroundings,
        live: impl FnOnce(&State) -> Live,
        now: u64,
    ) -> Self {
        let permission = Permission::read_in(subject, place, around);
        let (store, state) = match Store::peek(&permission.place, now) {
            Ok(state) => (Ok(state.is_some()), state),
            Err(error) => (Err(error), None),
        };
        // A store that is damaged or missing is restored before anything is sent.
        let state = state.or_else(|| Store::remembered(&permission.place));
        Self::of(subject, permission, (store, state.unwrap_or_default()), live, now)
    }

    /// As [`Self::read`], out of what was read already. What another install left in the store does not count.
    pub fn of(
        subject: &Subject,
        permission: Permission,
        (store, mut state): (Result<bool, StoreError>, State),
        live: impl FnOnce(&State) -> Live,
        now: u64,
    ) -> Self {
        let identity = permission.expected(now);
        let none;
        let id = match &identity {
            Ok(identity) => {
                schedule::adopt(&mut state, identity);
                identity
            }
            Err(_) => {
                none = provisional(now);
                &none
            }
        };
        let live = live(&state);
        let policy = permission.client_policy();
        let payload = assemble::assemble(&subject.product, &state, id, &live, &policy, now);
        Self { permission, store, state, identity, live, payload, now }
    }

    /// There is no id yet, or a new one is due.
    pub fn has_provisional_id(&self) -> bool {
        self.payload.anonymous_id == PROVISIONAL_ID
    }

    /// The bytes of a heartbeat that is stored and will be tried again exactly so, if there is one.
    pub fn pending(&self) -> Option<&[u8]> {
        let (id, made) = match &self.identity {
            Ok(identity) => (identity.anonymous_id.as_str(), identity.created_at.as_str()),
            Err(_) => return None,
        };
        let pending = self.state.pending.as_ref();
        let valid = pending.filter(|p| schedule::pending_is_valid(p, self.now, id, made))?;
        Some(&valid.bytes)
    }

    /// The exact bytes that would be sent.
    pub fn bytes(&self) -> Vec<u8> {
        self.pending().map_or_else(|| self.payload.encode(), <[u8]>::to_vec)
    }
}

fn provisional(now: u64) -> Identity {
    Identity {
        anonymous_id: PROVISIONAL_ID.to_owned(),
        created_at: timestamp::format(now),
        rotated_from: None,
        carried_over: false,
    }
}
