//! Bytes that are meant to harm: requests that two readers understand differently, bodies that are no heartbeat.

use crate::running::{Collector, PRODUCT, heartbeat, kept, now, request};

const JSON: &str = "content-type: application/json\r\n";

/// How many final answers the bytes hold, and the code of the first.
fn answers(bytes: &[u8]) -> (usize, Option<u16>) {
    let text = String::from_utf8_lossy(bytes);
    let codes = text.split("HTTP/1.1 ").skip(1).chain(text.split("HTTP/1.0 ").skip(1));
    let codes = codes.filter_map(|rest| rest.get(..3)?.parse::<u16>().ok());
    let finals: Vec<u16> = codes.filter(|code| *code != 100).collect();
    (finals.len(), finals.first().copied())
}

#[test]
fn no_request_is_answered_twice_and_nothing_that_hides_in_one_is_stored() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    // What an attacker wants to have taken for a request of somebody else.
    let hidden = String::from_utf8(request(JSON, &heartbeat(666, now()))).expect("text");
    let (length, chunk) = (hidden.len(), format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len()));
    let post = |headers: &str, rest: &str| {
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}{headers}\r\n{rest}")
    };
    let all = format!("content-length: {length}\r\n");
    let (chunked, end) = ("transfer-encoding: chunked\r\n", format!("0\r\n\r\n{hidden}"));
    let cl = format!("content-length: {}\r\n", end.len());
    let many: String = (0..500).map(|n| format!("x-{n}: y\r\n")).collect();
    let shapes: Vec<(&str, String)> = vec![
        ("a length, then chunks", post(&format!("{cl}{chunked}"), &end)),
        ("chunks, then a length", post(&format!("{chunked}{cl}"), &end)),
        (
            "chunks that hide it from a length",
            post(&format!("content-length: 4\r\n{chunked}"), &chunk),
        ),
        ("chunks behind which it stands", post(chunked, &end)),
        ("chunks in capitals", post("Transfer-Encoding: CHUNKED\r\n", &end)),
        ("two lengths", post(&format!("content-length: 0\r\n{all}"), &hidden)),
        ("two lengths the other way", post(&format!("{all}content-length: 0\r\n"), &hidden)),
        ("two lengths in one", post(&format!("content-length: 0, {length}\r\n"), &hidden)),
        ("a length with a sign", post("content-length: +0\r\n", &hidden)),
        ("a negative length", post("content-length: -1\r\n", &hidden)),
        ("a length of another base", post("content-length: 0x0\r\n", &hidden)),
        ("a length beyond any", post("content-length: 99999999999999999999999\r\n", &hidden)),
        ("an encoding that is none", post("transfer-encoding: xchunked\r\n", &end)),
        ("another encoding last", post("transfer-encoding: chunked, identity\r\n", &end)),
        ("another encoding alone", post("transfer-encoding: identity\r\n", &hidden)),
        ("a tab in the encoding", post("transfer-encoding: \u{b}chunked\r\n", &end)),
        ("a space before the colon", post(&format!("{all}transfer-encoding : chunked\r\n"), &end)),
        ("a folded line", post("x: y\r\n transfer-encoding: chunked\r\n", &end)),
        ("a folded value", post("transfer-encoding:\r\n chunked\r\n", &end)),
        ("a NUL in a value", post("x: \0\r\n", &hidden)),
        ("a NUL in a name", post("x\0: y\r\n", &hidden)),
        ("a line without a colon", post("x\r\n", &hidden)),
        ("a return without its end", post("x: y\rz: 1\r\n", &hidden)),
        ("two hosts", post("host: y\r\n", &hidden)),
        ("no host", format!("POST /heartbeat HTTP/1.1\r\n{JSON}content-length: 0\r\n\r\n{hidden}")),
        ("a tunnel", format!("CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n{hidden}")),
        ("HTTP/0.9", format!("GET /healthz\r\n{hidden}")),
        ("HTTP/2", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}")),
        ("a version that is none", format!("GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n{hidden}")),
        (
            "chunks of HTTP/1.0",
            format!("POST /heartbeat HTTP/1.0\r\nhost: x\r\n{JSON}{chunked}\r\n{end}"),
        ),
        ("a space in the path", format!("POST /heart beat HTTP/1.1\r\nhost: x\r\n\r\n{hidden}")),
        ("many headers", post(&many, &hidden)),
        ("a huge header", post(&format!("x: {}\r\n", "y".repeat(1 << 20)), &hidden)),
        (
            "a huge path",
            format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n{hidden}", "y".repeat(1 << 17)),
        ),
        ("a handshake of TLS", format!("\u{16}\u{3}\u{1}\0\u{5}{hidden}")),
        // These are one request each, in the one way that everybody reads: it is their body.
        ("a body that is a request", post(&all, &hidden)),
        ("a body that waits", post(&format!("{all}expect: 100-continue\r\n"), &hidden)),
        (
            "a body of another type",
            format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{all}\r\n{hidden}"),
        ),
        ("a body for nobody", format!("POST /nowhere HTTP/1.1\r\nhost: x\r\n{all}\r\n{hidden}")),
        ("a body of a reader", format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{all}\r\n{hidden}")),
        (
            "a body of an upgrade",
            post(&format!("{all}connection: upgrade\r\nupgrade: h2c\r\n"), &hidden),
        ),
    ];
    // All at once: some connections stay open until their time is over.
    let sent: Vec<_> = shapes
        .iter()
        .map(|(name, bytes)| {
            let mut client = collector.connect();
            // It may be refused before it is whole.
            let _ = client.send(bytes.as_bytes());
            (name, client)
        })
        .collect();
    for (name, mut client) in sent {
        let (many, code) = answers(&client.rest());
        assert!(many <= 1, "{name}: {many} answers");
        let is_read = *name == "a body of a reader" && code == Some(200);
        assert!(is_read || code.is_none_or(|code| (400..500).contains(&code)), "{name}: {code:?}");
    }
    assert_eq!(kept(&collector.reader()), (0, 0));
    assert!(collector.post(&heartbeat(1, now())).is_stored(), "and the next honest one is stored");
}

#[test]
fn what_the_standard_lets_pass_is_one_request_for_everybody() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let beat = |install| String::from_utf8(heartbeat(install, now())).expect("text");
    let (one, two, three) = (beat(1), beat(2), beat(3));
    for whole in [
        // The whole address, as a proxy is asked (RFC 9112, 3.2.2), and lines without a return (2.2).
        format!(
            "POST http://x/heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {}\r\n\r\n{one}",
            one.len()
        ),
        format!(
            "POST /heartbeat HTTP/1.1\nhost: x\ncontent-type: application/json\ncontent-length: {}\n\n{two}",
            two.len()
        ),
    ] {
        let answer = collector.connect().ask(whole.as_bytes()).expect("an answer");
        assert!(answer.is_stored(), "{answer:?}");
    }
    // Two requests in one write are two, in their order.
    let mut client = collector.connect();
    let both = [request(JSON, three.as_bytes()), request(JSON, three.as_bytes())].concat();
    client.send(&both).expect("sent");
    assert!(client.answer().expect("an answer").is_stored());
    assert!(client.answer().expect("an answer").is_duplicate());
    assert_eq!(kept(&collector.reader()), (3, 3));
}

#[test]
fn chunks_end_their_connection_and_no_other_encoding_is_read() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let chunked = "transfer-encoding: chunked\r\n";
    // What stands behind the chunks is a request for a reader who goes by the length.
    let answer = |headers: &str, install| {
        let beat = String::from_utf8(heartbeat(install, now())).expect("text");
        let behind = request(JSON, &heartbeat(666, now()));
        let head = format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}{headers}\r\n");
        let body = format!("{:x}\r\n{beat}\r\n0\r\n\r\n", beat.len());
        let mut client = collector.connect();
        client.send(&[head.as_bytes(), body.as_bytes(), &behind].concat()).expect("sent");
        answers(&client.rest())
    };
    for (install, headers) in [
        (1, chunked.to_owned()),
        (2, format!("content-length: 4\r\n{chunked}")),
        (3, format!("{chunked}content-length: 4\r\n")),
        (4, "Transfer-Encoding: CHUNKED\r\n".to_owned()),
    ] {
        assert_eq!(answer(&headers, install), (1, Some(200)), "{headers}");
    }
    for headers in [
        "transfer-encoding: gzip, chunked\r\n".to_owned(),
        "transfer-encoding: chunked, chunked\r\n".to_owned(),
        format!("transfer-encoding: identity\r\n{chunked}"),
        format!("{chunked}{chunked}"),
    ] {
        assert_eq!(answer(&headers, 5), (1, Some(400)), "{headers}");
    }
    assert_eq!(kept(&collector.reader()), (4, 4));
}

#[test]
fn a_body_without_end_is_refused_after_its_first_bytes() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let mut client = collector.connect();
    let head =
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}transfer-encoding: chunked\r\n\r\n");
    client.send(head.as_bytes()).expect("sent");
    let chunk = format!("2000\r\n{}\r\n", " ".repeat(0x2000));
    // More than any buffer on the way holds.
    let taken = (0..10_000).take_while(|_| client.send(chunk.as_bytes()).is_ok()).count();
    assert!(taken < 10_000, "80 MB were taken");
    assert!(collector.post(&heartbeat(1, now())).is_stored());
}

#[test]
fn bodies_that_only_look_like_heartbeats_are_refused() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let good = String::from_utf8(heartbeat(1, now())).expect("text");
    let with = |from: &str, to: &[u8]| {
        let (before, after) = good.split_once(from).expect("a place");
        [before.as_bytes(), to, after.as_bytes()].concat()
    };
    let os = r#""os":"linux""#;
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("bytes that are no text", with(os, b"\"os\":\"lin\xffux\"")),
        ("an overlong letter", with(os, b"\"os\":\"lin\xc0\xb5x\"")),
        ("half a pair of surrogates", with(os, br#""os":"\ud800""#)),
        ("a NUL in a text", with(os, b"\"os\":\"linux\0\"")),
        ("an escaped NUL in a text", with(r#""timestamp":"20"#, br#""timestamp":"\u000020"#)),
        ("a NUL behind the end", [good.as_bytes(), b"\0"].concat()),
        ("another behind the end", [good.as_bytes(), good.as_bytes()].concat()),
        ("a mark of byte order", [b"\xef\xbb\xbf", good.as_bytes()].concat()),
        ("a member twice", with(os, br#""os":"linux","os":"linux""#)),
        ("a member twice, once escaped", with(os, br#""os":"linux","\u006fs":"linux""#)),
        ("lists in lists", "[".repeat(8_000).into_bytes()),
        ("objects in objects", r#"{"a":"#.repeat(1_600).into_bytes()),
        ("lists in a member", with(os, format!("\"os\":{}", "[".repeat(6_000)).as_bytes())),
        ("a number beyond any", with(r#""server_count":1"#, br#""server_count":1e999999"#)),
        (
            "a number of many digits",
            with(
                r#""server_count":1"#,
                format!("\"server_count\":{}", "9".repeat(5_000)).as_bytes(),
            ),
        ),
        ("no number", with(r#""server_count":1"#, br#""server_count":NaN"#)),
        ("an id of another form", with("1b4e28ba-", b"1b4e28ba")),
        ("a time that is none", with(r#""timestamp":"20"#, br#""timestamp":"xx"#)),
    ];
    for (name, body) in &bodies {
        let answer = collector.post(body);
        assert_eq!(answer.code, 400, "{name}: {answer:?}");
    }
    assert_eq!(kept(&collector.reader()), (0, 0));
    assert_eq!(collector.reader().rows(PRODUCT), Ok(Vec::new()));
    assert!(collector.post(good.as_bytes()).is_stored());
}
