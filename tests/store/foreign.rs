//! The data file of another install beside our own checkpoint.

use super::*;
use mcpproxy::activation::Health;

const OURS: &str = "3b1f8a52-6c1e-4d57-9a0b-2f4e6d8c0a1b";
const THEIRS: &str = "9d0c7b64-1a2f-4c3e-8b5d-7e6f5a4b3c2d";

/// A store with the id, flags, and a checkpoint of them; without an id it has a client only.
fn install(id: &str) -> (TempDir, DataDir) {
    let (root, dir) = data_dir();
    let store = open(&dir);
    if id.is_empty() {
        record_surely(&store, Mark::Client("goose"));
        return (root, dir);
    }
    fill(&store);
    store
        .update(true, |state| {
            state.install.anonymous_id = id.into();
            state.install.installer_pending = true;
        })
        .expect("a change");
    (root, dir)
}

fn configure(dir: &DataDir, id: &str) {
    let text = format!(r#"{{"telemetry": {{"anonymous_id": "{id}"}}}}"#);
    std::fs::write(dir.config(), text).expect("a config");
}

fn copy_data(from: &DataDir, to: &DataDir) {
    // Not in place: a copy that was moved here is another file.
    let there = to.store().join("data.mdb");
    std::fs::copy(from.store().join("data.mdb"), there.with_extension("copy")).expect("a copy");
    std::fs::rename(there.with_extension("copy"), there).expect("moved");
}

#[test]
fn the_checkpoint_of_this_install_wins_over_the_data_file_of_another() {
    for theirs in [THEIRS, ""] {
        for running in [false, true] {
            let (_root, dir) = install(OURS);
            configure(&dir, OURS);
            let (_other_root, other) = install(theirs);
            let host = running.then(|| open(&dir));
            copy_data(&other, &dir);
            let foreign = std::fs::read(dir.store().join("data.mdb")).expect("the file");
            let said = Store::peek(&dir, NOW).expect_err("not ours").to_string();
            assert!(said.contains("another install"), "{said}");
            let status = hosts::status_of(&dir);
            assert!(status.contains(r#""state":"damaged""#), "{status}");
            assert!(Store::quarantines(&dir).is_empty(), "a look changes nothing");
            let store = host.unwrap_or_else(|| open(&dir));
            assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
            let state = store.read().expect("a store");
            assert!(has_every_flag(&state) && state.install.installer_pending);
            assert_eq!(state.install.anonymous_id, OURS);
            let aside = Store::quarantines(&dir);
            assert!(
                matches!(store.health(), Health::Restored { quarantined_at: Some(at) } if aside == [at])
            );
            let kept = std::fs::read(dir.quarantine(aside[0]).join("data.mdb"));
            assert_eq!(kept.expect("it is kept"), foreign);
            drop(store);
            hosts::pass_through(&dir);
            assert_eq!(
                (peek(&dir).install.anonymous_id.as_str(), Store::quarantines(&dir)),
                (OURS, aside)
            );
        }
    }
}

#[test]
fn the_data_file_of_another_install_stays_where_the_config_does_not_decide() {
    // The config names no install, the other one, or a third; or the checkpoint is the other one's as well.
    for (named, with_checkpoint) in
        [(None, false), (Some(THEIRS), false), (Some("third"), false), (Some(OURS), true)]
    {
        let (_root, dir) = install(OURS);
        if let Some(id) = named {
            configure(&dir, id);
        }
        let (_other_root, other) = install(THEIRS);
        copy_data(&other, &dir);
        if with_checkpoint {
            std::fs::copy(other.checkpoint(), dir.checkpoint()).expect("a copy");
        }
        assert_eq!(peek(&dir).install.anonymous_id, THEIRS);
        let store = open(&dir);
        assert_eq!((store.health(), Store::quarantines(&dir)), (Health::Sound, Vec::new()));
    }
    // A store of ours, older or newer than the checkpoint, is not foreign.
    let (_root, dir) = install(OURS);
    configure(&dir, OURS);
    assert_eq!(open(&dir).health(), Health::Sound);
}
