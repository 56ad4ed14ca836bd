//! One store at rest, at several moments of its life: what damage is done to, and what may come of it.

use super::*;
use mcpproxy::activation::state::Pending;
use std::path::Path;

/// Files and state of one moment.
pub struct Era {
    pub data: Vec<u8>,
    pub checkpoint: Vec<u8>,
    pub state: State,
}

impl Era {
    pub fn read(dir: &DataDir) -> Self {
        Self {
            data: std::fs::read(dir.store().join("data.mdb")).expect("the file"),
            checkpoint: std::fs::read(dir.checkpoint()).expect("the checkpoint"),
            state: peek(dir),
        }
    }
}

fn era(base: &Path, number: usize) -> DataDir {
    DataDir::at(base.join(format!("era-{number}")))
}

/// Lives one life below `base`, and keeps copies.
pub fn live(base: &Path) {
    let dir = DataDir::at(base.join("life"));
    let store = open(&dir);
    let steps: [&dyn Fn(); 8] = [
        &|| record_surely(&store, Mark::ServerConnected),
        &|| record_surely(&store, Mark::Client("claude-code")),
        &|| (0..20).for_each(|_| record_surely(&store, Mark::UpstreamCall)),
        // A value on pages of its own.
        &|| set_pending(&store, 9000),
        &|| {
            record_surely(&store, Mark::Discovery { indexed: Some(12), returned: Some(2) });
            set_pending(&store, 3000);
        },
        // Pages that are free, and a list of them.
        &|| store.update(true, |state| state.pending = None).expect("a change"),
        &|| {
            record_surely(&store, Mark::Client("zed"));
            (0..50).for_each(|_| record_surely(&store, Mark::UpstreamCall));
        },
        &|| set_pending(&store, 20_000),
    ];
    for (number, step) in steps.iter().enumerate() {
        step();
        // So that the checkpoint has it all.
        let success = number as u64 + 7;
        store.update(true, |state| state.sender.last_success = success).expect("a change");
        let copy = era(base, number);
        std::fs::create_dir_all(copy.store()).expect("a directory");
        let data = "data.mdb";
        std::fs::copy(dir.store().join(data), copy.store().join(data)).expect("a copy");
        std::fs::copy(dir.checkpoint(), copy.checkpoint()).expect("a copy");
    }
}

fn set_pending(store: &Store, length: usize) {
    let pending = Pending { bytes: vec![b'p'; length], made_at: 4, ..Pending::default() };
    store.update(true, |state| state.pending = Some(pending.clone())).expect("a change");
}

/// The copies, oldest first.
pub fn eras(base: &Path) -> Vec<Era> {
    (0..)
        .map(|number| era(base, number))
        .take_while(|dir| dir.root().exists())
        .map(|dir| Era::read(&dir))
        .collect()
}

/// Whether every flag and client of `other` is there.
pub fn has_all_of(state: &State, other: &State) -> bool {
    !state.funnel.clone().merge(&other.funnel)
}
