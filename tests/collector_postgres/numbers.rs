//! The same fleet into a file and into a server: every number is the same.

use crate::server::{Server, versions};
use mcpproxy::collector::simulate::{self, Options, Receiving, Watched};
use mcpproxy::collector::store::{Environment, Location, Server as At};
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
