//! `kill -9` under load: nothing acknowledged is lost, and nothing counts twice.

use crate::endure::{Random, fast_dir, scaled, seed};
use crate::running::{Client, Collector, heartbeat, kept, now};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Senders at once; each has installs of its own.
const SENDERS: u64 = 8;

/// What the senders share.
struct Load {
    address: Mutex<SocketAddr>,
    acknowledged: AtomicUsize,
    enough: AtomicBool,
}

impl Load {
    /// Sends until it is enough; each heartbeat until it is acknowledged, as a client does. The number that is.
    fn send(&self, sender: u64) -> u64 {
        let today = now();
        let mut client = None;
        for number in 0.. {
            // Two heartbeats of each install.
            let beat = heartbeat(sender * 1_000_000 + number / 2, today + number % 2);
            loop {
                let address = *self.address.lock().unwrap_or_else(PoisonError::into_inner);
                let mut open = match client.take() {
                    Some(open) => Ok(open),
                    None => Client::connect(address),
                };
                let answer =
                    open.as_mut().map_err(|_| ()).and_then(|o| o.post(&beat).map_err(|_| ()));
                match answer {
                    Ok(answer) if answer.code == 200 => {
                        client = open.ok();
                        break;
                    }
                    Ok(answer) => assert_eq!(answer.code, 503, "{answer:?}"),
                    // It was killed.
                    Err(()) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
            if self.enough.load(Ordering::SeqCst) {
                return number + 1;
            }
        }
        0
    }
}

#[test]
fn what_was_acknowledged_is_there_exactly_once_after_kills() {
    let seed = seed();
    println!("MCPPROXY_ENDURE_SEED={seed}");
    let mut random = Random::new(seed, 41);
    let place = fast_dir();
    let first = Collector::start(place.path());
    let load = Load {
        address: Mutex::new(first.address),
        acknowledged: AtomicUsize::new(0),
        enough: AtomicBool::new(false),
    };
    let (sent, collector) = std::thread::scope(|scope| {
        let mut collector = first;
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                scope.spawn({
                    let load = &load;
                    move || load.send(sender)
                })
            })
            .collect();
        for _ in 0..scaled("COLLECTOR_KILLS", 20) {
            let more = load.acknowledged.load(Ordering::SeqCst) + 10 + random.below(60);
            crate::running::wait_until("more heartbeats are acknowledged", || {
                load.acknowledged.load(Ordering::SeqCst) >= more
            });
            collector.kill();
            collector = Collector::start(place.path());
            *load.address.lock().unwrap_or_else(PoisonError::into_inner) = collector.address;
        }
        load.enough.store(true, Ordering::SeqCst);
        let sent = senders.into_iter().map(|sender| sender.join().expect("a sender"));
        (sent.sum::<u64>(), collector)
    });
    let (installs, heartbeats) = kept(&collector.reader());
    assert_eq!(heartbeats, sent, "acknowledged heartbeats, each once");
    // A sender stops after the first or the second heartbeat of an install.
    let least = sent.div_ceil(2) as usize;
    assert!((least..=least + SENDERS as usize).contains(&installs), "{installs} of {sent}");
}

#[test]
fn the_senders_own_end_between_heartbeat_and_answer_makes_no_second_one() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let beat = heartbeat(1, now());
    // The answer is lost: the client is gone before it reads it.
    let mut client = collector.connect();
    client
        .send(&crate::running::request("content-type: application/json\r\n", &beat))
        .expect("sent");
    let reader = collector.reader();
    crate::running::wait_until("the heartbeat is stored", || kept(&reader) == (1, 1));
    // Not earlier: a request whose sender is gone before it was read need not be stored.
    drop(client);
    for _ in 0..3 {
        assert!(collector.post(&beat).is_duplicate());
    }
    assert_eq!(kept(&reader), (1, 1));
}
