//! [`State`] in a transaction: loading and saving the parts that an operation is about.

use crate::activation::LiveMark;
use crate::activation::State;
use crate::activation::codec;
use crate::activation::record::{self, Key, Origin, Part, Windows};
use crate::activation::state::Held;
use mcpproxy_platform::lmdb::{Failure, Records, Transaction};

/// What is wrong with a record that does not decode.
pub const BAD_RECORD: &str = "a record has a bad checksum or version";

/// What is said of a record that a later version of this program wrote.
pub const NEWER: &str = "it was written by a newer version of mcpproxy";

/// Why the value of `key` does not decode.
fn unreadable(key: Key, value: Option<&[u8]>) -> Failure {
    if record::is_later(key, value) {
        Failure::Refused(NEWER)
    } else {
        Failure::Damaged(BAD_RECORD)
    }
}

/// Whether one of `records` is of a layout that this program does not know. What else there is in such a store
/// is not touched either: half a store would be reported as a whole one.
pub fn are_newer<'a>(records: impl IntoIterator<Item = (&'a [u8], &'a [u8])> + Clone) -> bool {
    let is_newer = |key: Key| {
        let value = find(records.clone(), key.bytes());
        let unread = match key {
            Key::Origin => value.is_some_and(|value| record::open::<Origin>(key, value).is_err()),
            _ => record::decode(&mut State::default(), key, value).is_err(),
        };
        unread && record::is_later(key, value)
    };
    Key::PARTS.into_iter().chain([Key::Origin]).any(is_newer)
}

/// Changes the numbers of one part where they stand, and nothing else; false when `change` did not find them there.
/// See [`record::patched`].
pub fn raise<P: Part>(
    transaction: &mut Transaction<'_>,
    key: Key,
    change: impl FnOnce(&mut [u8]) -> bool,
) -> Result<bool, Failure> {
    let value = transaction.get(key.bytes())?;
    let Some(patched) = value.and_then(|value| record::patched::<P>(key, value, change)) else {
        return Ok(false);
    };
    transaction.put(key.bytes(), patched.value()).map(|()| true)
}

/// Changes one part and nothing else.
pub fn change<P: Part + Default>(
    transaction: &mut Transaction<'_>,
    key: Key,
    change: impl FnOnce(&mut P),
) -> Result<(), Failure> {
    let value = transaction.get(key.bytes())?;
    let mut part = P::default();
    let unknown = record::open_into(&mut part, key, value).map_err(|_| unreadable(key, value))?;
    let is_new = value.is_none();
    if is_new {
        take_over(&mut part, |name| transaction.get(name))?;
    }
    change(&mut part);
    let sealed = record::seal(key, &part, unknown);
    transaction.put(key.bytes(), sealed.value())?;
    if is_new { forget_former::<P>(transaction) } else { Ok(()) }
}

/// What earlier programs kept elsewhere, into a part that has no record of its own yet.
fn take_over<'a, P: Part>(
    part: &mut P,
    get: impl Fn(&[u8]) -> Result<Option<&'a [u8]>, Failure>,
) -> Result<(), Failure> {
    P::FORMER.iter().try_for_each(|name| match get(name)? {
        Some(value) => part.take_over(name, value).map_err(|_| Failure::Damaged(BAD_RECORD)),
        None => Ok(()),
    })
}

fn forget_former<P: Part>(transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    P::FORMER.iter().try_for_each(|name| transaction.delete(name))
}

/// Reads everything.
pub fn load(transaction: &Transaction<'_>) -> Result<State, Failure> {
    let state = read(|name| transaction.get(name))?;
    Ok(State { held: Held(true), ..state })
}

fn read<'a>(get: impl Fn(&[u8]) -> Result<Option<&'a [u8]>, Failure>) -> Result<State, Failure> {
    let mut state = State::default();
    for key in Key::PARTS {
        let value = get(key.bytes())?;
        record::decode(&mut state, key, value).map_err(|_| unreadable(key, value))?;
        if key == Key::Windows && value.is_none() {
            let mut windows = Windows::default();
            take_over(&mut windows, &get)?;
            windows.put_into(&mut state);
        }
    }
    Ok(state)
}

/// Writes the parts of `state` that differ from what is there. What later programs keep there stays, in records
/// and beside them, unless `state` was made anew: then a new install begins.
pub fn save(transaction: &mut Transaction<'_>, state: &State) -> Result<(), Failure> {
    for key in Key::PARTS {
        save_part(transaction, state, key)?;
    }
    forget_former::<Windows>(transaction)?;
    if !state.held.0 {
        for (name, _) in transaction.records()?.iter().filter(|(name, _)| !is_known(name)) {
            transaction.delete(name)?;
        }
    }
    Ok(())
}

fn save_part(transaction: &mut Transaction<'_>, state: &State, key: Key) -> Result<(), Failure> {
    let there = transaction.get(key.bytes())?;
    let keep = state.held.0;
    let mut value = record::encode(state, key, there.filter(|_| keep));
    if value.as_deref() == there {
        return Ok(());
    }
    if key.is_made_anew() {
        value = record::encode(state, key, None);
    }
    match value {
        Some(value) => transaction.put(key.bytes(), &value),
        // A mark that cannot be read is not ours to remove.
        None if keep && is_unread(key, there) => Ok(()),
        None => transaction.delete(key.bytes()),
    }
}

/// Whether `value` is a mark of a layout that this program does not know: no other part is without a value then.
fn is_unread(key: Key, value: Option<&[u8]>) -> bool {
    matches!(key, Key::Serve | Key::Tap)
        && record::is_later(key, value)
        && value.is_some_and(|value| record::open::<LiveMark>(key, value).is_err())
}

/// What a checkpoint of this transaction holds: also what only later programs know.
pub fn image(transaction: &Transaction<'_>) -> Result<Records, Failure> {
    let mut records = transaction.records()?;
    records.retain(|(name, _)| Key::NOT_KEPT.iter().all(|key| key.bytes() != name));
    // A damaged record must not take the place of a good one.
    let good = records.iter().all(|(name, value)| codec::is_sealed(name, value));
    if good { Ok(records) } else { Err(Failure::Damaged(BAD_RECORD)) }
}

/// The state that `records` hold; `None` when one of them is damaged, or of a layout that is not known.
pub fn assemble<'a>(
    records: impl IntoIterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Option<State> {
    // Every program seals every record: a bad one under a name that is not known is damage as well.
    let mut others = records.clone().into_iter().filter(|(name, _)| !is_known(name));
    if !others.all(|(name, value)| codec::is_sealed(name, value)) {
        return None;
    }
    read(|name| Ok(find(records.clone(), name))).ok()
}

fn find<'a>(
    records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    name: &[u8],
) -> Option<&'a [u8]> {
    records.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

fn is_known(name: &[u8]) -> bool {
    Key::PARTS.into_iter().chain([Key::Origin]).any(|key| key.bytes() == name)
}

/// Owned records as borrowed ones.
pub fn borrowed(records: &Records) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    records.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
}
