//! The macos backend, one file per topic; `crate::unix` has what other systems share.

pub mod files;
pub mod host;
#[cfg(feature = "process")]
pub mod lives;
mod process_arguments;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "process")]
pub mod signals;

pub use crate::unix::login;
#[cfg(feature = "process")]
pub use crate::unix::process;
