//! Networks: who is limited, what is marked, whose headers are believed, and that nothing of it is kept.

use crate::running::{
    Client, Collector, PRODUCT, StoppedClock, collector, heartbeat, id, is_on_a_server, now,
    on_its_engine, program, request, wait_until,
};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;

const JSON: &str = "content-type: application/json\r\n";
/// Noon of some day.
const NOON: u64 = 21_000 * 86_400 + 12 * 3600;

/// A collector at [`NOON`], so that no midnight falls into a test.
fn at_noon(dir: &Path, words: &[&str]) -> Collector {
    let offset = (i128::from(NOON) - i128::from(now())).to_string();
    let words = [&["--product", PRODUCT], words].concat();
    Collector::start_with(dir, &words, &[("MCPPROXY_TEST_CLOCK_OFFSET", &offset)])
}

fn from(address: &str) -> String {
    format!("{JSON}x-forwarded-for: {address}\r\n")
}

/// Sends the first heartbeats of these installs, each from the address that `address` says.
fn newcomers(
    collector: &Collector,
    installs: std::ops::Range<u64>,
    address: impl Fn(u64) -> String,
) {
    let mut client = collector.connect();
    for install in installs {
        let answer = client.post_as(&from(&address(install)), &heartbeat(install, NOON));
        let answer = answer.expect("an answer");
        assert!(answer.is_stored(), "{install}: {answer:?}");
    }
}

fn floods(collector: &Collector) -> usize {
    collector.reader().rows(PRODUCT).expect("rows").iter().filter(|row| row.flood).count()
}

fn report(dir: &Path, words: &[&str]) -> Value {
    let output = collector(dir, &[&["report", "overview", "-o", "json"], words].concat());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_network_that_sends_too_fast_waits_and_others_do_not() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let clock = StoppedClock::at(place.path().join("clock"), NOON);
    let words = ["--product", PRODUCT, "--trusted-proxy", "127.0.0.1"];
    let collector = Collector::start_with(&place.path().join("data"), &words, &[clock.variable()]);
    let mut client = collector.connect();
    // What is no heartbeat counts as one: it is not looked at before.
    let mut taken = || {
        for taken in 0..1_000 {
            let answer = client.post_as(&from("192.0.2.7"), b"{").expect("an answer");
            if answer.code == 429 {
                return (taken, answer);
            }
            assert_eq!(answer.code, 400);
        }
        panic!("no limit");
    };
    let (burst, answer) = taken();
    assert_eq!(burst, 200);
    assert_eq!(answer.body, r#"{"stored":false}"#);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let ask = |address: &str, install| {
        let answer = collector.connect().post_as(&from(address), &heartbeat(install, NOON));
        answer.expect("an answer")
    };
    assert!(ask("192.0.3.7", 1).is_stored(), "another network");
    assert!(ask("2001:db8::7", 2).is_stored(), "another family");
    assert!(collector.post(&heartbeat(3, NOON)).is_stored(), "this machine");
    let counts = collector.reader().counts(0).expect("counts");
    let of = |name: &str| counts.iter().find(|(known, _)| known == name).map(|(_, n)| *n);
    assert_eq!((of("limited"), of("stored"), of("too_many")), (Some(1), Some(3), None));
    // It may go on when it has waited.
    assert_eq!(ask("192.0.2.99", 4).code, 429, "the same network");
    clock.set(NOON + 1);
    assert!(ask("192.0.2.99", 4).is_stored());
    assert_eq!(taken().0, 19, "twenty a second");
    clock.set(NOON + 3_600);
    assert_eq!(taken().0, 200);
}

#[test]
fn this_machine_is_not_limited() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = at_noon(place.path(), &[]);
    let mut client = collector.connect();
    for number in 0..1_000 {
        assert_eq!(client.post(b"{").expect("an answer").code, 400, "{number}");
    }
}

#[test]
fn many_new_installs_of_a_network_are_stored_marked_and_left_out() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = at_noon(place.path(), &["--trusted-proxy", "127.0.0.1"]);
    newcomers(&collector, 0..60, |install| format!("198.51.100.{install}"));
    newcomers(&collector, 60..70, |install| format!("203.0.{install}.1"));
    newcomers(&collector, 70..75, |_| "198.51.100.200".to_owned());
    assert_eq!(floods(&collector), 15);
    // Installs that are known are not new, wherever they are; a mark stays.
    let mut client = collector.connect();
    for install in [0, 55, 60] {
        let again = client.post_as(&from("198.51.100.3"), &heartbeat(install, NOON + 1));
        assert!(again.expect("an answer").is_stored());
    }
    assert_eq!(floods(&collector), 15);

    let people = report(place.path(), &[]);
    assert_eq!((&people["installs"], &people["left_out"]["floods"]), (&60.into(), &15.into()));
    assert_eq!(people["floods"], 0, "among those that are shown");
    let machines = report(place.path(), &["--machines"]);
    assert_eq!((&machines["installs"], &machines["left_out"]["floods"]), (&0.into(), &15.into()));
    let all = report(place.path(), &["--all"]);
    assert_eq!((&all["installs"], &all["left_out"]["floods"]), (&75.into(), &0.into()));
    assert_eq!(all["floods"], 15);
    let csv = collector_table(place.path(), &["--all", "-o", "csv"]);
    assert!(csv.contains("\r\nfloods,15,,,,\r\n"), "{csv}");
    let table = collector_table(place.path(), &[]);
    assert!(!table.contains("Among them"), "{table}");
    assert!(table.contains("Left out: 15 installs of floods."), "{table}");
    let table = collector_table(place.path(), &["--all"]);
    assert!(table.contains("Among them: 15 installs of floods."), "{table}");
}

fn collector_table(dir: &Path, words: &[&str]) -> String {
    let words = [&["report", "overview"], words].concat();
    String::from_utf8(collector(dir, &words).stdout).expect("text")
}

#[test]
fn behind_a_proxy_that_is_not_trusted_nothing_is_marked_and_the_option_is_named() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, log) = (place.path().join("data"), place.path().join("log"));
    let offset = (i128::from(NOON) - i128::from(now())).to_string();
    let mut command = program();
    command
        .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT])
        .arg("--data-dir")
        .arg(&dir)
        .env("MCPPROXY_TEST_CLOCK_OFFSET", offset)
        .stderr(fs::File::create(&log).expect("a file"));
    let collector = Collector::spawn(command, &dir);
    let key = fs::read_to_string(dir.join("pages.key")).expect("a key");
    let page = || {
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", key.trim());
        collector.connect().ask(head.as_bytes()).expect("a page").body
    };
    newcomers(&collector, 0..50, |install| format!("198.51.100.{install}"));
    assert!(!page().contains("--trusted-proxy"));
    newcomers(&collector, 50..70, |install| format!("203.0.{install}.1"));
    assert_eq!(floods(&collector), 0);
    assert!(page().contains("--trusted-proxy"), "{}", page());
    collector.stop();
    // A report has no memory of the process, nor has the next one.
    let report_on = |days: i128| {
        let offset = i128::from(NOON) - i128::from(now()) + days * 86_400;
        let mut command = program();
        on_its_engine(&mut command, &dir);
        command.args(["collector", "report", "overview", "--data-dir"]).arg(&dir);
        command.env("MCPPROXY_TEST_CLOCK_OFFSET", offset.to_string());
        String::from_utf8(command.output().expect("a report").stdout).expect("text")
    };
    let table = report_on(1);
    assert!(table.contains("--trusted-proxy"), "{table}");
    let table = report_on(2);
    assert!(!table.contains("--trusted-proxy"), "{table}");
    let log = fs::read_to_string(log).expect("the log");
    assert_eq!(log.matches("--trusted-proxy").count(), 1, "{log}");
}

#[test]
fn a_header_of_somebody_who_is_no_proxy_is_not_believed() {
    let place = tempfile::tempdir().expect("a temporary directory");
    // Some other machine is the proxy.
    let collector = at_noon(place.path(), &["--trusted-proxy", "192.0.2.1"]);
    newcomers(&collector, 0..60, |install| format!("203.0.{install}.1"));
    assert_eq!(floods(&collector), 10, "all of them come from one network");
}

#[test]
fn a_proxy_that_cannot_be_meant_is_refused_in_one_line() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("data");
    for (value, says) in [
        ("", "must be the address or the network"),
        ("proxy.example", "must be the address or the network"),
        ("10.0.0.0/33", "must be the address or the network"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "would trust every address"),
        ("::/0", "would trust every address"),
    ] {
        let output = collector(&dir, &["--trusted-proxy", value]);
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{value}: {words}");
        assert!(words.contains("--trusted-proxy") && words.contains(says), "{value}: {words}");
    }
    assert!(!dir.exists(), "nothing was made");
}

/// Everything below `dir`, as bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).expect("its bytes")));
        }
    }
    all
}

#[test]
fn addresses_agents_ids_and_unknown_members_are_in_no_file_and_no_log() {
    let place = tempfile::tempdir().expect("a temporary directory");
    if is_on_a_server(place.path()) {
        return;
    }
    let dir = place.path().join("data");
    let (log, out) = (place.path().join("log"), dir.join("collector.db"));
    let clock = StoppedClock::at(place.path().join("clock"), now());
    let mut command = program();
    command
        .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .args(["--product", PRODUCT, "--trusted-proxy", "127.0.0.1", "--data-dir"])
        .arg(&dir)
        // Who wants to see more does not see this.
        .envs([("RUST_LOG", "trace"), ("MCPPROXY_LOG", "trace"), ("RUST_BACKTRACE", "1")])
        .envs([clock.variable()])
        .stderr(fs::File::create(&log).expect("a file"))
        .stdin(Stdio::null());
    let collector = Collector::spawn_quiet(command, &dir, &log);
    let headers = format!(
        "{JSON}x-forwarded-for: 203.0.113.77\r\nforwarded: for=203.0.113.77\r\n\
         user-agent: canary-agent/1\r\nx-canary-header: canary-value\r\ncookie: canary-cookie=1\r\n\
         referer: http://canary-referer/\r\nauthorization: Bearer canary-token-0123456789\r\n"
    );
    let ask = |body: &[u8]| {
        let answer = collector.connect().post_as(&headers, body).expect("an answer");
        assert!(!answer.body.contains("canary"), "{}", answer.body);
        answer.code
    };
    let good = String::from_utf8(heartbeat(7, now())).expect("text");
    assert_eq!(ask(good.as_bytes()), 200);
    assert_eq!(ask(good.as_bytes()), 200);
    for (from, to) in [
        (r#"{"schema_version""#, r#"{"canary_member":"canary-member-value","schema_version""#),
        (r#""claude-code""#, r#""canary.client@example.org""#),
        (PRODUCT, "canary-product"),
        (r#""timestamp""#, r#""canary_time""#),
        (r#""server_count":1"#, r#""server_count":"canary-count""#),
    ] {
        assert_eq!(ask(good.replace(from, to).as_bytes()), 400, "{to}");
    }
    // A word that is not known is absent, and the rest is the heartbeat that is there already.
    assert_eq!(ask(good.replace(r#""os":"linux""#, r#""os":"canary-os""#).as_bytes()), 200);
    assert_eq!(ask(b"canary: no JSON"), 400);
    assert_eq!(ask(format!("{good}{}", "canary ".repeat(2_000)).as_bytes()), 413);
    // More new installs than are believed, and then faster than is taken.
    for install in 1_000..1_060 {
        assert_eq!(ask(&heartbeat(install, now())), 200);
    }
    let mut client = collector.connect();
    let mut codes = (0..200).map(|_| client.post_as(&headers, b"{").expect("an answer").code);
    assert!(codes.any(|code| code == 429), "the limit");
    // A path and a query that nobody should send, and a head that is none.
    for line in ["GET /canary-path?key=canary-key", "DELETE /heartbeat?canary=1", "canary"] {
        let _ =
            collector.connect().ask(format!("{line} HTTP/1.1\r\nhost: canary\r\n\r\n").as_bytes());
    }
    // An error that is logged: the database is gone.
    let away = place.path().join("away");
    fs::rename(&out, &away).expect("moved");
    assert_eq!(collector.post(&heartbeat(8, now())).code, 503);
    fs::rename(&away, &out).expect("moved back");
    wait_until("it is well again", || collector.post(&heartbeat(8, now())).is_stored());
    let kept = collector.reader().rows(PRODUCT).expect("rows").len();
    assert_eq!(kept, 62);
    collector.stop();

    let text = fs::read_to_string(&log).expect("the log");
    assert!(text.contains("503"), "the error was logged: {text}");
    let ids: Vec<String> = [7, 8, 1_000, 1_059].map(id).to_vec();
    let raw: Vec<Vec<u8>> = ids
        .iter()
        .map(|id| {
            let digits: Vec<u8> = id.bytes().filter(|byte| *byte != b'-').collect();
            let byte = |pair: &[u8]| {
                u8::from_str_radix(str::from_utf8(pair).expect("text"), 16).expect("digits")
            };
            digits.chunks(2).map(byte).collect()
        })
        .collect();
    let mut wanted: Vec<Vec<u8>> =
        ["canary", "203.0.113", "127.0.0.1"].map(|text| text.as_bytes().to_vec()).to_vec();
    wanted.extend(ids.iter().map(|id| id.as_bytes().to_vec()));
    wanted.extend(ids.iter().map(|id| id.replace('-', "").into_bytes()));
    wanted.extend(raw);
    let own = collector_address_line(&text);
    let mut all = files(&dir);
    all.push(("the log".to_owned(), text.replace(&own, "").into_bytes()));
    for (name, bytes) in all {
        for one in &wanted {
            let is_there = bytes.windows(one.len()).any(|window| window == one);
            assert!(!is_there, "{} is in {name}", String::from_utf8_lossy(one));
        }
    }
}

/// The address that the collector itself listens on, as its log says it.
fn collector_address_line(log: &str) -> String {
    let (_, rest) = log.split_once("http://").expect("its address");
    rest.split('/').next().unwrap_or_default().to_owned()
}

#[test]
fn one_connection_that_was_forwarded_may_carry_many_networks() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = at_noon(place.path(), &["--trusted-proxy", "127.0.0.1"]);
    // A proxy sends on one connection what came from several clients.
    let mut client = Client::connect(collector.address).expect("a connection");
    for install in 0..120 {
        let headers = format!("{JSON}forwarded: for=\"[2001:db8:{install:x}::1]:4711\"\r\n");
        client.send(&request(&headers, &heartbeat(install, NOON))).expect("sent");
        assert!(client.answer().expect("an answer").is_stored());
    }
    assert_eq!(floods(&collector), 0);
}
