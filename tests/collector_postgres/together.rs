//! Collectors that share a database, and a server that dies under them: nothing acknowledged is lost or counted twice.

use crate::running::{Collector, PATIENCE, PRODUCT, heartbeat, kept, now, wait_until};
use crate::server::{Server, versions};
use mcpproxy::collector::store::{Environment, Location, Reader, Server as At};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A collector with the key that both share.
pub fn start(dir: &Path, address: &str, key: &Path) -> Collector {
    let key = key.to_str().expect("text");
    let words = ["--product", PRODUCT, "--key-file", key, "--database", address];
    Collector::start_with(dir, &words, &[])
}

pub fn key(place: &Path) -> std::path::PathBuf {
    let key = place.join("key");
    std::fs::write(&key, "5e".repeat(32)).expect("a key");
    key
}

pub fn reader(address: &str) -> Reader {
    let server = At::read(address, &Environment::default()).expect("an address");
    Reader::open(&Location { dir: Default::default(), server: Some(server) }).expect("a reader")
}

#[test]
fn two_collectors_that_get_the_same_heartbeats_store_each_once() {
    for programs in versions() {
        let Some(server) = Server::start(&programs) else { continue };
        let address = &server.address("fleet");
        let place = tempfile::tempdir().expect("a directory");
        let key = &key(place.path());
        // Both find an empty database.
        let [one, other] = std::thread::scope(|scope| {
            ["one", "other"]
                .map(|name| (name, place.path().join(name)))
                .map(|(_, dir)| scope.spawn(move || start(&dir, address, key)))
                .map(|starting| starting.join().expect("it starts"))
        });
        let (installs, at) = (200_u64, now());
        let stored = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for (collector, backwards) in
                [(&one, false), (&other, true), (&one, true), (&other, false)]
            {
                let stored = &stored;
                scope.spawn(move || {
                    let mut client = collector.connect();
                    for n in 0..installs {
                        let n = if backwards { installs - 1 - n } else { n };
                        let answer = client.post(&heartbeat(n, at)).expect("an answer");
                        assert!(answer.is_stored() || answer.is_duplicate(), "{answer:?}");
                        stored.fetch_add(u64::from(answer.is_stored()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(stored.into_inner(), installs, "each was new once");
        assert_eq!(kept(&reader(address)), (installs as usize, installs));
        one.stop();
        other.stop();
        let counts = reader(address).counts(0).expect("counts");
        let count = |wanted: &str| counts.iter().find(|(name, _)| name == wanted).map(|(_, n)| *n);
        assert_eq!(count("stored"), Some(installs));
        assert_eq!(count("duplicate"), Some(installs * 3));
    }
}

#[test]
fn a_server_that_is_killed_has_what_was_acknowledged_and_the_collector_comes_back() {
    for programs in versions() {
        let Some(mut server) = Server::start(&programs) else { continue };
        let address = &server.address("fleet");
        let place = tempfile::tempdir().expect("a directory");
        let collector = start(place.path(), address, &key(place.path()));
        let (next, ended, at) = (AtomicU64::new(0), AtomicBool::new(false), now());
        let sent = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..4)
                .map(|_| {
                    let (next, ended, collector) = (&next, &ended, &collector);
                    scope.spawn(move || {
                        let mut client = collector.connect();
                        let mut waiting = Vec::new();
                        while !ended.load(Ordering::Relaxed) {
                            let n = next.fetch_add(1, Ordering::Relaxed);
                            let beat = heartbeat(n, at);
                            let answer = client.post(&beat).expect("an answer");
                            match answer.code {
                                200 => assert!(answer.is_stored(), "{answer:?}"),
                                503 => waiting.push(beat),
                                _ => panic!("{answer:?}"),
                            }
                        }
                        // As a client does: the same bytes later. It may have been stored, and nobody could say so.
                        for beat in waiting {
                            wait_until("it is stored", || {
                                client.post(&beat).is_ok_and(|one| one.code == 200)
                            });
                        }
                    })
                })
                .collect();
            for _ in 0..3 {
                let before = next.load(Ordering::Relaxed);
                wait_until("heartbeats are under way", || {
                    next.load(Ordering::Relaxed) > before + 40
                });
                server.kill_and_start();
                wait_until("it is ready again", || {
                    collector.post(&heartbeat(1 << 40, at)).code == 200
                });
            }
            ended.store(true, Ordering::Relaxed);
            senders.into_iter().for_each(|sender| sender.join().expect("a sender"));
            next.load(Ordering::Relaxed)
        });
        assert_eq!(kept(&reader(address)), (sent as usize + 1, sent + 1), "{PATIENCE:?}");
        collector.stop();
    }
}
