//! The wire contract: heartbeat v3.
//!
//! One rule: `heartbeat-v3.json` is the single source. `build.rs` compiles it into the tables of
//! [`tables`]; every enum and limit written here by hand is compared with them at compile time.

mod payload;
pub mod table;
mod terms;
pub mod timestamp;

pub use payload::{
    Activation, BuiltinToolCalls, EnvMarkers, Payload, ServerProtocolCounts, SurfaceRequests,
};
pub use terms::{Arch, CallBucket, Edition, EnvKind, LaunchSource, Os, RoutingMode, TokensBucket};

/// Client names kept per install.
pub const MAX_CLIENTS: usize = 16;
/// Bytes of the longest payload.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024;
