//! The database through its own doors: what is kept, what is refused, what is left alone.

use super::*;
use crate::collector::answer::Answer;
use crate::collector::floods::Origin;
use crate::collector::heartbeat::{DELTAS, Heartbeat, day};
use crate::collector::receive::{Pending, Receiver};
use crate::collector::row::Standing;
use crate::collector::testing::{bytes_v3, heartbeat};
use crate::contract::MAX_COUNT;
use std::path::Path;

const DAY: u64 = 86_400;
/// 2026-11-28T12:00:00Z
const NOON: u64 = 20_785 * DAY + 12 * 3600;

fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.to_owned(),
        products: vec!["notes-mcp".to_owned(), "mcpproxy".to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    }
}

fn place() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Commits until nothing is left to be forgotten.
fn swept(store: &mut Store) {
    while store.is_sweeping() {
        store.apply(&[], &Counts::new()).expect("a commit");
    }
}

fn stored(store: &mut Store, beat: &Heartbeat, received: u64) -> Outcome {
    store.apply(&[Incoming::new(beat, received)], &Counts::new()).expect("a commit")[0]
}

#[test]
fn a_heartbeat_is_kept_once_and_its_row_reads_back() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let mut first = heartbeat(NOON);
    first.clients = vec!["cursor".to_owned()];
    first.days_since_install = Some(0);
    assert_eq!(stored(&mut store, &first, NOON + 5), Outcome::Stored);
    assert_eq!(stored(&mut store, &first, NOON + 6), Outcome::Duplicate);
    let mut next = heartbeat(NOON + DAY);
    next.facts.version = "1.5.0".to_owned();
    next.steps[4] = true;
    // Twice in one batch: the second is the first's copy.
    let batch = [Incoming::new(&next, NOON + DAY); 2];
    let outcomes = store.apply(&batch, &Counts::new());
    assert_eq!(outcomes, Ok(vec![Outcome::Stored, Outcome::Duplicate]));

    let reader = Reader::open(place.path()).expect("a reader");
    let rows = reader.rows("notes-mcp").expect("rows");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let today = day(NOON);
    assert_eq!((row.day0, row.last_day), (today, today + 1));
    assert!(row.seen_on(today) && row.seen_on(today + 1) && !row.seen_on(today + 2));
    assert_eq!((row.first.version.as_str(), row.now.version.as_str()), ("1.4.0", "1.5.0"));
    assert_eq!(row.steps, [Some(today), None, None, None, Some(today + 1)]);
    assert_eq!(row.versions, [("1.4.0".to_owned(), today), ("1.5.0".to_owned(), today + 1)]);
    assert_eq!(row.clients, ["cursor"]);
    assert!(!row.carried_over && !row.late_start && row.clock_wrong == 0);
    assert_eq!(reader.rows("other"), Ok(Vec::new()));

    let mut days = reader.days("notes-mcp").expect("days");
    days.sort_by_key(|(day, _)| *day);
    let deltas: Vec<_> = days.iter().map(|(day, row)| (*day, row.deltas[0])).collect();
    assert_eq!(deltas, [(today, 1), (today + 1, 1)], "each delta counts once");
    let counts = reader.counts(0).expect("counts");
    assert_eq!(counts, [("duplicate".to_owned(), 2), ("stored".to_owned(), 2)]);
}

#[test]
fn heartbeats_of_one_day_share_its_row_and_the_fourth_is_too_many() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    for second in 0..3 {
        assert_eq!(stored(&mut store, &heartbeat(NOON + second), NOON), Outcome::Stored);
    }
    assert_eq!(stored(&mut store, &heartbeat(NOON + 3), NOON), Outcome::TooMany);
    // Its bytes are welcome on the next day.
    assert_eq!(stored(&mut store, &heartbeat(NOON + 3), NOON + 12 * 3600), Outcome::Stored);
    let reader = Reader::open(place.path()).expect("a reader");
    let days = reader.days("notes-mcp").expect("days");
    assert_eq!(days.iter().map(|(_, row)| row.deltas[0]).collect::<Vec<_>>(), [4]);
}

#[test]
fn sums_beyond_what_is_kept_are_cut_and_counted() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let mut most = heartbeat(NOON);
    most.deltas = [MAX_COUNT; DELTAS];
    assert_eq!(stored(&mut store, &most, NOON), Outcome::Stored);
    let reader = Reader::open(place.path()).expect("a reader");
    let capped =
        || reader.counts(0).expect("counts").into_iter().find(|(name, _)| name == "capped");
    assert_eq!(capped(), None, "all of it is kept");
    assert_eq!(stored(&mut store, &heartbeat(NOON + 1), NOON), Outcome::Stored);
    assert_eq!(capped(), Some(("capped".to_owned(), 1)));
    let days = reader.days("notes-mcp").expect("days");
    assert_eq!(days.iter().map(|(_, row)| row.deltas).collect::<Vec<_>>(), [[MAX_COUNT; DELTAS]]);
}

#[test]
fn newcomers_of_a_network_are_marked_once_they_are_more_than_a_few() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let beats: Vec<Heartbeat> = (0..60)
        .map(|install| Heartbeat { id: format!("install-{install}"), ..heartbeat(NOON) })
        .collect();
    let mut from = |origin, beats: &[Heartbeat]| {
        let incoming = |beat| Incoming { origin, ..Incoming::new(beat, NOON) };
        let batch: Vec<_> = beats.iter().map(incoming).collect();
        store.apply(&batch, &Counts::new()).expect("a commit");
    };
    // Half of them twice in one batch: a repetition is nobody new.
    let twice: Vec<Heartbeat> =
        beats[..30].iter().flat_map(|one| [one.clone(), one.clone()]).collect();
    from(Some(Origin::for_tests(1)), &twice);
    from(Some(Origin::for_tests(1)), &beats);
    let reader = Reader::open(place.path()).expect("a reader");
    let rows = reader.rows("notes-mcp").expect("rows");
    assert_eq!((rows.len(), rows.iter().filter(|row| row.flood).count()), (60, 10));
    let counts = reader.counts(0).expect("counts");
    assert!(counts.contains(&("flood".to_owned(), 10)), "{counts:?}");
}

#[test]
fn the_times_of_an_install_that_is_gone_are_forgotten() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let gone = heartbeat(NOON - 26 * 3600);
    assert_eq!(stored(&mut store, &gone, NOON), Outcome::Stored);
    let times = || {
        let file = rusqlite::Connection::open(place.path().join("collector.db")).expect("a file");
        let sizes = "SELECT LENGTH(recent) FROM installs ORDER BY last_day";
        let mut statement = file.prepare(sizes).expect("a statement");
        let sizes = statement.query_map([], |row| row.get(0)).expect("rows");
        sizes.collect::<Result<Vec<u32>, _>>().expect("sizes")
    };
    let mut other = heartbeat(NOON + 2 * DAY);
    other.id = "another".to_owned();
    assert_eq!(stored(&mut store, &other, NOON + 2 * DAY), Outcome::Stored);
    swept(&mut store);
    assert_eq!(times(), [16, 16], "a repetition would still be known");
    other.claimed += 2 * DAY;
    assert_eq!(stored(&mut store, &other, NOON + 4 * DAY), Outcome::Stored);
    swept(&mut store);
    assert_eq!(times(), [0, 16]);
    let rows = Reader::open(place.path()).and_then(|reader| reader.rows("notes-mcp"));
    assert_eq!(rows.map(|rows| rows.len()), Ok(2), "and the installs stay");
}

#[test]
fn a_clock_that_is_wrong_counts_for_the_day_of_receipt() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    assert_eq!(stored(&mut store, &heartbeat(NOON - 100 * DAY), NOON), Outcome::Stored);
    let reader = Reader::open(place.path()).expect("a reader");
    let rows = reader.rows("notes-mcp").expect("rows");
    assert_eq!((rows[0].day0, rows[0].clock_wrong), (day(NOON), 1));
    assert!(reader.counts(0).expect("counts").contains(&("clock_wrong".to_owned(), 1)));
}

#[test]
fn an_install_from_before_the_product_was_received_is_carried_over_and_a_later_one_starts_late() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let mut beat = |id: &str, at: u64, days: u16, told: bool| {
        let mut beat = heartbeat(at);
        beat.id = id.to_owned();
        beat.days_since_install = Some(days);
        beat.carried_over = told;
        assert_eq!(stored(&mut store, &beat, at), Outcome::Stored);
    };
    beat("before", NOON, 40, false);
    beat("new", NOON + 9 * DAY, 0, false);
    beat("late", NOON + 9 * DAY, 3, false);
    beat("rotated", NOON + 9 * DAY, 0, true);
    let rows = Reader::open(place.path()).and_then(|reader| reader.rows("notes-mcp"));
    let mut marks: Vec<_> = rows
        .expect("rows")
        .iter()
        .map(|row| (row.day0 - day(NOON), row.carried_over, row.late_start))
        .collect();
    marks.sort_unstable();
    assert_eq!(marks, [(0, true, false), (9, false, false), (9, false, true), (9, true, false)]);
}

#[test]
fn one_id_of_two_products_is_two_installs_that_nothing_joins() {
    let place = place();
    let mut store = Store::open(&options(place.path())).expect("a database");
    let (one, mut other) = (heartbeat(NOON), heartbeat(NOON));
    other.product = None;
    let batch = [Incoming::new(&one, NOON), Incoming::new(&other, NOON)];
    let outcomes = store.apply(&batch, &Counts::new());
    assert_eq!(outcomes, Ok(vec![Outcome::Stored, Outcome::Stored]));
    drop(store);
    for name in std::fs::read_dir(place.path()).expect("the directory") {
        let bytes = std::fs::read(name.expect("a file").path()).expect("its bytes");
        let id = one.id.as_bytes();
        assert!(!bytes.windows(id.len()).any(|window| window == id), "the id is in a file");
    }
}

#[test]
fn products_are_the_operators_and_never_lose_their_installs() {
    let place = place();
    let dir = place.path();
    let mut store = Store::open(&options(dir)).expect("a database");
    let mut beat = heartbeat(NOON);
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::Stored);
    // The collector notices what a command does beside it.
    remove(dir, "notes-mcp").expect("removed");
    beat.claimed += 1;
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::UnknownProduct);
    assert_eq!(add(dir, true, "notes-mcp"), Ok(true));
    assert_eq!(add(dir, true, "notes-mcp"), Ok(false));
    assert_eq!(stored(&mut store, &beat, NOON), Outcome::Stored);
    // Under its new name and its old one it is the same install.
    rename(dir, "notes-mcp", "@notes/server").expect("renamed");
    beat.claimed += 1;
    beat.product = Some("notes.server".to_owned());
    assert_eq!(stored(&mut store, &beat, NOON + DAY), Outcome::Stored);
    let reader = Reader::open(dir).expect("a reader");
    let products = reader.products().expect("products");
    let notes = products.iter().find(|product| product.name == "notes.server");
    assert_eq!(notes.map(|notes| notes.installs), Some(1));
    assert_eq!(reader.rows("notes-mcp"), reader.rows("notes.server"));

    assert_eq!(rename(dir, "mcpproxy", "notes-mcp"), Err(ProductError::Taken));
    assert_eq!(rename(dir, "nope", "other"), Err(ProductError::Unknown));
    assert_eq!(remove(dir, "nope"), Err(ProductError::Unknown));
    assert!(matches!(add(dir, true, "a b"), Err(ProductError::Name(_))));
}

#[test]
fn with_any_product_unknown_ones_are_hidden_until_they_are_added_and_at_most_a_hundred() {
    let place = place();
    let given = StoreOptions { any_product: true, products: Vec::new(), ..options(place.path()) };
    let mut store = Store::open(&given).expect("a database");
    let mut last = Outcome::Stored;
    for number in 0..=products::HIDDEN {
        assert_eq!(last, Outcome::Stored);
        let mut beat = heartbeat(NOON);
        beat.product = Some(format!("product-{number}"));
        last = stored(&mut store, &beat, NOON);
    }
    assert_eq!(last, Outcome::UnknownProduct);
    assert_eq!(add(place.path(), true, "product-7"), Ok(true));
    let reader = Reader::open(place.path()).expect("a reader");
    let products = reader.products().expect("products");
    let added = products.iter().filter(|product| product.standing == Standing::Added);
    assert_eq!(added.map(|product| product.name.as_str()).collect::<Vec<_>>(), ["product-7"]);
}

#[test]
fn a_key_that_is_missing_or_another_is_refused_and_nothing_is_changed() {
    let place = place();
    let dir = place.path();
    drop(Store::open(&options(dir)).expect("a database"));
    let key = dir.join("collector.key");
    let text = std::fs::read_to_string(&key).expect("the key that was made");
    assert!(!mcpproxy_platform::files::is_readable_by_others(&key));
    let refused = |key: KeySource| {
        let given = StoreOptions { key, ..options(dir) };
        match Store::open(&given).map(drop) {
            Err(ProductError::Store(error)) => Some(error),
            other => panic!("{other:?}"),
        }
    };
    std::fs::rename(&key, dir.join("away")).expect("a move");
    assert_eq!(refused(KeySource::Own), Some(StoreError::KeyMissing));
    assert!(!key.exists(), "no other key is made for a database that has one");
    let other = KeySource::Variable("ab".repeat(32));
    assert_eq!(refused(other), Some(StoreError::KeyWrong));
    let place = "MCPPROXY_COLLECTOR_KEY";
    assert_eq!(refused(KeySource::Variable("short".into())), Some(StoreError::KeyForm(place)));
    assert_eq!(
        refused(KeySource::File(dir.join("none"))),
        Some(StoreError::KeyFile(std::io::ErrorKind::NotFound))
    );
    for right in [KeySource::File(dir.join("away")), KeySource::Variable(text)] {
        let given = StoreOptions { key: right, ..options(dir) };
        assert!(Store::open(&given).is_ok());
    }
}

#[test]
fn a_foreign_a_newer_and_a_damaged_database_are_refused_and_left_as_they_are() {
    let refused = |make: &dyn Fn(&Path)| {
        let place = place();
        let file = place.path().join("collector.db");
        make(&file);
        let before = std::fs::read(&file).expect("the file");
        let result = Store::open(&options(place.path())).map(drop);
        assert_eq!(std::fs::read(&file).expect("the file"), before);
        result
    };
    let foreign = |error| Err(ProductError::Store(error));
    let text = refused(&|file| std::fs::write(file, "dear diary ".repeat(500)).expect("a file"));
    assert_eq!(text, foreign(StoreError::Foreign));
    let other = refused(&|file| {
        let other = rusqlite::Connection::open(file).expect("a database");
        other.execute_batch("CREATE TABLE notes (text TEXT)").expect("a table");
    });
    assert_eq!(other, foreign(StoreError::Foreign));
    let newer = refused(&|file| {
        let other = rusqlite::Connection::open(file).expect("a database");
        other.execute_batch(sql::SCHEMA).expect("tables");
        let what = "INSERT INTO meta VALUES ('what', 'mcpproxy collector'), ('schema', $1)";
        let newer = crate::collector::store::database::SCHEMA + 1;
        other.execute(what, [newer.to_string()]).expect("rows");
    });
    assert_eq!(newer, foreign(StoreError::Newer));
}

#[test]
fn one_directory_has_one_collector() {
    let place = place();
    let store = Store::open(&options(place.path())).expect("a database");
    let second = Store::open(&options(place.path())).map(drop);
    assert_eq!(second, Err(ProductError::Store(StoreError::Taken)));
    // A link in another directory leads to the same database.
    #[cfg(unix)]
    {
        let other = self::place();
        for name in ["collector.db", "collector.key"] {
            let (file, link) = (place.path().join(name), other.path().join(name));
            std::os::unix::fs::symlink(file, link).expect("a link");
        }
        let second = Store::open(&options(other.path())).map(drop);
        assert_eq!(second, Err(ProductError::Store(StoreError::Taken)));
    }
    drop(store);
    assert!(Store::open(&options(place.path())).is_ok());
}

#[test]
fn a_database_that_is_away_stores_nothing_and_is_well_when_it_is_back() {
    let place = place();
    let (file, away) = (place.path().join("collector.db"), place.path().join("away"));
    let receiver = Receiver::open(&options(place.path())).expect("a database");
    std::fs::rename(&file, &away).expect("a move");
    let beat = bytes_v3(1, NOON);
    assert!(matches!(receiver.accept(&beat, NOON), Answer::Unavailable(_)));
    assert_eq!(receiver.write_error(), Some(StoreError::Away));
    std::fs::rename(&away, &file).expect("a move");
    assert_eq!(receiver.accept(&beat, NOON), Answer::Stored);
    assert_eq!(receiver.write_error(), None);
}

#[test]
fn the_receiver_answers_in_order_and_says_a_rule_and_a_place() {
    let place = place();
    let receiver = Receiver::open(&options(place.path())).expect("a database");
    let beats: Vec<Vec<u8>> = (0..1_000).map(|install| bytes_v3(install % 700, NOON)).collect();
    let all = beats.iter().map(|bytes| (bytes.as_slice(), NOON));
    let answers = receiver.accept_all(all);
    assert!(answers[..700].iter().all(|answer| *answer == Answer::Stored));
    assert!(answers[700..].iter().all(|answer| *answer == Answer::Duplicate));
    let refused = |bytes: &[u8]| match receiver.accept(bytes, NOON) {
        Answer::Refused(refused) => (refused.rule, refused.field),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b"{"), ("syntax", String::new()));
    assert_eq!(refused(&[b' '; 9_000]), ("size", String::new()));
    let text = String::from_utf8(bytes_v3(1, NOON)).expect("text");
    let wrong = text.replace("\"linux\"", "9");
    assert_eq!(refused(wrong.as_bytes()), ("shape", "/os".to_owned()));
    let newer = text.replace("\"schema_version\":3", "\"schema_version\":9");
    assert_eq!(refused(newer.as_bytes()).0, "shape");
    drop(receiver);
    let counts = Reader::open(place.path()).and_then(|reader| reader.counts(0)).expect("counts");
    let count = |name: &str| counts.iter().find(|(known, _)| known == name).map(|(_, n)| *n);
    assert_eq!((count("stored"), count("duplicate")), (Some(700), Some(300)));
    assert_eq!((count("refused.shape"), count("refused.size")), (Some(2), Some(1)));
}

#[test]
fn a_commit_is_on_disk_and_not_in_a_cache() {
    let place = place();
    let connection = database::open_or_begin(place.path()).expect("a database");
    let pragma = |name: &str| -> String {
        let value = connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        format!("{:?}", value.expect("a value"))
    };
    assert_eq!(pragma("synchronous"), "Integer(2)", "FULL");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("fullfsync"), "Integer(1)");
    let reader = database::open_to_read(place.path()).expect("a reader");
    assert!(reader.execute("DELETE FROM installs", []).is_err(), "a reader writes nothing");
}

#[test]
fn only_a_start_and_a_new_product_make_a_database() {
    let place = place();
    assert_eq!(database::open(place.path()).err(), Some(StoreError::Missing));
    std::fs::write(place.path().join("collector.db"), "").expect("a file");
    assert_eq!(database::open(place.path()).err(), Some(StoreError::Missing));
    let length = place.path().join("collector.db").metadata().expect("the file").len();
    assert_eq!(length, 0, "nothing was made in it");
    // One that an earlier version began is remembered as well.
    drop(database::open_or_begin(place.path()).expect("a database"));
    std::fs::remove_file(place.path().join("collector.begun")).expect("the file");
    drop(database::open_or_begin(place.path()).expect("the database"));
    std::fs::remove_file(place.path().join("collector.db")).expect("the file");
    assert_eq!(database::open(place.path()).err(), Some(StoreError::Gone));
    assert_eq!(database::open_or_begin(place.path()).err(), Some(StoreError::Gone));
    assert!(!place.path().join("collector.db").exists());
}

#[test]
fn what_does_not_fit_in_the_queue_is_told_to_come_back() {
    let place = place();
    let receiver = Receiver::open(&options(place.path())).expect("a database");
    // Another process keeps the writer waiting.
    let other = rusqlite::Connection::open(place.path().join("collector.db")).expect("a file");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let beats: Vec<Vec<u8>> = (0..2_700).map(|install| bytes_v3(install, NOON)).collect();
    let pending: Vec<Pending> =
        beats.iter().map(|bytes| receiver.submit(bytes, NOON, None)).collect();
    let is_full = |pending: &&Pending| matches!(pending, Pending::Done(Answer::Unavailable(5)));
    assert!(pending.iter().filter(is_full).count() > 0);
    other.execute_batch("COMMIT").expect("the lock is free");
    for answer in pending.into_iter().map(Pending::wait) {
        assert!(matches!(answer, Answer::Stored | Answer::Unavailable(_)), "{answer:?}");
    }
    let again = receiver.accept_all(beats.iter().map(|bytes| (bytes.as_slice(), NOON)));
    assert!(again.iter().all(|answer| matches!(answer, Answer::Stored | Answer::Duplicate)));
    let rows = receiver.reader().and_then(|reader| reader.rows("mcpproxy"));
    assert_eq!(rows.map(|rows| rows.len()), Ok(beats.len()));
}
