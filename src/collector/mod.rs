//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: nothing is acknowledged before it is on disk, and nothing is kept that names anybody.

pub mod definitions;
pub mod heartbeat;
pub mod keeper;
pub mod kept;
pub mod pages;
pub mod report;
pub mod row;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod testing;
pub mod view;
