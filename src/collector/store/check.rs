//! Checks: whether a database hangs together, and every row is as it was written.
//!
//! One rule: a check reads, and changes nothing.

use super::error::StoreError;
use super::packed::DayRow;
use super::products::Products;
use super::{database, read, sql};
use rusqlite::Connection;

/// The tables that every start reads as a whole, or that hold little.
const FIRST: [&str; 5] = ["meta", "products", "names", "installs", "counts"];

/// Checks what every start needs: the pages of all tables but the days, which are most of the file, and the sum over
/// the products. The sums over installs are looked at when they are read, which the start does next.
pub fn start(connection: &Connection) -> Result<(), StoreError> {
    for table in FIRST {
        is_well(connection, "quick_check", Some(table))?;
    }
    products(connection)
}

/// Checks the whole file, and reads every row.
pub fn whole(connection: &Connection) -> Result<(), StoreError> {
    is_well(connection, "integrity_check", None)?;
    // Rows of an earlier schema have no sums.
    if database::schema(connection)? != Some(database::SCHEMA) {
        return Ok(());
    }
    products(connection)?;
    let mut statement = connection.prepare(sql::ALL_INSTALLS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        read::install(row)?;
    }
    let mut statement = connection.prepare(sql::ALL_DAYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (install, day): (_, u32) = (read::bytes(row, 0)?, row.get(1)?);
        DayRow::unpack(read::bytes(row, 2)?, install, day).ok_or(StoreError::Damaged)?;
    }
    Ok(())
}

fn products(connection: &Connection) -> Result<(), StoreError> {
    Products::read(connection).map(drop)
}

fn is_well(connection: &Connection, check: &str, table: Option<&str>) -> Result<(), StoreError> {
    let mut said = String::new();
    let each = |row: &rusqlite::Row<'_>| {
        said = row.get(0)?;
        Ok(())
    };
    match table {
        Some(table) => connection.pragma(None, check, table, each)?,
        None => connection.pragma_query(None, check, each)?,
    }
    if said == "ok" { Ok(()) } else { Err(StoreError::Damaged) }
}
