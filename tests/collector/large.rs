//! Commands on a database with many installs: what leaves it, comes into it and goes out of it.
//!
//! `MCPPROXY_ENDURE_COLLECTOR_INSTALLS=200000` asks for as many; the usual run has a hundredth of them.

use crate::endure::scaled;
use crate::running::{collector, program};
use mcpproxy::collector::store::{Bulk, Reader, StoreOptions};
use mcpproxy::contract::timestamp;
use std::path::Path;
use std::time::Instant;

const PRODUCTS: &[&str] = &["notes-mcp", "other-mcp"];
/// 2026-11-28
const LAST_DAY: u32 = 20_785;

fn date(day: u32) -> String {
    timestamp::format(u64::from(day) * 86_400)[..10].to_owned()
}

/// What a command says, and how long it takes on this machine.
fn said(dir: &Path, words: &[&str]) -> String {
    let began = Instant::now();
    let output = collector(dir, words);
    println!("{}: {:.2} s", words[0], began.elapsed().as_secs_f64());
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn installs(dir: &Path) -> usize {
    let reader = Reader::open(dir).expect("a database");
    PRODUCTS.iter().map(|name| reader.rows(name).expect("rows").len()).sum()
}

#[test]
fn what_leaves_and_what_comes_is_exact_among_many_installs() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("data");
    let all = scaled("COLLECTOR_INSTALLS", 2_000);
    let bulk = Bulk { installs: all, days: 60, last_day: LAST_DAY, products: PRODUCTS, seed: 3 };
    let options = StoreOptions { dir: dir.clone(), ephemeral: true, ..StoreOptions::default() };
    bulk.fill(&options).expect("a database");
    let all = usize::try_from(all).expect("a count");
    assert_eq!(installs(&dir), all);

    let (product, id) = bulk.id(7);
    let erased = said(&dir, &["forget", &id, "--product", product]);
    assert!(erased.starts_with(&format!("Erased: the install of {product}")), "{erased}");
    assert_eq!(installs(&dir), all - 1);

    let (from, to) = (date(LAST_DAY - 20), date(LAST_DAY - 11));
    let rows = Reader::open(&dir).and_then(|reader| reader.rows(PRODUCTS[0])).expect("rows");
    // Each was received on its own day 0.
    let meant = |row: &&_| {
        let row: &mcpproxy::collector::row::InstallRow = row;
        (LAST_DAY - 20..=LAST_DAY - 11).contains(&row.day0)
    };
    let meant = rows.iter().filter(meant).count();
    assert!(meant > 0);
    let days = format!("{from}..{to}");
    said(&dir, &["purge", "--received", &days, "--product", PRODUCTS[0], "--yes"]);
    let left = all - 1 - meant;
    assert_eq!(installs(&dir), left);

    let file = place.path().join("installs");
    let file = file.to_str().expect("text");
    said(&dir, &["export", file]);
    assert_eq!(std::fs::read_to_string(file).expect("the export").lines().count(), left);

    // A tenth of them are heard of once more, and as many are new.
    let log = place.path().join("log");
    let at = u64::from(LAST_DAY) * 86_400;
    let lines: String = (0..all as u64 / 5)
        .map(|n| {
            let id = if n % 2 == 0 { bulk.id(n).1 } else { crate::running::id(n) };
            let body = crate::running::heartbeat_of(bulk.id(n).0, n, at + 80_000);
            let body = String::from_utf8(body).expect("text");
            let body = body.replace(&crate::running::id(n), &id);
            format!("{{\"received\":{},\"body\":{body}}}\n", at + 80_000)
        })
        .collect();
    std::fs::write(&log, lines).expect("a log");
    let began = Instant::now();
    let output = program()
        .args(["collector", "import", log.to_str().expect("text"), "--data-dir"])
        .arg(&dir)
        // Its last day must be over.
        .env("MCPPROXY_TEST_CLOCK_OFFSET", "86400")
        .output()
        .expect("the built command");
    println!("import of {} lines: {:.2} s", all / 5, began.elapsed().as_secs_f64());
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(report.starts_with("Stored "), "{report}");
    assert!(installs(&dir) >= left + all / 10, "as many are new");
    said(&dir, &["retire", PRODUCTS[0], "1.2.0"]);
    said(&dir, &["note", &to, "a flood was purged"]);
    said(&dir, &["product", "list"]);
}
