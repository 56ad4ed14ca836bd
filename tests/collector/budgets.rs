//! A year of many installs: what their database takes, what a pass and a page cost, and how much memory it needs.
//!
//! `MCPPROXY_ENDURE_YEAR_INSTALLS=1000000` asks for as many: `scripts/large` does, and compares the figures with the
//! budgets. The usual run has few, and holds what does not depend on the speed of a machine.
//! `MCPPROXY_ENDURE_YEAR_DIR` keeps the database for the next run.

use crate::endure::scaled;
use crate::running::{Answer, Collector, StoppedClock, heartbeat, wait_until};
use mcpproxy::collector::store::{Bulk, StoreOptions};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PRODUCTS: &[&str] = &["notes-mcp", "mcpproxy"];
/// 2026-11-28, a Saturday. The collector's clock shows its noon: many installs were heard of on the day that is over at
/// the next midnight, and on that which is then more than 28 days ago.
const LAST_DAY: u32 = 20_785;
const NOON: u64 = LAST_DAY as u64 * 86_400 + 43_200;
/// What is asked for: people, everything, a filter, a version, one product.
const VIEWS: [&str; 5] =
    ["", "show=all", "show=all&kind=interactive&os=linux", "version=1.5.0", "product=notes-mcp"];
/// Days long before the first install: each makes another address of the same numbers, which are computed anew.
const ANEW: [&str; 3] = ["2020-01-01", "2020-01-02", "2020-01-03"];

/// Bytes on the disk.
struct Sizes {
    days: u64,
    file: u64,
    without_days: u64,
}

fn count(file: &Connection, statement: &str) -> u64 {
    file.query_row(statement, [], |row| row.get(0)).expect("a count")
}

fn bytes(file: &Connection) -> u64 {
    count(file, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
}

/// Of a database that is not in use. Without day rows: as much as all other rows take in a file of their own.
fn sizes(dir: &Path) -> Sizes {
    let file = Connection::open(dir.join("collector.db")).expect("the database");
    let others = tempfile::tempdir_in(dir).expect("a directory");
    let others = others.path().join("others.db");
    file.execute("ATTACH ? AS others", [others.to_str().expect("text")]).expect("another file");
    file.execute_batch("PRAGMA others.synchronous = OFF").expect("an option");
    let tables = "SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND name <> 'days'";
    let mut tables = file.prepare(tables).expect("the schema");
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("tables");
    let tables: Vec<(String, String)> = tables.collect::<Result<_, _>>().expect("tables");
    for (name, made) in tables {
        let made = made.replacen(&name, &format!("others.{name}"), 1);
        let fill = format!("INSERT INTO others.{name} SELECT * FROM main.{name}");
        file.execute_batch(&format!("{made}; {fill}")).expect("a copy");
    }
    let without_days = count(
        &file,
        "SELECT page_count * page_size FROM pragma_page_count('others'), pragma_page_size('others')",
    );
    Sizes { days: count(&file, "SELECT COUNT(*) FROM days"), file: bytes(&file), without_days }
}

/// A collector whose pages can be read, and whose clock stands still.
struct Large {
    collector: Collector,
    clock: StoppedClock,
    cookie: String,
}

impl Large {
    fn start(dir: &Path, clock: PathBuf) -> Self {
        let clock = StoppedClock::at(clock, NOON);
        let collector = Collector::start_with(dir, &[], &[clock.variable()]);
        let key = fs::read_to_string(dir.join("pages.key")).expect("the key");
        let opened = collector.get(&format!("/?key={}", key.trim()));
        let cookie = opened.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.expect("a cookie").to_owned();
        Self { collector, clock, cookie }
    }

    fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n", self.cookie);
        let answer = self.collector.connect().ask(request.as_bytes()).expect("an answer");
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
        answer
    }

    /// A number of `/metrics`.
    fn metric(&self, name: &str) -> f64 {
        self.metric_if_said(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn metric_if_said(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        let name = format!("mcpproxy_collector_{name} ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
    }

    /// What the last pass took, on the wall and of the processor; the latter is 0 where the system does not tell it.
    fn figures_of_pass(&self, name: &str) {
        let worked = self.metric_if_said("snapshot_pass_processor_seconds");
        figure(&format!("{name}_cpu"), worked.unwrap_or(0.0) * 1e3);
        figure(name, self.metric("snapshot_pass_seconds") * 1e3);
    }

    /// Every address that the pages link to, without its query, and the pages themselves.
    fn addresses(&self) -> BTreeSet<String> {
        let mut known = BTreeSet::from(["/".to_owned()]);
        let mut unread = vec!["/".to_owned()];
        while let Some(page) = unread.pop() {
            let text = self.get(&format!("{page}?show=all")).body;
            let links = text.split([' ', '\n']).filter_map(|word| {
                let link = word.strip_prefix("href=\"").or_else(|| word.strip_prefix("src=\""))?;
                link.split(['"', '?', '#']).next()
            });
            for link in links.filter(|link| !link.is_empty() && !link.contains(':')) {
                let path = format!("/{}", link.trim_start_matches("./").trim_start_matches('/'));
                if !path.ends_with(".css") && known.insert(path.clone()) && !path.contains('.') {
                    unread.push(path);
                }
            }
        }
        known
    }

    /// Milliseconds of an answer whose numbers nobody has asked for before: the median of three.
    fn anew(&self, path: &str, view: &str) -> f64 {
        let mut times = ANEW.map(|since| {
            let began = Instant::now();
            self.get(&format!("{path}?since={since}&{view}"));
            millis(began.elapsed())
        });
        times.sort_by(f64::total_cmp);
        times[1]
    }

    /// A line of what the system says of the process, in bytes; `None` where it has no `/proc`.
    fn memory(&self, name: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.collector.pid())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Milliseconds that its threads have worked, to ten of them; 0 where the system has no `/proc`.
    fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.collector.pid()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u32>().ok());
        f64::from(ticks.sum::<u32>() * 10)
    }

    fn passes(&self) -> f64 {
        self.metric("snapshot_passes_total")
    }

    /// Moves the clock to this second, and waits until the database was looked at by then; the passes so far.
    fn look(&self, second: u64) -> f64 {
        self.clock.set(second);
        wait_until("it is looked at", || self.metric("snapshot_age_seconds") == 0.0);
        self.passes()
    }

    /// Looks until nothing changes any more, and so nothing is read: a start leaves something to sweep. The second.
    fn settle(&self, mut second: u64) -> u64 {
        for _ in 0..40 {
            let before = self.passes();
            second += 600;
            if self.look(second) == before {
                return second;
            }
        }
        panic!("it is read again and again");
    }

    /// A pass by `second`, and the processor time that it took.
    fn pass(&self, second: u64, name: &str) {
        let passes = self.passes();
        assert_eq!(self.look(second), passes + 1.0);
        self.figures_of_pass(name);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Read by `scripts/large`.
fn figure(name: &str, value: f64) {
    println!("figure {name} {value:.0}");
}

#[test]
fn a_year_of_many_installs_is_read_shown_and_kept_in_few_bytes() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let kept = std::env::var_os("MCPPROXY_ENDURE_YEAR_DIR").map(PathBuf::from);
    let dir = kept.unwrap_or_else(|| place.path().join("data"));
    let installs = scaled("YEAR_INSTALLS", 4_000);
    let bulk =
        Bulk { installs, days: 365, last_day: LAST_DAY, products: PRODUCTS, seed: 20_261_129 };
    if !dir.join("collector.db").exists() {
        let began = Instant::now();
        let options = StoreOptions { dir: dir.clone(), ephemeral: true, ..StoreOptions::default() };
        bulk.fill(&options).expect("a database");
        println!("filled in {:.1} s", began.elapsed().as_secs_f64());
    }
    let Sizes { days, file, without_days } = sizes(&dir);
    println!("{installs} installs, {days} day rows");
    figure("file_bytes", file as f64);
    figure("file_without_days_bytes", without_days as f64);
    figure("bytes_a_day_row", (file - without_days) as f64 / days as f64);
    assert!(without_days / installs < 600, "{without_days} bytes");
    assert!((file - without_days) / days < 120, "{file} bytes with {days} day rows");

    let large = Large::start(&dir, place.path().join("clock"));
    assert_eq!(large.passes(), 1.0);
    figure("start_ms_cpu", large.cpu());
    large.figures_of_pass("first_pass_ms");
    let columns = large.metric("snapshot_bytes");
    figure("columns_bytes", columns);
    assert!(columns / (installs as f64) < 250.0, "{columns} bytes");

    let at = large.settle(NOON);

    let (mut slowest, mut most_worked) = (0.0_f64, 0.0_f64);
    for path in large.addresses() {
        for view in VIEWS {
            let before = large.cpu();
            let took = large.anew(&path, view);
            slowest = slowest.max(took);
            let cpu = (large.cpu() - before) / 3.0;
            most_worked = most_worked.max(cpu);
            println!("{took:>7.1} ms, {cpu:>5.0} of the processor  {path}?{view}");
        }
    }
    figure("slowest_page_ms_cpu", most_worked);
    figure("slowest_page_ms", slowest);

    // One heartbeat more: the rows are read again, beside the snapshot that pages are made of.
    // Of an install that no earlier run on this database has made.
    let install = u64::from(std::process::id());
    assert!(large.collector.post(&heartbeat(install, at)).is_stored());
    large.pass(at + 600, "pass_ms");
    // On a new day other days are over; of a new week it is read no more than of any other day.
    large.pass(NOON + 86_400, "pass_of_a_new_day_ms");
    large.pass(NOON + 2 * 86_400, "pass_of_a_new_week_ms");
    if let (Some(now), Some(most)) = (large.memory("VmRSS"), large.memory("VmHWM")) {
        figure("rss_bytes", now as f64);
        figure("most_rss_bytes", most as f64);
    }
}
