//! How [`State`] lies in the store: one record for each part that changes on its own.
//!
//! One rule: every part has a key and a checksum of its own, and a mark writes only what it changes. LMDB's
//! pages can be checked for structure only; the checksum is what notices a flipped bit in a value.

use super::LiveMark;
use super::codec::{self, Damaged, Reader, Writer};
use super::{Days, HourlyWindow, State};

mod bodies;

#[cfg(feature = "serve")]
pub use bodies::{read_window, write_window};

/// The parts of [`State`], each under a key of its own, and where the store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// [`Origin`]
    Origin,
    /// [`State::funnel`]
    Funnel,
    /// [`Windows`]
    Windows,
    /// [`State::counters`]
    Counters,
    /// [`State::days`]
    Days,
    /// [`State::errors`]; a build that meets none knows no such record, and so keeps it.
    #[cfg(feature = "serve")]
    Errors,
    /// [`State::sender`]
    Sender,
    /// [`State::pending`]
    Pending,
    /// [`State::install`]
    Install,
    /// [`State::live_serve`]
    Serve,
    /// [`State::live_tap`]
    Tap,
}

impl Key {
    /// Every part of [`State`].
    pub const PARTS: [Key; 9 + cfg!(feature = "serve") as usize] = [
        Key::Funnel,
        Key::Windows,
        Key::Counters,
        Key::Days,
        #[cfg(feature = "serve")]
        Key::Errors,
        Key::Sender,
        Key::Pending,
        Key::Install,
        Key::Serve,
        Key::Tap,
    ];
    /// What a checkpoint does not hold: the marks of live processes, and where the store itself comes from.
    pub const NOT_KEPT: [Key; 3] = [Key::Serve, Key::Tap, Key::Origin];

    /// Whether the part is one thing that is made anew, and not facts that change one by one: what a later
    /// program added to the old one does not hold for the new one.
    pub fn is_made_anew(self) -> bool {
        matches!(self, Key::Pending | Key::Serve | Key::Tap)
    }

    /// The key in the file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Key::Origin => b"origin",
            Key::Funnel => b"funnel",
            Key::Windows => b"windows",
            Key::Counters => b"counters",
            Key::Days => b"days",
            #[cfg(feature = "serve")]
            Key::Errors => b"errors",
            Key::Sender => b"sender",
            Key::Pending => b"pending",
            Key::Install => b"install",
            Key::Serve => b"serve",
            Key::Tap => b"tap",
        }
    }
}

/// Where a store comes from: written once, when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Random: tells two stores of one directory apart.
    pub generation: u64,
    /// When it was made.
    pub made_at: u64,
    /// It began with what the checkpoint held.
    pub restored: bool,
    /// When its damaged predecessor was put aside; 0 when there was none.
    pub quarantined_at: u64,
}

impl Origin {
    /// The origin among `records`, if it is there and good.
    pub fn find<'a>(records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let (_, value) = records.into_iter().find(|(key, _)| *key == Key::Origin.bytes())?;
        open(Key::Origin, value).ok()
    }
}

/// Both windows: a discovery call moves them together.
#[derive(Default)]
pub struct Windows {
    /// [`State::discovery_calls`]
    pub discovery_calls: HourlyWindow,
    /// [`State::tokens_saved`]
    pub tokens_saved: HourlyWindow,
}

/// Something that is a record of its own.
pub trait Part: Sized {
    /// The layout of its body. A program with a higher one still reads all lower ones
    /// ([`Reader::layout`]); one with a lower one leaves the record alone. See the head of `codec`.
    const LAYOUT: u8 = 1;
    /// The records that earlier programs kept it in, instead of its own.
    const FORMER: &'static [&'static [u8]] = &[];
    /// Writes the body of its record.
    fn write(&self, body: &mut Writer);
    /// The inverse of [`Self::write`].
    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged>;
    /// As [`Self::read`], into a fresh part: a large one is then made in its place and not moved there.
    fn read_into(&mut self, body: &mut Reader<'_>) -> Result<(), Damaged> {
        *self = Self::read(body)?;
        Ok(())
    }
    /// Takes over what one of [`Self::FORMER`] holds.
    fn take_over(&mut self, _former: &[u8], _value: &[u8]) -> Result<(), Damaged> {
        Ok(())
    }
}

/// The value of a part, with the additions that only later programs know.
pub fn seal<P: Part>(key: Key, part: &P, unknown: &[u8]) -> Writer {
    let mut body = Writer::start(P::LAYOUT);
    part.write(&mut body);
    body.keep(unknown);
    body.seal(key.bytes());
    body
}

/// The part that a value holds, and the additions that this program does not know.
fn open_all<P: Part>(key: Key, value: &[u8]) -> Result<(P, &[u8]), Damaged> {
    let mut body = Reader::open(key.bytes(), value, P::LAYOUT)?;
    let part = P::read(&mut body)?;
    Ok((part, body.end()?))
}

/// The part that a value holds.
pub fn open<P: Part>(key: Key, value: &[u8]) -> Result<P, Damaged> {
    open_all(key, value).map(|(part, _)| part)
}

/// Puts what a value holds into `part`, which must be as in a fresh store; without one it stays so. Gives the
/// additions that this program does not know.
pub fn open_into<'v, P: Part>(
    part: &mut P,
    key: Key,
    value: Option<&'v [u8]>,
) -> Result<&'v [u8], Damaged> {
    let Some(value) = value else { return Ok(&[]) };
    let mut body = Reader::open(key.bytes(), value, P::LAYOUT)?;
    part.read_into(&mut body)?;
    body.end()
}

/// The value of a part with its numbers changed where they stand; see [`codec::patched`].
pub fn patched<P: Part>(
    key: Key,
    value: &[u8],
    change: impl FnOnce(&mut [u8]) -> bool,
) -> Option<Writer> {
    codec::patched(key.bytes(), value, P::LAYOUT, change)
}

/// The part that a value holds; without one, as it is in a fresh store.
fn open_or_default<P: Part + Default>(key: Key, value: Option<&[u8]>) -> Result<P, Damaged> {
    let mut part = P::default();
    open_into(&mut part, key, value)?;
    Ok(part)
}

/// The mark that a value holds. One of a layout that this program does not know is none: it says nothing that
/// outlives its process, and is left alone until a host of this program writes its own.
fn mark(key: Key, value: Option<&[u8]>) -> Result<Option<LiveMark>, Damaged> {
    match value.map(|value| open(key, value)).transpose() {
        Err(Damaged) if is_later(key, value) => Ok(None),
        mark => mark,
    }
}

/// Whether `value` is of a later program. Asked of one that does not decode.
pub fn is_later(key: Key, value: Option<&[u8]>) -> bool {
    value.is_some_and(|value| codec::is_later(key.bytes(), value))
}

/// A part as a record, with the additions that this program does not know from `there`.
fn renew<P: Part>(key: Key, part: &P, there: Option<&[u8]>) -> Writer {
    let unknown = there.and_then(|there| open_all::<P>(key, there).ok());
    seal(key, part, unknown.map_or(&[], |(_, unknown)| unknown))
}

/// The value of one part of `state`, with the additions that this program does not know from the value that is
/// `there`; `None` when the part is not there.
pub fn encode(state: &State, key: Key, there: Option<&[u8]>) -> Option<Vec<u8>> {
    let sealed = match key {
        Key::Origin => return None,
        Key::Funnel => renew(key, &state.funnel, there),
        Key::Windows => {
            let windows = Windows {
                discovery_calls: state.discovery_calls.clone(),
                tokens_saved: state.tokens_saved.clone(),
            };
            renew(key, &windows, there)
        }
        Key::Counters => renew(key, &state.counters, there),
        // The first programs know no such record: while there are no days there is none.
        Key::Days if there.is_none() && state.days == Days::default() => return None,
        Key::Days => renew(key, &state.days, there),
        #[cfg(feature = "serve")]
        Key::Errors if there.is_none() && state.errors == Default::default() => return None,
        #[cfg(feature = "serve")]
        Key::Errors => renew(key, &state.errors, there),
        Key::Sender => renew(key, &state.sender, there),
        Key::Pending => renew(key, state.pending.as_ref()?, there),
        Key::Install => renew(key, &state.install, there),
        Key::Serve => renew(key, state.live_serve.as_ref()?, there),
        Key::Tap => renew(key, state.live_tap.as_ref()?, there),
    };
    Some(sealed.value().to_vec())
}

/// Puts the value of one part into `state`; without a value the part is as in a fresh store.
pub fn decode(state: &mut State, key: Key, value: Option<&[u8]>) -> Result<(), Damaged> {
    match key {
        Key::Origin => {}
        Key::Funnel => state.funnel = open_or_default(key, value)?,
        Key::Windows => {
            open_or_default::<Windows>(key, value)?.put_into(state);
        }
        Key::Counters => state.counters = open_or_default(key, value)?,
        Key::Days => state.days = open_or_default(key, value)?,
        #[cfg(feature = "serve")]
        Key::Errors => state.errors = open_or_default(key, value)?,
        Key::Sender => state.sender = open_or_default(key, value)?,
        Key::Pending => state.pending = value.map(|value| open(key, value)).transpose()?,
        Key::Install => state.install = open_or_default(key, value)?,
        Key::Serve => state.live_serve = mark(key, value)?,
        Key::Tap => state.live_tap = mark(key, value)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests;
