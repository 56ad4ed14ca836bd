//! `mcpproxy telemetry status`: whether anything is sent, why, and what is known about this install.
//!
//! One rule: no side effects. It reads the config and peeks into the store.

use super::output::{Format, Node};
use super::{Call, Failure, output};
use crate::activation::{State, Store, StoreError};
use crate::config::{self, ConfigState};
use crate::consent::{self, Consent, Effective};
use crate::contract::{TokensBucket, timestamp};
use crate::environment::Classification;
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
    store: (&'static str, Option<String>),
    launch_source: &'static str,
    autostart_enabled: Option<bool>,
    classification: &'static Classification,
}

impl Status {
    fn read(dir: DataDir, around: &Surroundings, now: u64) -> Self {
        let config = config::read(&dir);
        let (state, store) = match Store::peek(&dir, now) {
            Ok(Some(state)) => (state, ("ok", None)),
            Ok(None) => (State::default(), ("none", None)),
            Err(error) => (State::default(), trouble(&error)),
        };
        let endpoint = consent::endpoint(around, &config).and_then(Result::ok);
        let id_trouble = match config.telemetry().map(|t| identity::current(t, now)) {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        };
        Self {
            now,
            consent: consent::decide(around, &config),
            preference: consent::preference(&config),
            endpoint: endpoint.map(|target| target.url().to_owned()),
            id: id_of(&config).filter(|_| id_trouble.is_none()),
            id_trouble,
            note: consent::reach_of_shell_exports(around),
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
        let sender = &self.state.sender;
        if self.consent.effective != Effective::On || sender.first_start == 0 {
            return None;
        }
        let due = match sender.last_success {
            0 => sender.first_start.saturating_add(sender.initial_delay),
            last => last.saturating_add(86_400),
        };
        let retry = sender.last_attempt.saturating_add(sender.retry_after);
        Some(if sender.failures > 0 { due.max(retry) } else { due })
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
        let funnel = &self.state.funnel;
        let tokens = TokensBucket::of(self.state.tokens_saved.value(self.now));
        let live = self.state.live_serve.as_ref().or(self.state.live_tap.as_ref());
        Node::Object(vec![
            ("first_connected_server_ever", funnel.connected_server.into()),
            ("first_mcp_client_ever", funnel.mcp_client.into()),
            ("first_retrieve_tools_call_ever", funnel.retrieve_tools_call.into()),
            (
                "mcp_clients_seen_ever",
                Node::List(funnel.clients.iter().map(|name| name.as_str().into()).collect()),
            ),
            ("retrieve_tools_calls_24h", self.state.discovery_calls.value(self.now).into()),
            ("estimated_tokens_saved_24h_bucket", tokens.as_str().into()),
            ("configured_ide_count", live.map_or(0, |mark| mark.configured_ide_count).into()),
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
            ("none", _) => "none yet".to_owned(),
            (state, Some(detail)) => format!("{state}: {detail}"),
            (state, None) => (*state).to_owned(),
        };
        let funnel = &self.state.funnel;
        let clients =
            if funnel.clients.is_empty() { "none".into() } else { funnel.clients.join(", ") };
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
            ("Server connected", yes(funnel.connected_server).to_owned()),
            ("Client seen", yes(funnel.mcp_client).to_owned()),
            ("  clients", clients),
            ("Tools searched", yes(funnel.retrieve_tools_call).to_owned()),
            ("  last 24 h", self.state.discovery_calls.value(self.now).to_string()),
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
fn id_of(config: &ConfigState) -> Option<(String, Option<String>)> {
    let telemetry = config.telemetry()?;
    let id = telemetry.anonymous_id.clone()?;
    Some((id, telemetry.anonymous_id_created_at.clone()))
}

fn trouble(error: &StoreError) -> (&'static str, Option<String>) {
    match error {
        StoreError::Busy => ("busy", Some("another process holds its lock; try again".into())),
        StoreError::RemoteFileSystem(kind) => (
            "remote",
            Some(format!("{kind} is not a known local file system: nothing is recorded or sent")),
        ),
        StoreError::Io(kind) => ("unavailable", Some(kind.clone())),
    }
}
