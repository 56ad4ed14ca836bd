//! The windows backend, one file per topic.

pub mod files;
#[cfg(feature = "service")]
pub mod group;
pub mod host;
pub mod login;
#[cfg(any(feature = "process", feature = "service"))]
mod lookup;
pub mod policy;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod service;
mod wide;
