//! What would be sent, shown to the user.
//!
//! One rule: no side effects. It reads the config and peeks into the store; it makes no id, no file, no
//! lease, and clears nothing.

use super::assemble::{self, ClientPolicy, Live};
use super::permission::Permission;
use super::schedule;
use crate::activation::{Standing, Store, StoreError};
use crate::consent::Consent;
use crate::contract::timestamp;
use crate::gate::PrivateWords;
use crate::identity::{Identity, IdentityError, PROVISIONAL_ID};
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use crate::products::Subject;

/// What would be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// They are stored and will be tried again exactly so.
    pub pending: bool,
    /// There is no id yet, or a new one is due: [`PROVISIONAL_ID`] stands for it.
    pub provisional_id: bool,
    /// Why no id can be sent, if so.
    pub identity_error: Option<IdentityError>,
    /// Whether they would be sent at all.
    pub consent: Consent,
    /// Why the store could not be read, if it could not; what its checkpoint holds is shown then.
    pub store_error: Option<StoreError>,
}

/// The pending bytes if there are any, else what would be assembled at `now`. `own` stands in for a live
/// host's fields when there is none.
pub fn preview(
    subject: &Subject,
    around: &Surroundings,
    now: u64,
    own: &dyn Fn() -> Live,
) -> Preview {
    let permission = Permission::read(subject, around);
    let place = &permission.place;
    let (state, store_error) = match Store::peek(place, now) {
        Ok(state) => (state, None),
        Err(error) => (None, Some(error)),
    };
    // A store that is damaged or missing is restored before anything is sent.
    let state = state.or_else(|| Store::remembered(place)).unwrap_or_default();
    let (identity, identity_error) = match permission.expected(now) {
        Ok(identity) => (identity, None),
        Err(error) => (provisional(now), Some(error)),
    };
    let provisional_id = identity.anonymous_id == PROVISIONAL_ID;
    let mut state = state;
    schedule::adopt(&mut state, &identity);
    let (id, made) = (&identity.anonymous_id, &identity.created_at);
    let kept = state.pending.take_if(|p| schedule::pending_is_valid(p, now, id, made));
    let pending = kept.is_some();
    let bytes = match kept {
        Some(kept) => kept.bytes,
        None => {
            let live = assemble::live_host(&state, now).map_or_else(own, Live::from);
            let policy = ClientPolicy {
                private: PrivateWords::lazy(machine::private_words),
                known_only: permission.known_client_names_only,
            };
            assemble::assemble(&subject.product, &state, &identity, &live, &policy, now).encode()
        }
    };
    let consent = permission.consent;
    Preview { bytes, pending, provisional_id, identity_error, consent, store_error }
}

fn provisional(now: u64) -> Identity {
    Identity {
        anonymous_id: PROVISIONAL_ID.to_owned(),
        created_at: timestamp::format(now),
        rotated_from: None,
        carried_over: false,
    }
}

/// The process-bound fields of a command line.
pub fn own_fields(dir: &DataDir) -> Live {
    let classification = machine::classification();
    Live {
        launch_source: machine::launch_source(None),
        autostart_enabled: machine::autostart_enabled(&dir.autostart_sidecar()),
        env_kind: classification.env_kind,
        env_markers: classification.markers,
        agent_env: classification.agent_env,
        routing_mode: None,
        started_at: None,
        server_count: None,
        connected_server_count: None,
        tool_count: None,
        server_protocol_counts: None,
        configured_ide_count: crate::connect::configured_ide_count(),
        current_error_codes: Standing::default(),
    }
}
