use super::super::Snapshot;
use crate::collector::definitions::{Audience, Now, Record};
#[cfg(feature = "simulate")]
use crate::collector::simulate::{
    self, Answer, Collect, Delivery, Options, Receiving, SimulationError,
};
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

/// All that is known of each install, with words in place of their places.
fn records(snapshot: &Snapshot) -> Vec<String> {
    let mut all = Vec::new();
    for name in snapshot.names() {
        all.extend(snapshot.records(Some(name)).map(|record| {
            let word = |place: u32| record.words[place as usize].as_str();
            let Record { install, first, now, first_version, .. } = record;
            let mut said: Vec<_> =
                record.said.iter().map(|one| (word(one.version), one.last, one.crashed)).collect();
            said.sort_unstable();
            let codes = record.codes.iter();
            let mut codes: Vec<_> =
                codes.map(|one| (word(one.version), one.code, one.met, one.standing)).collect();
            codes.sort_unstable();
            let versions: Vec<_> =
                record.versions.iter().map(|(place, day)| (word(*place), *day)).collect();
            let clients: Vec<_> = record.clients.iter().map(|place| word(*place)).collect();
            let words = (first_version, word(record.version), versions, clients);
            format!("{name} {install:?} {first:?} {now:?} {words:?} {said:?} {codes:?}")
        }));
    }
    all
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
    // Of the next day other days matter, and a seventh of all is read anew; a week later, or when the clock was put
    // back, all are.
    let mut at = |later: u64, what: &str| {
        let then = Now(now.0 + later * DAY);
        let again = before.read_again(&reader, then).expect("a snapshot");
        let fresh = Snapshot::read_with_days(&reader, then).expect("a snapshot");
        assert_eq!(numbers(&again), numbers(&fresh), "{later} days later: {what}");
        before = again;
        (before.made.read, fresh.made.read)
    };
    let (unsummed, all) = at(0, "nothing has changed");
    assert!(unsummed < all / 3, "{unsummed} of {all}");
    for (later, is_all) in [(1, false), (2, false), (5, false), (11, false), (18, true), (17, true)]
    {
        let (read, all) = at(later, "and other days before");
        assert_eq!(read == all, is_all, "{later}: {read}");
    }
    let week = (18..25).map(|later| at(later, "day by day").0 - unsummed);
    assert_eq!(week.sum::<u64>(), all - unsummed, "each of them once in a week");
}

/// A simulated fleet that is received, and a snapshot that follows it from one moment to the next.
#[cfg(feature = "simulate")]
struct Followed {
    collector: Receiving,
    reader: Reader,
    random: u64,
    /// When it is read next.
    next: u64,
    snapshot: Snapshot,
    /// Days of UTC that had come since the reading before: how often, of 0, 1, 2 and 3.
    days: [u32; 4],
    /// Rows that were read, and rows that there were.
    rows: [u64; 2],
}

#[cfg(feature = "simulate")]
impl Collect for Followed {
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
        self.collector.receive(batch)
    }

    fn passed(&mut self, at: u64) -> Result<(), SimulationError> {
        if at < self.next {
            return Ok(());
        }
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.next = at + 3600 * [1, 2, 5, 11, 24, 25, 40, 70][(self.random >> 61) as usize];
        let now = Now(at);
        let again = self.snapshot.read_again(&self.reader, now).expect("a snapshot");
        let fresh = Snapshot::read_with_days(&self.reader, now).expect("a snapshot");
        assert_eq!(records(&again), records(&fresh), "{now}");
        if self.random >> 58 & 7 == 0 {
            assert_eq!(numbers(&again), numbers(&fresh), "{now}");
        }
        if again.made.read < fresh.made.read {
            let days = now.today().since(self.snapshot.made_at.today());
            self.days[days as usize] += 1;
            self.rows[0] += again.made.read;
            self.rows[1] += fresh.made.read;
        }
        self.snapshot = again;
        Ok(())
    }
}

#[cfg(feature = "simulate")]
#[test]
fn a_snapshot_that_follows_a_fleet_is_at_each_moment_that_of_a_reading_of_all() {
    let mut days = [0; 4];
    for seed in 1..=3 {
        let place = tempfile::tempdir().expect("a directory");
        let collector = Receiving::open(place.path()).expect("a collector");
        let reader = collector.receiver().reader().expect("a reader");
        let options = Options { installs: 150, days: 75, seed };
        let begin = options.begin();
        let snapshot = Snapshot::read_with_days(&reader, Now(begin)).expect("a snapshot");
        let mut followed = Followed {
            collector,
            reader,
            random: seed,
            next: begin,
            snapshot,
            days: [0; 4],
            rows: [0; 2],
        };
        simulate::run(&options, &mut followed, &mut std::io::sink()).expect("the fleet runs");
        let [read, all] = followed.rows;
        assert!(read < all / 2, "most were taken as they were: {read} of {all} were read");
        days.iter_mut().zip(followed.days).for_each(|(all, of)| *all += of);
    }
    assert!(days.iter().all(|times| *times > 2), "{days:?}");
}
