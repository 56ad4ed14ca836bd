//! `mcpproxy`: honest, anonymous retention telemetry for local-first MCP tools.
//!
//! Data flows one way: evidence ([`environment`]) -> verdict -> store ([`activation`]) -> payload
//! ([`contract`]) -> [`gate`] -> send ([`heartbeat`]). A later stage may call an earlier one, never the
//! reverse. [`machine`] and [`paths`] are where the world comes in; the stages are pure.

pub mod activation;
#[cfg(feature = "autostart")]
pub mod autostart;
pub mod build_info;
pub mod cli;
#[cfg(feature = "collector")]
pub mod collector;
pub mod config;
#[cfg(feature = "connect")]
pub mod connect;
#[cfg(not(feature = "connect"))]
#[path = "connect/absent.rs"]
pub mod connect;
pub mod consent;
pub mod contract;
pub mod diagnostics;
#[cfg(feature = "cli")]
mod doctor;
pub mod environment;
pub mod gate;
pub mod heartbeat;
pub mod identity;
pub mod json;
pub mod machine;
pub mod notice;
pub mod paths;
pub mod products;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "serve")]
pub mod serve;
mod status;
#[cfg(feature = "tap")]
pub mod tap;
mod telemetry;
mod visible;
#[cfg(feature = "web")]
pub mod web;

pub use activation::Ending;
pub use activation::LiveCounts;
pub use heartbeat::host::Host;
pub use products::HostProduct;
pub use telemetry::{Event, Snapshot, Telemetry};
