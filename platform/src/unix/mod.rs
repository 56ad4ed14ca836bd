//! What the backends of Unix systems share, one file per topic.

#[cfg(any(feature = "lmdb", feature = "process", feature = "service"))]
pub mod descriptors;
pub mod files;
#[cfg(feature = "service")]
pub mod group;
pub mod host;
pub mod login;
pub mod owners;
#[cfg(feature = "process")]
pub mod process;
#[cfg(any(feature = "process", feature = "service"))]
mod script;
mod stderr;
