//! `telemetry forget` against a receiver that records: the only request that ever follows an objection.

use crate::commands::{Ran, run};
use crate::receiver::{Receiver, Reply, Request};
use mcpproxy::activation::{State, Store};
use mcpproxy::paths::DataDir;
use serde_json::Value;
use std::path::Path;

const VARIABLE: &str = "MCPPROXY_TELEMETRY_ENDPOINT";

/// An install that has sent, and its receiver, which answers what follows by this script.
fn sent(home: &Path, script: &[Reply]) -> (Receiver, String) {
    let replies = std::iter::once(Reply::status(202)).chain(script.iter().cloned());
    let receiver = Receiver::start(replies);
    let ran = run(home, &["send", "--now"], &[(VARIABLE, &receiver.endpoint())]);
    assert!(ran.stdout.starts_with(b"sent: "), "{}", ran.stderr);
    (receiver, id(home).expect("an id"))
}

fn config(home: &Path) -> Value {
    let bytes = std::fs::read(home.join("data/mcp_config.json")).expect("a config");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn id(home: &Path) -> Option<String> {
    config(home)["telemetry"]["anonymous_id"].as_str().map(str::to_owned)
}

/// Whether a file below a directory holds this text.
fn holds(at: &Path, text: &str) -> bool {
    std::fs::read_dir(at).expect("a directory").any(|entry| {
        let path = entry.expect("an entry").path();
        let bytes = || std::fs::read(&path).expect("read");
        if path.is_dir() {
            holds(&path, text)
        } else {
            bytes().windows(text.len()).any(|part| part == text.as_bytes())
        }
    })
}

fn is_disabled(home: &Path) -> bool {
    config(home)["telemetry"]["products"]["mcpproxy"]["enabled"] == false
}

fn forget(home: &Path, receiver: &Receiver) -> Ran {
    run(home, &["forget"], &[(VARIABLE, &receiver.endpoint())])
}

fn said(ran: &Ran) -> String {
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn state(home: &Path) -> Option<State> {
    Store::peek(&DataDir::at(home.join("data")), 0).expect("a store that can be read")
}

/// The request of the specification: the id in its body alone.
fn assert_asks(request: &Request, id: &str) {
    assert_eq!(request.line, "DELETE /installs HTTP/1.1");
    assert_eq!(request.body, format!(r#"{{"product":"mcpproxy","id":"{id}"}}"#).as_bytes());
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.headers.iter().all(|(_, value)| !value.contains(id)), "{request:?}");
}

#[test]
fn what_was_sent_is_erased_and_the_id_is_gone_until_it_is_enabled_again() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let (receiver, old) = sent(home, &[Reply::status(204)]);
    let letter = home.join("data/sent/letter.txt");
    std::fs::write(&letter, "mine").expect("written");
    // An objection keeps nobody from asking to be forgotten.
    let variables = [(VARIABLE, &*receiver.endpoint()), ("DO_NOT_TRACK", "1")];
    let ran = run(home, &["forget", "-o", "json"], &variables);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_asks(&receiver.requests()[1], &old);
    let answer: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(answer["installs"][0]["outcome"], "erased", "{answer}");
    let host = format!("127.0.0.1:{}", receiver.port());
    assert_eq!(answer["installs"][0]["endpoint_host"], host.as_str());
    assert!(!said(&ran).contains(&old), "an erased id is shown nowhere");
    assert!(is_disabled(home));
    assert_eq!(id(home), None);
    assert!(state(home).is_none());
    let left = std::fs::read_dir(home.join("data/sent")).expect("a directory");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(left, [letter], "what we did not write stays");
    assert!(!holds(&home.join("data"), &old), "no file knows the id that was erased");
    // What never sent has nothing to be asked for, and its next id no reason to be known there.
    let again = run(home, &["forget"], &variables);
    assert!(said(&again).contains("there is nothing to forget"), "{}", said(&again));
    for args in [&["send", "--now"][..], &["send"]] {
        let ran = run(home, args, &variables[..1]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("telemetry.products.mcpproxy.enabled"), "{}", ran.stderr);
    }
    assert_eq!(receiver.connections(), 2);
}

#[test]
fn whatever_fails_it_stays_off_keeps_the_id_and_says_how_to_repeat() {
    let after = vec![("retry-after", "120".to_owned())];
    let cases = [
        (Reply::Status(503, after.clone()), "answered 503", "in 2 min 0 s"),
        (Reply::Status(429, after), "answered 429", "in 2 min 0 s"),
        (Reply::status(404), "does not know erasure", "later"),
        (Reply::status(405), "does not know erasure", "later"),
        (Reply::status(200), "does not know erasure", "later"),
        (Reply::status(307), "redirects are not followed", "later"),
        (Reply::status(400), "answered 400", "later"),
        (Reply::HangUp, "closed before an answer", "later"),
        (Reply::Garbage, "was not HTTP", "later"),
    ];
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    // Bytes that wait: they are dropped all the same.
    let script: Vec<_> = cases.iter().map(|(reply, ..)| reply.clone()).collect();
    let replies = std::iter::once(Reply::status(503)).chain(script).chain([Reply::status(204)]);
    let receiver = Receiver::start(replies);
    run(home, &["send", "--now"], &[(VARIABLE, &receiver.endpoint())]);
    let old = id(home).expect("an id");
    assert!(state(home).is_some_and(|state| state.pending.is_some()));
    for (at, (reply, why, when)) in cases.iter().enumerate() {
        let ran = forget(home, &receiver);
        assert_eq!(ran.code, Some(1), "{reply:?}");
        assert!(ran.stderr.contains(why), "{reply:?}: {}", ran.stderr);
        let again = format!("mcpproxy stays disabled and keeps its id: repeat this command {when}");
        assert!(ran.stderr.contains(&again), "{reply:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains(&old) && !said(&ran).contains(&old), "{}", ran.stderr);
        assert_asks(&receiver.requests()[at + 1], &old);
        assert!(is_disabled(home));
        assert_eq!(id(home).as_ref(), Some(&old));
        assert!(state(home).is_some_and(|state| state.pending.is_none()), "{reply:?}");
    }
    let ran = forget(home, &receiver);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(id(home), None);
    assert_eq!(receiver.connections(), cases.len() + 2);
}

#[test]
fn an_install_that_nothing_left_is_forgotten_without_a_request() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let ran = run(home, &["forget"], &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(said(&ran).contains("there is nothing to forget"), "{}", said(&ran));
    assert!(is_disabled(home) && id(home).is_none());

    let dir = DataDir::at(home.join("data"));
    mcpproxy::identity::reset_id(&dir, 1_800_000_000).expect("an id");
    let ran = run(home, &["forget"], &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(said(&ran).contains("no request was made"), "{}", said(&ran));
    assert!(is_disabled(home) && id(home).is_none());
}

#[test]
fn an_id_that_never_sent_is_not_shown_to_its_collector() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let dir = DataDir::at(home.join("data"));
    mcpproxy::identity::reset_id(&dir, 1_800_000_000).expect("an id");
    // A host has counted, and ended before its first heartbeat.
    let store = Store::open(&dir, mcpproxy::machine::now).expect("a store");
    store.update(true, |state| state.sender.first_start = 1_800_000_000).expect("counted");
    drop(store);
    let receiver = Receiver::start([]);
    let variables = [(VARIABLE, &*receiver.endpoint())];
    let ran = run(home, &["forget", "-o", "json"], &variables);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let answer: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(answer["installs"][0]["outcome"], "never_sent", "{answer}");
    assert_eq!(receiver.connections(), 0);
    assert!(is_disabled(home) && id(home).is_none());
    assert!(state(home).is_none(), "what was counted is gone");
}

#[test]
fn an_install_whose_receiver_is_no_longer_known_keeps_its_id() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (receiver, old) = sent(home.path(), &[]);
    let ran = run(home.path(), &["forget"], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no endpoint is known any more"), "{}", ran.stderr);
    assert_eq!(id(home.path()), Some(old));
    let plain = run(home.path(), &["forget"], &[(VARIABLE, "http://collector.example")]);
    assert_eq!(plain.code, Some(1));
    assert!(plain.stderr.contains("use https"), "{}", plain.stderr);
    assert!(is_disabled(home.path()));
    assert_eq!(receiver.connections(), 1);
}

/// It may have been stored all the same.
#[test]
fn an_attempt_whose_answer_is_not_known_counts_as_sent() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::start([Reply::HangUp]);
    run(home.path(), &["send", "--now"], &[(VARIABLE, &receiver.endpoint())]);
    let old = id(home.path()).expect("an id");
    let ran = run(home.path(), &["forget"], &[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no endpoint is known any more"), "{}", ran.stderr);
    assert_eq!(id(home.path()), Some(old));
}

/// A host that is sending when it is switched off may still be answered: what it sends must come first.
#[test]
fn a_host_that_is_sending_is_waited_for() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (receiver, old) = sent(home.path(), &[Reply::status(204)]);
    let store = Store::open(&DataDir::at(home.path().join("data")), mcpproxy::machine::now);
    let until = mcpproxy::machine::now() + 4;
    let leased = store.expect("a store").update(true, |state| {
        state.sender.lease_owner = 7;
        state.sender.lease_until = until;
    });
    leased.expect("stored");
    let ran = forget(home.path(), &receiver);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(mcpproxy::machine::now() >= until, "the lease had not ended");
    assert_asks(&receiver.requests()[1], &old);
}

/// The id that rotation replaced a year after is of the same install.
#[test]
fn the_id_before_the_last_rotation_is_erased_as_well() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let (receiver, old) = sent(home, &[Reply::status(202)]);
    let mut edited = config(home);
    edited["telemetry"]["anonymous_id_created_at"] = "2025-01-01T00:00:00Z".into();
    std::fs::write(home.join("data/mcp_config.json"), edited.to_string()).expect("written");
    run(home, &["send", "--now"], &[(VARIABLE, &receiver.endpoint())]);
    let new = id(home).expect("an id");
    assert_ne!(new, old);
    let erasing = Receiver::start([]);
    erasing.erase();
    let ran = forget(home, &erasing);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let requests = erasing.requests();
    assert_eq!(requests.len(), 2);
    assert_asks(&requests[0], &new);
    assert_asks(&requests[1], &old);
    assert!(!config(home).to_string().contains(&old), "nor is it kept here");
}
