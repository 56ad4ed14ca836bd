//! JSON: a strict reader, the string escaper of every writer, and values to print.
//!
//! One rule: all of the product reads JSON with `read`; why is said there.

mod node;
mod read;

pub(crate) use node::Node;
pub use read::*;
