//! `mcpproxy telemetry status`: whether anything is sent, why, and what is known about this install.
//!
//! One rule: no side effects. It reads the config and peeks into the store.

use super::output::{Format, Node};
use super::{Call, Failure, output, storage};
use crate::activation::{State, Store};
use crate::config::TelemetryConfig;
use crate::consent::{self, Consent, Effective};
use crate::contract::{Activation, timestamp};
use crate::environment::Classification;
use crate::gate::PrivateWords;
use crate::heartbeat::assemble::{self, ClientPolicy};
use crate::heartbeat::permission::Permission;
use crate::heartbeat::schedule;
use crate::heartbeat::timing::Timing;
use crate::identity;
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "telemetry status")?;
    let status = Status::read(call.dir()?, Surroundings::of_this_process(), machine::now());
    output::print(&match format {
        Format::Table => status.to_table(),
        Format::Json => status.to_node().to_json(),
        #[cfg(feature = "cli")]
        Format::Yaml => status.to_node().to_yaml()?,
    })
}

/// Everything that is shown.
struct Status {
    now: u64,
    dir: DataDir,
    consent: Consent,
    preference: Option<bool>,
    endpoint: Option<String>,
    /// The id and its date as they stand in the config.
    id: Option<(String, Option<String>)>,
    /// Why there is no id that could be sent.
    id_trouble: Option<String>,
    note: Option<&'static str>,
    state: State,
    activation: Activation,
    timing: Timing,
    store: (&'static str, Option<String>),
    launch_source: &'static str,
    autostart_enabled: Option<bool>,
    classification: &'static Classification,
}

impl Status {
    fn read(dir: DataDir, around: &Surroundings, now: u64) -> Self {
        let permission = Permission::read(&dir, around);
        let (mut state, store) = match Store::peek(&dir, now) {
            Ok(Some(state)) => (state, storage::store(&dir)),
            other => {
                // What the next host will find once it has restored the store.
                let known = Store::remembered(&dir);
                let store = match other {
                    Err(error) => storage::trouble(&error),
                    _ => storage::no_store(&dir, known.is_some()),
                };
                (known.unwrap_or_default(), store)
            }
        };
        let (id, id_trouble) = match identity::expected(&permission.telemetry, now) {
            Ok(identity) => {
                // What another install left behind is not this one's history.
                schedule::adopt(&mut state, &identity);
                let to_be_written = identity::is_to_be_written(&permission.telemetry, now);
                let obstacle = if to_be_written { storage::config_obstacle(&dir) } else { None };
                (id_of(&permission.telemetry), obstacle)
            }
            Err(error) => (None, Some(error.to_string())),
        };
        let policy = ClientPolicy {
            private: PrivateWords::lazy(machine::private_words),
            known_only: permission.known_client_names_only,
        };
        let ides = assemble::live_host(&state, now).map_or(0, |mark| mark.configured_ide_count);
        Self {
            now,
            consent: permission.consent,
            preference: permission.telemetry.enabled,
            endpoint: permission.target.ok().map(|target| target.url().to_owned()),
            id,
            id_trouble,
            note: consent::reach_of_shell_exports(around),
            activation: assemble::activation(&state, ides, &policy, now),
            timing: Timing::of(around),
            state,
            store,
            launch_source: machine::launch_source(None).as_str(),
            autostart_enabled: machine::autostart_enabled(&dir),
            classification: machine::classification(),
            dir,
        }
    }

    fn preference(&self) -> &'static str {
        match self.preference {
            Some(true) => "enabled",
            Some(false) => "disabled",
            None => "unset",
        }
    }

    /// When the next heartbeat is due, if one ever is.
    fn next_due(&self) -> Option<u64> {
        let next = schedule::next_attempt(&self.state, &self.timing)?;
        let sends = self.consent.effective == Effective::On
            && self.id_trouble.is_none()
            && self.store.0 != "read_only";
        sends.then_some(next)
    }

    fn to_node(&self) -> Node {
        let (id, made) = self.id.clone().unzip();
        let markers = &self.classification.markers;
        Node::Object(vec![
            ("preference", self.preference().into()),
            ("effective", self.consent.effective.as_str().into()),
            ("rule", self.consent.rule.as_str().into()),
            ("detail", self.consent.detail.as_str().into()),
            ("note", self.note.into()),
            ("data_dir", self.dir.root().to_string_lossy().as_ref().into()),
            ("anonymous_id", id.into()),
            ("anonymous_id_created_at", made.flatten().into()),
            ("anonymous_id_trouble", self.id_trouble.clone().into()),
            ("endpoint", self.endpoint.clone().into()),
            ("env_kind", self.classification.env_kind.as_str().into()),
            (
                "env_markers",
                Node::Object(vec![
                    ("has_ci_env", markers.has_ci_env.into()),
                    ("has_cloud_ide_env", markers.has_cloud_ide_env.into()),
                    ("is_container", markers.is_container.into()),
                    ("has_tty", markers.has_tty.into()),
                    ("has_display", markers.has_display.into()),
                ]),
            ),
            ("launch_source", self.launch_source.into()),
            ("autostart_enabled", self.autostart_enabled.into()),
            ("activation", self.activation()),
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

    fn activation(&self) -> Node {
        let funnel = &self.activation;
        let clients = funnel.mcp_clients_seen_ever.iter().map(|name| name.as_str().into());
        Node::Object(vec![
            ("first_connected_server_ever", funnel.first_connected_server_ever.into()),
            ("first_mcp_client_ever", funnel.first_mcp_client_ever.into()),
            ("first_retrieve_tools_call_ever", funnel.first_retrieve_tools_call_ever.into()),
            ("mcp_clients_seen_ever", Node::List(clients.collect())),
            ("retrieve_tools_calls_24h", funnel.retrieve_tools_calls_24h.into()),
            (
                "estimated_tokens_saved_24h_bucket",
                funnel.estimated_tokens_saved_24h_bucket.as_str().into(),
            ),
            ("configured_ide_count", funnel.configured_ide_count.into()),
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
        ])
    }

    fn to_table(&self) -> String {
        let time = |at: Option<u64>| at.map_or("never".to_owned(), timestamp::format);
        let yes = |value: bool| if value { "yes" } else { "no" };
        let words = |effective| match effective {
            Effective::On => "on",
            Effective::LocalOnly => "local only: recorded and shown, never sent",
            Effective::Off => "off: nothing is recorded, nothing is sent",
        };
        let id = match (&self.id, &self.id_trouble) {
            (_, Some(trouble)) => trouble.clone(),
            (Some((id, Some(made))), None) => format!("{id} (since {made})"),
            (Some((id, None)), None) => id.clone(),
            (None, None) => "none yet".to_owned(),
        };
        let store = match &self.store {
            ("none", None) => "none yet".to_owned(),
            (state, Some(detail)) => format!("{state}: {detail}"),
            (state, None) => (*state).to_owned(),
        };
        let funnel = &self.activation;
        let clients = match funnel.mcp_clients_seen_ever.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let autostart = self.autostart_enabled.map_or("not knowable here", yes);
        let rows = [
            ("Telemetry", words(self.consent.effective).to_owned()),
            ("  because", format!("{} ({})", self.consent.detail, self.consent.rule)),
            ("  preference", self.preference().to_owned()),
            ("Anonymous id", id),
            ("Endpoint", self.endpoint.clone().unwrap_or_else(|| "none".into())),
            ("Data directory", self.dir.root().to_string_lossy().into_owned()),
            ("Environment", self.classification.env_kind.to_string()),
            ("Launched by", self.launch_source.to_owned()),
            ("Starts at login", autostart.to_owned()),
            ("Server connected", yes(funnel.first_connected_server_ever).to_owned()),
            ("Client seen", yes(funnel.first_mcp_client_ever).to_owned()),
            ("  clients", clients),
            ("Tools searched", yes(funnel.first_retrieve_tools_call_ever).to_owned()),
            ("  last 24 h", funnel.retrieve_tools_calls_24h.to_string()),
            ("  tokens saved", self.state.tokens_saved.value(self.now).to_string()),
            ("Store", store),
            ("Last heartbeat", time(Some(self.state.sender.last_success).filter(|at| *at != 0))),
            ("  next", time(self.next_due())),
            ("  waiting", yes(self.state.pending.is_some()).to_owned()),
            ("  failed attempts", self.state.sender.failures.to_string()),
            ("  refused by gate", self.state.install.anonymity_violations.to_string()),
        ];
        let mut out = String::new();
        for (name, value) in rows {
            let _ = writeln!(out, "{name:18} {value}");
        }
        if let Some(note) = self.note {
            let _ = writeln!(out, "\n{note}");
        }
        out
    }
}

/// The id and its date as they stand in the config.
fn id_of(telemetry: &TelemetryConfig) -> Option<(String, Option<String>)> {
    let id = telemetry.anonymous_id.clone()?;
    Some((id, telemetry.anonymous_id_created_at.clone()))
}
