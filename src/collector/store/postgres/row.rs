//! Values on their way to a server and back.
//!
//! One rule: a value is a number of 64 bits, a text, bytes or none, as in an SQLite file.

use super::super::engine::Values;
use super::super::error::StoreError;
use ::postgres::Row;
use ::postgres::types::{FromSql, ToSql, Type};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

/// A row that a server has sent.
#[derive(Debug)]
pub struct ServerRow(pub(super) Row);

impl Values for ServerRow {
    fn value(&self, at: usize) -> Result<ValueRef<'_>, StoreError> {
        let column = self.0.columns().get(at).ok_or(StoreError::Damaged)?;
        Ok(match *column.type_() {
            Type::INT8 => self.optional(at)?.map_or(ValueRef::Null, ValueRef::Integer),
            Type::TEXT => self
                .optional(at)?
                .map_or(ValueRef::Null, |text: &str| ValueRef::Text(text.as_bytes())),
            Type::BYTEA => self.optional(at)?.map_or(ValueRef::Null, ValueRef::Blob),
            _ => return Err(StoreError::Damaged),
        })
    }
}

impl ServerRow {
    fn optional<'r, T: FromSql<'r>>(&'r self, at: usize) -> Result<Option<T>, StoreError> {
        self.0.try_get(at).map_err(|_| StoreError::Damaged)
    }
}

/// A value on its way to a server, with its type there.
pub type Typed = (Box<dyn ToSql + Sync>, Type);

/// A value of a statement that all engines share.
pub fn typed(value: &dyn rusqlite::ToSql) -> Result<Typed, StoreError> {
    Ok(match owned(value)? {
        // Columns that may be empty are numbers.
        Value::Null => (Box::new(None::<i64>), Type::INT8),
        Value::Integer(number) => (Box::new(number), Type::INT8),
        Value::Text(text) => (Box::new(text), Type::TEXT),
        Value::Blob(bytes) => (Box::new(bytes), Type::BYTEA),
        Value::Real(_) => return Err(StoreError::Damaged),
    })
}

fn owned(value: &dyn rusqlite::ToSql) -> Result<Value, StoreError> {
    match value.to_sql()? {
        ToSqlOutput::Borrowed(value) => Value::try_from(value).map_err(|_| StoreError::Damaged),
        ToSqlOutput::Owned(value) => Ok(value),
        _ => Err(StoreError::Damaged),
    }
}

/// A column of many rows on its way to a server.
#[derive(Debug)]
pub enum Column {
    /// Numbers, some of which may be none.
    Numbers(Vec<Option<i64>>),
    /// Texts.
    Texts(Vec<String>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
}

impl Column {
    /// Adds a value, which must be of the column's type.
    pub fn push(&mut self, value: &dyn rusqlite::ToSql) -> Result<(), StoreError> {
        match (self, owned(value)?) {
            (Self::Numbers(all), Value::Integer(number)) => all.push(Some(number)),
            (Self::Numbers(all), Value::Null) => all.push(None),
            (Self::Texts(all), Value::Text(text)) => all.push(text),
            (Self::Bytes(all), Value::Blob(bytes)) => all.push(bytes),
            _ => return Err(StoreError::Damaged),
        }
        Ok(())
    }

    /// As a value with its type.
    pub fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Numbers(all) => (all, Type::INT8_ARRAY),
            Self::Texts(all) => (all, Type::TEXT_ARRAY),
            Self::Bytes(all) => (all, Type::BYTEA_ARRAY),
        }
    }
}
