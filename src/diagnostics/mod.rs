//! The closed catalog of error codes.
//!
//! One rule: names only: their behaviour is a later issue. Until then no code is ever sent or shown; they
//! stand here because the contract of heartbeats (`src/contract/heartbeat-v4.json`) is closed, and a
//! receiver that is built today has to know them.

mod codes;

pub use codes::CODES;

#[cfg(test)]
mod tests;
