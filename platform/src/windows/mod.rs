//! The windows backend, one file per topic.

pub mod files;
pub mod host;
#[cfg(feature = "process")]
pub mod process;
mod registry;
#[cfg(feature = "service")]
pub mod service;
mod wide;
