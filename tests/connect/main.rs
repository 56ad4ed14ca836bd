//! `mcpproxy connect` and `disconnect`: other programs' files, changed and given back to the byte.
#![cfg(all(feature = "connect", feature = "serve", feature = "tap"))]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod counting;
mod files;
mod home;
mod projects;
mod proof;
mod undo;
mod usage;
mod wrapping;
