//! `mcpproxy doctor`: checks this install, and says what to do.
//!
//! One rule: a failure is in the exit code, a warning is not.

#[cfg(feature = "serve")]
mod fix;

use super::about::About;
use super::output::Format;
use super::{Call, Failure, output};
use crate::doctor::{self, Check, Level};
use crate::json::Node;
use crate::machine::Surroundings;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "doctor")?;
    if call.has("fix") {
        return fix::run(call, format);
    }
    if let Some(option) = ["action", "execute", "gateway"].into_iter().find(|it| call.has(it)) {
        return Err(Failure::usage("doctor", format!("--{option} is for --fix")));
    }
    let around = Surroundings::of_this_process();
    let About { subject, place, .. } = About::in_use(call, around)?;
    let checks = doctor::examine(subject, place, around, call.has("online"));
    output::print(&match format {
        Format::Table => table(&checks),
        Format::Json => node(&checks).to_json(),
        Format::Yaml => output::yaml(&node(&checks))?,
    })?;
    let is_broken = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
        let below = [advice, code].into_iter().flatten();
        rows.extend(below.map(|line| [String::new(), String::new(), line]));
    }
    output::columns(&rows)
}

#[cfg(not(feature = "serve"))]
mod fix {
    use super::super::{Call, Failure, output::Format};
    use std::process::ExitCode;

    pub(super) fn run(_call: &Call, _format: Format) -> Result<ExitCode, Failure> {
        let text = "--fix is not in this build; it comes with the cargo feature `serve`";
        Err(Failure::usage("doctor", text))
    }
}
