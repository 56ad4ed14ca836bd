//! Sums over rows, so that a row that was damaged on the disk is noticed.
//!
//! One rule: against damage, not against people. SQLite looks at the form of a page, and no bit of a number.

use super::engine::Values;
use super::error::StoreError;
use rusqlite::ToSql;
use rusqlite::types::ValueRef;

/// An odd number with bits everywhere: a product with it loses nothing.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sum over values, in their order: another bit anywhere makes another sum, but once in 2^32.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds a number.
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(MIX);
    }

    /// Adds bytes, and how many they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        // Byte by byte: they are few, and to copy so many as one does not know is a call.
        let last = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.word(last);
    }

    /// Adds the first `columns` values of a row.
    pub fn row(&mut self, row: &dyn Values, columns: usize) -> Result<(), StoreError> {
        for at in 0..columns {
            self.value(row.value(at)?);
        }
        Ok(())
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.word(u64::MAX),
            ValueRef::Integer(number) => self.word(number.cast_unsigned()),
            ValueRef::Real(number) => self.word(number.to_bits()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => self.bytes(bytes),
        }
    }

    /// The sum.
    pub fn get(mut self) -> u32 {
        self.word(self.0 >> 32);
        (self.0 >> 32) as u32
    }
}

/// The sum over values that are about to be written.
pub fn written(values: &[&dyn ToSql]) -> rusqlite::Result<u32> {
    let mut sum = Sum::default();
    for value in values {
        match value.to_sql()? {
            rusqlite::types::ToSqlOutput::Borrowed(value) => sum.value(value),
            rusqlite::types::ToSqlOutput::Owned(value) => sum.value((&value).into()),
            _ => return Err(rusqlite::Error::InvalidQuery),
        }
    }
    Ok(sum.get())
}

/// The sum over values that were read.
pub fn of(values: &[ValueRef<'_>]) -> u32 {
    let mut sum = Sum::default();
    values.iter().for_each(|value| sum.value(*value));
    sum.get()
}
