//! A connection to a server, which comes back when it is lost.
//!
//! One rule: a transaction lives and dies with its connection. What it would have done is done by its next attempt, or
//! not at all.

use super::super::engine::{Engine, Values};
use super::super::error::StoreError;
use super::super::server_error::ServerError;
use super::super::sql::{self, postgres as own};
use super::address::Server;
use super::failure;
use super::row::{ServerRow, Typed, typed};
use ::postgres::Client;
use ::postgres::types::{ToSql as ToServer, Type};
use rusqlite::{ToSql, params};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::thread;
use std::time::Duration;

/// Attempts at one transaction.
const ATTEMPTS: u32 = 10;
/// The rest before the second attempt; each further one is longer by as much.
const REST: Duration = Duration::from_millis(2);
/// The name in `meta` of a value that is another one after each change that is not a heartbeat.
pub(super) const CHANGED: &str = "changed";

/// A connection to a server.
pub struct Link {
    server: Box<Server>,
    client: RefCell<Option<Box<Client>>>,
    /// A transaction has begun.
    is_open: Cell<bool>,
    /// What the transaction met: its next attempt may meet it no more.
    may_repeat: Cell<bool>,
    /// A statement of the transaction has failed: nothing of it can be committed.
    failed: RefCell<Option<StoreError>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl Link {
    /// Connects.
    pub fn to(server: &Server) -> Result<Self, StoreError> {
        let link = Self {
            server: Box::new(server.clone()),
            client: RefCell::new(None),
            is_open: Cell::new(false),
            may_repeat: Cell::new(false),
            failed: RefCell::new(None),
        };
        link.batch("")?;
        Ok(link)
    }

    /// Asks the server, with a new connection if the last one is lost and no transaction was lost with it.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&mut Client) -> Result<T, ::postgres::Error>,
    ) -> Result<T, StoreError> {
        let mut client = self.client.borrow_mut();
        let lost = client.as_ref().is_none_or(|client| client.is_closed());
        let asked = match &mut *client {
            Some(client) if !lost => ask(client),
            _ if self.is_open.get() => return Err(ServerError::Unreachable.into()),
            client => self.server.connect().and_then(|new| ask(client.insert(Box::new(new)))),
        };
        asked.map_err(|error| {
            self.may_repeat.set(failure::is_worth_repeating(&error));
            let error = StoreError::from(failure::meaning(&error));
            *self.failed.borrow_mut() = Some(error.clone());
            error
        })
    }

    fn is_lost(&self) -> bool {
        self.client.borrow().as_ref().is_some_and(|client| client.is_closed())
    }

    /// Runs statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.ask(|client| client.batch_execute(sql))
    }

    /// The rows of the answer to an unnamed statement: the next one may go to another session of a pooler.
    pub(super) fn query(
        &self,
        sql: &str,
        values: &[(&(dyn ToServer + Sync), Type)],
    ) -> Result<Vec<ServerRow>, StoreError> {
        let rows = self.ask(|client| client.query_typed(sql, values))?;
        Ok(rows.into_iter().map(ServerRow).collect())
    }

    /// As [`Self::query`], of a statement that answers none; how many rows it has changed.
    pub(super) fn run(
        &self,
        sql: &str,
        values: &[(&(dyn ToServer + Sync), Type)],
    ) -> Result<u64, StoreError> {
        self.ask(|client| client.execute_typed(sql, values))
    }

    /// Says that others were in the way of this transaction, and that its next attempt may succeed.
    pub(super) fn contended(&self) -> StoreError {
        self.may_repeat.set(true);
        ServerError::Contended.into()
    }

    /// Runs `work` in one transaction, again and again while others are in its way.
    pub(super) fn transaction<T, E: From<StoreError>>(
        &self,
        work: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        self.repeated(own::BEGIN, work)
    }

    fn repeated<T, E: From<StoreError>>(
        &self,
        begin: &str,
        mut work: impl FnMut() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempts = 1;
        loop {
            match self.attempt(begin, &mut work) {
                Err(_) if self.may_repeat.get() && attempts < ATTEMPTS => {
                    thread::sleep(REST * attempts);
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    fn attempt<T, E: From<StoreError>>(
        &self,
        begin: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.may_repeat.set(false);
        // A connection that was lost while nothing was asked is noticed here.
        self.batch(begin)
            .or_else(|error| if self.is_lost() { self.batch(begin) } else { Err(error) })?;
        self.failed.take();
        self.is_open.set(true);
        let done = work();
        self.is_open.set(false);
        // A commit after an error would be answered as if all were well.
        let failed = self.failed.take();
        let done = match (done, failed) {
            (Ok(_), Some(error)) => Err(error.into()),
            (done, _) => done,
        };
        match done {
            Ok(done) => self.batch(own::COMMIT).map(|()| done).map_err(E::from),
            Err(error) => {
                let may_repeat = self.may_repeat.get();
                // Where it cannot be said, the server has lost the connection, and undoes it by itself.
                if self.batch(own::ROLLBACK).is_err() {
                    self.client.take();
                }
                self.may_repeat.set(may_repeat);
                Err(error)
            }
        }
    }

    /// Runs `work` in one transaction, and tells all collectors that something is no more as it was.
    pub fn change<T, E: From<StoreError>>(
        &self,
        mut work: impl FnMut(&dyn Engine) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction(|| {
            let done = work(self)?;
            self.tell_change()?;
            Ok(done)
        })
    }

    /// As [`Self::change`], as if nothing else were changed meanwhile.
    pub fn change_alone<T, E: From<StoreError>>(
        &self,
        mut work: impl FnMut(&dyn Engine) -> Result<T, E>,
    ) -> Result<T, E> {
        self.repeated(own::BEGIN_ALONE, || {
            let done = work(self)?;
            self.tell_change()?;
            Ok(done)
        })
    }

    /// Writes another value of [`CHANGED`].
    pub(super) fn tell_change(&self) -> Result<(), StoreError> {
        let mut number = [0; 8];
        getrandom::fill(&mut number).map_err(|_| StoreError::NoRandom)?;
        let number = i64::from_le_bytes(number).to_string();
        Engine::execute(self, sql::META_WRITE, params![CHANGED, number]).map(drop)
    }

    /// Everything that `read` reads is of one moment; of the outer one, when there is one already.
    pub fn at_one_moment<T>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.is_open.get() {
            return read();
        }
        self.attempt(own::BEGIN_TO_READ, read)
    }
}

impl Engine for Link {
    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64, StoreError> {
        let values = values.iter().map(|value| typed(*value)).collect::<Result<Vec<_>, _>>()?;
        self.run(sql, &borrowed(&values))
    }

    fn each(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        row: &mut dyn FnMut(&dyn Values) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let values = values.iter().map(|value| typed(*value)).collect::<Result<Vec<_>, _>>()?;
        self.query(sql, &borrowed(&values))?.iter().try_for_each(|found| row(found))
    }
}

fn borrowed(values: &[Typed]) -> Vec<(&(dyn ToServer + Sync), Type)> {
    values.iter().map(|(value, of)| (&**value, of.clone())).collect()
}
