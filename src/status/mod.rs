//! Whether anything is sent, why, and what is known about this install: read once, for the command line
//! and the status API alike.
//!
//! One rule: no side effects. It reads the config and peeks into the store.

#[cfg(any(feature = "cli", feature = "serve"))]
pub(crate) mod diagnostic;
#[cfg(feature = "serve")]
pub(crate) mod errors;
pub(crate) mod list;
pub(crate) mod storage;
pub(crate) mod unseen;

use crate::activation::{State, Store};
use crate::consent::{self, Consent, Effective};
use crate::contract::{Payload, Wire, timestamp};
use crate::heartbeat::permission::Permission;
use crate::heartbeat::preview::Preview;
use crate::heartbeat::timing::Timing;
use crate::heartbeat::{attempt, rhythm, schedule};
use crate::json::Node;
use crate::machine::Surroundings;
use crate::notice;
use crate::paths::Place;
use crate::products::Subject;
use unseen::Unseen;

/// Everything that is shown.
pub(crate) struct Status {
    pub(crate) now: u64,
    pub(crate) subject: Subject,
    pub(crate) place: Place,
    pub(crate) consent: Consent,
    pub(crate) preference: Option<bool>,
    pub(crate) endpoint: Option<String>,
    /// The endpoint's host, as notices name it; empty without an endpoint.
    pub(crate) host: String,
    /// The id and its date as they are written.
    pub(crate) id: Option<(String, Option<String>)>,
    /// Why there is no id that could be sent.
    pub(crate) id_trouble: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) state: State,
    pub(crate) timing: Timing,
    pub(crate) store: (&'static str, Option<String>),
    /// Why nothing can be kept that is sent.
    pub(crate) trouble: Option<String>,
    /// Nothing is sent before a person could see the notice, which is still to come.
    pub(crate) awaits_notice: Option<&'static str>,
    /// What the next heartbeat would say.
    pub(crate) payload: Payload,
    /// When the host started that would send it.
    running_since: Option<u64>,
}

impl Status {
    /// Reads the configs and peeks into the store of `subject` in `place`, at `now`.
    pub(crate) fn read(subject: Subject, place: Place, around: &Surroundings, now: u64) -> Self {
        let preview = Preview::read(&subject, Some(&place), around, now);
        let found = match &preview.store {
            Ok(true) => storage::store(&place),
            // What the next host will find once it has restored the store.
            Ok(false) => storage::no_store(Store::remembered(&place).is_some()),
            Err(error) => storage::trouble(error),
        };
        let Preview { permission, state, identity, live, payload, .. } = preview;
        // What no host can change comes first.
        let obstacle = storage::obstacle(&place);
        let trouble = attempt::obstacle(&place).map(|why| why.to_string());
        let store = obstacle.unwrap_or(found);
        let mut awaits_notice = None;
        let (id, id_trouble) = match identity {
            Ok(identity) => {
                let shown = notice::shown(&place, &identity, &permission.host(), &state);
                if subject.require_visible_notice
                    && permission.consent.effective == Effective::On
                    && shown.is_some_and(|shown| shown.visible_at == 0)
                {
                    awaits_notice = Some(notice::UNSEEN);
                }
                let to_be_written = permission.has_to_write(now);
                let obstacle = if to_be_written { storage::id_obstacle(&place) } else { None };
                (id_of(&permission), obstacle)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            now,
            host: permission.host(),
            consent: permission.consent,
            preference: permission.preference,
            endpoint: permission.target.ok().map(|target| target.url().to_owned()),
            id,
            id_trouble,
            note: note(around, &subject.product.name),
            timing: Timing::of(around),
            state,
            store,
            trouble,
            awaits_notice,
            payload,
            running_since: live.started_at,
            subject,
            place,
        }
    }

    /// The notice, if no person could see it yet.
    pub(crate) fn unseen(&self, around: &Surroundings) -> Option<Unseen> {
        Unseen::find(&self.subject, &self.place, &self.consent, &self.host, around, self.now)
    }

    /// What the config asks for, in a word.
    pub(crate) fn preference_word(&self) -> &'static str {
        match self.preference {
            Some(true) => "enabled",
            Some(false) => "disabled",
            None => "unset",
        }
    }

    /// Whether heartbeats are sent, once a host has started.
    pub(crate) fn awaits_host(&self) -> bool {
        let (state, since) = (&self.state, self.running_since);
        self.sends() && schedule::next_attempt(state, &self.timing, since, self.now).is_none()
    }

    fn sends(&self) -> bool {
        self.consent.effective == Effective::On
            && self.id_trouble.is_none()
            && self.obstacle().is_none()
    }

    /// When the next attempt may begin, if there ever is one.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let since = self.running_since;
        let version = &self.subject.product.version;
        let next = schedule::next_attempt_of(version, &self.state, &self.timing, since, self.now)?;
        self.sends().then_some(next)
    }

    /// Why nothing can be sent, besides consent and id.
    pub(crate) fn obstacle(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.awaits_notice)
    }

    /// Until when the endpoint wants no heartbeat of this version, if it said so.
    pub(crate) fn retired_until(&self) -> Option<u64> {
        rhythm::retired_until(&self.state.sender, &self.subject.product.version, self.now)
    }

    /// As `telemetry status -o json` shows it.
    pub(crate) fn to_node(&self) -> Node {
        let (id, made) = self.id.clone().unzip();
        let payload = &self.payload;
        Node::Object(vec![
            ("preference", self.preference_word().into()),
            ("effective", self.consent.effective.as_str().into()),
            ("rule", self.consent.rule.as_str().into()),
            ("detail", self.consent.detail.as_str().into()),
            ("note", self.note.clone().into()),
            ("data_dir", self.subject.dir.root().to_string_lossy().as_ref().into()),
            ("anonymous_id", id.into()),
            ("anonymous_id_created_at", made.flatten().into()),
            ("anonymous_id_trouble", self.id_trouble.clone().into()),
            ("endpoint", self.endpoint.clone().into()),
            ("env_kind", payload.env_kind.as_str().into()),
            ("env_markers", payload.env_markers.to_node()),
            ("agent_env", payload.agent_env.as_str().into()),
            ("launch_source", payload.launch_source.as_str().into()),
            ("autostart_enabled", payload.autostart_enabled.into()),
            ("activation", payload.activation.to_node()),
            #[cfg(feature = "serve")]
            ("diagnostics", payload.diagnostics.to_node()),
            (
                "store",
                Node::Object(vec![
                    ("state", self.store.0.into()),
                    ("detail", self.store.1.clone().into()),
                ]),
            ),
            ("heartbeat", self.heartbeat()),
            ("anonymity_violations", self.state.install.anonymity_violations.into()),
        ])
    }

    fn heartbeat(&self) -> Node {
        let sender = &self.state.sender;
        let success = Some(sender.last_success).filter(|at| *at != 0);
        Node::Object(vec![
            ("last_success", success.map(timestamp::format).into()),
            ("next_due", self.next_due().map(timestamp::format).into()),
            ("pending", self.state.pending.is_some().into()),
            ("failures", u64::from(sender.failures).into()),
            ("installer_pending", self.state.install.installer_pending.into()),
            ("retired_until", self.retired_until().map(timestamp::format).into()),
            ("trouble", self.obstacle().map(str::to_owned).into()),
        ])
    }
}

/// What a user must know besides the deciding rule.
fn note(around: &Surroundings, product: &str) -> Option<String> {
    let ignored = consent::ignored_endpoint(around, product);
    let notes: Vec<_> =
        ignored.into_iter().chain(consent::reach_of_shell_exports(around)).collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

/// The id and its date as they are written.
fn id_of(permission: &Permission) -> Option<(String, Option<String>)> {
    let kept = permission.kept.as_ref().ok()?;
    Some((kept.anonymous_id.clone()?, kept.created_at.clone()))
}
