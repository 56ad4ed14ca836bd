//! One request, on networks that misbehave and through proxies.

use crate::receiver::{Receiver, Reply};
use mcpproxy::consent::Target;
use mcpproxy::heartbeat::post::{Answer, post};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn target(endpoint: &str) -> Target {
    Target::new(endpoint).expect("an endpoint")
}

fn post_with(endpoint: &str, variables: &[(&str, String)]) -> Answer {
    post(&target(endpoint), b"{}", &|name| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    })
}

/// The receiver as a proxy: it refuses, but it has seen what it was asked.
fn proxy() -> Receiver {
    Receiver::start([Reply::status(503), Reply::status(503)])
}

#[test]
fn https_goes_through_the_proxy_that_is_set() {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"] {
        let proxy = proxy();
        let answer = post_with("https://telemetry.invalid", &[(name, proxy.endpoint())]);
        assert_eq!(answer, Answer::NetworkError("the proxy refused the connection"), "{name}");
        let requests = proxy.requests();
        assert_eq!(requests[0].line, "CONNECT telemetry.invalid:443 HTTP/1.1", "{name}");
        assert!(requests[0].body.is_empty());
    }
}

#[test]
fn credentials_of_the_proxy_are_used() {
    let proxy = proxy();
    let url = format!("http://user:pa%20ss@127.0.0.1:{}", proxy.port());
    post_with("https://telemetry.invalid", &[("HTTPS_PROXY", url)]);
    let requests = proxy.requests();
    assert_eq!(requests[0].header("proxy-authorization"), Some("Basic dXNlcjpwYSBzcw=="));
}

#[test]
fn no_proxy_exempts_the_endpoint() {
    let proxy = proxy();
    let variables =
        [("HTTPS_PROXY", proxy.endpoint()), ("NO_PROXY", "other.example, .invalid".to_owned())];
    let answer = post_with("https://telemetry.invalid", &variables);
    assert!(matches!(answer, Answer::NetworkError(_)), "{answer:?}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn a_proxy_that_is_no_address_is_not_gone_around() {
    for broken in ["http://", "gopher://127.0.0.1", "::::"] {
        let answer = post_with("https://telemetry.invalid", &[("HTTPS_PROXY", broken.to_owned())]);
        let why = "the proxy variable holds no proxy address";
        assert_eq!(answer, Answer::NetworkError(why), "{broken}");
    }
}

#[test]
fn a_socks_proxy_is_a_proxy() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let greeting = std::thread::spawn(move || {
        let mut first = [0; 2];
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.read_exact(&mut first).map(|()| first)
    });
    let url = format!("socks5h://127.0.0.1:{port}");
    let answer = post_with("https://telemetry.invalid", &[("ALL_PROXY", url)]);
    assert!(matches!(answer, Answer::NetworkError(_)), "{answer:?}");
    let version_and_methods = greeting.join().expect("no panic").expect("a greeting");
    assert_eq!(version_and_methods[0], 5);
}

#[test]
fn loopback_never_goes_through_a_proxy() {
    let (proxy, receiver) = (proxy(), Receiver::start([]));
    let all = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"];
    let variables = all.map(|name| (name, proxy.endpoint()));
    assert_eq!(post_with(&receiver.endpoint(), &variables), Answer::Status(202, None));
    assert_eq!((proxy.connections(), receiver.connections()), (0, 1));
}

#[test]
fn an_endless_answer_is_not_read() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut sent = stream.write_all(head);
        while sent.is_ok() {
            sent = stream.write_all(b"5\r\nhello\r\n");
        }
    });
    let begun = Instant::now();
    assert_eq!(post_with(&endpoint, &[]), Answer::Status(200, None));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_answer_that_trickles_is_given_up_after_ten_seconds() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(300));
            sent = stream.write_all(b"x-more: 1\r\n");
        }
    });
    let begun = Instant::now();
    assert_eq!(post_with(&endpoint, &[]), Answer::NetworkError("timed out"));
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
}

#[test]
fn a_black_hole_costs_three_seconds() {
    // A backlog that is full: what comes next is neither accepted nor refused.
    let script = "import socket,sys\n\
        s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(0)\n\
        fill=[]\n\
        for _ in range(4):\n c=socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); fill.append(c)\n\
        print(s.getsockname()[1], flush=True); sys.stdin.read()\n";
    let python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("python3 is not there: a backlog of nothing cannot be made from std; not tested");
        return;
    };
    let mut line = String::new();
    let stdout = python.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut line).expect("a port");
    let begun = Instant::now();
    let answer = post_with(&format!("http://127.0.0.1:{}", line.trim()), &[]);
    let took = begun.elapsed();
    drop(python.stdin.take());
    let _ = python.wait();
    assert_eq!(answer, Answer::NetworkError("timed out"));
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&took), "{took:?}");
}
