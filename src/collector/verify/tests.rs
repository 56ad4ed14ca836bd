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
        // More days than heartbeats.
        ("UPDATE counts SET n = 1 WHERE name = 'stored'", "numbers"),
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
        // Of those that are younger than the bits for their days: of an older one the last day is not among them. The
        // order of installs is another one in each run, because the key is.
        let last = "(SELECT MAX(install) FROM installs WHERE last_day - day0 < 384)";
        let fault = fault.replace("LAST", last);
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
    // Tables without rows are looked at sooner.
    let rows = Connection::open(sound.path().join("collector.db")).expect("the file");
    rows.execute_batch("DELETE FROM installs; DELETE FROM days;").expect("a change");
    drop(rows);
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
    let mut known = known(&reader);
    assert_eq!(numbers::check(&reader, &known, fleet::now()).expect("a check").found(), 0);
    for papers in known.papers.values_mut() {
        papers.pop();
    }
    assert!(numbers::check(&reader, &known, fleet::now()).expect("a check").found() > 0);
}

/// What the checks share, of a sound database.
fn known(reader: &Reader) -> Known {
    let products = reader.numbers_of_products().expect("products").into_iter();
    let mut known = Known {
        products: products.map(|(number, name, shown)| (number, (name, shown))).collect(),
        groups: BTreeMap::new(),
        papers: BTreeMap::new(),
        said: Words::default(),
        days: 0,
        yesterday: i64::from(fleet::TODAY) - 1,
        words: BTreeSet::new(),
    };
    rows::check(reader, &mut known).expect("rows");
    known
}

/// The rows are read before the change, the pages after it.
#[test]
fn a_wrong_number_of_every_report_is_found() {
    for (change_of, report) in [
        ("now_facts = REPLACE(now_facts, 'container,', 'headless,')", "mix."),
        ("now_facts = REPLACE(now_facts, ',00', ',11')", "transparency."),
        ("first_facts = REPLACE(first_facts, 'cloud_ide,', 'interactive,')", "once."),
        ("now_facts = REPLACE(now_facts, '1.6.0', '1.7.0')", ".in_use"),
        ("now_facts = REPLACE(now_facts, '1.11.0', '1.12.0')", ".newest"),
        ("versions = REPLACE(versions, '1.11.0', '1.12.0')", ".upgrade"),
        ("versions = REPLACE(versions, '1.11.0', '1.12.0')", ".week."),
        ("clients = REPLACE(clients, 'zed', 'zod')", "clients.seen"),
        ("clients = REPLACE(clients, ',zz-rare-client', '')", "clients.hidden"),
    ] {
        let place = fleet::copy();
        let reader = Reader::open(place.path()).expect("a reader");
        let known = known(&reader);
        change(place.path(), &format!("UPDATE installs SET checked = NULL, {change_of}"));
        finds(&numbers::check(&reader, &known, fleet::now()).expect("a check"), report);
    }
    let place = fleet::copy();
    let reader = Reader::open(place.path()).expect("a reader");
    let known = known(&reader);
    change(place.path(), &format!("DELETE FROM days WHERE day > {}", fleet::TODAY - 14));
    let check = numbers::check(&reader, &known, fleet::now()).expect("a check");
    for said in [".said.version", ".said.crashed", ".said.met", ".said.standing"] {
        finds(&check, said);
    }
}

/// Whether a finding names such a number.
fn finds(check: &Check, number: &str) {
    let is_told = check.findings.iter().any(|finding| finding.contains(number));
    assert!(is_told, "{number}: {:#?}", check.findings);
    let told = check.findings.join(" ");
    assert!(!["1.7.0", "1.12.0", "zed"].iter().any(|value| told.contains(value)), "{told}");
}
