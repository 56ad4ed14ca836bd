//! Checks: whether a database hangs together, and every row is as it was written.
//!
//! One rule: a check reads, and changes nothing.

use super::error::StoreError;
use super::packed::DayRow;
use super::products::Products;
use super::{database, frozen, in_place, sql};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// All tables but the days.
const FIRST: [&str; 10] = [
    "meta", "products", "names", "installs", "counts", "erased", "retired", "notes", "imports",
    "frozen",
];

/// Tables with the columns of each: name, type, whether it may be absent, and its place in the key.
type Tables = BTreeMap<String, BTreeSet<(String, String, bool, u32)>>;

/// The tables of this program that are not there, or have other columns; and how many others there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Tables that were compared.
    pub looked_at: u64,
    /// Their names: those of this program, and no words of the file.
    pub tables: Vec<String>,
    /// Tables, views and triggers that this program does not make.
    pub others: u64,
}

/// Compares every table with the one that this program makes.
pub fn tables(connection: &Connection) -> Result<Lacking, StoreError> {
    let own = Connection::open_in_memory()?;
    own.execute_batch(sql::SCHEMA)?;
    let (own, found) = (tables_of(&own)?, tables_of(connection)?);
    let is_as_made = |(name, columns): &(&String, _)| found.get(*name) == Some(*columns);
    let tables = own.iter().filter(|one| !is_as_made(one)).map(|(name, _)| name.clone()).collect();
    let others = found.keys().filter(|name| !own.contains_key(*name)).count() as u64;
    let moving: u64 = connection.query_row(sql::MOVING, [], |row| row.get(0))?;
    Ok(Lacking { looked_at: own.len() as u64, tables, others: others + moving })
}

fn tables_of(connection: &Connection) -> Result<Tables, StoreError> {
    let mut tables = Tables::new();
    let mut statement = connection.prepare(sql::TABLES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let column = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        tables.entry(row.get(0)?).or_default().insert(column);
    }
    Ok(tables)
}

/// Whether every table is there.
fn has_tables(connection: &Connection) -> Result<(), StoreError> {
    if tables(connection)?.tables.is_empty() { Ok(()) } else { Err(StoreError::Damaged) }
}

/// Checks what every start needs: all tables, the pages of all tables but the days, which are most of the file, and the sums over
/// the products and over what stays of expired rows. Those over installs are looked at when they are read, which the
/// start does next. An install of no product is looked for here: reading the installs of one product never meets it.
pub fn start(connection: &Connection) -> Result<(), StoreError> {
    has_tables(connection)?;
    for table in FIRST {
        is_well(connection, "quick_check", Some(table))?;
    }
    products(connection)?;
    let strays: u64 = connection.query_row(sql::STRAY_INSTALLS, [], |row| row.get(0))?;
    if strays > 0 {
        return Err(StoreError::Damaged);
    }
    frozen::check(connection)
}

/// Checks the whole file, and reads every row.
pub fn whole(connection: &Connection) -> Result<(), StoreError> {
    is_well(connection, "integrity_check", None)?;
    // Rows of schema 1 have no sums.
    if database::schema(connection)?.is_none_or(|schema| schema < 2) {
        return Ok(());
    }
    has_tables(connection)?;
    products(connection)?;
    frozen::check(connection)?;
    let mut statement = connection.prepare(sql::ALL_INSTALLS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        in_place::install(row)?;
    }
    let mut statement = connection.prepare(sql::ALL_DAYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (install, day): (_, u32) = (in_place::bytes(row, 0)?, row.get(1)?);
        DayRow::unpack(in_place::bytes(row, 2)?, install, day).ok_or(StoreError::Damaged)?;
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
