//! The install's activation funnel, counters and sender state, kept in LMDB for many processes at once.
//!
//! One rule: the logic is pure functions over [`State`]; [`Store`] only makes them transactional.

pub mod clients;
#[cfg(feature = "activation")]
mod codec;
mod days;
#[cfg(feature = "serve")]
pub mod errors;
#[cfg(not(feature = "serve"))]
#[path = "errors/absent.rs"]
pub mod errors;
pub mod live;
#[cfg(feature = "activation")]
mod record;
pub mod state;
mod store;
mod window;

pub use days::{ActiveDays, DAY, Days};
pub use errors::{ErrorMark, Errors, Standing};
pub use live::{LiveCounts, LiveMark, LiveProcess};
pub use state::State;
pub use store::{Claim, Clock, DEADLINE, Deferred, Health, Recorded, Store, StoreError, owner};
pub use window::HourlyWindow;

use crate::contract::{BuiltinTool, Surface};

/// One thing that happened, ready to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark<'a> {
    /// A client of this canonical name (see [`clients::canonical`]) was seen.
    Client(&'a str),
    /// A server answered.
    ServerConnected,
    /// A discovery tool answered; both counts when the answer told them.
    Discovery {
        /// Tools that were searched.
        indexed: Option<u64>,
        /// Tools that were returned.
        returned: Option<u64>,
    },
    /// An upstream tool was called.
    UpstreamCall,
    /// An upstream tool returned a result.
    UpstreamResult,
    /// A client made a request today.
    ClientActive,
    /// A host ended.
    Ended(Ending),
    /// A request arrived on a surface.
    Request(Surface),
    /// One of our own tools was called.
    Builtin(BuiltinTool),
    /// Something happened about errors.
    Error(ErrorMark),
}

/// How a host ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it was meant to.
    Clean,
    /// It panicked, or the server that it wraps failed.
    Crash,
}
