//! The linux backend, one file per topic.

pub mod files;
pub mod host;
#[cfg(feature = "process")]
pub mod process;
mod stderr;
