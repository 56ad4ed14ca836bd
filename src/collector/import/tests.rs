use super::*;
use crate::collector::store::{Reader, Store, StoreOptions};
use crate::collector::testing::bytes_v3;
use std::io::Cursor;
use std::path::Path;

const DAY: u64 = 86_400;
/// 2026-11-28T12:00:00Z
const NOON: u64 = 20_785 * DAY + 12 * 3600;
const NOW: u64 = NOON + 100 * DAY;

fn open(dir: &Path) -> Store {
    let options = StoreOptions {
        dir: dir.to_owned(),
        products: vec!["mcpproxy".to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    };
    Store::open(&options).expect("a database")
}

fn line(install: u64, received: u64) -> String {
    let body = String::from_utf8(bytes_v3(install, received)).expect("text");
    format!("{{\"received\":{received},\"body\":{body}}}\n")
}

/// Two thousand heartbeats of a hundred installs, with other events between them.
fn file() -> String {
    let mut text = String::new();
    for n in 0..2_000 {
        text.push_str(&line(n % 100, NOON + n * 3_600));
        if n % 7 == 0 {
            text.push_str("{\"at\":1,\"event\":\"fresh\",\"install\":3}\n");
        }
        if n % 11 == 0 {
            text.push_str("{\"at\":1,\"event\":\"sent\",\"received\":null,\"body\":{}}\n");
        }
    }
    text
}

fn import(store: &mut Store, text: &str) -> Result<ImportReport, ImportError> {
    run(store, Cursor::new(text.as_bytes()), NOW)
}

fn wrong(store: &mut Store, text: &str) -> (u64, LineError, u64) {
    match import(store, text) {
        Err(ImportError::Lines { first, why, more }) => (first, why, more),
        other => panic!("{other:?}"),
    }
}

#[test]
fn how_many_lines_are_wrong_is_said_in_words() {
    let said = |more| ImportError::Lines { first: 3, why: LineError::Body, more }.to_string();
    for (more, words) in [
        (0, "line 3 has no `body`; nothing was imported"),
        (1, "line 3 has no `body`; 1 more line is wrong; nothing was imported"),
        (2, "line 3 has no `body`; 2 more lines are wrong; nothing was imported"),
    ] {
        assert!(said(more).starts_with(words), "{}", said(more));
    }
}

#[test]
fn a_line_is_applied_once_and_an_import_that_was_cut_goes_on() {
    let (whole, cut) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let text = file();
    let mut one = open(whole.path());
    let all = import(&mut one, &text).expect("an import");
    assert_eq!((all.stored, all.before, all.duplicates), (2_000, 0, 0));
    let again = import(&mut one, &text).expect("an import");
    assert_eq!((again.stored, again.before), (0, text.lines().count() as u64));
    assert_eq!(again.duplicates, 0, "it is not looked at again");

    // As after a kill: the first commits are there, the later ones are not.
    let mut two = open(cut.path());
    let digest = look(Cursor::new(text.as_bytes()), NOW).expect("a digest");
    let mut report = ImportReport::default();
    let mut lines = Lines::new(text.as_bytes());
    let mut batch = Vec::new();
    while batch.len() < 700 {
        let line = lines.next_line().expect("a line").expect("a line");
        batch.extend(received(&line, NOW).expect("a line"));
    }
    let imported = Imported { file: digest, lines: lines.number };
    commit(&mut two, &mut batch, imported, &mut report).expect("a commit");
    let rest = import(&mut two, &text).expect("an import");
    assert_eq!((report.stored, rest.stored), (700, 1_300));
    let rows = |dir: &Path| Reader::open(dir).and_then(|reader| reader.rows("mcpproxy"));
    // Each database has its own key, and so its own order.
    let sorted = |dir: &Path| {
        let mut rows: Vec<_> =
            rows(dir).expect("rows").iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(whole.path()), sorted(cut.path()));
    let counts = |dir: &Path| Reader::open(dir).and_then(|reader| reader.counts(0));
    assert_eq!(counts(whole.path()), counts(cut.path()));
}

#[test]
fn a_wrong_line_is_named_by_number_and_rule_and_nothing_is_stored() {
    let place = tempfile::tempdir().expect("a directory");
    let mut store = open(place.path());
    let good = line(1, NOON);
    let cases = [
        ("{\n".to_owned(), LineError::Syntax),
        ("[]\n".to_owned(), LineError::Syntax),
        (format!("{}\n", "x".repeat(200_000)), LineError::Syntax),
        (good.replace("\"received\"", "\"arrived\""), LineError::Received),
        (line(2, NOW + 1), LineError::Future),
        (line(2, NOON - 1), LineError::Order),
        (good.replace("\"body\"", "\"corpse\""), LineError::Body),
        (
            good.replace("\"linux\"", "7747"),
            LineError::Heartbeat(Refused { rule: "shape", field: "/os".to_owned() }),
        ),
    ];
    for (bad, why) in cases {
        let text = format!("{good}{bad}{good}{bad}");
        let (first, what, more) = wrong(&mut store, &text);
        assert_eq!((first, what), (2, why.clone()));
        // After a line that is too early, the next in order is still in order.
        assert!(more >= 1, "{why}");
        assert!(!why.to_string().contains("7747"));
    }
    let rows = Reader::open(place.path()).and_then(|reader| reader.rows("mcpproxy"));
    assert_eq!(rows, Ok(Vec::new()));
    // The last line needs no end, and an empty file is none.
    assert_eq!(import(&mut store, good.trim_end()).expect("an import").stored, 1);
    assert_eq!(import(&mut store, "").expect("an import"), ImportReport::default());
}
