//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: nothing is acknowledged before it is on disk, and nothing is kept that names anybody.

pub mod definitions;
pub mod pages;
pub mod report;
pub mod row;
pub mod snapshot;
pub mod view;
