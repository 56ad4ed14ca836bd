//! Migrations: a database that an earlier version wrote is brought to the schema of this one.
//!
//! One rule: first a copy that was checked, then each step in one transaction: at any moment the database is of one
//! schema or of the next, and a step that loses a row is undone.

use super::copy::copy;
use super::error::StoreError;
use super::{database, sql};
use mcpproxy_platform::files::FileIdentity;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::info;

/// How long a migration that another directory's collector began is left alone, in seconds.
const LEASE: u64 = 600;

/// Where the copy lies that is made before the database is brought to `schema`.
pub fn copy_before(dir: &Path, schema: u32) -> PathBuf {
    super::copy::beside(&database::file(dir), &format!(".before-schema-{schema}"))
}

/// Brings the database to [`database::SCHEMA`]. The caller holds the directory whose `lock` this is.
pub fn run(connection: &mut Connection, dir: &Path, lock: FileIdentity) -> Result<(), StoreError> {
    run_steps(connection, dir, &owner(lock), &sql::MIGRATIONS)
}

fn run_steps(
    connection: &mut Connection,
    dir: &Path,
    owner: &str,
    steps: &[&str],
) -> Result<(), StoreError> {
    // One copy, of what an earlier version wrote: between two steps there is nothing new.
    let mut is_copied = false;
    for (from, step) in (1..).zip(steps) {
        if database::schema(connection)? != Some(from) {
            continue;
        }
        begin(connection, from + 1, owner)?;
        let ready = if is_copied { Ok(()) } else { keep_copy(connection, dir, from + 1) };
        is_copied = true;
        if let Err(error) = ready.and_then(|()| take(connection, from, step)) {
            // As it was. Where this fails, the next start is as good.
            let _ = abandon(connection, from);
            return Err(error);
        }
    }
    Ok(())
}

/// Makes the copy, and says so.
fn keep_copy(connection: &Connection, dir: &Path, schema: u32) -> Result<(), StoreError> {
    let copied = copy_before(dir, schema);
    copy(connection, &copied)?;
    let name = copied.file_name().unwrap_or_default().to_string_lossy().into_owned();
    info!("collector.db is brought to this version; a copy of it as it was is {name}");
    Ok(())
}

/// Writes down who migrates, so that a collector in another directory does not begin the same.
fn begin(connection: &mut Connection, target: u32, owner: &str) -> Result<(), StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(sql::MIGRATING)?;
    let other: Option<(String, u64)> = change
        .query_row(sql::MIGRATING_READ, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((other, until)) = other
        && other != owner
        && (now..=now + LEASE).contains(&until)
    {
        return Err(StoreError::Migrating(until - now + 1));
    }
    change.execute(sql::MIGRATING_WRITE, params![target, owner, now + LEASE])?;
    change.commit()?;
    Ok(())
}

/// One step. It is undone if a row is gone after it.
fn take(connection: &mut Connection, from: u32, step: &str) -> Result<(), StoreError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if database::schema(&change)? == Some(from) {
        let before = rows(&change)?;
        change.execute_batch(step)?;
        if rows(&change)? != before {
            return Err(StoreError::MigrationLoses);
        }
        change.execute(sql::META_CHANGE, [&(from + 1).to_string(), "schema"])?;
    }
    change.execute(sql::MIGRATING_END, [])?;
    change.commit()?;
    Ok(())
}

fn abandon(connection: &mut Connection, from: u32) -> Result<(), StoreError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(if from == 1 { sql::MIGRATING_DROP } else { sql::MIGRATING_END })?;
    change.commit()?;
    Ok(())
}

/// How many rows each table of every schema has.
fn rows(change: &Transaction<'_>) -> Result<Vec<u64>, StoreError> {
    let counts = sql::ROWS.iter().map(|count| change.query_row(count, [], |row| row.get(0)));
    Ok(counts.collect::<Result<_, _>>()?)
}

/// Who migrates: a process that holds the same lock file is the same, because an earlier one is dead.
fn owner(lock: FileIdentity) -> String {
    let mut hasher = DefaultHasher::new();
    lock.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests;
