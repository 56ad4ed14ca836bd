//! The anonymity gate: leaks are refused to the last one, ordinary machines pass.

mod attacks;
mod channels;
mod corpus;
mod leaks;
mod ordinary;
mod payload;
mod products;
mod properties;
#[cfg(feature = "collector")]
mod received;
mod shape;
mod versions;
