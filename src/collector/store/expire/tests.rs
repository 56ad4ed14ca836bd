//! What expires of a fleet over thirty months, and that no number changes by it.

use super::*;
use crate::collector::definitions::Audience;
use crate::collector::report::{self, Form};
use crate::collector::snapshot::Snapshot;
use crate::collector::store::fleet::{FIRST, TODAY, apply, copy, now, options};
use crate::collector::store::{Outcome, Reader, Store};
use crate::collector::testing::heartbeat;
use crate::collector::view::{Selection, Topic, View};
use rusqlite::Connection;
use std::path::Path;

/// Everything that pages, exports and `report` say.
fn said(dir: &Path, at: Now) -> Vec<String> {
    let reader = Reader::open(dir).expect("a reader");
    let snapshot = Snapshot::read(&reader, at).expect("a snapshot");
    let mut all = Vec::new();
    for audience in Audience::ALL {
        for product in [None, Some("mcpproxy"), Some("notes-mcp")] {
            for since in [None, Some(crate::collector::definitions::Day(FIRST + 100))] {
                let product = product.map(str::to_owned);
                let view = View::of(
                    &snapshot,
                    Selection { audience, product, since, ..Selection::default() },
                );
                // The size of the database is no number of installs.
                for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Health) {
                    let forms = [Form::Table, Form::Csv, Form::Json];
                    all.extend(forms.map(|form| report::write(&view, topic, form)));
                }
            }
        }
    }
    all
}

fn sizes(dir: &Path) -> (usize, usize) {
    let reader = Reader::open(dir).expect("a reader");
    let of =
        |name| (reader.rows(name).expect("rows").len(), reader.days(name).expect("days").len());
    let ((one, days), (other, more)) = (of("mcpproxy"), of("notes-mcp"));
    (one + other, days + more)
}

fn file(dir: &Path) -> Connection {
    Connection::open(dir.join("collector.db")).expect("the file")
}

#[test]
fn every_number_is_the_same_before_an_expiry_and_after_each_of_its_steps() {
    let place = copy();
    let before = said(place.path(), now());
    let (installs, days) = sizes(place.path());
    let first_days = |dir: &Path| {
        let products = Reader::open(dir).and_then(|reader| reader.products()).expect("products");
        products.iter().map(|one| one.first_day).collect::<Vec<_>>()
    };
    let first = first_days(place.path());

    let mut steps = 0;
    loop {
        // Each step begins anew, as after `kill -9`.
        let mut expiry = Expiry::begin(place.path(), Keep::default(), now()).expect("an expiry");
        let done = expiry.step().expect("a step") == Expired::Nothing;
        let after = said(place.path(), now());
        for (after, before) in after.iter().zip(&before) {
            assert_eq!(after, before, "after {steps} steps");
        }
        if done {
            break;
        }
        steps += 1;
    }
    let (installs_left, days_left) = sizes(place.path());
    assert!(steps > 2 && installs_left < installs && days_left < days, "{steps}");
    let reader = Reader::open(place.path()).expect("a reader");
    for name in ["mcpproxy", "notes-mcp"] {
        let days = reader.days(name).expect("days");
        assert!(days.iter().all(|(day, _)| *day >= TODAY - 400));
        let rows = reader.rows(name).expect("rows");
        // 2024-10-28 is 25 months before.
        assert!(rows.iter().all(|row| row.last_day >= 20_024));
    }
    assert_eq!(first_days(place.path()), first, "a product keeps its first day");

    // An id that comes back is a new install.
    let mut back = heartbeat(now().0);
    back.id = "install-0".to_owned();
    back.product = Some("mcpproxy".to_owned());
    let mut store = Store::open(&options(place.path())).expect("a database");
    assert_eq!(apply(&mut store, &[back]), [Outcome::Stored]);
    let rows = reader.rows("mcpproxy").expect("rows");
    assert!(rows.iter().any(|row| row.day0 == TODAY && row.last_day == TODAY));
}

#[test]
fn what_two_computations_do_not_agree_on_is_kept_and_said_on_every_page() {
    let place = copy();
    let facts = "UPDATE installs SET first_facts = 'interactive,00000,-,cli,linux,amd64,personal,-,+x', \
                 checked = NULL WHERE last_day = (SELECT MIN(last_day) FROM installs)";
    assert!(file(place.path()).execute(facts, []).expect("a change") > 0);
    let before = sizes(place.path());
    let mut expiry = Expiry::begin(place.path(), Keep::default(), now()).expect("an expiry");
    assert_eq!(expiry.step(), Err(ExpiryError::Differs));
    assert_eq!(sizes(place.path()), before, "nothing was removed");
    let stopped = |dir: &Path| {
        let reader = Reader::open(dir).expect("a reader");
        Snapshot::read(&reader, now()).expect("a snapshot").expiry_stopped
    };
    assert!(stopped(place.path()));
    assert!(said(place.path(), now())[0].contains("collector verify"));

    let facts = "UPDATE installs SET first_facts = now_facts WHERE first_facts LIKE '%+x'";
    file(place.path()).execute(facts, []).expect("a change");
    let mut expiry = Expiry::begin(place.path(), Keep::default(), now()).expect("an expiry");
    while expiry.step().expect("a step") != Expired::Nothing {}
    assert!(!stopped(place.path()), "until an expiry comes to its end");
}

#[test]
fn a_damaged_row_and_a_changed_cell_stop_the_expiry() {
    let place = copy();
    let mut expiry = Expiry::begin(place.path(), Keep::default(), now()).expect("an expiry");
    assert!(matches!(expiry.step(), Ok(Expired::Rows(_))));
    // Every group of days: the next step adds to one of them.
    let change = "UPDATE frozen SET n = n + 1 WHERE kind = 'days' AND cell LIKE '%|installs'";
    assert!(file(place.path()).execute(change, []).expect("a change") > 0);
    let mut later = Expiry::begin(place.path(), Keep { days: 30, months: 25 }, now()).expect("one");
    let mut result = later.step();
    while matches!(result, Ok(Expired::Rows(_))) {
        result = later.step();
    }
    assert_eq!(result, Err(ExpiryError::Store(StoreError::Damaged)));
}

#[test]
fn a_database_that_is_gone_is_not_begun_anew_by_an_expiry() {
    let place = copy();
    let file = place.path().join("collector.db");
    let mut expiry = Expiry::begin(place.path(), Keep::default(), now()).expect("an expiry");
    std::fs::rename(&file, place.path().join("away")).expect("moved");
    assert_eq!(expiry.step(), Err(ExpiryError::Store(StoreError::Away)));
    drop(expiry);
    for key in ["collector.key", "pages.key", "collector.db-wal", "collector.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(key));
    }
    let again = Expiry::begin(place.path(), Keep::default(), now());
    assert_eq!(again.map(drop), Err(StoreError::Gone));
    assert!(!file.exists());
}

#[test]
fn months_are_those_of_the_calendar() {
    let day = |text: &str| Day::parse(text).expect("a day");
    for (from, months, to) in [
        ("2026-11-28", 25, "2024-10-28"),
        ("2026-03-31", 1, "2026-02-28"),
        ("2024-03-31", 1, "2024-02-29"),
        ("2026-01-15", 1, "2025-12-15"),
        ("2026-01-15", 12, "2025-01-15"),
    ] {
        assert_eq!(day(from).months_earlier(months), day(to), "{from}");
    }
    assert_eq!(day("2026-01-15").months_earlier(50_000), Day(0));
}
