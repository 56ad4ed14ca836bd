//! The maintainer's end: receives heartbeats, keeps them, and shows who stays.
//!
//! One rule: it acknowledges a heartbeat after it is on disk, and keeps no name, address or id of a person.

pub mod answer;
pub mod code;
pub mod definitions;
pub mod demo;
pub mod doctor;
pub mod erasure;
mod expiry;
pub mod export;
pub mod floods;
pub mod heartbeat;
pub mod http;
pub mod import;
pub mod keeper;
pub mod kept;
pub mod limits;
pub mod mcpproxy_go;
pub mod metrics;
pub mod operating;
pub mod origin;
pub mod pages;
mod plain;
pub mod public;
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
pub mod tls;
pub mod verify;
pub mod view;
mod views;
