//! What a host shows on its own status page.
//!
//! One rule: it says what the next heartbeat would say, and changes nothing.

use crate::activation::State;
use crate::consent::{Consent, Effective};
use crate::contract::{Activation, AgentEnv, EnvKind, EnvMarkers, LaunchSource};
use crate::gate::PrivateWords;
use crate::heartbeat::assemble::{self, ClientPolicy};
use crate::heartbeat::host::LiveCounts;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::schedule;
use crate::heartbeat::session::Session;
use crate::machine;

/// What a host shows on its own status page.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Whether telemetry is on, and the rule that decided.
    pub consent: Consent,
    /// Why nothing is counted here, if so: too many products have their state in this data directory.
    pub uncounted: Option<String>,
    /// The install's id, once it has one.
    pub anonymous_id: Option<String>,
    /// The environment.
    pub env_kind: EnvKind,
    /// The markers behind it.
    pub env_markers: EnvMarkers,
    /// Whether it is an agent's environment, where nobody sits.
    pub agent_env: AgentEnv,
    /// As the next heartbeat would say it, installer overlay included.
    pub launch_source: LaunchSource,
    /// Whether we start at login.
    pub autostart_enabled: Option<bool>,
    /// The funnel, as the next heartbeat would say it; `None` without a store.
    pub activation: Option<Activation>,
    /// The last recorded acknowledgement, seconds since 1970.
    pub last_heartbeat: Option<u64>,
    /// When the next heartbeat is due, seconds since 1970; `None` when none is scheduled.
    pub next_heartbeat: Option<u64>,
    /// Failed attempts since the last acknowledgement.
    pub failures: u32,
    /// Payloads that the anonymity gate refused.
    pub anonymity_violations: u64,
}

/// As it is with a session.
pub(super) fn take(session: &Session) -> Snapshot {
    let now = machine::now();
    let permission = Permission::read(&session.subject, session.around);
    // Without the host's provider: it may want a lock that the caller of `snapshot` holds.
    let mark = session.mark_with(now, LiveCounts::default());
    let allowed = permission.consent.effective != Effective::Off;
    let store = if allowed { session.store() } else { None };
    let state = store.and_then(|store| store.read().ok());
    let policy = ClientPolicy {
        private: PrivateWords::lazy(machine::private_words),
        known_only: permission.known_client_names_only,
    };
    let sends = permission.consent.effective == Effective::On;
    let last = state.as_ref().map_or(0, |state| state.sender.last_success);
    let since = Some(session.started_at);
    let version = &session.subject.product.version;
    let next = state
        .as_ref()
        .and_then(|state| schedule::next_attempt_of(version, state, &session.timing, since, now));
    let installer = state.as_ref().is_some_and(|state| state.install.installer_pending);
    Snapshot {
        anonymous_id: permission.anonymous_id(),
        uncounted: session.uncounted(),
        consent: permission.consent,
        env_kind: mark.env_kind,
        env_markers: mark.env_markers,
        agent_env: mark.agent_env,
        launch_source: if installer { LaunchSource::Installer } else { mark.launch_source },
        autostart_enabled: mark.autostart_enabled,
        last_heartbeat: (last != 0).then_some(last),
        next_heartbeat: next.filter(|_| sends),
        failures: state.as_ref().map_or(0, |state| state.sender.failures),
        anonymity_violations: state.as_ref().map_or(0, |s| s.install.anonymity_violations),
        activation: state
            .map(|state| assemble::activation(&state, ides(&state, session), &policy, now)),
    }
}

/// As this host last told the store.
fn ides(state: &State, session: &Session) -> u64 {
    let marks = [&state.live_serve, &state.live_tap];
    let own = marks.into_iter().flatten().find(|mark| mark.nonce == session.nonce);
    own.map_or(0, |mark| mark.configured_ide_count)
}

/// Without a session: the rule that keeps it off, and the reason in words.
pub(super) fn blank(rule: &str, detail: String) -> Snapshot {
    let classification = machine::classification();
    Snapshot {
        consent: Consent { effective: Effective::Off, rule: rule.to_owned(), detail },
        uncounted: None,
        anonymous_id: None,
        env_kind: classification.env_kind,
        env_markers: classification.markers,
        agent_env: classification.agent_env,
        launch_source: machine::launch_source(None),
        autostart_enabled: None,
        activation: None,
        last_heartbeat: None,
        next_heartbeat: None,
        failures: 0,
        anonymity_violations: 0,
    }
}
