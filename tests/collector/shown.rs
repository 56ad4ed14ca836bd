//! A collector whose database holds heartbeats as they arrived, and whose clock stands still enough to compare:
//! nothing, a few installs, many.

use crate::running::{Answer, Collector, PRODUCT, heartbeat, heartbeat_of, now, program};
use mcpproxy::collector::answer::Answer as Received;
use mcpproxy::collector::receive::Receiver;
use mcpproxy::collector::store::StoreOptions;
use mcpproxy::contract::timestamp;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

pub const DAY: u64 = 86_400;
/// The moment at which the pages are read here: a Saturday, 2026-W48.
pub const NOW: &str = "2026-11-28T12:00:00Z";
/// The Monday of 2026-W40: all its cells are final.
pub const OLD_MONDAY: &str = "2026-09-28T09:00:00Z";
/// The Monday of 2026-W48: all its cells are open.
pub const NEW_MONDAY: &str = "2026-11-23T09:00:00Z";

pub fn at(text: &str) -> u64 {
    timestamp::parse(text).expect("a time")
}

/// What the collector's clock must be moved by, so that it shows [`NOW`].
pub fn offset() -> String {
    (at(NOW).cast_signed() - now().cast_signed()).to_string()
}

/// Receives heartbeats as they arrived: at the time that each claims.
pub fn receive(dir: &Path, products: &[&str], heartbeats: &[(Vec<u8>, u64)]) {
    let options = StoreOptions {
        dir: dir.to_owned(),
        products: products.iter().map(|name| (*name).to_owned()).collect(),
        ephemeral: true,
        ..StoreOptions::default()
    };
    let receiver = Receiver::open(&options).expect("a database");
    let all = heartbeats.iter().map(|(bytes, at)| (bytes.as_slice(), *at));
    for answer in receiver.accept_all(all) {
        assert_eq!(answer, Received::Stored);
    }
}

/// A CI job instead of a person.
pub fn of_a_machine(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(bytes).expect("text");
    let text = text.replace(r#""env_kind":"interactive""#, r#""env_kind":"ci""#);
    text.replace(r#""has_ci_env":false"#, r#""has_ci_env":true"#).into_bytes()
}

/// 12 installs of an old week, of which 5 came back on day 8; 7 of the present week; 21 machines.
pub fn a_few() -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    for install in 0..12 {
        all.push((heartbeat(install, at(OLD_MONDAY)), at(OLD_MONDAY)));
        if install < 5 {
            let back = at(OLD_MONDAY) + 8 * DAY;
            all.push((heartbeat(install, back), back));
        }
    }
    for install in 12..19 {
        all.push((heartbeat(install, at(NEW_MONDAY)), at(NEW_MONDAY)));
    }
    for install in 19..40 {
        all.push((of_a_machine(heartbeat(install, at(NEW_MONDAY))), at(NEW_MONDAY)));
    }
    all
}

/// Thousands of installs over ten weeks, of two products.
pub fn many() -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    for install in 0..3000 {
        let first = at(OLD_MONDAY) + install * 7919 % (60 * DAY);
        let product = if install % 5 == 0 { "mcpproxy" } else { PRODUCT };
        for back in [0, 1, 8, 30] {
            let seen = first + back * DAY;
            if (back == 0 || install % (back + 2) < 2) && seen <= at(NOW) {
                let bytes = heartbeat_of(product, install, seen);
                all.push((if install % 7 == 0 { of_a_machine(bytes) } else { bytes }, seen));
            }
        }
    }
    all
}

/// A running collector whose clock shows [`NOW`], and a directory that lives as long.
pub struct Shown {
    pub collector: Collector,
    pub directory: tempfile::TempDir,
}

impl Shown {
    pub fn of(products: &[&str], heartbeats: &[(Vec<u8>, u64)]) -> Self {
        Self::with(products, heartbeats, &[])
    }

    pub fn with(products: &[&str], heartbeats: &[(Vec<u8>, u64)], words: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        receive(directory.path(), products, heartbeats);
        let clock = [("MCPPROXY_TEST_CLOCK_OFFSET", &*offset())];
        let collector = Collector::start_with(directory.path(), words, &clock);
        Self { collector, directory }
    }

    pub fn key(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("pages.key")).expect("the key");
        text.trim().to_owned()
    }

    pub fn ask(&self, path: &str, headers: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address());
        self.collector.connect().ask(request.as_bytes()).expect("an answer")
    }

    pub fn address(&self) -> String {
        self.collector.address.to_string()
    }

    /// With the key.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(path, &format!("x-api-key: {}\r\n", self.key()))
    }

    pub fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
        answer.body
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn report(&self, words: &[&str]) -> Output {
        let mut command = program();
        command.args(["collector", "report"]).args(words).arg("--data-dir");
        command.arg(self.directory.path()).env("MCPPROXY_TEST_CLOCK_OFFSET", offset());
        command.output().expect("the built command")
    }
}

pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// The words of a page, without elements.
pub fn words(html: &str) -> String {
    let mut out = String::new();
    let mut is_inside = false;
    for letter in html.chars() {
        match letter {
            '<' => is_inside = true,
            '>' => {
                is_inside = false;
                out.push(' ');
            }
            _ if !is_inside => out.push(letter),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
