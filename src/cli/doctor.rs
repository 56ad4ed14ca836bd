//! `mcpproxy doctor`: checks this install, and says what to do.
//!
//! One rule: a failure is in the exit code, a warning is not.

#[cfg(feature = "serve")]
mod fix;

use super::about::About;
use super::output::{Format, Report};
#[cfg(feature = "serve")]
use super::upstream;
use super::{Call, Failure, output};
#[cfg(feature = "serve")]
use crate::doctor::ServerError;
use crate::doctor::{self, Check, Level};
use crate::json::Node;
use crate::machine::Surroundings;
use std::ffi::OsStr;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "doctor")?;
    #[cfg(feature = "serve")]
    if call.has("fix") {
        return fix::run(call, format);
    }
    if let Some(option) = ["action", "execute", "gateway"].into_iter().find(|it| call.has(it)) {
        return Err(Failure::usage("doctor", format!("--{option} is for --fix")));
    }
    let checks = match call.value("server") {
        Some(name) => server(call, name)?,
        None => {
            let around = Surroundings::of_this_process();
            let About { subject, place, .. } = About::in_use(call, around)?;
            doctor::examine(subject, place, around, call.has("online"))
        }
    };
    Report { node: || node(&checks), table: || table(&checks) }.print(format)?;
    let is_broken = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The checks of one server.
#[cfg(feature = "serve")]
fn server(call: &Call, name: &OsStr) -> Result<Vec<Check>, Failure> {
    const PLACE: &str = "doctor";
    if call.has("product") || call.has("endpoint") {
        let why = "--server is about a server of the gateway, which belongs to no product; leave --product and \
                   --endpoint away";
        return Err(Failure::usage(PLACE, why));
    }
    let name = name.to_str().ok_or_else(|| Failure::usage(PLACE, "NAME is not UTF-8"))?;
    let dir = call.dir()?;
    doctor::server(&dir, name).map_err(|error| match error {
        ServerError::Unknown => {
            let hint = match upstream::near(&dir, name) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "see `mcpproxy upstream list`".to_owned(),
            };
            Failure::usage(PLACE, format!("{error} ({name:?}); {hint}"))
        }
        ServerError::NotTried(_) => Failure::failed(error.to_string()),
    })
}

/// The table of commands has no such option then.
#[cfg(not(feature = "serve"))]
fn server(_call: &Call, _name: &OsStr) -> Result<Vec<Check>, Failure> {
    Err(Failure::failed("there are no servers in this build"))
}

fn node(checks: &[Check]) -> Node {
    let failed = checks.iter().filter(|check| check.level == Level::Fail).count();
    Node::Object(vec![
        ("checks", Node::List(checks.iter().map(Check::to_node).collect())),
        ("failed", (failed as u64).into()),
    ])
}

fn table(checks: &[Check]) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for check in checks {
        let level = check.level.as_str().to_owned();
        rows.push([level, check.name.to_owned(), format!("{}.", check.found)]);
        let advice = check.advice.as_ref().map(|advice| format!("To do: {advice}."));
        let code = check.code.map(|code| format!("{code}: `mcpproxy explain {code}` says more."));
        let head =
            (!check.lines.is_empty()).then(|| "Its last lines on standard error:".to_owned());
        let lines = check.lines.iter().map(|line| format!("  {line}"));
        let below = [advice, code, head].into_iter().flatten().chain(lines);
        rows.extend(below.map(|line| [String::new(), String::new(), line]));
    }
    output::columns(&rows)
}
