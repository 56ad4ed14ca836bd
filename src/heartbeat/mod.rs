//! Heartbeat: assemble, schedule, send.
//!
//! One rule: bytes are stored before they are sent, checked each time before they are sent, and sent only
//! while consent, the lease and the identity still hold.

pub mod assemble;
pub mod attempt;
#[cfg(feature = "heartbeat")]
pub mod erasure;
#[cfg(feature = "serve")]
mod errors;
pub(crate) mod host;
pub mod lifetime;
pub mod live;
pub mod permission;
pub mod post;
pub mod preview;
pub mod proxy;
mod retirement;
pub(crate) mod retry_after;
pub mod rhythm;
pub mod schedule;
pub mod sent;
pub(crate) mod session;
pub mod timing;
#[cfg(feature = "tls")]
mod tls;
pub mod unable;
pub(crate) mod worker;

/// A random name for one process in marks and in the lease; not 0.
pub fn nonce() -> u64 {
    // Without randomness the clock still tells most processes apart.
    getrandom::u64().unwrap_or_else(|_| crate::machine::now()).max(1)
}
