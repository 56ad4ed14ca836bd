//! The collector as its maintainer runs it: a process, real sockets, real clients, crashes and full disks.

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

mod answers;
#[cfg(feature = "simulate")]
mod budgets;
mod charts;
mod client;
mod commands;
mod crashes;
mod damage;
mod data;
mod demo;
mod disk;
mod doctor;
#[path = "../support/endure.rs"]
mod endure;
mod engine;
mod erasure;
mod expiry;
mod floods;
mod hard_cases;
mod hostile;
mod keeping;
#[cfg(feature = "simulate")]
mod large;
mod load;
mod mcpproxy_go;
mod operating;
mod packaging;
mod pages;
mod proxies;
mod public;
#[path = "../support/receiver.rs"]
#[expect(dead_code, reason = "the tests of the heartbeat use the rest")]
mod receiver;
mod reports;
mod running;
mod shown;
mod tls;
mod upgrade;
mod versions;
