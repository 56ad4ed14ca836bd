//! Fixes where no gateway runs: what can be done in the configuration.
//!
//! One rule: a server is started only where nothing else tells: to see what is wrong with one that is named, and
//! whether a fix has helped.

use super::plan::Plan;
use super::{End, Fix, FixError, Mode, Outcome, Report, connected};
use crate::config::servers::{self, ServerEntry, ServersError};
use crate::diagnostics::{Action, Code};
use crate::machine;
use crate::paths::DataDir;
use crate::serve::last_lines::Line;
use crate::serve::scrub::{self, Scrubber};
use crate::serve::trial::{self, Trial};

/// The names of the servers with that code, as far as it shows without starting them.
pub fn with_code(dir: &DataDir, code: Code) -> Result<Vec<String>, ServersError> {
    let all = servers::servers(dir)?.into_iter();
    let has_it = |server: &ServerEntry| visible(server).is_some_and(|(now, _)| now == code);
    Ok(all.filter(has_it).map(|server| server.name).collect())
}

/// What is wrong with a server, as far as it shows without starting it.
fn visible(server: &ServerEntry) -> Option<(Code, String)> {
    if server.enabled { trial::wrong(server) } else { None }
}

/// What is wrong with a server that is tried, what it wrote last, and what it offers if it answers.
struct Tried {
    trouble: Option<(Code, String)>,
    lines: Vec<String>,
    connected: Option<String>,
}

fn tried(server: &ServerEntry) -> Result<Tried, FixError> {
    let trial = trial::run(server).map_err(|_| FixError::Unfinished)?;
    Ok(match trial {
        Trial::Connected(found) => {
            Tried { trouble: None, lines: Vec::new(), connected: Some(connected(found.tools)) }
        }
        Trial::Failed(failed) => {
            Tried { trouble: Some((failed.code, failed.why)), lines: failed.lines, connected: None }
        }
    })
}

/// Plans a fix, and carries it out if `mode` says so.
pub fn run(dir: &DataDir, fix: Fix, mode: Mode) -> Result<Report, FixError> {
    let server = named(dir, &fix.server)?.ok_or(FixError::Unknown)?;
    fix.check()?;
    let now = match visible(&server) {
        Some((code, _)) => Some(code),
        None if server.enabled => tried(&server)?.trouble.map(|(code, _)| code),
        None => None,
    };
    if now != Some(fix.code) {
        return Err(FixError::OtherCode(now));
    }
    if !matches!(fix.action, Action::FindProgram | Action::DisableServer) {
        return Err(FixError::NeedsGateway(fix.action));
    }
    let scrubber = Scrubber::of(&server, &scrub::variables());
    let plan = Plan::of(&fix, &server, dir, &|text| scrubber.scrub(text))?;
    let end = match mode {
        Mode::DryRun => None,
        Mode::Execute => Some(carried_out(dir, &fix, &plan)?),
    };
    Ok(Report { fix, plan, end })
}

fn carried_out(dir: &DataDir, fix: &Fix, plan: &Plan) -> Result<End, FixError> {
    if !plan.changes_something() {
        return Ok(plan.nothing(fix));
    }
    plan.write(fix, dir)?;
    let server = named(dir, &fix.server)?.ok_or(FixError::Unknown)?;
    if !plan.is_in(&server) {
        let words = "it is written, and the configuration was changed again";
        return Ok(End::new(Outcome::Pending, words));
    }
    if !server.enabled {
        return Ok(End::seen(fix.code, None, Some("the server is switched off".to_owned())));
    }
    let tried = tried(&server)?;
    let lines = tried.lines.into_iter().enumerate();
    let line = |(number, text)| Line { number: number as u64, run: 1, at: machine::now(), text };
    let end = End::seen(fix.code, tried.trouble, tried.connected);
    Ok(End { lines: lines.map(line).collect(), ..end })
}

fn named(dir: &DataDir, name: &str) -> Result<Option<ServerEntry>, ServersError> {
    Ok(servers::servers(dir)?.into_iter().find(|server| server.name == name))
}
