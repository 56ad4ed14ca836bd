use crate::collector::heartbeat::Heartbeat;
use crate::collector::store::{
    Change, Counts, Erasure, Incoming, Outcome, Reader, Store, StoreOptions, remove, rename,
    retire, retired, unretire,
};
use crate::collector::testing::heartbeat;
use std::path::Path;

const DAY: u64 = 86_400;
/// 2026-11-28T12:00:00Z
const NOON: u64 = 20_785 * DAY + 12 * 3600;

fn open(dir: &Path) -> Store {
    let options = StoreOptions {
        dir: dir.to_owned(),
        products: vec!["notes-mcp".to_owned(), "mcpproxy".to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    };
    Store::open(&options).expect("a database")
}

fn stored(store: &mut Store, beat: &Heartbeat, received: u64) -> Outcome {
    store.apply(&[Incoming::new(beat, received)], &Counts::new()).expect("a commit")[0]
}

fn erase(store: &mut Store, product: &str, id: &str, asked: u64) {
    let erasure = Erasure { product: product.to_owned(), id: id.to_owned(), asked };
    let change = Change { erasures: &[erasure], ..Change::default() };
    store.commit(&change, &Counts::new()).expect("a commit");
}

/// How many rows a table has.
fn rows(dir: &Path, table: &str) -> u64 {
    let file = rusqlite::Connection::open(dir.join("collector.db")).expect("a file");
    let count = format!("SELECT COUNT(*) FROM {table}");
    file.query_row(&count, [], |row| row.get(0)).expect("a count")
}

#[test]
fn an_erased_install_is_gone_and_late_heartbeats_do_not_bring_it_back_for_thirty_days() {
    let place = tempfile::tempdir().expect("a directory");
    let mut store = open(place.path());
    let beat = heartbeat(NOON);
    let mut other = heartbeat(NOON);
    other.id = "another".to_owned();
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::Stored);
    assert_eq!(stored(&mut store, &other, NOON), Outcome::Stored);
    erase(&mut store, "notes-mcp", &beat.id, NOON + 60);
    assert_eq!((rows(place.path(), "installs"), rows(place.path(), "days")), (1, 1));
    for later in [61, DAY, 30 * DAY] {
        assert_eq!(stored(&mut store, &beat, NOON + later), Outcome::Erased);
    }
    assert_eq!(rows(place.path(), "installs"), 1);
    let counts = Reader::open(place.path()).and_then(|reader| reader.counts(0)).expect("counts");
    assert!(counts.contains(&("erased".to_owned(), 3)), "{counts:?}");
    assert!(counts.contains(&("erasure".to_owned(), 1)), "{counts:?}");
    assert_eq!(stored(&mut store, &beat, NOON + 31 * DAY), Outcome::Stored);
    assert_eq!(rows(place.path(), "erased"), 1);
    while store.is_sweeping() {
        store.apply(&[], &Counts::new()).expect("a commit");
    }
    assert_eq!(rows(place.path(), "erased"), 0, "the tombstone is gone as well");
}

#[test]
fn a_heartbeat_and_an_erasure_of_one_batch_leave_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let mut store = open(place.path());
    let beat = heartbeat(NOON);
    let erasures = [Erasure { product: "notes-mcp".to_owned(), id: beat.id.clone(), asked: NOON }];
    let batch = [Incoming::new(&beat, NOON)];
    let change = Change { erasures: &erasures, batch: &batch, imported: None };
    let outcomes = store.commit(&change, &Counts::new());
    assert_eq!(outcomes, Ok(vec![Outcome::Erased]));
    assert_eq!(rows(place.path(), "installs"), 0);
}

#[test]
fn an_install_is_erased_of_one_product_under_any_name_that_it_had() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    let mut store = open(dir);
    let beat = heartbeat(NOON);
    // The same id under the gateway, of schema 3, is another install.
    let mut gateway = heartbeat(NOON);
    gateway.product = None;
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::Stored);
    assert_eq!(stored(&mut store, &gateway, NOON), Outcome::Stored);
    rename(dir, "notes-mcp", "notes-server").expect("renamed");
    remove(dir, "notes-server").expect("removed");
    erase(&mut store, "notes-server", &beat.id, NOON);
    assert_eq!(rows(dir, "installs"), 1, "renamed and removed make no difference");
    erase(&mut store, "nobody-has-it", &gateway.id, NOON);
    assert_eq!(
        (rows(dir, "installs"), rows(dir, "erased")),
        (1, 1),
        "nothing is kept of strangers"
    );
    erase(&mut store, "mcpproxy", &gateway.id, NOON);
    assert_eq!(rows(dir, "installs"), 0);
    assert_eq!(stored(&mut store, &gateway, NOON), Outcome::Erased);
}

#[test]
fn a_retired_version_stores_nothing_until_it_is_taken_back() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    let mut store = open(dir);
    let mut beat = heartbeat(NOON);
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::Stored);
    assert_eq!(retire(dir, "notes-mcp", "v1.4.0"), Ok(true));
    assert_eq!(retire(dir, "notes-mcp", "1.4.0"), Ok(false), "it is the same version");
    assert_eq!(retired(dir), Ok(vec![("notes-mcp".to_owned(), "1.4.0".to_owned())]));
    beat.claimed += DAY;
    assert_eq!(stored(&mut store, &beat, NOON + DAY), Outcome::Retired);
    let mut next = beat.clone();
    next.facts.version = "1.4.1".to_owned();
    assert_eq!(stored(&mut store, &next, NOON + DAY), Outcome::Stored);
    let mut gateway = beat.clone();
    gateway.product = None;
    assert_eq!(stored(&mut store, &gateway, NOON + DAY), Outcome::Stored, "of another product");
    assert_eq!(unretire(dir, "notes-mcp", "1.4.0"), Ok(true));
    beat.claimed += DAY;
    assert_eq!(stored(&mut store, &beat, NOON + 2 * DAY), Outcome::Stored);
}

#[test]
fn a_damaged_row_is_an_error_of_its_own_install_only() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    let mut store = open(dir);
    let (one, mut other) = (heartbeat(NOON), heartbeat(NOON));
    assert_eq!(stored(&mut store, &one, NOON), Outcome::Stored);
    let file = rusqlite::Connection::open(dir.join("collector.db")).expect("a file");
    for damage in [
        "UPDATE days SET packed = x'0102'",
        "UPDATE installs SET day0 = day0 - 1",
        "UPDATE installs SET versions = 7",
    ] {
        file.execute_batch(damage).expect("a change");
        let mut next = one.clone();
        next.claimed += 60;
        other.id.push('x');
        let batch = [Incoming::new(&next, NOON + 60), Incoming::new(&other, NOON + 60)];
        let outcomes = store.apply(&batch, &Counts::new());
        assert_eq!(outcomes, Ok(vec![Outcome::Damaged, Outcome::Stored]), "{damage}");
    }
    assert_eq!(rows(dir, "installs"), 4);
}
