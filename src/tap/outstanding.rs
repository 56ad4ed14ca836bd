//! Requests of the client that wait for an answer.
//!
//! One rule: memory is bounded, whatever ids look like and however many are never answered.

use super::messages::Id;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

/// Requests that may wait at once: more than a burst of several megabytes holds.
const MAX_WAITING: usize = 32 << 10;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Discovery,
    /// Of another tool, whose result is looked for.
    Upstream,
    /// Interesting only until the server has answered something.
    Any,
}

/// Requests by id and by age. Ids are known by keyed hashes, because they can be long.
#[derive(Default)]
pub(super) struct Outstanding {
    by_id: HashMap<u64, u64>,
    by_age: BTreeMap<u64, (u64, Call)>,
    /// Requests so far.
    count: u64,
    hasher: RandomState,
}

impl Outstanding {
    pub(super) fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// Adds a request whose id is not waiting. Returns the oldest one if it had to make room.
    pub(super) fn add(&mut self, id: &Id, call: Call) -> Option<Call> {
        let oldest = match self.by_age.len() >= MAX_WAITING {
            true => self.by_age.pop_first(),
            false => None,
        };
        if let Some((_, (hash, _))) = oldest {
            self.by_id.remove(&hash);
        }
        let hash = self.hasher.hash_one(id);
        self.count += 1;
        self.by_id.insert(hash, self.count);
        self.by_age.insert(self.count, (hash, call));
        oldest.map(|(_, (_, call))| call)
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Call> {
        let age = self.by_id.remove(&self.hasher.hash_one(id))?;
        self.by_age.remove(&age).map(|(_, call)| call)
    }

    /// Forgets what is no call.
    pub(super) fn keep_calls(&mut self) {
        let by_id = &mut self.by_id;
        self.by_age.retain(|_, (hash, call)| {
            let stays = *call != Call::Any;
            if !stays {
                by_id.remove(hash);
            }
            stays
        });
        self.by_id.shrink_to_fit();
    }

    /// Forgets everything; what waited, oldest first.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Call> + use<> {
        self.by_id = HashMap::new();
        std::mem::take(&mut self.by_age).into_values().map(|(_, call)| call)
    }
}
