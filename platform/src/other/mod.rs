//! The other backend, one file per topic.

pub mod files;
#[cfg(feature = "service")]
pub mod group;
pub mod host;
#[cfg(feature = "process")]
mod input;
pub mod login;
pub mod policy;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod service;
