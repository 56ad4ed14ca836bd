//! [`State`] in a transaction: loading and saving the parts that an operation is about.

use crate::activation::State;
use crate::activation::codec;
use crate::activation::record::{self, Key, Part};
use mcpproxy_platform::lmdb::{Failure, Records, Transaction};

/// What is wrong with a record that does not decode.
pub const BAD_RECORD: &str = "a record has a bad checksum or version";

/// What is said of a record that a later version of this program wrote.
pub const NEWER: &str = "it was written by a newer version of mcpproxy";

/// Why the value of `key` does not decode.
fn unreadable(key: Key, value: Option<&[u8]>) -> Failure {
    match value {
        Some(value) if codec::is_newer(key.bytes(), value) => Failure::Refused(NEWER),
        _ => Failure::Damaged(BAD_RECORD),
    }
}

/// Whether one of `records` is of a later version: asked when they do not decode.
pub fn are_newer<'a>(records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> bool {
    records.into_iter().any(|(key, value)| codec::is_newer(key, value))
}

/// Changes one part and nothing else.
pub fn change<P: Part + Default>(
    transaction: &mut Transaction<'_>,
    key: Key,
    change: impl FnOnce(&mut P),
) -> Result<(), Failure> {
    let value = transaction.get(key.bytes())?;
    let mut part = P::default();
    record::open_into(&mut part, key, value).map_err(|_| unreadable(key, value))?;
    change(&mut part);
    transaction.put(key.bytes(), record::seal(key, &part).value())
}

/// Reads everything.
pub fn load(transaction: &Transaction<'_>) -> Result<State, Failure> {
    let mut state = State::default();
    for key in Key::PARTS {
        let value = transaction.get(key.bytes())?;
        record::decode(&mut state, key, value).map_err(|_| unreadable(key, value))?;
    }
    Ok(state)
}

/// Writes the parts of `state` that differ from what is there.
pub fn save(transaction: &mut Transaction<'_>, state: &State) -> Result<(), Failure> {
    Key::PARTS.into_iter().try_for_each(|key| {
        let value = record::encode(state, key);
        if transaction.get(key.bytes())? == value.as_deref() {
            return Ok(());
        }
        match value {
            Some(value) => transaction.put(key.bytes(), &value),
            None => transaction.delete(key.bytes()),
        }
    })
}

/// What a checkpoint of this transaction holds.
pub fn image(transaction: &Transaction<'_>) -> Result<Records, Failure> {
    let mut records = Records::new();
    for key in Key::KEPT {
        if let Some(value) = transaction.get(key.bytes())? {
            records.push((key.bytes().to_vec(), value.to_vec()));
        }
    }
    Ok(records)
}

/// The state that `records` hold; `None` when one of them is damaged.
pub fn assemble<'a>(
    records: impl IntoIterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Option<State> {
    let mut state = State::default();
    for key in Key::PARTS {
        let found = records.clone().into_iter().find(|(name, _)| *name == key.bytes());
        record::decode(&mut state, key, found.map(|(_, value)| value)).ok()?;
    }
    Some(state)
}

/// Owned records as borrowed ones.
pub fn borrowed(records: &Records) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}
