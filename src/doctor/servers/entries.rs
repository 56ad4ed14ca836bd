//! Entries of servers: what is wrong with them, and what comes of an attempt to connect.
//!
//! One rule: the code, the words and the next step are those that the gateway would say.

use super::super::{Check, Level, data};
use crate::config::DISPLAY_NAME;
use crate::config::servers::{self, ServerEntry, ServersError};
use crate::diagnostics::{Code, Step};
use crate::paths::DataDir;
use crate::serve::trial::{self, Failed, Found, Trial};
use mcpproxy_platform::files;
use std::fmt;
use std::io;
use std::time::Duration;

const NAME: &str = "upstream_servers";
/// How long all of the servers may take together.
const WITHIN: Duration = Duration::from_secs(120);
/// The last lines of a server that are shown.
const MOST_LINES: usize = 20;

/// Why one server is not examined.
#[derive(Debug)]
pub(crate) enum ServerError {
    /// The configuration has none of that name.
    Unknown,
    /// The system gives no runtime to try it in.
    NotTried(io::ErrorKind),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no server of that name"),
            Self::NotTried(kind) => write!(f, "the server could not be tried: {kind}"),
        }
    }
}

/// All of them.
pub(super) fn check(dir: &DataDir, is_online: bool) -> Vec<Check> {
    let all = match servers::servers(dir) {
        Ok(all) => all,
        // It is said of the whole configuration already.
        Err(ServersError::Config(_)) => return Vec::new(),
        Err(error) => return vec![unread(&error)],
    };
    let (mut checks, mut sound) = (Vec::new(), Vec::new());
    for server in all.iter().filter(|server| server.enabled) {
        match trial::wrong(server) {
            Some((code, why)) => {
                checks.push(not_connected(server, code, &why, Level::Warn));
            }
            None => sound.push(server.clone()),
        }
    }
    let enabled = checks.len() + sound.len();
    if is_online {
        checks.extend(tried(sound));
    }
    checks.extend(exposed(dir, &all));
    if checks.is_empty() {
        let count = all.len();
        checks.push(Check::ok(
            NAME,
            match (count, is_online) {
                (0, _) => "there are none; `mcpproxy upstream add` adds one".to_owned(),
                (_, false) => {
                    format!("{count} configured, no error in their entries; --online tries them")
                }
                (_, true) => format!("{count} configured, {enabled} enabled, and these answer"),
            },
        ));
    }
    checks
}

/// One of them, which is tried: also one that is disabled.
pub(crate) fn one(dir: &DataDir, name: &str) -> Result<Vec<Check>, ServerError> {
    let all = match servers::servers(dir) {
        Ok(all) => all,
        Err(ServersError::Config(_)) => return Ok(vec![data::config(dir)]),
        Err(error) => return Ok(vec![unread(&error)]),
    };
    let server = all.into_iter().find(|server| server.name == name);
    let server = server.ok_or(ServerError::Unknown)?;
    let mut checks = Vec::new();
    if !server.enabled {
        let found = format!("{name:?} is disabled: the gateway does not connect it");
        checks.push(Check::ok(NAME, found));
    }
    match trial::wrong(&server) {
        Some((code, why)) => checks.push(not_connected(&server, code, &why, Level::Fail)),
        None => match trial::run(&server).map_err(|error| ServerError::NotTried(error.kind()))? {
            Trial::Connected(found) => {
                checks.push(Check::ok(NAME, connected(&server, &found)));
                checks.extend(faults(&server, &found));
            }
            Trial::Failed(failed) => {
                let check = not_connected(&server, failed.code, &failed.why, Level::Fail);
                checks.push(Check { lines: last(failed), ..check });
            }
        },
    }
    checks.extend(exposed(dir, std::slice::from_ref(&server)));
    Ok(checks)
}

/// The servers of the configuration cannot be read.
fn unread(error: &ServersError) -> Check {
    let advice = "correct it; until then no server is used";
    Check::fail(NAME, error.to_string(), advice).with(error.code())
}

/// What came of an attempt to connect each.
fn tried(servers: Vec<ServerEntry>) -> Vec<Check> {
    if servers.is_empty() {
        return Vec::new();
    }
    let trials = match trial::all(&servers, WITHIN) {
        Ok(trials) => trials,
        Err(error) => {
            let found = ServerError::NotTried(error.kind()).to_string();
            return vec![Check::warn(NAME, found, "try again")];
        }
    };
    let mut checks = Vec::new();
    for (server, trial) in servers.iter().zip(trials) {
        match trial {
            Some(Trial::Connected(found)) => checks.extend(faults(server, &found)),
            Some(Trial::Failed(failed)) => {
                checks.push(not_connected(server, failed.code, &failed.why, Level::Warn));
            }
            None => {
                let name = &server.name;
                let found = format!("{name:?} was not tried to the end: others took too long");
                checks.push(Check::warn(NAME, found, "`mcpproxy doctor --server NAME` tries it"));
            }
        }
    }
    checks
}

fn not_connected(server: &ServerEntry, code: Code, why: &str, level: Level) -> Check {
    let found = format!("{:?} is not connected: {why}", server.name);
    let mut advice = next_step(code);
    if level != Level::Fail {
        advice.push_str("; `mcpproxy doctor --server NAME` tries it and says more");
    }
    Check { level, ..Check::warn(NAME, found, advice).with(code) }
}

/// What helps first, of the catalog, as a sentence without its period.
fn next_step(code: Code) -> String {
    let sentence = code.steps().iter().find_map(|step| match step {
        Step::Advice(text) => Some(*text),
        _ => None,
    });
    sentence.unwrap_or(code.sentence()).trim_end_matches('.').to_owned()
}

fn connected(server: &ServerEntry, found: &Found) -> String {
    let (name, took) = (&server.name, found.took.as_millis());
    format!(
        "{name:?} connected in {took} ms; protocol {}, {} tools, {} prompts, {} resources",
        found.version, found.tools, found.prompts, found.resources
    )
}

/// What is off in what a server offers.
fn faults(server: &ServerEntry, found: &Found) -> Option<Check> {
    let code = found.fault?;
    let said = format!("{:?} has faults: {}", server.name, found.faults.join("; "));
    Some(Check::warn(NAME, said, next_step(code)).with(code))
}

fn last(failed: Failed) -> Vec<String> {
    let mut lines = failed.lines;
    lines.drain(..lines.len().saturating_sub(MOST_LINES));
    lines
}

/// Others can read a secret of one of these.
fn exposed(dir: &DataDir, all: &[ServerEntry]) -> Option<Check> {
    let mode = files::mode_for_others(&dir.config())?;
    let (server, member) = all.iter().find_map(|server| Some((server, server.secret()?)))?;
    let found = format!(
        "{DISPLAY_NAME} has mode {mode:04o}: others may read the `{member}` of {:?}",
        server.name
    );
    Some(Check::warn(NAME, found, "chmod 600, or write ${NAME} in place of a secret"))
}
