//! End to end with real parts: real MCP clients talk to real MCP servers through `mcpproxy tap` and
//! `mcpproxy serve`.
//!
//! `scripts/test` installs the parts (npm and PyPI, exact versions) below `target/real`; where they are
//! missing these tests are skipped and say so. Every session is recorded by `recorder.py` on both
//! sides of the tap: what one side saw must be what the other side saw, byte for byte, and what the
//! same session is without a tap. Needs a Unix: process groups, shells, signals.
#![cfg(unix)]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

#[cfg(feature = "collector")]
mod collector;
mod endings;
#[cfg(all(feature = "serve", target_os = "linux"))]
mod engines;
mod funnel;
// Linux: these look at processes in `/proc`.
#[cfg(all(feature = "serve", target_os = "linux"))]
mod gateway;
mod heartbeat;
mod parts;
mod pass_through;
mod quiet;
mod recordings;
mod reduced_environment;
mod session;
