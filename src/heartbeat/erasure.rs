//! Erasure: asks the collector that an install sent to for its end there.
//!
//! One rule: the id stands in the body alone, in no address and in no error; and nothing but
//! `telemetry forget` comes here.

use super::post::{Answer, delete};
use super::schedule;
use super::timing::LEASE;
use super::{retry_after, timing};
use crate::activation::{Store, StoreError};
use crate::consent::{EndpointError, Target};
use crate::json::write_str;
use crate::machine;
use crate::paths::Place;
use std::fmt;
use std::time::Duration;

/// Why nothing was erased. Never holds an address or an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureError {
    /// A host held the lease for the whole wait.
    Leased,
    /// The bytes that wait to be sent could not be dropped.
    Store(StoreError),
    /// Heartbeats may have been sent, and where to is no longer known.
    NoEndpoint,
    /// What is configured is no endpoint.
    Endpoint(EndpointError),
    /// This build cannot reach such an endpoint, or nothing answered.
    NoAnswer(&'static str),
    /// The receiver has no such request.
    Unknown(u16),
    /// The receiver asks to come back, after so many seconds if it says so.
    Later(u16, Option<u64>),
    /// Any other answer.
    Refused(u16),
}

impl fmt::Display for ErasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leased => f.write_str("a running host is still sending; stop it"),
            Self::Store(error) => error.fmt(f),
            Self::NoEndpoint => f.write_str(
                "heartbeats may have left from here, and no endpoint is known any more: name the one that received them (--endpoint URL; for mcpproxy itself `telemetry.endpoint`), or give the id up with `mcpproxy telemetry reset-id`",
            ),
            Self::Endpoint(error) => error.fmt(f),
            Self::NoAnswer(why) => f.write_str(why),
            Self::Unknown(status) => write!(
                f,
                "it answered {status}: this receiver does not know erasure; ask who runs it to update it, or to erase by hand"
            ),
            Self::Later(status, _) => write!(f, "it answered {status}"),
            Self::Refused(status @ 300..=399) => {
                write!(f, "it answered {status}; redirects are not followed")
            }
            Self::Refused(status) => write!(f, "it answered {status}"),
        }
    }
}

impl std::error::Error for ErasureError {}

/// How often the lease is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Waits for a host that is sending from `place`, and drops the bytes that wait there. The product is off by
/// now: a process that takes the lease from here on looks at consent again before it connects.
pub fn quiet(place: &Place) -> Result<(), ErasureError> {
    if !place.store().exists() {
        return Ok(());
    }
    let store = match Store::open(place, machine::now) {
        Ok(store) => store,
        // What cannot be kept here was never sent from here.
        Err(StoreError::NotBuilt | StoreError::RemoteFileSystem(_)) => return Ok(()),
        Err(error) => return Err(ErasureError::Store(error)),
    };
    let mut last = None;
    for _ in 0..(LEASE + 2) * 10 {
        let now = machine::now();
        let quiet = store.read().and_then(|state| {
            let is_free = !schedule::is_leased(&state, now);
            if is_free && state.pending.is_some() {
                store.update(true, schedule::discard)?;
            }
            Ok(is_free)
        });
        match quiet {
            Ok(true) => return Ok(()),
            Ok(false) => last = None,
            Err(error @ StoreError::Busy) => last = Some(error),
            Err(error) => return Err(ErasureError::Store(error)),
        }
        std::thread::sleep(LOOK);
    }
    Err(last.map_or(ErasureError::Leased, ErasureError::Store))
}

/// Asks once. `Ok` is the collector's word that the erasure is committed, whether it knew the install or not.
pub fn ask(target: &Target, product: &str, id: &str) -> Result<(), ErasureError> {
    let mut body = "{\"product\":".to_owned();
    write_str(&mut body, product);
    body.push_str(",\"id\":");
    write_str(&mut body, id);
    body.push('}');
    match delete(target, body.as_bytes(), &|name| std::env::var(name).ok()) {
        Answer::Status(204, _) => Ok(()),
        Answer::Status(status @ (200..=299 | 404 | 405 | 501), _) => {
            Err(ErasureError::Unknown(status))
        }
        Answer::Gone(_) => Err(ErasureError::Unknown(410)),
        Answer::Status(status @ (408 | 429 | 500..=599), after) => {
            let after = after.and_then(|value| retry_after::parse(&value, machine::now()));
            let after = after.map(|wait| wait.min(timing::RETRY_AFTER_MAX));
            Err(ErasureError::Later(status, after))
        }
        Answer::Status(status, _) => Err(ErasureError::Refused(status)),
        Answer::NetworkError(why) | Answer::NotBuilt(why) => Err(ErasureError::NoAnswer(why)),
    }
}
