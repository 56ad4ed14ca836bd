//! The collector seen from outside: what a maintainer wants to know before the first user arrives.
//!
//! One rule: it leaves nothing behind. The one install that it sends is erased again, and where that fails, it says
//! which one it is.

mod probe;
mod wire;

pub use wire::{Dialer, Endpoint};

use super::public::page::TITLE;
use super::tls::SOON;
use crate::contract::{MAX_PAYLOAD_BYTES, timestamp};
use crate::json::Node;
use wire::{Answer, WireError};

/// More requests than one network may send, however slowly they arrive. The first answer with 429 ends them.
const TOO_MANY: usize = 1_000;
/// So many are sent before their answers are read.
const IN_A_ROW: usize = 50;
const JSON: &str = "content-type: application/json\r\n";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
    /// It was not looked at.
    Skipped,
}

impl Level {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// A stable word.
    pub name: &'static str,
    /// How it ended.
    pub level: Level,
    /// One sentence, without its period.
    pub found: String,
    /// What to do, if there is something to do.
    pub advice: Option<&'static str>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, found: found.into(), advice: None }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: &'static str) -> Self {
        Self { name, level: Level::Fail, found: found.into(), advice: Some(advice) }
    }

    /// Ok where `is_ok`, else a failure.
    fn of(
        name: &'static str,
        is_ok: bool,
        words: impl Into<String>,
        found: &dyn Fn() -> String,
        advice: &'static str,
    ) -> Self {
        if is_ok { Self::ok(name, words) } else { Self::fail(name, found(), advice) }
    }

    /// For `-o json`.
    pub(crate) fn to_node(&self) -> Node {
        Node::Object(vec![
            ("name", self.name.into()),
            ("level", self.level.as_str().into()),
            ("found", self.found.as_str().into()),
            ("advice", self.advice.into()),
        ])
    }
}

/// What came of a request, in a few words.
fn outcome(result: &Result<Answer, WireError>) -> String {
    match result {
        Ok(answer) => format!("it answers {}", answer.code),
        Err(error) => error.to_string(),
    }
}

fn is_code(result: &Result<Answer, WireError>, code: u16) -> bool {
    result.as_ref().is_ok_and(|answer| answer.code == code)
}

fn is_answer(result: &Result<Answer, WireError>, code: u16, part: &str) -> bool {
    result.as_ref().is_ok_and(|answer| answer.code == code && answer.body.contains(part))
}

/// Every check, in the order in which errors spread. Without a product no heartbeat is sent.
pub fn examine(dialer: &Dialer, product: Option<&str>, now: u64) -> Vec<Check> {
    let mut checks = match dialer.connect() {
        Ok(wire) => vec![
            Check::ok("connection", "it accepts connections"),
            encryption(dialer, wire.certificate_ends, now),
        ],
        Err(error @ WireError::Tls(_)) => {
            return vec![
                Check::ok("connection", "it accepts connections"),
                Check::fail(
                    "certificate",
                    error.to_string(),
                    "serve the full chain of a certificate for this name that has not ended; name the authority of a private one with --ca FILE",
                ),
            ];
        }
        Err(error) => {
            return vec![Check::fail(
                "connection",
                error.to_string(),
                "start the collector or its proxy, and check name, port and firewall",
            )];
        }
    };
    let get = |path: &str| dialer.ask("GET", path, "", b"");
    let alive = get("/healthz");
    checks.push(Check::of(
        "alive",
        is_answer(&alive, 200, "\"alive\":true"),
        "GET /healthz says that it is alive",
        &|| format!("GET /healthz: {}", outcome(&alive)),
        "check the path (--base-path, and what the proxy passes on) and that a collector is behind it",
    ));
    if !is_answer(&alive, 200, "\"alive\":true") {
        return checks;
    }
    checks.push(Check::of(
        "fresh",
        is_answer(&alive, 200, "\"fresh\":true"),
        "its numbers are less than an hour old",
        &|| "its numbers are older than an hour".to_owned(),
        "read the collector's log: the database cannot be read",
    ));
    let ready = get("/readyz");
    checks.push(Check::of(
        "ready",
        is_code(&ready, 200),
        "it can store heartbeats",
        &|| format!("GET /readyz: {}", outcome(&ready)),
        "read the collector's log: the database cannot be written",
    ));
    checks.push(closed(dialer));
    checks.push(public(dialer));
    checks.push(metrics(dialer));
    let privacy = get("/privacy");
    checks.push(Check::of(
        "privacy page",
        is_answer(&privacy, 200, "What this collector keeps"),
        "GET /privacy is open",
        &|| format!("GET /privacy: {}", outcome(&privacy)),
        "let the proxy pass it on: your users read there what is kept",
    ));
    let junk = dialer.ask("POST", "/heartbeat", JSON, b"junk");
    checks.push(Check::of(
        "junk",
        is_answer(&junk, 400, "\"rule\":\"syntax\""),
        "a body that is no heartbeat is refused",
        &|| format!("a body that is no heartbeat: {}", outcome(&junk)),
        "let the proxy pass on POST /heartbeat and its answer as they are",
    ));
    let big = dialer.ask("POST", "/heartbeat", JSON, &vec![b' '; MAX_PAYLOAD_BYTES + 1]);
    checks.push(Check::of(
        "size",
        is_code(&big, 413),
        "a body that is too long is refused",
        &|| format!("a body that is too long: {}", outcome(&big)),
        "let the proxy pass on POST /heartbeat and its answer as they are",
    ));
    match product {
        Some(product) => checks.extend(probe::heartbeat(dialer, product, now)),
        None => checks.push(Check {
            name: "heartbeat",
            level: Level::Skipped,
            found: "no heartbeat was sent".to_owned(),
            advice: Some(
                "name a product with --product NAME: an install of it is sent and erased again",
            ),
        }),
    }
    // The last one: for some seconds this network is answered with 429.
    checks.push(forged(dialer));
    checks
}

fn encryption(dialer: &Dialer, ends: Option<u64>, now: u64) -> Check {
    const NAME: &str = "certificate";
    let endpoint = dialer.endpoint();
    if !endpoint.is_secure {
        return match endpoint.is_loopback() {
            true => Check::ok(NAME, "plain HTTP, which clients use on their own machine only"),
            false => Check::fail(
                NAME,
                "plain HTTP: clients send to https:// only, but on their own machine",
                "start it with --tls-cert and --tls-key, or put a proxy with TLS in front of it",
            ),
        };
    }
    let days = ends.map(|ends| ends.saturating_sub(now) / timestamp::DAY);
    let Some(days) = days else { return Check::ok(NAME, "it is valid") };
    let found = format!("it is valid, for {days} days more");
    match days < SOON {
        false => Check::ok(NAME, found),
        true => Check {
            name: NAME,
            level: Level::Warn,
            found,
            advice: Some("renew it, and see why that did not happen by itself"),
        },
    }
}

/// No page and no export is shown without the key.
fn closed(dialer: &Dialer) -> Check {
    let paths = ["/", "/retention", "/activation", "/overview.json", "/retention.csv"];
    for path in paths {
        let answer = dialer.ask("GET", path, "", b"");
        if !is_code(&answer, 401) {
            return Check::fail(
                "pages",
                format!("GET {path} without the key: {}", outcome(&answer)),
                "the answer must be the collector's 401: let the proxy add no key and no cookie, and no page of its own",
            );
        }
    }
    Check::ok("pages", "they are closed without the key")
}

/// A public page is one that the operator has asked for: it says what it is.
fn public(dialer: &Dialer) -> Check {
    const NAME: &str = "public page";
    let answer = dialer.ask("GET", "/public", "", b"");
    match answer {
        Ok(ref page) if page.code == 200 && page.body.contains(TITLE) => {
            Check::ok(NAME, "GET /public shows everybody rounded numbers, as --public asks")
        }
        Ok(Answer { code: 401 | 403 | 404, .. }) => Check::ok(NAME, "there is none"),
        other => Check::fail(
            NAME,
            format!("GET /public: {}", outcome(&other)),
            "let the proxy pass it on as it is, or answer 404",
        ),
    }
}

fn metrics(dialer: &Dialer) -> Check {
    const NAME: &str = "metrics";
    let answer = dialer.ask("GET", "/metrics", "", b"");
    let is_open = is_code(&answer, 200);
    match is_open {
        true if dialer.endpoint().is_loopback() => Check::ok(NAME, "they are open to this machine"),
        true => Check::fail(
            NAME,
            "GET /metrics is open without the key",
            "let the proxy set X-Forwarded-For, by which the collector knows that a request comes from elsewhere",
        ),
        // A proxy that does not pass them on is as good.
        false if [401, 403, 404].iter().any(|code| is_code(&answer, *code)) => {
            Check::ok(NAME, "they are closed without the key")
        }
        false => Check::fail(
            NAME,
            format!("GET /metrics: {}", outcome(&answer)),
            "let the proxy pass it on, or answer 404",
        ),
    }
}

/// Requests in a row that each claim another sender. Where that is believed, nothing limits anybody.
fn forged(dialer: &Dialer) -> Check {
    const NAME: &str = "forged header";
    let result = (|| -> Result<bool, WireError> {
        let mut wire = dialer.connect()?;
        for start in (0..TOO_MANY).step_by(IN_A_ROW) {
            let mut requests = Vec::new();
            for number in start..start + IN_A_ROW {
                // Addresses of documentation and of tests, each in a network of its own.
                let (one, two) = (18 + number / 256 % 2, number % 256);
                let headers = format!("x-forwarded-for: 198.{one}.{two}.7\r\n");
                requests.extend(dialer.request("POST", "/heartbeat", &headers, b""));
            }
            wire.send(&requests)?;
            for _ in 0..IN_A_ROW {
                if wire.answer("POST")?.code == 429 {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    })();
    match result {
        Ok(true) => Check::ok(NAME, "whom a request claims to be from changes no limit"),
        // A proxy on this machine is trusted, and so is this program.
        Ok(false) if dialer.endpoint().is_loopback() => Check::fail(
            NAME,
            "requests that each claim another sender meet no limit",
            "if --trusted-proxy names this machine, ask through the proxy, at the address that clients use; else it is no collector that answers",
        ),
        Ok(false) => Check::fail(
            NAME,
            "requests that each claim another sender meet no limit",
            "let --trusted-proxy name the proxies alone, and let the outermost one overwrite X-Forwarded-For",
        ),
        Err(error) => Check::fail(
            NAME,
            format!("requests in a row: {error}"),
            "let the proxy keep connections open for more than one request",
        ),
    }
}
