//! The public page is made once a day, and the same bytes leave it until the next.

use super::*;
use crate::collector::definitions::Now;
use crate::collector::pages::access::Access;
use crate::collector::snapshot::Columns;
use crate::collector::store::{Counts, Incoming, Reader, Store, StoreOptions};
use crate::collector::testing::heartbeat;
use crate::web::key::ApiKey;
use std::path::Path;

const DAY: u64 = 86_400;
/// 2026-09-21T14:13:20Z, a Monday.
const MONDAY: u64 = 1_790_000_000;
/// The Wednesday of the week after, on which the Monday's week is full.
const LATER: u64 = MONDAY + 9 * DAY;

fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.to_owned(),
        products: vec!["notes-mcp".to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    }
}

/// Stores the heartbeats of these installs.
fn store(store: &mut Store, installs: std::ops::Range<u32>, at: u64) {
    let beats: Vec<_> = installs
        .map(|install| {
            let mut beat = heartbeat(at);
            beat.id = format!("install-{install}");
            beat
        })
        .collect();
    let batch: Vec<_> = beats.iter().map(|beat| Incoming::new(beat, at)).collect();
    store.apply(&batch, &Counts::new()).expect("a commit");
}

fn public(dir: &Path) -> Public {
    let pages = Pages {
        access: Access::new(ApiKey::for_tests("0123456789abcdef")),
        snapshot: Box::new(|| Arc::new(Snapshot::new(Now(0), Vec::new()))),
        wants_a_proxy: Box::new(|| false),
        is_secure: false,
        clock: Arc::new(|| 0),
    };
    Public::new(Arc::new(pages), dir.to_owned())
}

fn badge_of(published: &Published) -> String {
    badge::words(&published.products[0])
}

#[test]
fn it_is_made_once_a_day_whatever_arrives_and_restarts() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    let mut database = Store::open(&options(dir)).expect("a database");
    let reader = Reader::open(dir).expect("a reader");
    let at = |now: u64| Snapshot::read(&reader, Now(now)).expect("a snapshot");
    store(&mut database, 0..12, MONDAY);
    let running = public(dir);
    let first = running.on_the_day_of(&at(LATER));
    assert_eq!(badge_of(&first), "10 people a week");
    // Late heartbeats of a file that is imported.
    store(&mut database, 12..29, MONDAY);
    for public in [&running, &public(dir)] {
        assert_eq!(public.on_the_day_of(&at(LATER + 3600)), first, "of the same day");
    }
    let next = running.on_the_day_of(&at(LATER + DAY));
    assert_eq!(badge_of(&next), "25 people a week");
    assert_eq!(public(dir).on_the_day_of(&at(LATER + DAY)), next);
    // A file that nothing can be read of is made anew, and one of other numbers is not published.
    let file = dir.join("public.json");
    let text = std::fs::read_to_string(&file).expect("the file");
    for bad in [String::new(), text.replace("25", "27")] {
        std::fs::write(&file, bad).expect("written");
        assert_eq!(public(dir).on_the_day_of(&at(LATER + DAY)), next);
    }
}

#[test]
fn fewer_than_k_is_said_and_not_how_many() {
    let snapshot = Snapshot::new(Now(LATER), vec![("notes-mcp".to_owned(), Columns::default())]);
    let empty = Published::of(&snapshot);
    let numbers = &empty.products[0];
    assert!(numbers.rows().all(|row| row.count().is_none()), "{numbers:?}");
    assert_eq!(badge::words(numbers), "fewer than 5 people a week");
    let page = page::of_product(numbers, empty.day(), "").into_string();
    assert!(page.contains("fewer than 5") && page.contains("each count is below 5"), "{page}");
}

#[test]
fn a_tag_is_known_in_each_form_that_a_proxy_sends() {
    let asked = |value: &'static str| {
        HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(value))])
    };
    let tag = r#""0011""#;
    for known in [r#""0011""#, r#"W/"0011""#, r#""x", "0011""#, "*"] {
        assert!(is_known(&asked(known), tag), "{known}");
    }
    for other in [r#""0012""#, "0011", ""] {
        assert!(!is_known(&asked(other), tag), "{other}");
    }
}
