//! What a host shows on its own status page.
//!
//! One rule: it says what the next heartbeat would say, and changes nothing.

use crate::activation::{LiveCounts, State};
use crate::consent::{Consent, Effective};
use crate::contract::{Activation, AgentEnv, EnvKind, EnvMarkers, LaunchSource};
use crate::heartbeat::live::Live;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::preview::Preview;
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
    let allowed = permission.consent.effective != Effective::Off;
    let store = if allowed { session.store() } else { None };
    let stored = store.and_then(|store| store.read().ok());
    let is_stored = stored.is_some();
    // Without the host's provider: it may want a lock that the caller of `snapshot` holds.
    let live = |state: &State| {
        let configured_ide_count = ides(state, session);
        let counts = LiveCounts { configured_ide_count, ..LiveCounts::default() };
        Live::from(&session.mark_with(now, counts))
    };
    let read = (Ok(is_stored), stored.unwrap_or_default());
    let Preview { permission, state, payload, .. } =
        Preview::of(&session.subject, permission, read, live, now);
    let last = state.sender.last_success;
    let since = Some(session.started_at);
    let version = &session.subject.product.version;
    let next = schedule::next_attempt_of(version, &state, &session.timing, since, now);
    let sends = is_stored && permission.consent.effective == Effective::On;
    Snapshot {
        anonymous_id: permission.anonymous_id(),
        uncounted: session.uncounted(),
        consent: permission.consent,
        env_kind: payload.env_kind,
        env_markers: payload.env_markers,
        agent_env: payload.agent_env,
        launch_source: payload.launch_source,
        autostart_enabled: payload.autostart_enabled,
        last_heartbeat: (last != 0).then_some(last),
        next_heartbeat: next.filter(|_| sends),
        failures: state.sender.failures,
        anonymity_violations: state.install.anonymity_violations,
        activation: is_stored.then_some(payload.activation),
    }
}

/// As this host last told the store.
fn ides(state: &State, session: &Session) -> u64 {
    let marks = [&state.live_serve, &state.live_tap];
    let own = marks.into_iter().flatten().find(|mark| mark.nonce == session.nonce);
    own.map_or(0, |mark| mark.counts.configured_ide_count)
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
