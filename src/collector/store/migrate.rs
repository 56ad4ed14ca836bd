//! Migrations: a database that an earlier version wrote is brought to the schema of this one.
//!
//! One rule: each step is one transaction, so the database is of one schema or of the next, at any moment.

use super::error::StoreError;
use super::{database, sql};
use rusqlite::{Connection, TransactionBehavior};

/// Brings the database to [`database::SCHEMA`], step by step.
pub fn run(connection: &mut Connection) -> Result<(), StoreError> {
    for (from, step) in (1..).zip(sql::MIGRATIONS) {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if database::schema(&change)? == Some(from) {
            change.execute_batch(step)?;
            change.execute(sql::META_CHANGE, [&(from + 1).to_string(), "schema"])?;
        }
        change.commit()?;
    }
    Ok(())
}
