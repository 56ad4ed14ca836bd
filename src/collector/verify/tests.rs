//! Seeded faults: each is found, and a sound database has none.

use super::*;
use crate::collector::store::Expired;
use crate::collector::store::fleet;
use rusqlite::Connection;
use std::path::Path;

fn findings(dir: &Path) -> Vec<String> {
    let reader = Reader::open(dir).expect("a reader");
    let checks = verify(&reader, fleet::now()).expect("a verdict");
    let all = checks.iter().flat_map(|check| {
        check.findings.iter().map(|finding| format!("{}: {finding}", check.name))
    });
    all.collect()
}

fn change(dir: &Path, statement: &str) {
    let file = Connection::open(dir.join("collector.db")).expect("the file");
    assert!(file.execute(statement, []).expect("a change") > 0, "{statement}");
}

#[test]
fn a_sound_database_has_no_findings_before_and_during_and_after_an_expiry() {
    let place = fleet::copy();
    assert_eq!(findings(place.path()), Vec::<String>::new());
    let mut expiry = fleet::expiry(place.path());
    let mut steps = 0;
    loop {
        let done = expiry.step().expect("a step") == Expired::Nothing;
        steps += 1;
        if done || steps % 3 == 1 {
            assert_eq!(findings(place.path()), Vec::<String>::new(), "after {steps} steps");
        }
        if done {
            return;
        }
    }
}

#[test]
fn every_seeded_fault_is_found_and_no_value_is_told() {
    let sound = fleet::copy();
    let mut expiry = fleet::expiry(sound.path());
    while expiry.step().expect("a step") != Expired::Nothing {}
    drop(expiry);
    for (fault, found_by) in [
        // A bit of a day, of a row with its sum and of one that has none.
        (
            "UPDATE installs SET days = CAST(X'03' || SUBSTR(days, 2) AS BLOB) \
             WHERE install = (SELECT MAX(install) FROM installs WHERE SUBSTR(days, 1, 1) <> X'03')",
            "installs",
        ),
        ("UPDATE installs SET days = 'none' WHERE install = LAST", "installs"),
        (
            "UPDATE installs SET checked = NULL, days = ZEROBLOB(48) \
             WHERE install = LAST",
            "installs",
        ),
        ("UPDATE installs SET checked = NULL, day0 = day0 - 1 WHERE install = LAST", "installs"),
        (
            "UPDATE installs SET checked = NULL, real_tool_call = last_day + 1 WHERE install = LAST",
            "installs",
        ),
        (
            "UPDATE installs SET checked = NULL, versions = '9.9.9=' || day0 WHERE install = LAST",
            "installs",
        ),
        // A day row that is gone, that nobody owns, that was changed.
        ("DELETE FROM days WHERE day = (SELECT MAX(day) FROM days)", "days"),
        (
            "DELETE FROM installs WHERE install = (SELECT MAX(install) FROM days WHERE day > 20700)",
            "days",
        ),
        ("UPDATE days SET day = day + 1 WHERE day = (SELECT MAX(day) FROM days)", "days"),
        (
            "UPDATE days SET packed = packed || X'37' WHERE day = (SELECT MAX(day) FROM days)",
            "days",
        ),
        // A cell.
        ("UPDATE frozen SET n = n + 1 WHERE kind = 'installs' AND cell LIKE '%|cohort'", "expired"),
        ("UPDATE frozen SET n = 0 WHERE kind = 'first_day' AND cell = 'day'", "expired"),
        ("DELETE FROM frozen WHERE cell LIKE '%|reached.%'", "expired"),
        ("UPDATE frozen SET n = n + 1 WHERE kind = 'days' AND cell LIKE '%kind.%'", "expired"),
        // Somebody's address, where a name was.
        ("UPDATE installs SET checked = NULL, clients = 'jane.doe@example.org'", "words"),
        ("INSERT INTO notes (day, text) VALUES (20700, 'see /home/jane/notes.txt')", "words"),
        (
            "INSERT INTO retired (product, version) VALUES (1, 'ghp_16C7e42F292c6912E7710c838347Ae178B4a')",
            "words",
        ),
        ("UPDATE counts SET name = 'jane.doe@example.org' WHERE name = 'stored'", "words"),
    ] {
        let place = fleet::copy_of(sound.path());
        let fault = fault.replace("LAST", "(SELECT MAX(install) FROM installs)");
        change(place.path(), &fault);
        let found = findings(place.path());
        let by = format!("{found_by}: ");
        assert!(found.iter().any(|one| one.starts_with(&by)), "{fault}\n{found:#?}");
        let told = found.join("\n");
        assert!(!told.contains("jane") && !told.contains("ghp_"), "{told}");
    }
}

#[test]
fn every_table_that_is_gone_or_another_is_found() {
    let sound = fleet::copy();
    let tables = [
        "products",
        "names",
        "installs",
        "days",
        "counts",
        "erased",
        "retired",
        "notes",
        "imports",
        "frozen",
        "migrating",
    ];
    for table in tables {
        for fault in [
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table} RENAME TO jane"),
            format!("ALTER TABLE {table} ADD COLUMN jane TEXT"),
        ] {
            let place = fleet::copy_of(sound.path());
            let file = Connection::open(place.path().join("collector.db")).expect("the file");
            file.execute_batch(&fault).expect("a change");
            drop(file);
            let found = findings(place.path());
            let named = format!("tables: the table {table} is");
            assert!(found.iter().any(|one| one.starts_with(&named)), "{fault}\n{found:#?}");
            assert!(!found.join("\n").contains("jane"), "{found:#?}");
        }
    }
    let place = fleet::copy_of(sound.path());
    let file = Connection::open(place.path().join("collector.db")).expect("the file");
    let trigger = "CREATE TRIGGER jane AFTER DELETE ON erased BEGIN DELETE FROM installs; END";
    file.execute_batch(trigger).expect("a change");
    drop(file);
    let found = findings(place.path());
    assert!(found.iter().any(|one| one.starts_with("tables: there is a table")), "{found:#?}");
}

#[test]
fn a_number_of_the_pages_that_is_wrong_is_found() {
    let place = fleet::copy();
    let reader = Reader::open(place.path()).expect("a reader");
    let checks = verify(&reader, fleet::now()).expect("a verdict");
    let numbers = checks.iter().find(|check| check.name == "numbers").expect("the check");
    assert!(numbers.looked_at > 1_000, "{}", numbers.looked_at);
    // The second computation against rows of which one was left out.
    let products = reader.numbers_of_products().expect("products").into_iter();
    let mut known = Known {
        products: products.map(|(number, name, shown)| (number, (name, shown))).collect(),
        groups: BTreeMap::new(),
        papers: BTreeMap::new(),
        words: BTreeSet::new(),
    };
    rows::check(&reader, &mut known).expect("rows");
    assert_eq!(numbers::check(&reader, &known, fleet::now()).expect("a check").found(), 0);
    for papers in known.papers.values_mut() {
        papers.pop();
    }
    assert!(numbers::check(&reader, &known, fleet::now()).expect("a check").found() > 0);
}
