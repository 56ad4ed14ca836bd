//! What the backends of Unix systems share, one file per topic.

pub mod files;
pub mod groups;
pub mod host;
pub mod login;
#[cfg(feature = "process")]
pub mod process;
mod stderr;
