use super::super::Snapshot;
use crate::collector::definitions::{Audience, Now};
use crate::collector::store::fleet::{self, TODAY};
use crate::collector::store::{
    self, Change, Counts, Erasure, Expired, Incoming, KeySource, Outcome, Reader, Store,
};
use crate::collector::testing::heartbeat;
use crate::collector::view::{Selection, View};
use crate::contract::Shutdown;

const DAY: u64 = 86_400;

/// Every number of every view without filters.
fn numbers(snapshot: &Snapshot) -> Vec<String> {
    let products = snapshot.names().map(|name| Some(name.to_owned()));
    let products: Vec<_> = products.chain([None]).collect();
    let views = products.into_iter().flat_map(|product| {
        Audience::ALL.map(|audience| {
            let product = product.clone();
            let selection = Selection { audience, product, ..Selection::default() };
            format!("{:#?}", View::of(snapshot, selection))
        })
    });
    views.collect()
}

/// A heartbeat of an install of the fleet.
fn beat(store: &mut Store, product: &str, install: u32, claimed: u64, received: u64, crash: bool) {
    let mut beat = heartbeat(claimed);
    beat.id = format!("install-{install}");
    beat.product = Some(product.to_owned());
    beat.facts.version = "1.7.0".to_owned();
    beat.clients = vec!["claude-code".to_owned()];
    let how = if crash { Shutdown::Crash } else { Shutdown::Clean };
    beat.gauges.shutdown = Some(how as u8);
    let outcomes = store.apply(&[Incoming::new(&beat, received)], &Counts::new());
    assert_eq!(outcomes.expect("a commit"), [Outcome::Stored]);
}

#[test]
fn what_has_not_changed_is_taken_and_every_number_is_that_of_a_reading_of_all() {
    let place = fleet::copy();
    let dir = place.path();
    let reader = Reader::open(dir).expect("a reader");
    let now = fleet::now();
    let mut store = Store::open(&fleet::options(dir)).expect("a database");
    let mut before = Snapshot::read_with_days(&reader, now).expect("a snapshot");
    let all = before.made.read;
    assert!(all > 120, "all of them: {all}");
    let known = KeySource::default();
    let (today, yesterday) = (now.0 - 3600, now.0 - DAY);
    let rename = |from, to| store::rename(dir, from, to).expect("another name");
    // What happens, and how many rows are read anew beside those without a sum.
    let mut anew = |what: &str, most: u64, happens: &mut dyn FnMut(&mut Store)| {
        happens(&mut store);
        let again = before.read_again(&reader, now).expect("a snapshot");
        let fresh = Snapshot::read_with_days(&reader, now).expect("a snapshot");
        assert_eq!(numbers(&again), numbers(&fresh), "{what}");
        let without_sum = all / 4;
        assert!(again.made.read <= most + without_sum, "{what}: {}", again.made.read);
        assert_eq!(again.made.passes, before.made.passes + 1);
        before = again;
    };
    anew("nothing", 0, &mut |_| {});
    anew("a new install", 1, &mut |store| beat(store, "mcpproxy", 9_000, today, today, false));
    anew("its second heartbeat", 1, &mut |store| {
        beat(store, "mcpproxy", 9_000, today + 60, today + 60, true);
    });
    anew("yesterday, late", 1, &mut |store| {
        beat(store, "mcpproxy", 9_000, yesterday, today + 61, true);
    });
    for install in [2, 3, 4, 5, 100, 101] {
        let product = ["mcpproxy", "notes-mcp"][install as usize % 2];
        anew("an install of the fleet", 1, &mut |store| {
            beat(store, product, install, today, today, true);
        });
    }
    anew("erased", 0, &mut |store| {
        let erasure =
            Erasure { product: "mcpproxy".to_owned(), id: "install-2".to_owned(), asked: today };
        let change = Change { erasures: &[erasure], ..Change::default() };
        store.commit(&change, &Counts::new()).expect("a commit");
    });
    anew("forgotten", 0, &mut |_| {
        let forgotten = store::forget(dir, &known, Some("notes-mcp"), "install-3", TODAY);
        assert_eq!(forgotten.expect("a command"), ["notes-mcp"]);
    });
    anew("another name", 0, &mut |_| rename("mcpproxy", "renamed-mcp"));
    anew("the same name", 0, &mut |_| rename("renamed-mcp", "mcpproxy"));
    anew("a product less", 0, &mut |_| store::remove(dir, "notes-mcp").expect("removed"));
    // All of its rows.
    anew("a product more", all, &mut |_| {
        store::add(dir, true, "notes-mcp").expect("added again");
    });
    // Another first day makes others carried over, or less of them.
    anew("an earlier first day", all, &mut |store| {
        let early = u64::from(fleet::FIRST - 40) * DAY;
        beat(store, "mcpproxy", 9_001, early, early, false);
    });
    anew("expired", all, &mut |_| {
        let mut expiry = fleet::expiry(dir);
        while expiry.step().expect("a step") != Expired::Nothing {}
    });
    // A Saturday: of the next day other days matter, and a week later all is read.
    for (later, is_week) in [(1, false), (1, false), (2, true), (5, false), (8, false), (9, true)] {
        let then = Now(now.0 + later * DAY);
        let again = before.read_again(&reader, then).expect("a snapshot");
        let fresh = Snapshot::read_with_days(&reader, then).expect("a snapshot");
        assert_eq!(numbers(&again), numbers(&fresh), "{later} days later");
        assert_eq!(again.made.read == fresh.made.read, is_week, "{later}: {}", again.made.read);
        before = again;
    }
}
