//! PostgreSQL, in a build without it: nothing of this can be made.
//!
//! One rule: as `postgres`, so that callers need not know which of the two it is.

use super::change::{Change, Counts, Outcome};
use super::check::Lacking;
use super::engine::{Engine, Values};
use super::error::StoreError;
use super::packed::DayRow;
use super::place::Environment;
use super::products::ProductError;
use super::raw::DayBytes;
use super::server_error::ServerError;
use super::write::StoreOptions;
use super::writer::Writer;
use rusqlite::ToSql;
use rusqlite::types::ValueRef;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

/// A server.
#[derive(Clone, Debug)]
pub enum Server {}

impl Server {
    /// Refuses every address.
    pub fn read(_address: &str, _environment: &Environment) -> Result<Self, ServerError> {
        Err(ServerError::NotBuilt)
    }
}

/// The outer error is of the database, the inner one of who was told.
type Told<E> = Result<Result<(), E>, StoreError>;

/// A connection.
#[derive(Debug)]
pub enum Link {}

/// A row.
#[derive(Debug)]
pub enum ServerRow {}

/// Days that were read ahead.
#[derive(Debug)]
pub enum DaysAhead<'l> {
    #[doc(hidden)]
    Never(ServerRow, PhantomData<&'l ()>),
}

/// Every day row.
pub type AllDays<'l> = DaysAhead<'l>;

/// A database that heartbeats are written to.
#[derive(Debug)]
pub enum PostgresStore {}

impl Values for ServerRow {
    fn value(&self, _at: usize) -> Result<ValueRef<'_>, StoreError> {
        match *self {}
    }
}

impl Engine for Link {
    fn execute(&self, _sql: &str, _values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        match *self {}
    }

    fn each(
        &self,
        _sql: &str,
        _values: &[&dyn ToSql],
        _row: &mut dyn FnMut(&dyn Values) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match *self {}
    }
}

impl Link {
    pub fn open(server: &Server) -> Result<Self, StoreError> {
        match *server {}
    }

    pub fn open_or_begin(server: &Server) -> Result<Self, StoreError> {
        match *server {}
    }

    pub fn change<T, E>(&self, _work: impl FnMut(&dyn Engine) -> Result<T, E>) -> Result<T, E> {
        match *self {}
    }

    pub fn change_alone<T, E>(
        &self,
        _work: impl FnMut(&dyn Engine) -> Result<T, E>,
    ) -> Result<T, E> {
        match *self {}
    }

    pub fn at_one_moment<T>(
        &self,
        _read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match *self {}
    }

    pub fn stamp(&self) -> Result<i64, StoreError> {
        match *self {}
    }

    pub fn bytes(&self) -> Result<u64, StoreError> {
        match *self {}
    }

    pub fn days_ahead(&self) -> Result<DaysAhead<'_>, StoreError> {
        match *self {}
    }

    pub fn all_days(&self) -> Result<AllDays<'_>, StoreError> {
        match *self {}
    }

    pub fn lacking(&self) -> Result<Lacking, StoreError> {
        match *self {}
    }

    pub fn each_install<E>(
        &self,
        _product: i64,
        _each: &mut dyn FnMut(&dyn Values) -> Told<E>,
    ) -> Told<E> {
        match *self {}
    }

    pub fn each_unread(
        &self,
        _few: bool,
        _each: &mut dyn FnMut(&ServerRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match *self {}
    }
}

impl DaysAhead<'_> {
    pub fn next(&mut self) -> Result<Option<DayBytes>, StoreError> {
        match self {
            Self::Never(row, _) => match *row {},
        }
    }

    pub fn within(
        &mut self,
        _install: &[u8],
        _days: &RangeInclusive<u32>,
        _each: &mut dyn FnMut(u32, &DayRow<&str>),
    ) -> Result<(), StoreError> {
        match self {
            Self::Never(row, _) => match *row {},
        }
    }
}

impl PostgresStore {
    pub fn open(server: &Server, _options: &StoreOptions) -> Result<Self, ProductError> {
        match *server {}
    }

    pub fn beside(server: &Server, _options: &StoreOptions) -> Result<Self, StoreError> {
        match *server {}
    }
}

impl Writer for PostgresStore {
    fn commit(
        &mut self,
        _change: &Change<'_>,
        _counts: &Counts,
    ) -> Result<Vec<Outcome>, StoreError> {
        match *self {}
    }

    fn imported(&self, _file: &[u8; 32]) -> Result<u64, StoreError> {
        match *self {}
    }

    fn is_sweeping(&self) -> bool {
        match *self {}
    }

    fn wants_a_proxy(&self) -> bool {
        match *self {}
    }
}
