//! Heartbeats of mcpproxy-go, schema 1 to 13: another program's contract, which only ever grew.
//!
//! One rule: what means the same there and here is read, and nothing else is kept: not its `machine_id`, nor
//! codes that it counted in another way before version 11. None of its texts is kept but names of clients and
//! numbers of versions, which the gate has seen.

use super::answer::Refused;
use super::heartbeat::Heartbeat;
use crate::contract::table::Text;
use crate::contract::{MAX_PAYLOAD_BYTES, client_name};
use crate::gate::{self, PrivateWords, RefusalRule, Unknown};
use crate::json::{self, Value};

/// The product that its installs are counted as.
pub const NAME: &str = "mcpproxy-go";

/// The versions of its contract. The first does not say its number.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=13;
/// The version from which on codes are changes into a state, as ours are: before, servers times half minutes.
const WITH_CHANGES: u64 = 11;
/// The version from which on a heartbeat has a name of its own, which a rebuilt one keeps.
const WITH_HEARTBEAT_ID: u64 = 12;
/// The version that ours has, too; theirs has members that no closed version of ours allows.
const SHARED: u64 = 3;
/// Members of all its versions that none of ours has.
const ONLY_THEIRS: [&str; 2] = ["go_version", "quarantine_enabled"];
/// Nesting that is read: its checks and flags go deeper than anything of ours.
const MAX_DEPTH: usize = 16;

/// What mcpproxy-go says.
#[derive(Debug)]
pub enum Said {
    /// A heartbeat.
    Heartbeat(Box<Heartbeat>),
    /// Its user switched telemetry off.
    OptedOut,
}

/// What `bytes` say, if they are mcpproxy-go's; `None` when somebody else has to judge them.
pub fn read(bytes: &[u8]) -> Option<Result<Said, Refused>> {
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return None;
    }
    let value = json::parse_with_depth(bytes, MAX_DEPTH).ok()?;
    if value.get("product").is_some() {
        return None;
    }
    if value.get("event").and_then(Value::as_str) == Some("telemetry_disabled") {
        return Some(Ok(Said::OptedOut));
    }
    let is_theirs = ONLY_THEIRS.iter().any(|name| value.get(name).is_some());
    let version = match value.get("schema_version") {
        Some(version) => version.as_u64().filter(|version| VERSIONS.contains(version))?,
        None if is_theirs => 1,
        None => return None,
    };
    (version != SHARED || is_theirs).then(|| heartbeat(bytes, &value, version))
}

fn heartbeat(bytes: &[u8], value: &Value<'_>, version: u64) -> Result<Said, Refused> {
    let refused =
        |field: &str| Refused { rule: RefusalRule::Shape.as_str(), field: field.to_owned() };
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if !text("anonymous_id").is_some_and(|id| Text::Uuid.matches(id)) {
        return Err(refused("/anonymous_id"));
    }
    let mut read = Heartbeat::read(bytes, Unknown::default()).ok_or_else(|| refused(""))?;
    read.product = Some(NAME.to_owned());
    let shown = gate::product_version(&read.facts.version);
    read.facts.version = shown.strip_prefix('v').unwrap_or(&shown).to_owned();
    read.clients.retain(|name| may_be_kept(name));
    read.several_a_day = true;
    if version < WITH_CHANGES {
        read.codes.clear();
    }
    if version >= WITH_HEARTBEAT_ID
        && let Some(id) = text("heartbeat_id").filter(|id| !id.is_empty())
    {
        read.named = Some(stand_in(id));
    }
    Ok(Said::Heartbeat(Box::new(read)))
}

/// Whether a name of a client is one that the gate lets through. Others are left out: their senders' gate is not
/// ours, and an install is worth more than its strangest client.
fn may_be_kept(name: &str) -> bool {
    let is_clean = || gate::scan(name, &PrivateWords::default()).is_none();
    client_name::is_canonical(name) && (client_name::is_known(name) || is_clean())
}

/// What stands for the name of a heartbeat.
fn stand_in(id: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hmac_sha256::Hash::hash(id.as_bytes());
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) | 1 << 63
}
