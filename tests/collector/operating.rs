//! What the operator's tools ask a running collector: health, metrics, the privacy page; and how it stops.

use crate::running::{Client, Collector, PRODUCT, StoppedClock, heartbeat, now, wait_until};
use crate::tls::{Files, client};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A text of Prometheus' format 0.0.4, read strictly: every metric has one help and one type, both before its
/// samples, which stand together; labels are well formed; no sample comes twice; histograms add up.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has its end");
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::<String, String>::new());
        let (mut done, mut helped) = (BTreeSet::new(), BTreeSet::new());
        let mut current = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                assert!(is_name(name) && !help.is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "{line}: twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name), "{line}: no help");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}: twice");
                assert!(done.insert(std::mem::replace(&mut current, name.to_owned())), "{line}");
            } else {
                let (name, value) = line.rsplit_once(' ').expect("a value");
                let bare = name.split('{').next().expect("a name");
                let kind = types.get(&current).unwrap_or_else(|| panic!("{line}: no type"));
                let is_part = match kind.as_str() {
                    "histogram" => ["_bucket", "_sum", "_count"]
                        .iter()
                        .any(|end| bare.strip_suffix(end) == Some(&current)),
                    _ => bare == current,
                };
                assert!(is_part && is_name(bare), "{line}: below {current}");
                assert_eq!(kind == "counter", bare.ends_with("_total"), "{line}");
                assert!(bare.starts_with("mcpproxy_collector_"), "{line}");
                check_labels(&name[bare.len()..]);
                let number: f64 = value.parse().unwrap_or_else(|_| panic!("{line}: no number"));
                assert!(number.is_finite() && number >= 0.0, "{line}");
                assert!(samples.insert(name.to_owned(), number).is_none(), "{line}: twice");
            }
        }
        for (name, _) in types.iter().filter(|(_, kind)| *kind == "histogram") {
            check_histogram(name, text, &samples);
        }
        Self(samples)
    }

    fn get(&self, name: &str) -> f64 {
        let name = format!("mcpproxy_collector_{name}");
        *self.0.get(&name).unwrap_or_else(|| panic!("there is no {name}"))
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

/// `{name="value",..}` or nothing.
fn check_labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("braces");
    for label in inner.split(',') {
        let (name, value) = label.split_once('=').expect("a label");
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        assert!(is_name(name) && value.is_some_and(|value| !value.contains(['"', '\\'])), "{text}");
    }
}

fn check_histogram(name: &str, text: &str, samples: &BTreeMap<String, f64>) {
    let buckets: Vec<(f64, f64)> = text
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(&format!("{name}_bucket{{le=\""))?;
            let (bound, value) = rest.split_once("\"} ")?;
            Some((bound.parse().expect("a bound"), value.parse().expect("a number")))
        })
        .collect();
    assert!(buckets.len() > 1 && buckets.windows(2).all(|two| two[0].0 < two[1].0), "{name}");
    assert!(buckets.windows(2).all(|two| two[0].1 <= two[1].1), "{name}: they add up");
    let last = buckets.last().expect("a bucket");
    assert!(last.0.is_infinite() && last.1 == samples[&format!("{name}_count")], "{name}");
    assert!(samples.contains_key(&format!("{name}_sum")), "{name}");
}

fn metrics(collector: &Collector, base: &str) -> Metrics {
    let answer = collector.get(&format!("{base}/metrics"));
    assert_eq!(answer.code, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(!answer.body.contains(PRODUCT), "nothing about who");
    Metrics::parse(&answer.body)
}

#[test]
fn metrics_count_what_was_answered_and_name_no_one() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--base-path", "/t"];
    let today = now();
    let clock = StoppedClock::at(place.path().join("clock"), today);
    let collector = Collector::start_with(&place.path().join("data"), &words, &[clock.variable()]);
    let before = metrics(&collector, "/t");
    assert_eq!(before.get("heartbeats_total{answer=\"stored\"}"), 0.0);
    assert_eq!(before.get("ready"), 1.0);
    let mut client = collector.connect();
    let mut post = |kind: &str, body: &[u8]| {
        let head = format!(
            "POST /t/heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.ask(&[head.as_bytes(), body].concat()).expect("an answer").code
    };
    let json = "application/json";
    let other = String::from_utf8(heartbeat(9, today)).expect("text").replace(PRODUCT, "other-mcp");
    for (kind, body, code) in [
        (json, heartbeat(1, today), 200),
        (json, heartbeat(2, today), 200),
        (json, heartbeat(1, today), 200),
        (json, heartbeat(1, today + 1), 200),
        (json, heartbeat(1, today + 2), 200),
        (json, heartbeat(1, today + 3), 429),
        (json, b"{".to_vec(), 400),
        (json, b"[1,2".to_vec(), 400),
        (json, b"{}".to_vec(), 400),
        (json, other.into_bytes(), 400),
        (json, vec![b' '; 9_000], 413),
        ("text/plain", heartbeat(3, today), 415),
    ] {
        assert_eq!(post(kind, &body), code, "{}", String::from_utf8_lossy(&body));
    }
    let after = metrics(&collector, "/t");
    for (name, expected) in [
        ("heartbeats_total{answer=\"stored\"}", 4.0),
        ("heartbeats_total{answer=\"duplicate\"}", 1.0),
        ("heartbeats_total{answer=\"too_many\"}", 1.0),
        ("refused_total{rule=\"syntax\"}", 2.0),
        ("refused_total{rule=\"shape\"}", 1.0),
        ("refused_total{rule=\"product\"}", 1.0),
        ("refused_total{rule=\"size\"}", 1.0),
        ("refused_total{rule=\"type\"}", 1.0),
        ("refused_total{rule=\"leak\"}", 0.0),
        ("heartbeats_total{answer=\"other\"}", 0.0),
        ("database_errors_total", 0.0),
        ("queue_length", 0.0),
    ] {
        assert_eq!(after.get(name), expected, "{name}");
    }
    assert!(after.get("commit_seconds_count") >= 1.0 && after.get("commit_seconds_sum") > 0.0);
    assert!(after.get("database_bytes") > 10_000.0);
    // The one of `post`, and the one that asks.
    assert!(after.get("connections") >= 2.0);
    assert_eq!(after.get("snapshot_age_seconds"), 0.0);
    clock.set(today + 7);
    assert_eq!(metrics(&collector, "/t").get("snapshot_age_seconds"), 7.0);
}

/// An address of this machine that is not loopback.
fn own_address() -> Option<std::net::IpAddr> {
    // No packet is sent: the system only chooses the way.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn metrics_are_for_this_machine_and_for_the_key() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--listen", "0.0.0.0:0"];
    let collector = Collector::start_with(place.path(), &words, &[]);
    let port = collector.address.port();
    let key = std::fs::read_to_string(place.path().join("pages.key")).expect("a key");
    let key = key.trim();
    let ask = |address: SocketAddr, query: &str, headers: &str| {
        let request = format!("GET /metrics{query} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = Client::connect(address).and_then(|mut client| client.ask(request.as_bytes()));
        let answer = answer.expect("an answer");
        assert_eq!(answer.code == 200, answer.body.contains("mcpproxy_collector_"), "{answer:?}");
        answer.code
    };
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let other = own_address().map(|ip| SocketAddr::new(ip, port));
    if other.is_none() {
        skipped!("metrics beyond loopback: this machine has no other address");
    }
    assert_eq!(ask(here, "", ""), 200);
    let forwarded = "x-forwarded-for: 127.0.0.1\r\n";
    let places = [(here, forwarded)].into_iter().chain(other.map(|other| (other, "")));
    for (address, forwarded) in places {
        assert_eq!(ask(address, "", forwarded), 401, "{address}");
        assert_eq!(ask(address, "?key=wrong", forwarded), 401);
        assert_eq!(ask(address, "", &format!("{forwarded}authorization: Bearer wrong\r\n")), 401);
        assert_eq!(ask(address, &format!("?key={key}"), forwarded), 200);
        assert_eq!(ask(address, "", &format!("{forwarded}authorization: Bearer {key}\r\n")), 200);
        assert_eq!(ask(address, "", &format!("{forwarded}x-api-key: {key}\r\n")), 200);
    }
}

#[test]
fn the_privacy_page_is_open_and_made_of_the_settings() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words =
        ["--product", PRODUCT, "--base-path", "/t", "--contact", "<b>privacy</b>@example.org"];
    let collector = Collector::start_with(place.path(), &words, &[]);
    let page = collector.get("/t/privacy");
    assert_eq!(page.code, 200);
    assert!(
        page.header("content-security-policy").is_some_and(|it| it.contains("default-src 'none'"))
    );
    let endpoint = collector.get("/t/healthz");
    assert!(endpoint.body.starts_with(r#"{"alive":true,"numbers_age_seconds":"#), "{endpoint:?}");
    assert!(endpoint.body.ends_with(r#","fresh":true}"#), "{endpoint:?}");
    for words in [
        "&lt;b&gt;privacy&lt;/b&gt;@example.org",
        "mcpproxy telemetry forget",
        "400 days",
        "25 months",
        "http://x/t",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(!page.body.contains("<b>privacy") && !page.body.contains(PRODUCT));
    // Its style is found next to it, whatever it is called from.
    assert!(page.body.contains("href=\"style.css\""));
    assert_eq!(collector.get("/t/style.css").code, 200);
    for path in ["/privacy", "/metrics", "/healthz", "/readyz", "/", "/retention"] {
        assert_eq!(collector.get(path).code, 404, "{path} is not below the base path");
    }
    collector.stop();
    let collector = Collector::start(place.path());
    assert!(collector.get("/privacy").body.contains("has named nobody else"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut collector = Collector::start(place.path());
    let mut client = collector.connect();
    let head = "POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 900\r\n\r\n";
    assert_eq!(client.ask(head.as_bytes()).expect("an answer").code, 100);
    collector.ask_to_stop();
    wait_until("no new connection is taken", || Client::connect(collector.address).is_err());
    collector.ask_to_stop();
    assert_eq!(collector.ended().code(), Some(130), "it did not wait for the body");
}

/// Senders that do not stop: what was acknowledged is stored, and what was not is not acknowledged.
fn stop_under_load(connect: impl Fn(SocketAddr) -> Client + Send + Sync + 'static, words: &[&str]) {
    const SENDERS: u64 = 16;
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = [&["--product", PRODUCT][..], words].concat();
    let mut collector = Collector::start_with(&place.path().join("data"), &words, &[]);
    let (address, stored) = (collector.address, Arc::new(AtomicU64::new(0)));
    let connect = Arc::new(connect);
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (stored, connect) = (stored.clone(), connect.clone());
            std::thread::spawn(move || {
                let mut client = connect(address);
                let mut acknowledged = 0_u64;
                for number in 0.. {
                    let install = sender << 32 | number;
                    if client
                        .send(&crate::running::request(
                            "content-type: application/json\r\n",
                            &heartbeat(install, now()),
                        ))
                        .is_err()
                    {
                        break;
                    }
                    match client.answer() {
                        Ok(answer) => assert!(answer.is_stored(), "{answer:?}"),
                        // It was closed before the request was read.
                        Err(_) => break,
                    }
                    acknowledged += 1;
                    stored.fetch_add(1, Ordering::Relaxed);
                }
                acknowledged
            })
        })
        .collect();
    wait_until("they send", || stored.load(Ordering::Relaxed) > 20 * SENDERS);
    collector.ask_to_stop();
    assert!(collector.ended().success());
    let acknowledged: u64 = senders.into_iter().map(|it| it.join().expect("a sender")).sum();
    let kept = collector.reader().rows(PRODUCT).expect("rows").len() as u64;
    // A request may be on its way to a socket that has closed: it is not accepted, and not stored.
    assert_eq!(kept, acknowledged, "everything accepted was answered");
}

#[test]
fn a_stop_under_load_answers_all_that_it_accepts() {
    stop_under_load(|address| Client::connect(address).expect("a connection"), &[]);
}

#[test]
fn a_stop_under_load_answers_all_that_it_accepts_through_tls() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    stop_under_load(client, &files.words());
}
