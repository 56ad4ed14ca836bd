//! The cases in which numbers of this kind usually are wrong, each with its right answer, through the whole
//! collector: heartbeats with the times of their receipt are imported, and `report` is asked.
//!
//! `docs/collector/hard-cases.md` is the same list for readers; the last test compares the two.

use crate::running::{Collector, PRODUCT, StoppedClock, heartbeat, heartbeat_of, id, now, program};
use mcpproxy::collector::receive::Receiver;
use mcpproxy::collector::store::StoreOptions;
use mcpproxy::contract::timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DAY: u64 = 86_400;
/// A Saturday, 2026-W48.
const NOW: &str = "2026-11-28T12:00:00Z";
/// The Monday of 2026-W40, all of whose cells are final by then.
const W40: &str = "2026-09-28T09:00:00Z";
const W41: &str = "2026-10-05T09:00:00Z";
/// The Monday of 2026-W47.
const W47: &str = "2026-11-16T09:00:00Z";

fn at(text: &str) -> u64 {
    timestamp::parse(text).expect("a time")
}

/// A heartbeat and the time of its receipt.
#[derive(Clone, Debug)]
struct Beat {
    received: u64,
    body: String,
}

impl Beat {
    /// Received a second after it was made.
    fn of(install: u64, made: u64) -> Self {
        let body = String::from_utf8(heartbeat(install, made)).expect("text");
        Self { received: made + 1, body }
    }

    /// With other words in it.
    fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.body.contains(from), "{from}: {}", self.body);
        self.body = self.body.replace(from, to);
        self
    }

    fn in_a_container(self) -> Self {
        self.with(r#""env_kind":"interactive""#, r#""env_kind":"container""#).with(
            r#""is_container":false,"has_tty":true"#,
            r#""is_container":true,"has_tty":false"#,
        )
    }

    fn days_since_install(self, days: u64) -> Self {
        self.with(r#""days_since_install":0"#, &format!(r#""days_since_install":{days}"#))
    }

    fn received(mut self, at: u64) -> Self {
        self.received = at;
        self
    }
}

/// Heartbeats of an install on the days after its first one.
fn life(install: u64, first: &str, later: &[u64]) -> Vec<Beat> {
    let days = [0].into_iter().chain(later.iter().copied());
    days.map(|day| Beat::of(install, at(first) + day * DAY)).collect()
}

/// A collector's directory, and commands at a moment.
struct Kept {
    place: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let kept = Self { place: tempfile::tempdir().expect("a directory") };
        drop(kept.receiver());
        kept
    }

    fn of(beats: Vec<Beat>) -> Self {
        let kept = Self::new();
        kept.import(beats);
        kept
    }

    fn dir(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn receiver(&self) -> Receiver {
        let options = StoreOptions {
            dir: self.dir(),
            products: vec![PRODUCT.to_owned()],
            ephemeral: true,
            ..StoreOptions::default()
        };
        Receiver::open(&options).expect("a database")
    }

    /// What a command says at a moment.
    fn said_at(&self, moment: &str, words: &[&str]) -> String {
        let offset = at(moment).cast_signed() - now().cast_signed();
        let mut command = program();
        command.arg("collector").args(words).arg("--data-dir").arg(self.dir());
        command.env("MCPPROXY_TEST_CLOCK_OFFSET", offset.to_string());
        let output = command.output().expect("the built command");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn said(&self, words: &[&str]) -> String {
        self.said_at(NOW, words)
    }

    /// Imports heartbeats in the order of their receipt; what the command says.
    fn import(&self, mut beats: Vec<Beat>) -> String {
        beats.sort_by_key(|beat| beat.received);
        let line =
            |beat: &Beat| format!("{{\"received\":{},\"body\":{}}}\n", beat.received, beat.body);
        let file = self.place.path().join("log");
        std::fs::write(&file, beats.iter().map(line).collect::<String>()).expect("a log");
        self.said(&["import", file.to_str().expect("text")])
    }

    fn report_at(&self, moment: &str, words: &[&str]) -> Value {
        let text = self.said_at(moment, &[&["report"], words, &["-o", "json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    fn report(&self, words: &[&str]) -> Value {
        self.report_at(NOW, words)
    }
}

/// The cohort of a week.
fn cohort<'v>(report: &'v Value, week: &str) -> &'v Value {
    let all = report["cohorts"].as_array().expect("cohorts");
    all.iter().find(|one| one["week"] == week).unwrap_or(&Value::Null)
}

/// The row of a table in which `column` is `word`.
fn row<'v>(table: &'v Value, column: &str, word: &str) -> &'v Value {
    let all = table.as_array().expect("a table");
    all.iter().find(|one| one[column] == word).unwrap_or_else(|| panic!("{word}: {table}"))
}

/// `[5, 12]`
fn share(of: &Value) -> [&Value; 2] {
    [&of["count"], &of["of"]]
}

#[test]
fn first_in_the_chosen_range_is_not_first_ever() {
    // One began in W40 and is back in W47, in which another began.
    let kept = Kept::of([life(1, W40, &[49]), life(2, W47, &[])].concat());
    let report = kept.report(&["retention", "--since", "2026-11-16"]);
    assert_eq!(report["cohorts"][0]["week"], "2026-W47", "{report}");
    assert_eq!(cohort(&report, "2026-W47")["installs"], 1);
    assert_eq!(cohort(&report, "2026-W48")["installs"], 0);
    let funnel = kept.report(&["activation", "--since", "2026-11-16"]);
    assert_eq!(share(&funnel["steps"][0]["reached"]), [1, 1]);
    let all = kept.report(&["overview"]);
    assert_eq!(all["active"]["last_28_days"], 2, "it is active for all that");
}

#[test]
fn a_mean_is_the_sum_over_the_sum_and_not_the_mean_of_percentages() {
    // 2 of 2 in one week, 0 of 8 in the next: 20 %, not 50 %.
    let mut beats = [life(1, W40, &[1]), life(2, W40, &[1])].concat();
    beats.extend((3..11).flat_map(|install| life(install, W41, &[])));
    let report = Kept::of(beats).report(&["retention"]);
    assert_eq!(share(&cohort(&report, "2026-W40")["day_1"]), [2, 2]);
    assert_eq!(share(&cohort(&report, "2026-W41")["day_1"]), [0, 8]);
    assert_eq!(share(&report["pooled"]["day_1"]), [2, 10]);
    assert_eq!(report["pooled"]["day_1"]["share"], 0.2);
}

#[test]
fn a_window_that_is_not_over_is_open_and_in_no_mean() {
    // Of W47: the day after its Sunday ends on the 23rd, and is final 48 h later.
    let kept = Kept::of([life(1, W40, &[1]), life(2, W47, &[])].concat());
    let before = kept.report_at("2026-11-25T23:50:00Z", &["retention"]);
    assert_eq!(cohort(&before, "2026-W47")["day_1"]["state"], "open");
    assert_eq!(share(&before["pooled"]["day_1"]), [1, 1]);
    let after = kept.report_at("2026-11-26T00:01:00Z", &["retention"]);
    assert_eq!(cohort(&after, "2026-W47")["day_1"]["state"], "final");
    assert_eq!(share(&after["pooled"]["day_1"]), [1, 2]);
    // A week without installs is neither, and not 0 %.
    let empty = &cohort(&after, "2026-W44")["day_1"];
    assert_eq!((&empty["state"], &empty["share"]), (&json!("empty"), &Value::Null));
}

#[test]
fn what_installs_do_later_changes_no_final_cell() {
    let kept = Kept::of((0..6).flat_map(|install| life(install, W40, &[1])).collect());
    let before = kept.report_at("2026-11-20T12:00:00Z", &["retention"]);
    let final_before = cohort(&before, "2026-W40");
    assert_eq!(share(&final_before["day_1"]), [6, 6]);
    // Back after weeks; in a container now; with a development version now; late, so of the day of receipt.
    let late = at("2026-11-21T09:00:00Z");
    kept.import(vec![
        Beat::of(0, late),
        Beat::of(1, late).in_a_container(),
        Beat::of(2, late).with(r#""version":"1.4.0""#, r#""version":"2.0.0-dev""#),
        Beat::of(3, at(W40) + 9 * DAY).received(late),
        Beat::of(4, at(W40) + 30 * DAY).received(late),
    ]);
    let after = kept.report(&["retention"]);
    assert_eq!(cohort(&after, "2026-W40"), final_before);
    assert_eq!(after["pooled"], before["pooled"]);
}

#[test]
fn a_sunday_ends_the_week_that_began_on_the_monday_before() {
    let kept = Kept::of(
        [
            life(1, "2025-12-28T23:30:00Z", &[]),
            life(2, "2025-12-29T00:30:00Z", &[]),
            life(3, "2026-01-01T12:00:00Z", &[]),
            life(4, "2026-01-04T23:30:00Z", &[]),
            life(5, "2026-01-05T00:30:00Z", &[]),
        ]
        .concat(),
    );
    let report = kept.report(&["retention"]);
    let weeks = [("2025-W52", 1), ("2026-W01", 3), ("2026-W02", 1)];
    for (week, installs) in weeks {
        assert_eq!(cohort(&report, week)["installs"], installs, "{week}");
    }
    assert_eq!(cohort(&report, "2026-W01")["monday"], "2025-12-29");
}

#[test]
fn a_container_without_a_volume_is_a_new_install_each_day_and_no_person() {
    let mut beats = life(1, W40, &[1, 8]);
    for day in 0..30 {
        beats.push(Beat::of(100 + day, at(W40) + day * DAY).in_a_container());
    }
    let kept = Kept::of(beats);
    let people = kept.report(&["retention"]);
    assert_eq!((&people["installs"], &people["left_out"]["containers"]), (&json!(1), &json!(30)));
    assert_eq!(share(&people["pooled"]["day_1"]), [1, 1]);
    let machines = kept.report(&["retention", "--machines"]);
    assert_eq!(share(&machines["pooled"]["day_1"]), [0, 30]);
    let environments = kept.report(&["environments", "--all"]);
    let containers = row(&environments["once"], "kind", "container");
    assert_eq!(share(&containers["once"]), [30, 30]);
}

#[test]
fn a_rotated_id_is_carried_over_and_no_newcomer() {
    let carried = |beat: Beat| beat.with(r#""carried_over":false"#, r#""carried_over":true"#);
    let kept = Kept::of(vec![
        Beat::of(1, at(W40)),
        // The id that follows one of 365 days says so; an install that is older than this database need not.
        carried(Beat::of(2, at(W47))),
        carried(Beat::of(2, at(W47) + DAY)),
        Beat::of(3, at(W47)).days_since_install(200),
    ]);
    let report = kept.report(&["overview"]);
    assert_eq!((&report["carried_over"], &report["installs"]), (&json!(2), &json!(3)));
    assert_eq!(report["active"]["last_28_days"], 2);
    let retention = kept.report(&["retention"]);
    assert_eq!(cohort(&retention, "2026-W47")["installs"], 0, "{retention}");
    assert_eq!(share(&retention["pooled"]["day_1"]), [0, 1]);
    let funnel = kept.report(&["activation"]);
    assert_eq!(share(&funnel["steps"][0]["reached"]), [1, 1]);
}

#[test]
fn a_late_start_stays_in_the_week_of_its_first_heartbeat_and_is_counted() {
    let late = Beat::of(2, at(W41) + 7 * DAY);
    // It ran offline for five days; the product was known here before.
    let kept = Kept::of(vec![Beat::of(1, at(W40)), late.days_since_install(5)]);
    let report = kept.report(&["retention"]);
    assert_eq!((&report["late_starts"], &report["carried_over"]), (&json!(1), &json!(0)));
    assert_eq!(cohort(&report, "2026-W42")["installs"], 1);
    let health = kept.report(&["health"]);
    assert_eq!(row(&health["marks"], "number", "late_starts")["count"], 1);
}

#[test]
fn a_flood_is_kept_and_in_no_usual_number() {
    let kept = Kept::new();
    let clock = StoppedClock::at(kept.place.path().join("clock"), at(W47));
    let words = ["--trusted-proxy", "127.0.0.1"];
    let running = Collector::start_with(&kept.dir(), &words, &[clock.variable()]);
    let mut proxy = running.connect();
    // 60 new installs from one network, and one from another.
    for install in 0..61 {
        let network = if install == 60 { "203.0.113" } else { "198.51.100" };
        let from =
            format!("content-type: application/json\r\nx-forwarded-for: {network}.{install}\r\n");
        let answer = proxy.post_as(&from, &heartbeat(install, at(W47))).expect("an answer");
        assert!(answer.is_stored(), "{answer:?}");
    }
    running.stop();
    let people = kept.report(&["retention"]);
    assert_eq!((&people["installs"], &people["left_out"]["floods"]), (&json!(51), &json!(10)));
    assert_eq!(cohort(&people, "2026-W47")["installs"], 51);
    let all = kept.report(&["retention", "--all"]);
    assert_eq!((&all["installs"], &all["floods"]), (&json!(61), &json!(10)));
}

#[test]
fn one_id_on_two_machines_is_one_install_with_the_facts_of_the_first_and_the_last() {
    let made = at(W40);
    let second = |at: u64| {
        Beat::of(1, at).with(r#""os":"linux""#, r#""os":"darwin""#).with("1.4.0", "1.5.0")
    };
    let kept = Kept::of(vec![
        Beat::of(1, made),
        second(made + 3600),
        Beat::of(1, made + DAY),
        second(made + DAY + 3600),
        Beat::of(1, made + DAY + 7200),
        // The fourth of a day of receipt.
        second(made + DAY + 9000),
    ]);
    let report = kept.report(&["retention"]);
    assert_eq!(report["installs"], 1);
    assert_eq!(share(&cohort(&report, "2026-W40")["day_1"]), [1, 1]);
    assert_eq!(kept.report(&["retention", "--os", "linux"])["installs"], 1, "its first said so");
    assert_eq!(kept.report(&["retention", "--os", "darwin"])["installs"], 0);
    let exported: Value = serde_json::from_str(&kept.said(&["export", "-"])).expect("one line");
    assert_eq!(exported["days"], json!([0, 1]), "{exported}");
    let health = kept.report(&["health"]);
    for (name, count) in [("stored", 5), ("too_many", 1)] {
        assert_eq!(row(&health["answers"], "name", name)["ever"], count, "{name}");
    }
}

#[test]
fn a_clock_that_is_wrong_by_a_year_counts_for_the_day_of_receipt() {
    let received = at(W47);
    let kept = Kept::of(vec![
        Beat::of(1, received - 365 * DAY).received(received),
        Beat::of(2, received + 365 * DAY).received(received + 1),
        // Half a day late is no wrong clock.
        Beat::of(3, received - DAY / 2).received(received + 2),
    ]);
    let report = kept.report(&["retention"]);
    let weeks: Vec<&Value> =
        report["cohorts"].as_array().expect("cohorts").iter().map(|one| &one["week"]).collect();
    assert_eq!(weeks, ["2026-W46", "2026-W47", "2026-W48"]);
    assert_eq!(cohort(&report, "2026-W47")["installs"], 2);
    assert_eq!(cohort(&report, "2026-W46")["installs"], 1, "of the Sunday before");
    let health = kept.report(&["health"]);
    let wrong = row(&health["answers"], "name", "clock_wrong");
    assert_eq!([&wrong["ever"], &wrong["last_28_days"]], [2, 2], "of the days of receipt");
}

#[test]
fn heartbeats_in_any_order_and_twice_are_the_same_install() {
    // The three are believed whenever they are received in the last hours of the second day.
    let first = at("2026-09-28T20:00:00Z");
    let made = [first, first + 5 * 3600, first + 22 * 3600];
    let versions = ["1.4.0", "1.5.0", "1.6.0"];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut beats = Vec::new();
    for (install, order) in (0..).zip(orders) {
        for (turn, which) in (0..).zip(order) {
            let beat = Beat::of(install, made[which]).with("1.4.0", versions[which]);
            let received = first + 23 * 3600 + 600 * turn + install;
            // Each of them twice: at once, and after the others.
            beats.push(beat.clone().received(received));
            beats.push(beat.received(received + 1800));
        }
    }
    let kept = Kept::new();
    let said = kept.import(beats);
    assert!(said.starts_with("Stored 18 heartbeats; 18 were there already"), "{said}");
    let exported = kept.said(&["export", "-"]);
    let different: BTreeSet<&str> = exported.lines().collect();
    assert_eq!((exported.lines().count(), different.len()), (6, 1), "{exported}");
    let one: Value = serde_json::from_str(exported.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&one["day_0"], &one["days"]), (&json!("2026-09-28"), &json!([0, 1])));
    assert_eq!(share(&kept.report(&["retention"])["pooled"]["day_1"]), [6, 6]);
    assert_eq!(kept.report(&["retention", "--product-version", "1.4.0"])["installs"], 6);
}

#[test]
fn five_of_twelve_is_19_to_68_percent_before_it_is_42() {
    let beats = (0..12).flat_map(|n| life(n, W40, if n < 5 { &[8] } else { &[] }));
    let kept = Kept::of(beats.collect());
    let week_1 = &kept.report(&["retention"])["pooled"]["week_1"];
    assert_eq!(
        *week_1,
        json!({ "count": 5, "of": 12, "share": 0.4167, "low": 0.1933, "high": 0.6805 })
    );
    // On the page the interval is what is large.
    let clock = StoppedClock::at(kept.place.path().join("clock"), at(NOW));
    let running = Collector::start_with(&kept.dir(), &[], &[clock.variable()]);
    let key = std::fs::read_to_string(kept.dir().join("pages.key")).expect("the key");
    let head = format!("GET /retention HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", key.trim());
    let page = running.connect().ask(head.as_bytes()).expect("a page").body;
    let shown = "<span class=\"large\">19 to 68 %</span><span class=\"small\"><span>42 %</span>";
    assert!(page.contains(shown), "{page}");
    let other = "<span class=\"large\">42 %</span><span class=\"small\"><span>19 to 68 %</span>";
    assert!(!page.contains(other), "{page}");
}

#[test]
fn a_renamed_product_keeps_its_installs_and_a_removed_one_is_not_shown() {
    let kept = Kept::of((0..5).flat_map(|install| life(install, W40, &[1])).collect());
    kept.said(&["product", "rename", PRODUCT, "notes-server"]);
    // Under the old name and under the new one.
    let renamed = |install: u64| Beat {
        received: at(W47) + 1,
        body: String::from_utf8(heartbeat_of("notes-server", install, at(W47))).expect("text"),
    };
    kept.import(vec![Beat::of(0, at(W47)), renamed(1)]);
    let report = kept.report(&["overview", "--product", "notes-server"]);
    assert_eq!((&report["installs"], &report["active"]["last_28_days"]), (&json!(5), &json!(2)));
    kept.said(&["product", "remove", "notes-server"]);
    let removed = kept.report(&["overview", "--all"]);
    assert_eq!(removed["installs"], 0);
    assert_eq!(removed["active"]["last_28_days"], 0);
    kept.said(&["product", "add", "notes-server", "--ephemeral"]);
    let back = kept.report(&["retention"]);
    assert_eq!(share(&cohort(&back, "2026-W40")["day_1"]), [5, 5]);
}

#[test]
fn an_erased_install_leaves_every_number_and_does_not_come_back() {
    let kept = Kept::of((0..6).flat_map(|install| life(install, W40, &[1])).collect());
    kept.said(&["forget", &id(3)]);
    let said = kept.import(vec![Beat::of(3, at("2026-11-28T09:00:00Z"))]);
    assert!(said.starts_with("Stored 0 heartbeats; 1 are of installs that were erased"), "{said}");
    let report = kept.report(&["retention"]);
    assert_eq!(report["installs"], 5);
    assert_eq!(share(&cohort(&report, "2026-W40")["day_1"]), [5, 5], "a final cell as well");
    let funnel = kept.report(&["activation"]);
    assert_eq!(share(&funnel["steps"][0]["reached"]), [5, 5]);
    assert_eq!(kept.said(&["export", "-"]).lines().count(), 5);
    kept.said(&["verify"]);
}

#[test]
fn every_case_stands_in_the_documents_with_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file");
    let source = read("tests/collector/hard_cases.rs");
    let tests = source.split("#[test]\nfn ").skip(1);
    let tests: BTreeSet<&str> = tests.filter_map(|rest| rest.split("()").next()).collect();
    let page = read("docs/collector/hard-cases.md");
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let named: Vec<&str> =
        rows.filter_map(|row| row.rsplit('`').nth(1)).filter(|name| name.contains('_')).collect();
    let documented: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(named.len(), documented.len(), "each case once");
    let cases: BTreeSet<&str> =
        tests.into_iter().filter(|name| !name.starts_with("every_case_")).collect();
    assert_eq!(documented, cases);
}
