//! The wire contract: heartbeat v3.
//!
//! One rule: `heartbeat-v3.json` is the single source. `build.rs` compiles it into the tables of
//! [`tables`]; every enum, struct and limit written here by hand is compared with them at compile time,
//! so a change on one side only does not build.

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
    Activation, BuiltinToolCalls, EnvMarkers, Payload, ServerProtocolCounts, SurfaceRequests,
};
pub use product::Product;
pub(crate) use shapes::is_version;
pub use tables::ROOT;
pub use terms::{Arch, CallBucket, Edition, EnvKind, LaunchSource, Os, RoutingMode, TokensBucket};

/// The schema itself, as it stands in the source: JSON Schema 2020-12.
pub const SCHEMA: &str = include_str!("heartbeat-v3.json");
/// The `schema_version` of every payload.
pub const SCHEMA_VERSION: u64 = 3;
/// Client names kept per install.
pub const MAX_CLIENTS: usize = 16;
/// Bytes of the longest payload.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024;
/// The largest count that is written; beyond 2^53 - 1 receivers may lose digits (RFC 8259, section 6),
/// and a counter that high is saturated anyway.
pub const MAX_COUNT: u64 = (1 << 53) - 1;

/// What `build.rs` made of the schema.
pub mod tables {
    use super::compare::{self, HAND};
    use super::table::{Member, Node, Text};

    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}
