//! The packages for npm and PyPI as a maintainer ships them and a user installs them: packed, published to registries
//! on loopback, installed into clean caches, and run by real MCP clients.
//!
//! `scripts/test` installs the registries, package managers and versions of Node.js below `target/real`; what is not
//! there is skipped, and says so. Needs a Unix: process ids, modes, signals.
#![cfg(unix)]

#[macro_use]
#[path = "../support/skip.rs"]
mod skip;

#[path = "../support/endure.rs"]
mod endure;
#[path = "../real/parts.rs"]
#[allow(dead_code)]
mod parts;
#[path = "../real/session.rs"]
#[allow(dead_code)]
mod session;

mod init;
mod npm;
mod npm_endings;
mod npm_entries;
mod npm_fail_open;
mod npm_packer;
mod npm_registry;
mod npm_tree;
mod pypi;
mod pypi_endings;
mod pypi_fail_open;
mod pypi_installers;
mod pypi_packer;
mod pypi_same;
mod receiver;
