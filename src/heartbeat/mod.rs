//! Heartbeat: assemble, schedule, send.
//!
//! One rule: bytes are stored before they are sent, checked each time before they are sent, and sent only
//! while consent, the lease and the identity still hold.

pub mod assemble;
pub mod endpoint;
pub mod post;
pub mod proxy;
mod retry_after;
pub mod schedule;
pub mod timing;
