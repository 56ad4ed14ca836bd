//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: it acknowledges a heartbeat after it is on disk, and keeps no name, address or id of a person.

mod connections;
pub mod heartbeat;
pub mod http;
pub mod kept;
pub mod receive;
pub mod row;
pub mod service;
pub mod store;
#[cfg(test)]
mod testing;
