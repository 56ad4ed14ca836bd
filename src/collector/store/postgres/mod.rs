//! The rows on a PostgreSQL server, of which any number of collectors may be clients.
//!
//! One rule: nothing is kept in a session. Every statement is unnamed, and every transaction may be repeated whole, so
//! that a pooler may stand between, and a server that fails may be another one the next moment.

mod address;
mod begin;
mod failure;
mod link;
mod password;
mod read;
mod row;
mod tls;
mod write;

pub use address::Server;
pub use link::Link;
pub use read::{AllDays, DaysAhead};
pub use row::ServerRow;
pub use write::PostgresStore;
