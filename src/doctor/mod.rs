//! Is everything as it should be, and what to do about what is not.
//!
//! One rule: it changes nothing, and connects to nothing and starts no server unless it is told to.

mod data;
mod endpoint;
mod servers;
mod telemetry;
mod wiring;

#[cfg(feature = "serve")]
pub(crate) use servers::{ServerError, one as server};

use crate::build_info;
use crate::diagnostics::Code;
use crate::json::Node;
use crate::machine::{self, Surroundings};
use crate::paths::Place;
use crate::products::Subject;
use crate::status::Status;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

impl Level {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check. Holds no value of a file.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// A stable word.
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// One sentence, without its period.
    pub(crate) found: String,
    /// What to do, if there is something to do.
    pub(crate) advice: Option<String>,
    /// What the catalog calls it.
    pub(crate) code: Option<Code>,
    /// What a server wrote last on standard error, scrubbed.
    pub(crate) lines: Vec<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        let (found, lines) = (found.into(), Vec::new());
        Self { name, level: Level::Ok, found, advice: None, code: None, lines }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(name, found, advice) }
    }

    fn with(self, code: impl Into<Option<Code>>) -> Self {
        Self { code: code.into(), ..self }
    }

    pub(crate) fn to_node(&self) -> Node {
        Node::Object(vec![
            ("name", self.name.into()),
            ("level", self.level.as_str().into()),
            ("found", self.found.as_str().into()),
            ("advice", self.advice.clone().into()),
            ("code", self.code.map(Code::as_str).into()),
            ("lines", Node::List(self.lines.iter().map(|line| line.as_str().into()).collect())),
        ])
    }
}

/// Every check, in the order in which trouble spreads: about one product, and what it shares with all others.
/// Servers and clients are the gateway's, which is our own product.
pub(crate) fn examine(
    subject: Subject,
    place: Place,
    around: &Surroundings,
    is_online: bool,
) -> Vec<Check> {
    let (dir, is_own) = (&subject.dir.clone(), subject.is_own());
    let target = endpoint::target(&subject, around);
    let status = Status::read(subject, place, around, machine::now());
    let mut checks = vec![version()];
    checks.extend(data::directory(dir));
    checks.push(data::config(dir));
    checks.extend(data::users_config(dir));
    checks.extend(data::api_key(dir).filter(|_| is_own));
    checks.push(telemetry::consent(&status));
    checks.push(telemetry::identity(&status));
    checks.push(telemetry::notice(&status));
    checks.extend(telemetry::store(&status));
    checks.extend(telemetry::sent(&status));
    checks.extend(endpoint::check(target, is_online));
    checks.extend(endpoint::retirement(&status));
    if is_own {
        checks.extend(servers::check(dir, is_online));
        checks.extend(wiring::check());
    }
    checks
}

fn version() -> Check {
    let edition = build_info::EDITION.as_str();
    let kind = match build_info::RELEASE_VERSION {
        Some(_) => "a release",
        None => "a development build, which sends to loopback at most",
    };
    Check::ok("version", format!("{} ({edition}), {kind}", build_info::VERSION))
}
