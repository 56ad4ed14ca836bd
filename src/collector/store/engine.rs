//! The engines that can hold the rows, seen by the statements of [`super::sql`].
//!
//! One rule: a statement says the same to each of them. Where one is asked in a way of its own, it is for speed or
//! for safety, and that stands beside the engine.

use super::error::StoreError;
use super::place::Location;
use super::postgres::Link;
use super::{database, products};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};

/// The values of a row.
pub trait Values {
    /// The value in a column.
    fn value(&self, at: usize) -> Result<ValueRef<'_>, StoreError>;
}

impl Values for Row<'_> {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, StoreError> {
        Ok(self.get_ref(at)?)
    }
}

impl dyn Values + '_ {
    /// The value in a column, as a type that it must have.
    pub fn get<T: FromSql>(&self, at: usize) -> Result<T, StoreError> {
        typed(self.value(at)?)
    }
}

/// A value as a type that it must have.
pub fn typed<T: FromSql>(value: ValueRef<'_>) -> Result<T, StoreError> {
    T::column_result(value).map_err(|_| StoreError::Damaged)
}

/// What runs a statement.
pub trait Engine {
    /// Runs a statement that answers no rows; how many rows it has changed.
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError>;

    /// Gives each row of the answer to `row`, whose error ends it.
    fn each(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        row: &mut dyn FnMut(&dyn Values) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

impl dyn Engine + '_ {
    /// Every row of the answer, read by `read`.
    pub fn all<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        mut read: impl FnMut(&dyn Values) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(sql, values, &mut |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The first value of the only row; `None` where the answer has no row.
    pub fn one<T: FromSql>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, values, |row| row.get(0))?.into_iter().next())
    }
}

impl Engine for Connection {
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(values))? as u64)
    }

    fn each(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        row: &mut dyn FnMut(&dyn Values) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(next) = rows.next()? {
            row(next)?;
        }
        Ok(())
    }
}

/// An open database.
#[derive(Debug)]
pub enum Database {
    /// A file.
    Sqlite(Connection),
    /// A server.
    Postgres(Link),
}

impl Database {
    /// Opens an existing database to write it.
    pub fn open(place: &Location) -> Result<Self, StoreError> {
        match &place.server {
            None => database::open(&place.dir).map(Self::Sqlite),
            Some(server) => Link::open(server).map(Self::Postgres),
        }
    }

    /// As [`Self::open`], and makes the database if there was none.
    pub fn open_or_begin(place: &Location, is_ephemeral: bool) -> Result<Self, StoreError> {
        match &place.server {
            None => {
                database::prepare(&place.dir, is_ephemeral)?;
                database::open_or_begin(&place.dir).map(Self::Sqlite)
            }
            Some(server) => Link::open_or_begin(server).map(Self::Postgres),
        }
    }

    /// Opens an existing database to read it.
    pub fn open_to_read(place: &Location) -> Result<Self, StoreError> {
        match &place.server {
            None => database::open_to_read(&place.dir).map(Self::Sqlite),
            Some(server) => Link::open(server).map(Self::Postgres),
        }
    }

    /// What runs its statements, each in a transaction of its own.
    pub fn engine(&self) -> &dyn Engine {
        match self {
            Self::Sqlite(connection) => connection,
            Self::Postgres(link) => link,
        }
    }

    /// Runs `work` in one transaction. PostgreSQL may ask for all of it once more.
    pub fn change<T, E: From<StoreError>>(
        &mut self,
        mut work: impl FnMut(&dyn Engine) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(connection) => {
                let change = products::begin(connection)?;
                let inside: &Connection = &change;
                let done = work(inside)?;
                change.commit().map_err(StoreError::from)?;
                Ok(done)
            }
            Self::Postgres(link) => link.change(work),
        }
    }

    /// As [`Self::change`], as if nothing else were changed meanwhile.
    pub fn change_alone<T, E: From<StoreError>>(
        &mut self,
        work: impl FnMut(&dyn Engine) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            // It is one writer at a time.
            Self::Sqlite(_) => self.change(work),
            Self::Postgres(link) => link.change_alone(work),
        }
    }
}
