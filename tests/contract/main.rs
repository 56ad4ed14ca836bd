//! The contract from outside: payloads against an independent validator, the schema against the code,
//! the field page against the schema.

mod docs;
mod gate;
mod generated;
mod mutations;
mod openapi;
mod payloads;
#[path = "../support/scratch.rs"]
mod scratch;
mod shapes;
