//! `mcpproxy serve` with real clients before it and real servers behind it.
//!
//! `host` starts and ends gateways, `tour` plays one session of a client and compares what came back with
//! what the servers say when they are asked without a gateway.

mod api;
mod clients;
mod conformance;
mod faithful;
mod host;
mod life;
mod page;
mod stdio;
mod tour;
mod upstreams;
