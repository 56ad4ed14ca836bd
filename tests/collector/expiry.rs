//! Old rows expire in a running collector, whatever kills it, and no number changes.

use crate::running::{Collector, PATIENCE, PRODUCT, collector, heartbeat, now, program};
use mcpproxy::collector::answer::Answer;
use mcpproxy::collector::receive::Receiver;
use mcpproxy::collector::store::{Reader, StoreOptions};
use std::path::Path;
use std::time::{Duration, Instant};

const DAY: u64 = 86_400;
/// More than two of the steps that an expiry takes.
const INSTALLS: u64 = 1_200;

/// A database whose installs were last seen 26 months ago; the last of them was seen today.
fn old_database(dir: &Path) {
    let options = StoreOptions {
        dir: dir.to_owned(),
        products: vec![PRODUCT.to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    };
    let receiver = Receiver::open(&options).expect("a database");
    let then = now() - 26 * 31 * DAY;
    let bodies: Vec<(Vec<u8>, u64)> = (0..INSTALLS)
        .flat_map(|install| {
            let first = then - install % 40 * DAY;
            // Every third comes back on the next day.
            (0..=u64::from(install % 3 == 0))
                .map(move |day| (heartbeat(install, first + day * DAY), first + day * DAY))
        })
        .chain(std::iter::once((heartbeat(INSTALLS, now()), now())))
        .collect();
    let answers = receiver.accept_all(bodies.iter().map(|(body, at)| (body.as_slice(), *at)));
    assert!(answers.iter().all(|answer| *answer == Answer::Stored));
}

/// What `report` says at noon of tomorrow, so that two runs are of one moment.
fn report(dir: &Path, noon: u64) -> Vec<String> {
    let pages = ["overview", "retention", "activation"];
    let say = |page: &&str| {
        let mut command = program();
        command.args(["collector", "report", page, "--all", "-o", "csv", "--data-dir"]).arg(dir);
        let offset = noon.saturating_sub(now());
        command.env("MCPPROXY_TEST_CLOCK_OFFSET", offset.to_string());
        let output = command.output().expect("the built command");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text")
    };
    pages.iter().map(say).collect()
}

fn installs(dir: &Path) -> usize {
    let reader = Reader::open(dir).expect("a reader");
    reader.rows(PRODUCT).expect("rows").len()
}

#[test]
fn an_expiry_that_is_killed_goes_on_and_no_number_changes() {
    let place = tempfile::tempdir().expect("a directory");
    old_database(place.path());
    let noon = (now() / DAY + 1) * DAY + DAY / 2;
    let before = report(place.path(), noon);
    assert!(before[0].contains(&format!("installs,{}", INSTALLS + 1)), "{}", before[0]);
    let mut left = installs(place.path());
    let mut starts = 0;
    while left > 1 {
        let running = Collector::start_with(place.path(), &[], &[]);
        starts += 1;
        let give_up = Instant::now() + PATIENCE;
        // Killed as soon as something has expired.
        while installs(place.path()) == left {
            assert!(Instant::now() < give_up, "{left} installs are left");
            std::thread::sleep(Duration::from_millis(1));
        }
        running.kill();
        left = installs(place.path());
        assert_eq!(report(place.path(), noon), before, "after {starts} starts");
    }
    assert_eq!(left, 1, "the install of today stays");
    let verified = collector(place.path(), &["verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");
}

#[test]
fn verify_exits_with_1_and_names_a_place_and_no_value() {
    let place = tempfile::tempdir().expect("a directory");
    old_database(place.path());
    let sound = collector(place.path(), &["verify", "-o", "json"]);
    assert!(sound.status.success());
    let file = rusqlite::Connection::open(place.path().join("collector.db")).expect("the file");
    let fault = "UPDATE installs SET clients = 'jane.doe@example.org', checked = NULL \
                 WHERE install = (SELECT MIN(install) FROM installs)";
    assert_eq!(file.execute(fault, []).expect("a change"), 1);
    drop(file);
    let found = collector(place.path(), &["verify"]);
    let said = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(
        said.contains("words: the table installs holds a word that looks like an e-mail address")
    );
    assert!(!said.contains("jane"));
    let nothing = tempfile::tempdir().expect("a directory");
    let missing = collector(nothing.path(), &["verify"]);
    assert_eq!((missing.status.code(), missing.stdout.len()), (Some(1), 0));
}

#[test]
fn how_long_rows_are_kept_is_a_number_that_makes_sense() {
    let place = tempfile::tempdir().expect("a directory");
    for words in [["--keep-days", "1"], ["--keep-days", "long"], ["--keep-installs", "2"]] {
        let refused = collector(place.path(), &words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(words[0]) && said.contains("from"), "{said}");
    }
}
