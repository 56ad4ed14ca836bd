//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: nothing is acknowledged before it is on disk, and nothing is kept that names anybody.

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
