//! The same fleet into a file and into a server: every number is the same.

use crate::server::{Server, versions};
use mcpproxy::collector::definitions::{Audience, Now};
use mcpproxy::collector::report::{self, Form};
use mcpproxy::collector::simulate::{
    self, Answer, Collect, Delivery, Options, Receiving, SimulationError, Watched,
};
use mcpproxy::collector::snapshot::Snapshot;
use mcpproxy::collector::store::{Environment, Location, Reader, Server as At};
use mcpproxy::collector::view::{Selection, Topic, View};
use serde_json::Value;
use std::path::Path;

const FLEET: Options = Options { installs: 150, days: 60, seed: 7 };
/// How large a database is, and is going to be, is the engine's own affair.
const OF_THE_ENGINE: [&str; 2] = ["bytes", "growth_28_days"];

fn pages(place: Location) -> Vec<Value> {
    let collector = Receiving::open(&place).expect("a collector");
    let mut watched = Watched::new(collector, &FLEET);
    simulate::run(&FLEET, &mut watched, &mut std::io::sink()).expect("the fleet runs");
    let pages = watched.pages().iter();
    let mut pages: Vec<Value> =
        pages.map(|page| serde_json::from_str(page).expect("a page is JSON")).collect();
    pages.iter_mut().for_each(without_sizes);
    pages
}

fn without_sizes(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(without_sizes),
        Value::Array(all) => {
            all.retain(|one| !OF_THE_ENGINE.iter().any(|name| one["number"] == *name));
            all.iter_mut().for_each(without_sizes);
        }
        _ => {}
    }
}

fn dir(path: &Path) -> Location {
    Location { dir: path.to_owned(), server: None }
}

#[test]
fn every_report_of_a_fleet_is_the_same_as_with_a_file() {
    let place = tempfile::tempdir().expect("a directory");
    let expected = pages(dir(&place.path().join("file")));
    assert!(expected.len() > 50, "{}", expected.len());
    for (at, programs) in versions().iter().enumerate() {
        let Some(server) = Server::start(programs) else { continue };
        let address = server.address("fleet");
        let found = pages(Location {
            server: Some(At::read(&address, &Environment::default()).expect("an address")),
            ..dir(&place.path().join(at.to_string()))
        });
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            differences("", found, expected);
        }
    }
}

/// A collector whose snapshot is read again at different distances of time.
struct Followed {
    collector: Receiving,
    reader: Reader,
    next: u64,
    before: Snapshot,
    /// Rows that were read again, and all of them.
    rows: [u64; 2],
}

impl Followed {
    fn reports(snapshot: &Snapshot) -> Vec<String> {
        let views = Audience::ALL
            .map(|audience| View::of(snapshot, Selection { audience, ..Selection::default() }));
        let reports = views
            .iter()
            .flat_map(|view| Topic::ALL.map(|topic| report::write(view, topic, Form::Json)));
        reports.collect()
    }
}

impl Collect for Followed {
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
        self.collector.receive(batch)
    }

    fn passed(&mut self, at: u64) -> Result<(), SimulationError> {
        if at < self.next {
            return Ok(());
        }
        self.next = at + 3600 * [5, 11, 24, 25, 40][(at / 3600 % 5) as usize];
        let again = self.before.read_again(&self.reader, Now(at)).expect("a snapshot");
        let fresh = Snapshot::read_with_days(&self.reader, Now(at)).expect("a snapshot");
        assert_eq!(Self::reports(&again), Self::reports(&fresh), "{at}");
        self.rows[0] += again.made.read;
        self.rows[1] += fresh.made.read;
        self.before = again;
        Ok(())
    }
}

#[test]
fn a_snapshot_that_is_read_again_is_that_of_a_reading_of_all() {
    let options = Options { installs: 100, days: 60, seed: 3 };
    for programs in versions() {
        let Some(server) = Server::start(&programs) else { continue };
        let place = tempfile::tempdir().expect("a directory");
        let address = server.address("fleet");
        let collector = Receiving::open(&Location {
            server: Some(At::read(&address, &Environment::default()).expect("an address")),
            ..dir(place.path())
        });
        let collector = collector.expect("a collector");
        let reader = collector.receiver().reader().expect("a reader");
        let next = options.begin();
        let before = Snapshot::read_with_days(&reader, Now(next)).expect("a snapshot");
        let mut followed = Followed { collector, reader, next, before, rows: [0; 2] };
        simulate::run(&options, &mut followed, &mut std::io::sink()).expect("the fleet runs");
        let [read, all] = followed.rows;
        assert!(read > 0 && read < all / 2, "{read} of {all} were read");
    }
}

/// Names the first difference: a page is some thousand numbers.
fn differences(at: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let names =
                |all: &serde_json::Map<String, Value>| all.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(found), names(expected), "{at}");
            found
                .iter()
                .for_each(|(name, one)| differences(&format!("{at}.{name}"), one, &expected[name]));
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            let pairs = found.iter().zip(expected).enumerate();
            pairs.for_each(|(n, (one, other))| differences(&format!("{at}[{n}]"), one, other));
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}
