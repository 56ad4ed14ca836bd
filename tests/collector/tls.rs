//! TLS of the collector's own: certificates that are renewed, that do not work, and clients that do not speak it.

use crate::running::{
    Client, Collector, PATIENCE, PRODUCT, StoppedClock, collector, heartbeat, kept, now, program,
    wait_until,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A certificate of the tests, by the name of its file.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collector/certificates").join(name)
}

/// A certificate and its key in the directory of a test, where they may be changed.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Files {
    pub fn new(dir: &Path) -> Self {
        let files = Self { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
        files.hold("first");
        files
    }

    /// Puts another pair in their place, one file after the other.
    pub fn hold(&self, name: &str) {
        for (ending, path) in [("pem", &self.certificate), ("key", &self.key)] {
            let new = path.with_extension("new");
            std::fs::copy(fixture(&format!("{name}.{ending}")), &new).expect("a copy");
            Command::new("chmod").arg("600").arg(&new).status().expect("chmod");
            std::fs::rename(&new, path).expect("in place");
        }
    }

    pub fn words(&self) -> [&str; 4] {
        [
            "--tls-cert",
            self.certificate.to_str().expect("text"),
            "--tls-key",
            self.key.to_str().expect("text"),
        ]
    }
}

/// A TLS session that trusts the authority of the tests.
pub fn session(address: SocketAddr) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(fixture("authority.pem")).expect("a certificate");
    roots.add(authority).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "collector.example.org".try_into().expect("a name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("a session");
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    rustls::StreamOwned::new(session, stream)
}

/// HTTP through TLS.
pub fn client(address: SocketAddr) -> Client {
    Client::over(session(address))
}

/// The certificate that a new connection is greeted with.
fn greeted_with(address: SocketAddr) -> CertificateDer<'static> {
    let mut session = session(address);
    session.conn.complete_io(&mut session.sock).expect("a handshake");
    session.conn.peer_certificates().expect("certificates")[0].clone().into_owned()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(fixture(name)).expect("a certificate")
}

/// A collector with TLS, whose log is written to `log`.
fn start(dir: &Path, files: &Files, log: &Path, variables: &[(&str, &str)]) -> Collector {
    let mut command = program();
    command
        .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT])
        .arg("--data-dir")
        .arg(dir)
        .args(files.words())
        .envs(variables.iter().copied())
        .stderr(std::fs::File::create(log).expect("a log"));
    Collector::spawn(command, dir)
}

fn text(log: &Path) -> String {
    std::fs::read_to_string(log).expect("a log")
}

#[test]
fn heartbeats_arrive_through_tls_and_the_address_says_so() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    let collector = start(&place.path().join("data"), &files, &place.path().join("log"), &[]);
    assert!(collector.endpoint().starts_with("https://"));
    let mut client = client(collector.address);
    assert!(client.post(&heartbeat(1, now())).expect("an answer").is_stored());
    assert!(client.post(&heartbeat(1, now() + 1)).expect("an answer").is_stored());
    assert_eq!(kept(&collector.reader()), (1, 2));
    assert!(collector.stop().success());
    assert!(!text(&place.path().join("log")).contains("the file of --tls-key"));
}

#[test]
fn a_new_certificate_is_used_by_new_connections_and_one_that_does_not_work_by_none() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (files, log) = (Files::new(place.path()), place.path().join("log"));
    let collector = start(&place.path().join("data"), &files, &log, &[]);
    let mut old = client(collector.address);
    assert!(old.post(&heartbeat(1, now())).expect("an answer").is_stored());
    assert_eq!(greeted_with(collector.address), certificate("first.pem"));

    files.hold("second");
    let second = certificate("second.pem");
    wait_until("the new certificate", || greeted_with(collector.address) == second);
    assert!(old.post(&heartbeat(2, now())).expect("an answer").is_stored(), "the old connection");

    // The key of another one.
    std::fs::copy(fixture("first.key"), &files.key).expect("a copy");
    let said = || text(&log).matches("the old certificate stays in use").count();
    wait_until("it says so", || said() == 1);
    assert!(text(&log).contains("name the two files of one certificate"), "{}", text(&log));
    assert_eq!(greeted_with(collector.address), second);
    std::fs::remove_file(&files.certificate).expect("no file");
    wait_until("it says that", || said() == 2);
    assert_eq!(greeted_with(collector.address), second);
    files.hold("first");
    let first = certificate("first.pem");
    wait_until("the first certificate", || greeted_with(collector.address) == first);
    assert!(client(collector.address).post(&heartbeat(3, now())).expect("an answer").is_stored());
    // Each was said once, however often the files were looked at.
    assert_eq!(said(), 2, "{}", text(&log));
    assert!(collector.stop().success());
}

#[test]
fn files_that_do_not_work_are_refused_at_the_start_in_one_line() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("data");
    let path = |name: &str| fixture(name).to_str().expect("text").to_owned();
    let junk = place.path().join("junk");
    std::fs::write(&junk, "no certificate").expect("a file");
    let cut = place.path().join("cut");
    let whole = std::fs::read_to_string(fixture("first.pem")).expect("a certificate");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("a file");
    let mixed = place.path().join("mixed");
    let key = std::fs::read_to_string(fixture("first.key")).expect("a key");
    let zeros = key.lines().map(|line| if line.starts_with('-') { line } else { "AAAA" });
    std::fs::write(&mixed, zeros.collect::<Vec<_>>().join("\n")).expect("a file");
    let own = |path: &Path| path.to_str().expect("text").to_owned();
    let (first, key) = (path("first.pem"), path("first.key"));
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--tls-cert", &first], 2, "name both files"),
        (&["--tls-key", &key], 2, "name both files"),
        (&["--tls-cert", "", "--tls-key", &key], 2, "name both files"),
        (&["--tls-cert", &own(&junk), "--tls-key", &key], 1, "name the full chain"),
        (&["--tls-cert", &own(&cut), "--tls-key", &key], 1, "name the full chain"),
        (&["--tls-cert", &first, "--tls-key", &first], 1, "without a password"),
        (&["--tls-cert", &first, "--tls-key", &path("second.key")], 1, "two files of one"),
        (&["--tls-cert", &first, "--tls-key", &own(&mixed)], 1, "RSA, ECDSA or Ed25519"),
        (&["--tls-cert", &path("none"), "--tls-key", &key], 1, "may read"),
    ];
    for (words, code, remedy) in cases {
        let output = collector(&dir, &[words, &["--listen", "127.0.0.1:0"]].concat());
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(text.lines().count(), 1, "{words:?}: {text}");
        let exit = output.status.code();
        assert!(exit == Some(code) && text.contains(remedy), "{words:?}: {exit:?} {text}");
        assert!(!dir.exists(), "{words:?} made something");
    }
}

#[test]
fn a_key_that_others_may_read_and_a_certificate_that_ends_soon_are_warned_of() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (files, log) = (Files::new(place.path()), place.path().join("log"));
    Command::new("chmod").arg("644").arg(&files.key).status().expect("chmod");
    // It ends on 2049-12-31T23:59:59Z.
    let end = 2_524_607_999;
    for (at, words) in [(end - 13 * 86_400 - 60, "ends in 13 days"), (end + 60, "has ended")] {
        let clock = StoppedClock::at(place.path().join("clock"), at);
        let collector = start(&place.path().join("data"), &files, &log, &[clock.variable()]);
        for line in [words, "the file of --tls-key: make it 0600"] {
            wait_until(line, || text(&log).contains(line));
        }
        assert!(collector.stop().success());
    }
    let collector = start(&place.path().join("data"), &files, &log, &[]);
    assert!(collector.stop().success());
    assert!(!text(&log).contains("renew it"), "{}", text(&log));
}

#[test]
fn those_who_do_not_speak_tls_are_told_or_let_go() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    let collector = start(&place.path().join("data"), &files, &place.path().join("log"), &[]);
    let connect = || Client::connect(collector.address).expect("a connection");
    let answer = connect().post(&heartbeat(1, now())).expect("an answer");
    assert_eq!(answer.code, 400);
    assert!(answer.body.contains("https"), "{answer:?}");
    // Silence, half a greeting, no greeting: each ends, and none keeps others from being served.
    let mut quiet: Vec<Client> = (0..20)
        .map(|number| {
            let mut client = connect();
            let bytes: &[u8] =
                [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"\x00junk\r\n\r\n"][number % 3];
            client.send(bytes).expect("sent");
            client
        })
        .collect();
    assert!(client(collector.address).post(&heartbeat(1, now())).expect("an answer").is_stored());
    for client in &mut quiet {
        assert!(client.is_closed());
    }
    // An old version of TLS: SSL 3.0 in the record and in the greeting.
    let mut old = TcpStream::connect(collector.address).expect("a connection");
    old.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let hello = [&[0x16, 3, 0, 0, 43, 1, 0, 0, 39, 3, 0][..], &[7; 32], &[0, 0, 2, 0, 4]].concat();
    old.write_all(&hello).expect("sent");
    let mut rest = Vec::new();
    let _ = old.read_to_end(&mut rest);
    assert!(rest.len() < 64, "an alert or the end, and no session: {rest:?}");
    assert_eq!(kept(&collector.reader()), (1, 1));
}

#[test]
fn a_stop_answers_what_was_accepted_through_tls() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    let mut collector = start(&place.path().join("data"), &files, &place.path().join("log"), &[]);
    let mut clients: Vec<(Client, Vec<u8>)> = (0..30)
        .map(|install| {
            let (mut client, beat) = (client(collector.address), heartbeat(install, now()));
            let head = format!(
                "POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                 expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
                beat.len()
            );
            // It says that it waits for the body: the request is accepted.
            assert_eq!(client.ask(head.as_bytes()).expect("an answer").code, 100);
            (client, beat)
        })
        .collect();
    collector.ask_to_stop();
    wait_until("no new connection is taken", || Client::connect(collector.address).is_err());
    for (client, beat) in &mut clients {
        client.send(beat).expect("sent");
    }
    for (client, _) in &mut clients {
        assert!(client.answer().expect("an answer").is_stored());
    }
    assert!(collector.ended().success());
    assert_eq!(kept(&collector.reader()), (30, 30));
}
