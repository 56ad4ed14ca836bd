//! Any other system.
