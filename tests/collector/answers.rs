//! Every answer of the table, over real sockets.

use crate::running::{
    Client, Collector, PRODUCT, heartbeat, heartbeat_of, heartbeat_v3, kept, now, request,
};

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn what_is_stored_is_acknowledged_and_what_was_stored_is_a_duplicate() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let beat = heartbeat(1, now());
    let answer = collector.post(&beat);
    assert!(answer.is_stored(), "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(collector.post(&beat).is_duplicate());
    // Schema 3 has no product: it is ours.
    assert!(collector.post(&heartbeat_v3(1, now())).is_stored());
    assert_eq!(kept(&collector.reader()), (1, 1));
    assert_eq!(collector.reader().rows("mcpproxy").map(|rows| rows.len()), Ok(1));
    // A charset that says what JSON is anyway.
    let mut client = collector.connect();
    let utf8 = "content-type: Application/JSON; charset=\"UTF-8\"\r\n";
    assert!(client.post_as(utf8, &heartbeat(2, now())).expect("an answer").is_stored());
    // And a body in chunks, on the same connection.
    let beat = heartbeat(3, now());
    let head =
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
    let chunk = [format!("{:x}\r\n", beat.len()).as_bytes(), &beat, b"\r\n0\r\n\r\n"].concat();
    let answer = client.ask(&[head.as_bytes(), &chunk].concat()).expect("an answer");
    assert!(answer.is_stored(), "{answer:?}");
    let same = collector.get("/readyz");
    assert_eq!((same.code, same.body.as_str()), (200, r#"{"ready":true}"#));
    assert_eq!(collector.get("/healthz").code, 200);
}

#[test]
fn bad_input_is_answered_with_a_rule_and_a_place_and_never_with_a_value() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let good = String::from_utf8(heartbeat(1, now())).expect("text");
    let changed = |from: &str, to: &str| good.replace(from, to);
    let long = format!("{good}{}", " ".repeat(9_000));
    let huge = format!("{good}{}", " ".repeat(1 << 20));
    let cases: [(&str, &str, u16, &str, &str); 16] = [
        (JSON, "", 400, "syntax", ""),
        (JSON, "{", 400, "syntax", ""),
        (JSON, &changed("\"linux\"", "9"), 400, "shape", "/os"),
        (
            JSON,
            &changed("\"server_count\":1", "\"server_count\":-1"),
            400,
            "shape",
            "/server_count",
        ),
        (
            JSON,
            &changed("\"schema_version\":4", "\"schema_version\":2"),
            400,
            "shape",
            "/schema_version",
        ),
        (
            JSON,
            &changed("{\"schema_version\"", "{\"secret\":1,\"schema_version\""),
            400,
            "shape",
            "",
        ),
        (
            JSON,
            &changed("claude-code", "ghp-0123456789abcdefghijklmnopqrstuvwxyz"),
            400,
            "leak",
            "/activation/mcp_clients_seen_ever/0",
        ),
        (JSON, &changed(PRODUCT, "other-mcp"), 400, "product", "/product/name"),
        (JSON, &long, 413, "size", ""),
        (JSON, &huge, 413, "size", ""),
        ("", &good, 415, "type", ""),
        ("content-type: text/plain\r\n", &good, 415, "type", ""),
        ("content-type: application/json; charset=latin1\r\n", &good, 415, "type", ""),
        ("content-type: application/json\r\ncontent-type: text/plain\r\n", &good, 415, "type", ""),
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", &good, 415, "type", ""),
        ("content-type: application/json, text/plain\r\n", &good, 415, "type", ""),
    ];
    for (headers, body, code, rule, field) in cases {
        let start = &body[..body.len().min(60)];
        let mut client = collector.connect();
        // A sender of far too much may see the answer before it has sent everything.
        let _ = client.send(&request(headers, body.as_bytes()));
        let answer = client.answer().unwrap_or_else(|error| panic!("{rule} {start}: {error}"));
        let expected = format!(r#"{{"rule":"{rule}","field":"{field}"}}"#);
        assert_eq!((answer.code, answer.body), (code, expected), "{start}");
    }
    // Schema 4 without its product is not ours.
    let without = format!(r#""product":{{"name":"{PRODUCT}","version":"1.4.0"}},"#);
    assert_eq!(collector.post(changed(&without, "").as_bytes()).code, 400);
    // Chunks that are none.
    let head = "POST /heartbeat HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n";
    let broken = collector.connect().ask(format!("{head}{JSON}\r\nZZ\r\n").as_bytes());
    let broken = broken.expect("an answer");
    assert_eq!((broken.code, broken.body.as_str()), (400, r#"{"rule":"syntax","field":""}"#));
    // A body of bytes that are no text.
    assert_eq!(collector.post(&[0xff; 100]).code, 400);
    assert_eq!(kept(&collector.reader()), (0, 0));
    assert!(collector.post(good.as_bytes()).is_stored(), "and the next honest one is stored");
}

#[test]
fn other_paths_and_methods_are_404_and_405() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let words = ["--product", PRODUCT, "--base-path", "/t/v1/"];
    let collector = Collector::start_with(place.path(), &words, &[]);
    assert!(collector.endpoint().ends_with("/t/v1"));
    let allowed = |method: &str, path: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let answer = collector.connect().ask(request.as_bytes()).expect("an answer");
        (answer.code, answer.header("allow").map(str::to_owned))
    };
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        assert_eq!(allowed(method, "/t/v1/heartbeat"), (405, Some("POST".to_owned())), "{method}");
    }
    assert_eq!(allowed("POST", "/t/v1/healthz").0, 405);
    for path in ["/heartbeat", "/t/heartbeat", "/t/v1/heartbeat/", "/t/v1/heartbeats"] {
        assert_eq!(allowed("POST", path), (404, None), "{path}");
    }
    assert_eq!(collector.get("/t/v1/healthz").code, 200);
    let mut request = format!("POST /t/v1/heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}");
    let beat = heartbeat(1, now());
    request.push_str(&format!("content-length: {}\r\n\r\n", beat.len()));
    let answer = collector.connect().ask(&[request.as_bytes(), &beat].concat());
    assert!(answer.expect("an answer").is_stored());
}

#[test]
fn no_answer_shares_its_window_or_its_bytes_with_another_site() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start_with(place.path(), &["--product", PRODUCT], &[]);
    for (asked, code) in [
        ("GET /", 401),
        ("GET /privacy", 200),
        ("GET /style.css", 200),
        ("GET /healthz", 200),
        ("POST /healthz", 405),
        ("GET /heartbeat", 405),
        ("POST /heartbeat", 415),
        ("GET /nowhere", 404),
        ("CONNECT example.org:443", 400),
    ] {
        let request = format!("{asked} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let answer = collector.connect().ask(request.as_bytes()).expect("an answer");
        assert_eq!(answer.code, code, "{asked}");
        for policy in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
            assert_eq!(answer.header(policy), Some("same-origin"), "{asked}: {policy}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{asked}");
    }
}

#[test]
fn a_fourth_heartbeat_of_a_day_of_receipt_waits_for_the_next() {
    let place = tempfile::tempdir().expect("a temporary directory");
    // Noon of some day by the clock of the collector.
    let noon = 21_000 * 86_400 + 12 * 3600;
    let clock = |at: u64| (i128::from(at) - i128::from(now())).to_string();
    let words = ["--product", PRODUCT];
    let start = |at: u64| {
        Collector::start_with(place.path(), &words, &[("MCPPROXY_TEST_CLOCK_OFFSET", &clock(at))])
    };
    let collector = start(noon);
    for second in 0..3 {
        assert!(collector.post(&heartbeat(1, noon + second)).is_stored());
    }
    let fourth = heartbeat(1, noon + 3);
    let answer = collector.post(&fourth);
    assert_eq!((answer.code, answer.body.as_str()), (429, r#"{"stored":false}"#));
    let wait: u64 =
        answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a wait");
    assert!(wait <= 12 * 3600 && wait > 11 * 3600, "until 00:00 UTC, not {wait}");
    assert!(collector.post(&heartbeat(1, noon + 1)).is_duplicate(), "known ones stay welcome");
    assert!(collector.post(&heartbeat(2, noon)).is_stored(), "and so do others");
    collector.stop();
    // The wait was counted a moment after noon.
    let collector = start(noon + wait + 60);
    assert!(collector.post(&fourth).is_stored(), "the same bytes, a day later");
    assert_eq!(kept(&collector.reader()), (2, 5));
}

#[test]
fn an_unknown_product_is_kept_hidden_where_any_is_welcome() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start_with(place.path(), &["--any-product"], &[]);
    assert!(collector.post(&heartbeat_of("other-mcp", 1, now())).is_stored());
    let products = collector.reader().products().expect("products");
    let known: Vec<_> = products.iter().map(|p| (p.name.as_str(), p.standing)).collect();
    assert_eq!(known, [("other-mcp", mcpproxy::collector::row::Standing::Hidden)]);
}

#[test]
fn a_head_without_end_and_requests_that_mean_two_things_are_refused() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let mut client = collector.connect();
    let head = format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(100_000));
    let _ = client.send(head.as_bytes());
    // An answer, or the end of the connection: both are a refusal.
    assert!(client.answer().map_or(true, |answer| answer.code == 431), "a huge head");

    let beat = heartbeat(1, now());
    for headers in [
        // Two lengths; a length and chunks; a transfer that is not known.
        format!("content-length: {}\r\ncontent-length: 3\r\n", beat.len()),
        "transfer-encoding: gzip\r\n".to_owned(),
        "content-length: -1\r\n".to_owned(),
    ] {
        let head = format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}{headers}\r\n");
        let mut client = collector.connect();
        let _ = client.send(&[head.as_bytes(), &beat].concat());
        let answer = client.answer();
        assert!(answer.as_ref().map_or(true, |answer| answer.code == 400), "{headers} {answer:?}");
    }
    assert_eq!(kept(&collector.reader()), (0, 0));
    assert!(
        Client::connect(collector.address)
            .and_then(|mut c| c.post(&beat))
            .expect("an answer")
            .is_stored()
    );
}
