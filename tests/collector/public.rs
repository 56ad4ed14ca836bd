//! What `--public` shows to everybody: rounded, once a day, the same for each who asks.

use crate::running::{
    Answer, Collector, PRODUCT, StoppedClock, collector, heartbeat, heartbeat_of, program,
};
use mcpproxy::collector::answer::Answer as Received;
use mcpproxy::collector::receive::Receiver;
use mcpproxy::collector::store::StoreOptions;
use mcpproxy::contract::timestamp;
use std::ops::Range;
use std::path::Path;

const DAY: u64 = 86_400;
const GATEWAY: &str = "mcpproxy";
/// The Monday of 2026-W47.
const MONDAY: &str = "2026-11-16T09:00:00Z";
/// The Wednesday after it: the week is full since the midnight before.
const NOW: &str = "2026-11-25T12:00:00Z";

fn at(text: &str) -> u64 {
    timestamp::parse(text).expect("a time")
}

/// Receives installs of [`PRODUCT`] and of the gateway in 2026-W47.
fn receive(dir: &Path, of_first: Range<u64>, of_second: Range<u64>) {
    let mut products = vec![PRODUCT.to_owned()];
    products.extend((!of_second.is_empty()).then(|| GATEWAY.to_owned()));
    let options =
        StoreOptions { dir: dir.to_owned(), products, ephemeral: true, ..StoreOptions::default() };
    let receiver = Receiver::open(&options).expect("a database");
    let first = of_first.map(|install| heartbeat(install, at(MONDAY)));
    let second = of_second.map(|install| heartbeat_of(GATEWAY, install, at(MONDAY)));
    let all: Vec<_> = first.chain(second).collect();
    for answer in receiver.accept_all(all.iter().map(|bytes| (bytes.as_slice(), at(MONDAY)))) {
        assert_eq!(answer, Received::Stored);
    }
}

fn clock(place: &Path) -> StoppedClock {
    StoppedClock::at(place.join("clock"), at(NOW))
}

fn start(place: &Path, clock: &StoppedClock, words: &[&str]) -> Collector {
    Collector::start_with(&place.join("data"), words, &[clock.variable()])
}

fn ask(collector: &Collector, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    collector.connect().ask(request.as_bytes()).expect("an answer")
}

#[test]
fn without_the_option_nothing_is_shown_and_nothing_is_made() {
    let place = tempfile::tempdir().expect("a directory");
    let clock = clock(place.path());
    receive(&place.path().join("data"), 0..12, 0..0);
    let running = start(place.path(), &clock, &[]);
    let paths = ["/public", "/public/notes-mcp", "/public/style.css", "/badge.svg", "/badge/x.svg"];
    for path in paths {
        assert_eq!(running.get(path).code, 404, "{path}");
    }
    assert!(!running.get("/privacy").body.contains("href=\"public\""));
    assert!(!place.path().join("data/public.json").exists());
}

#[test]
fn page_and_badge_are_the_same_bytes_until_the_day_changes() {
    let place = tempfile::tempdir().expect("a directory");
    let (dir, clock) = (place.path().join("data"), clock(place.path()));
    receive(&dir, 0..12, 0..0);
    let words = ["--public", "--base-path", "/t"];
    let running = start(place.path(), &clock, &words);
    let page = running.get("/t/public");
    assert_eq!(page.code, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    for part in ["<script", " style=", "javascript:", "src=", "//"] {
        let body = page.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!body.contains(part), "{part}: {body}");
    }
    let badge = running.get("/t/badge.svg");
    assert_eq!(badge.header("content-type"), Some("image/svg+xml; charset=utf-8"));
    assert_eq!(badge.header("cache-control"), Some("public, max-age=3600"));
    // Another site shows it.
    assert_eq!(badge.header("cross-origin-resource-policy"), Some("cross-origin"));
    assert!(badge.body.contains("<title>used by: 10 people a week</title>"), "{}", badge.body);
    let tag = badge.header("etag").expect("a tag");
    let known = ask(&running, "/t/badge.svg", &format!("if-none-match: W/{tag}\r\n"));
    assert_eq!((known.code, known.body.as_str()), (304, ""));
    assert_eq!(known.header("etag"), Some(tag));

    // No filter, no product of a query, no key: nothing changes a byte.
    for query in ["?show=all", "?since=2026-11-23&kind=ci", "?product=other", "?key=x", "?v=7"] {
        assert_eq!(running.get(&format!("/t/public{query}")).body, page.body, "{query}");
        assert_eq!(running.get(&format!("/t/badge.svg{query}")).body, badge.body, "{query}");
    }
    let forged = ask(&running, "/t/public", "cookie: a=b\r\nx-forwarded-proto: https\r\n");
    assert_eq!(forged.body, page.body);
    assert_eq!(running.get("/t/public/notes-mcp").body.replace("../", ""), page.body);
    assert_eq!(running.get("/t/badge/notes-mcp.svg").body, badge.body);
    for path in ["/t/public/other", "/t/badge/other.svg", "/t/badge/notes-mcp", "/t/public/"] {
        assert_eq!(running.get(path).code, 404, "{path}");
    }
    for style in ["/t/style.css", "/t/public/style.css"] {
        assert_eq!(running.get(style).code, 200, "{style}");
    }
    assert!(running.get("/t/privacy").body.contains("href=\"public\""));
    let mut doctor = program();
    let doctor = doctor.args(["collector", "doctor", &running.endpoint()]).output();
    let said = String::from_utf8(doctor.expect("the command").stdout).expect("text");
    assert!(said.contains("shows everybody rounded numbers") && !said.contains("fail"), "{said}");
    running.stop();

    // Twenty installs more of the same week, and a restart.
    receive(&dir, 12..32, 0..0);
    let again = start(place.path(), &clock, &words);
    assert_eq!(again.get("/t/public").body, page.body);
    let badge_again = again.get("/t/badge.svg");
    assert_eq!((badge_again.header("etag"), &badge_again.body), (Some(tag), &badge.body));
    again.stop();
    clock.set(at(NOW) + DAY);
    let next = start(place.path(), &clock, &words);
    assert!(next.get("/t/badge.svg").body.contains("30 people a week"));
    assert_ne!(next.get("/t/public").body, page.body);
}

#[test]
fn several_products_have_a_list_and_a_badge_each() {
    let place = tempfile::tempdir().expect("a directory");
    let (dir, clock) = (place.path().join("data"), clock(place.path()));
    receive(&dir, 0..12, 0..4);
    let running = start(place.path(), &clock, &["--public"]);
    let list = running.get("/public").body;
    for part in [
        "href=\"public/notes-mcp\"",
        "10 people a week",
        "href=\"public/mcpproxy\"",
        "fewer than 5 people a week",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let page = running.get("/public/mcpproxy").body;
    assert!(page.contains("Server configured") && page.contains("href=\"../privacy\""), "{page}");
    assert!(!running.get("/public/notes-mcp").body.contains("Server configured"));
    assert_eq!(running.get("/badge.svg").code, 404, "of which of them?");
    assert!(running.get("/badge.svg").body.contains("badge/PRODUCT.svg"));
    assert!(running.get("/badge/notes-mcp.svg").body.contains("10 people a week"));
    running.stop();
    // What is no longer received is gone at once, without a number of another moment.
    assert!(collector(&dir, &["product", "remove", GATEWAY]).status.success());
    let running = start(place.path(), &clock, &["--public"]);
    assert_eq!(running.get("/public/mcpproxy").code, 404);
    assert!(running.get("/badge.svg").body.contains("10 people a week"));
}

#[cfg(feature = "simulate")]
mod month {
    use super::DAY;
    use mcpproxy::collector::definitions::{Audience, Install, IsoWeek, Now};
    use mcpproxy::collector::public::kept::Published;
    use mcpproxy::collector::public::numbers::K;
    use mcpproxy::collector::public::{badge, page};
    use mcpproxy::collector::simulate::{
        self, Answer, Collect, Delivery, Options, PRODUCTS, Receiving, SimulationError,
    };
    use mcpproxy::collector::snapshot::Snapshot;
    use std::collections::BTreeSet;

    const FLEET: Options = Options { installs: 260, days: 73, seed: 11 };
    /// The last days of the fleet, on each of which it is published.
    const MONTH: u64 = 31;

    /// A collector that publishes each day at noon, and the numbers that it has published.
    struct Publishing {
        collector: Receiving,
        days: u64,
        numbers: BTreeSet<u64>,
        /// People of the last full week, counted by hand, on each day and of each product.
        exact: BTreeSet<u64>,
    }

    impl Publishing {
        fn publish(&mut self, at: u64) {
            let reader = self.collector.receiver().reader().expect("a reader");
            let snapshot = Snapshot::read(&reader, Now(at)).expect("a snapshot");
            let published = Published::of(&snapshot);
            assert_eq!(published.products.len(), PRODUCTS.len());
            let day = published.day();
            let list = page::index(published.products.iter(), day).into_string();
            self.numbers.extend(numbers_of(&list));
            for one in &published.products {
                let page = page::of_product(one, day, "").into_string();
                self.numbers.extend(numbers_of(&page));
                self.numbers.extend(numbers_of(&badge::svg(one).into_string()));
                // Each name that is shown, asked of the rows themselves.
                let rows = reader.rows(&one.product).expect("rows");
                for version in one.versions.iter().map(|row| row.name()) {
                    let have =
                        rows.iter().filter(|row| row.versions.iter().any(|(v, _)| v == version));
                    assert!(have.count() as u64 >= K, "{version} is that of fewer");
                }
                for client in one.clients.iter().map(|row| row.name()) {
                    let have = rows.iter().filter(|row| row.clients.iter().any(|c| c == client));
                    assert!(have.count() as u64 >= K, "{client} is that of fewer");
                }
                let named = one.versions.iter().chain(&one.clients).chain(&one.kinds);
                for row in named.chain(&one.systems) {
                    assert!(row.count().is_some_and(|count| count >= K), "{row:?}");
                    assert!(page.contains(row.name()), "{row:?}");
                }
                let week = IsoWeek(one.week);
                let people = rows.iter().map(Install::from).filter(|one| {
                    one.is_shown_to(Audience::People)
                        && one.was_active(week.monday(), week.sunday())
                });
                let exact = people.count() as u64;
                assert_eq!(one.people.count().unwrap_or(0), exact / K * K, "{day}");
                self.exact.insert(exact);
            }
            self.days += 1;
        }
    }

    impl Collect for Publishing {
        fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
            self.collector.receive(batch)
        }

        fn passed(&mut self, at: u64) -> Result<(), SimulationError> {
            if at % DAY == DAY / 2 && at + MONTH * DAY > FLEET.end() {
                self.publish(at);
            }
            Ok(())
        }
    }

    /// Every number that a page or a badge says, but those of its fixed sentences. Weeks, days and versions are names.
    fn numbers_of(html: &str) -> Vec<u64> {
        let mut text = String::new();
        let mut is_inside = false;
        for letter in html.chars() {
            match letter {
                '<' => is_inside = true,
                '>' => {
                    is_inside = false;
                    text.push(' ');
                }
                _ if !is_inside => text.push(letter),
                _ => {}
            }
        }
        for fixed in [
            "multiple of 5",
            "below 5",
            "fewer than 5",
            "within 7 days",
            "(days 7 to 13)",
            "(days 28 to 34)",
        ] {
            text = text.replace(fixed, "");
        }
        let words = text.split_whitespace().map(|word| word.trim_matches(['.', ',', ':']));
        words.filter_map(|word| word.replace(',', "").parse().ok()).collect()
    }

    #[test]
    fn two_published_numbers_of_a_month_differ_by_nothing_or_by_k() {
        let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let memory = memory.expect("a directory");
        let collector = Receiving::open(&memory.path().join("collector")).expect("a collector");
        let (numbers, exact) = (BTreeSet::new(), BTreeSet::new());
        let mut publishing = Publishing { collector, days: 0, numbers, exact };
        let mut nowhere = std::io::sink();
        simulate::run(&FLEET, &mut publishing, &mut nowhere).expect("the fleet runs");
        let Publishing { days, numbers, exact, .. } = publishing;
        assert_eq!(days, MONTH);
        let numbers: Vec<u64> = numbers.into_iter().collect();
        for pair in numbers.windows(2) {
            assert!(pair[1] - pair[0] >= K, "{pair:?} of {numbers:?}");
        }
        // It was about something: many numbers, and exact ones that had to be rounded.
        assert!(numbers.len() >= 6 && numbers.last() >= Some(&30), "{numbers:?}");
        assert!(exact.iter().any(|count| count % K != 0), "{exact:?}");
    }
}
