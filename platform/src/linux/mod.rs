//! The linux backend, one file per topic; `crate::unix` has what other systems share.

pub mod files;
pub mod host;
#[cfg(any(feature = "process", feature = "service"))]
pub mod lives;
pub mod policy;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "process")]
pub mod signals;

#[cfg(feature = "service")]
pub use crate::unix::group;
pub use crate::unix::login;
#[cfg(feature = "process")]
pub use crate::unix::process;
