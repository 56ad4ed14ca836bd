//! The contract compiler (see `src/contract`).
fn main() {}
