//! The gateway from outside: the built binary, upstream servers in this process, real sockets and pipes.

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod api;
mod bounds;
mod calls;
mod clients;
mod connections;
mod diagnostics;
#[cfg(feature = "cli")]
mod doctor;
mod entries;
mod eras;
#[cfg(target_os = "linux")]
mod facts;
mod fake;
mod field;
mod fixes;
mod floods;
mod gateway;
mod lengths;
mod lines;
mod listing;
mod operations;
#[cfg(target_os = "linux")]
mod processes;
mod proxies;
mod questions;
#[cfg(target_os = "linux")]
#[path = "../support/receiver.rs"]
#[allow(dead_code)]
mod receiver;
mod sessions;
mod stderr;
mod telemetry;
mod upstreams;
mod wire;
