//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: nothing is acknowledged before it is on disk, and nothing is kept that names anybody.

mod connections;
pub mod definitions;
pub mod heartbeat;
pub mod http;
pub mod keeper;
pub mod kept;
pub mod pages;
pub mod receive;
pub mod report;
pub mod row;
pub mod service;
#[cfg(feature = "simulate")]
pub mod simulate;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod testing;
pub mod view;
