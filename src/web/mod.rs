//! What every HTTP surface of this program needs: who may ask, the key, the form of answers, the page's
//! policy, the socket, its connections and their bounds, the log.
//!
//! One rule: nothing here knows what is served. Paths, words and pages are the surface's, and come in as data.

// By itself the feature serves nothing that could use them.
mod addresses;
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub(crate) mod answer;
pub mod connections;
pub mod guard;
pub mod held;
pub mod key;
pub mod listen;
pub mod log;
#[cfg_attr(not(feature = "serve"), allow(dead_code, unused_imports, unused_macros))]
pub(crate) mod page;
pub mod places;
mod stalls;
