//! The collector on real PostgreSQL servers: what it shows, what it keeps, and what it refuses.
//!
//! Files of the collector's tests that say nothing of a file run here once more, on a server.

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

#[path = "../collector/answers.rs"]
mod answers;
#[path = "../collector/client.rs"]
mod client;
mod commands;
#[path = "../collector/crashes.rs"]
mod crashes;
#[path = "../collector/data.rs"]
mod data;
#[path = "../support/endure.rs"]
mod endure;
mod engine;
#[path = "../collector/erasure.rs"]
mod erasure;
#[path = "../collector/floods.rs"]
mod floods;
#[path = "../collector/mcpproxy_go.rs"]
mod mcpproxy_go;
mod numbers;
#[path = "../support/receiver.rs"]
#[expect(dead_code, reason = "the tests of the heartbeat use the rest")]
mod receiver;
#[path = "../collector/running.rs"]
#[expect(dead_code, reason = "the tests of the collector on a file use the rest")]
mod running;
mod server;
mod together;
#[path = "../collector/versions.rs"]
mod versions;
mod ways;
