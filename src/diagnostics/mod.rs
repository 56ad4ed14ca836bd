//! The closed catalog of error codes.
//!
//! One rule: pure. An error says its code; what a code means is written here and nowhere else. Its names also
//! stand in the contract of heartbeats (`src/contract/heartbeat-v4.json`), and a receiver has to know them.

mod codes;

pub use codes::{CODES, Code};

#[cfg(test)]
mod tests;
