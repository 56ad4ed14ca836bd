//! What the status API answers, from the same readings as the command line.
//!
//! One rule: reads only. The one thing that changes anything is the switch, and it says what came of it.

use super::hub::{Hub, Status as ServerStatus};
use crate::build_info;
use crate::config::{EditError, Which};
use crate::consent::{self, Configs, Consent, Switch, Whose};
use crate::contract::{RoutingMode, Wire, timestamp};
use crate::diagnostics::Code;
use crate::heartbeat::preview::Preview;
use crate::heartbeat::sent;
use crate::json;
use crate::json::Node;
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use crate::products::Subject;
use crate::status::{Status, diagnostic};
use std::collections::BTreeMap;
use std::fmt;

/// Members of `telemetry status --product mcpproxy -o json` that stand beside `telemetry` in the status API, not in it.
const OF_THE_MACHINE: &[&str] =
    &["env_kind", "env_markers", "agent_env", "launch_source", "autostart_enabled", "activation"];

/// Why there is no report, or no switch.
#[derive(Debug)]
pub enum ReportError {
    /// The thread that reads did not come to an end.
    Unread,
    /// The status is no JSON.
    Json,
    /// The payload is not UTF-8.
    Utf8,
    /// This config could not be edited.
    Edit(Which, EditError),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => f.write_str("the state of this install could not be read"),
            Self::Json => f.write_str("the status is no JSON"),
            Self::Utf8 => f.write_str("the payload is not UTF-8"),
            Self::Edit(which, error) => f.write_str(&error.of(*which)),
        }
    }
}

impl std::error::Error for ReportError {}

/// Reading files may wait for a disk: not on a thread that answers requests.
async fn aside<R: Send + 'static>(
    read: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ReportError> {
    tokio::task::spawn_blocking(read).await.map_err(|_| ReportError::Unread)
}

fn members(dir: DataDir) -> Vec<(&'static str, Node)> {
    let subject = Subject::own(dir);
    let place = subject.place(None);
    let status = Status::read(subject, place, Surroundings::of_this_process(), machine::now());
    match status.to_node() {
        Node::Object(members) => members,
        _ => Vec::new(),
    }
}

/// Members of `telemetry status --product mcpproxy -o json` that the tool of that name leaves out: what a tool answers goes
/// to the model, and that is often another machine. The id and the user's paths stay on this one.
const NOT_FOR_MODELS: &[&str] =
    &["anonymous_id", "anonymous_id_created_at", "anonymous_id_trouble", "data_dir", "endpoint"];

/// What `telemetry status --product mcpproxy -o json` says, as far as it may leave the machine.
pub async fn telemetry(dir: DataDir) -> Result<serde_json::Value, ReportError> {
    let text = aside(|| {
        let mut members = members(dir);
        members.retain(|(name, _)| !NOT_FOR_MODELS.contains(name));
        let more = "`mcpproxy telemetry status` shows more, `mcpproxy telemetry show-payload` the exact next \
                    heartbeat; `mcpproxy telemetry disable` switches telemetry off.";
        members.push(("see", more.into()));
        Node::Object(members).to_compact()
    })
    .await?;
    serde_json::from_str(&text).map_err(|_| ReportError::Json)
}

/// `GET /api/v1/status`
pub async fn status(hub: &Hub, dir: DataDir, started_at: u64) -> Result<Node, ReportError> {
    let (machine, telemetry): (Vec<_>, Vec<_>) = aside(|| members(dir))
        .await?
        .into_iter()
        .partition(|(name, _)| OF_THE_MACHINE.contains(name));
    let classification = machine::classification();
    let evidence = classification.evidence.iter().map(|found| found.as_str().into());
    let mut out = vec![
        ("version", build_info::VERSION.into()),
        ("edition", build_info::EDITION.as_str().into()),
        ("started_at", timestamp::format(started_at).into()),
        ("uptime_seconds", machine::now().saturating_sub(started_at).into()),
        ("routing_mode", RoutingMode::RetrieveTools.as_str().into()),
        ("env_rule", classification.rule.as_str().into()),
        ("env_evidence", Node::List(evidence.collect())),
    ];
    out.extend(machine);
    out.extend(servers(hub));
    out.push(("telemetry", Node::Object(telemetry)));
    Ok(Node::Object(out))
}

fn servers(hub: &Hub) -> Vec<(&'static str, Node)> {
    let counts = hub.counts();
    let list = hub.servers().into_iter().map(|server| {
        let live = server.live();
        let faults = live.as_ref().map(|live| live.offer.faults.sentences()).unwrap_or_default();
        let (detail, retry_at) = match server.status() {
            ServerStatus::Waiting { why, retry_at } => (Some(why.to_string()), Some(retry_at)),
            status => match status.why() {
                Some(why) => (Some(why.to_string()), None),
                None => ((!faults.is_empty()).then(|| faults.join("; ")), None),
            },
        };
        let trouble = server.trouble().map(|(code, cause)| trouble(code, cause));
        let tools = live.map_or(0, |live| live.offer.tools.len() as u64);
        Node::Object(vec![
            ("name", server.name.as_ref().into()),
            ("protocol", server.protocol().as_str().into()),
            ("state", server.status().as_str().into()),
            ("detail", detail.into()),
            ("diagnostic", trouble.into()),
            ("faults", Node::List(faults.into_iter().map(Into::into).collect())),
            ("tool_count", tools.into()),
            ("retry_at", retry_at.map(timestamp::format).into()),
        ])
    });
    vec![
        ("server_count", counts.server_count.into()),
        ("connected_server_count", counts.connected_server_count.into()),
        ("tool_count", counts.tool_count.into()),
        (
            "server_protocol_counts",
            counts.server_protocol_counts.map(|counts| counts.to_node()).into(),
        ),
        ("servers", Node::List(list.collect())),
    ]
}

/// What happened, and all that the catalog says of it.
fn trouble(code: Code, cause: String) -> Node {
    let mut members = vec![("cause", cause.into())];
    members.extend(diagnostic::members(code).into_iter().filter(|(name, _)| *name != "reserved"));
    Node::Object(members)
}

/// `GET /api/v1/diagnostics`: every server with which something is wrong, and how many have each code.
pub fn diagnostics(hub: &Hub) -> Node {
    let mut counts = BTreeMap::new();
    let troubled = hub.servers().into_iter().filter_map(|server| {
        let (code, cause) = server.trouble()?;
        *counts.entry(code).or_insert(0_u64) += 1;
        Some(Node::Object(vec![
            ("server", server.name.as_ref().into()),
            ("state", server.status().as_str().into()),
            ("diagnostic", trouble(code, cause)),
        ]))
    });
    let troubled: Vec<Node> = troubled.collect();
    let codes = counts.into_iter().map(|(code, servers)| {
        Node::Object(vec![("code", code.as_str().into()), ("servers", servers.into())])
    });
    Node::Object(vec![("servers", Node::List(troubled)), ("codes", Node::List(codes.collect()))])
}

/// `GET /api/v1/telemetry/payload`: the next heartbeat, byte for byte, and what becomes of it.
pub async fn payload(dir: DataDir) -> Result<(Node, Node), ReportError> {
    aside(move || {
        let around = Surroundings::of_this_process();
        let preview = Preview::read(&Subject::own(dir), None, around, machine::now());
        let bytes = String::from_utf8(preview.bytes()).map_err(|_| ReportError::Utf8)?;
        let consent = &preview.permission.consent;
        let meta = Node::Object(vec![
            ("pending", preview.pending().is_some().into()),
            ("provisional_id", preview.has_provisional_id().into()),
            ("effective", consent.effective.as_str().into()),
            ("detail", consent.detail.as_str().into()),
        ]);
        Ok((Node::Raw(bytes), meta))
    })
    .await?
}

/// `GET /api/v1/telemetry/sent`: what was acknowledged, newest first.
pub async fn sent(dir: DataDir) -> Result<Node, ReportError> {
    aside(move || {
        let copies = sent::copies(&dir).into_iter().rev().filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            // A copy that somebody edited must not break the answer.
            json::parse(text.as_bytes()).ok()?.members()?;
            let name = path.file_name()?.to_str()?.to_owned();
            Some(Node::Object(vec![("name", name.into()), ("payload", Node::Raw(text))]))
        });
        Node::List(copies.take(sent::KEPT).collect())
    })
    .await
}

/// `PUT /api/v1/telemetry`: switches every product as `telemetry enable` and `disable` do, and says what is
/// effective then for this one.
pub async fn switch(dir: DataDir, enabled: bool) -> Result<Node, ReportError> {
    let consent: Consent = aside(move || {
        let switched = consent::switch(&dir, Switch::All, enabled);
        match switched.failed.first() {
            Some((which, error)) => Err(ReportError::Edit(*which, error.clone())),
            None => {
                let around = Surroundings::of_this_process();
                Ok(consent::decide(around, &Configs::read(&dir), Whose::OWN))
            }
        }
    })
    .await??;
    Ok(Node::Object(vec![
        ("preference", if enabled { "enabled" } else { "disabled" }.into()),
        ("effective", consent.effective.as_str().into()),
        ("rule", consent.rule.into()),
        ("detail", consent.detail.into()),
    ]))
}
