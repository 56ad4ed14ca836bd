//! Wiring: our entry in the configurations of MCP clients.
//!
//! One rule: these files are other programs'. Every byte that is not our entry stays, the original is put
//! aside first, what we did can be undone to the byte, and nothing of a file but names of servers is shown.
//!
//! A client's file is read with `jsonc` or `toml` into the [`Server`]s it configures, with the places
//! of their words. A [`Change`] becomes a few `patch`es of the text. `undo` takes a change back, and
//! `record` proves that there is something of ours to take back.

mod clients;
mod comments;
mod count;
mod diff;
mod document;
mod file;
mod jsonc;
mod launch;
mod patch;
mod places;
mod problem;
mod program;
mod projects;
mod record;
mod toml;
mod undo;
mod wiring;

pub use clients::{CLIENTS, Client, IDS, client};
pub use count::{configured_ide_count, count};
pub use diff::unified;
pub use document::{Change, ENTRY, Entry, Server};
pub use places::Places;
pub use problem::Problem;
pub use program::this_program;
pub use projects::{Project, Spot, files, projects, spot};
pub use wiring::{Found, Outcome, Plan, Trouble, connect, disconnect, look, original, put_aside};
