//! The heartbeat against a real HTTP server: what is sent, when, how often, and what is never sent.

mod commands;
mod days;
mod delivery;
mod failures;
mod forget;
mod hosts;
mod install;
mod network;
mod panics;
#[path = "../support/receiver.rs"]
mod receiver;
