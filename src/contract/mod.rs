//! The wire contract: heartbeat v4, which is sent, and v3, which is still read.
//!
//! One rule: `heartbeat-v4.json` and `heartbeat-v3.json` are the single source. `build.rs` compiles them
//! into [`tables`]; every enum, struct and limit written here by hand is compared with v4 at compile time,
//! and v3 with v4, so a change on one side only does not build. A field never changes its meaning: a new
//! meaning gets a new name.

pub mod client_name;
mod compare;
mod payload;
pub mod product;
mod shapes;
pub mod table;
mod terms;
pub mod timestamp;
mod wire;

pub use payload::{
    Activation, BuiltinTool, BuiltinToolCalls, Diagnostics, EnvMarkers, Payload, Protocol,
    ServerProtocolCounts, Surface, SurfaceRequests, version_of,
};
pub use product::Product;
pub(crate) use shapes::is_version;
pub use terms::{
    AgentEnv, Arch, CallBucket, Edition, EnvKind, LaunchSource, Os, RoutingMode, Shutdown,
    TokensBucket,
};
pub(crate) use wire::Wire;

/// One version of the contract.
#[derive(Debug)]
pub struct Schema {
    /// What its payloads say as `schema_version`.
    pub version: u64,
    /// The schema itself, JSON Schema 2020-12; empty where the build does not hold it.
    pub text: &'static str,
    /// What `build.rs` made of it.
    pub root: &'static table::Node,
}

// A build for containers, which sends version 4, holds that one without white space and descriptions, and the other
// not at all: together that is 24 KB.
#[cfg(any(feature = "cli", feature = "collector"))]
const TEXTS: [&str; 2] = [include_str!("heartbeat-v3.json"), include_str!("heartbeat-v4.json")];
#[cfg(not(any(feature = "cli", feature = "collector")))]
const TEXTS: [&str; 2] = ["", include_str!(concat!(env!("OUT_DIR"), "/heartbeat-v4.json"))];

/// Every version of the contract, the oldest first; the last is what is sent.
pub static SCHEMAS: [Schema; 2] = [
    Schema { version: 3, text: TEXTS[0], root: &tables::V3 },
    Schema { version: SCHEMA_VERSION, text: TEXTS[1], root: &tables::V4 },
];

/// That version of the contract.
pub fn schema(version: u64) -> Option<&'static Schema> {
    SCHEMAS.iter().find(|schema| schema.version == version)
}

/// The `schema_version` of every payload that is sent.
pub const SCHEMA_VERSION: u64 = 4;
/// Client names kept per install.
pub const MAX_CLIENTS: usize = 16;
/// `days_since_install` of an install that is older.
pub const MAX_DAYS_SINCE_INSTALL: u64 = 366;
/// The most days that `active_days_30d` can count.
pub const MAX_ACTIVE_DAYS: u64 = 30;
/// The most codes in one object of counts.
pub const MAX_CODES: usize = 20;
/// The largest single number of `diagnostics`.
pub const MAX_DIAGNOSTICS: u64 = 1000;
/// Bytes of the longest payload.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024;
/// The largest count that is written; beyond 2^53 - 1 receivers may lose digits (RFC 8259, section 6),
/// and a counter that high is saturated anyway.
pub const MAX_COUNT: u64 = (1 << 53) - 1;

/// What `build.rs` made of the schemas.
pub mod tables {
    use super::compare::{self, HAND};
    use super::table::{Member, Node, Text};

    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}
