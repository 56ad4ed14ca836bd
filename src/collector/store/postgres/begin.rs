//! The first look at a database on a server.
//!
//! One rule: tables are made where there are none of their names, and nothing is changed in what others have made.

use super::super::database::{SCHEMA, WHAT};
use super::super::engine::Engine;
use super::super::error::StoreError;
use super::super::server_error::ServerError;
use super::super::sql::{self, postgres as own};
use super::address::Server;
use super::link::Link;
use ::postgres::types::Type;
use rusqlite::params;

/// The oldest server, as it numbers itself.
const OLDEST: i64 = 150_000;

impl Link {
    /// Connects to a database that a collector has begun.
    pub fn open(server: &Server) -> Result<Self, StoreError> {
        let link = Self::to(server)?;
        if link.is_begun()? { Ok(link) } else { Err(ServerError::Missing.into()) }
    }

    /// As [`Self::open`], and makes the tables if there are none.
    pub fn open_or_begin(server: &Server) -> Result<Self, StoreError> {
        let link = Self::to(server)?;
        if link.is_begun()? {
            return Ok(link);
        }
        link.transaction(|| {
            // Another collector may have been faster.
            if link.is_begun()? {
                return Ok(());
            }
            link.batch(own::SCHEMA)?;
            let engine: &dyn Engine = &link;
            engine.execute(sql::META_INSERT, params!["what", WHAT])?;
            engine.execute(sql::META_INSERT, params!["schema", SCHEMA.to_string()])?;
            link.tell_change()
        })?;
        Ok(link)
    }

    /// Whether it has the tables of this program.
    fn is_begun(&self) -> Result<bool, StoreError> {
        let engine: &dyn Engine = self;
        if engine.one::<i64>(own::VERSION, &[])?.is_none_or(|version| version < OLDEST) {
            return Err(ServerError::Version.into());
        }
        if self.query(own::PRESENT, &[(&own::TABLES.as_slice(), Type::TEXT_ARRAY)])?.is_empty() {
            return Ok(false);
        }
        let meta = |name: &str| engine.one::<String>(sql::META, &[&name]);
        // Tables of other columns, or none of this name.
        let foreign = |_| StoreError::from(ServerError::Foreign);
        if meta("what").map_err(foreign)?.as_deref() != Some(WHAT) {
            return Err(ServerError::Foreign.into());
        }
        match meta("schema")?.and_then(|schema| schema.parse::<u32>().ok()) {
            Some(SCHEMA) => Ok(true),
            Some(later) if later > SCHEMA => Err(ServerError::Newer.into()),
            _ => Err(ServerError::Foreign.into()),
        }
    }
}
