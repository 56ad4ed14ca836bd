//! The windows backend, one file per topic.

pub mod files;
pub mod host;
pub mod login;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod service;
mod wide;
