//! What the backends of Unix systems share, one file per topic.

#[cfg(any(feature = "lmdb", feature = "process", feature = "service"))]
pub mod descriptors;
pub mod files;
pub mod host;
pub mod login;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod service;
mod stderr;
