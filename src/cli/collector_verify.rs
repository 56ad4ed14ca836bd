//! `mcpproxy collector verify`: is the database whole, and are its numbers right?
//!
//! One rule: it changes nothing; what is wrong is a line each, without a value, and the exit code.

use super::collector::located;
use super::collector_clock::now;
use super::output::{self, Format, Report};
use super::{Call, Failure};
use crate::collector::definitions::Now;
use crate::collector::store::Reader;
use crate::collector::verify::{Check, verify};
use crate::json::Node;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "collector verify")?;
    let now = Now(now()?);
    let checks = Reader::open(&located(call)?).and_then(|reader| verify(&reader, now));
    let checks = checks.map_err(|error| Failure::failed(error.to_string()))?;
    Report { node: || node(&checks), table: || table(&checks) }.print(format)?;
    let is_sound = checks.iter().all(|check| check.found() == 0);
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn node(checks: &[Check]) -> Node {
    let check = |check: &Check| {
        let findings = check.findings.iter().map(|finding| finding.as_str().into()).collect();
        Node::Object(vec![
            ("check", check.name.into()),
            ("looked_at", check.looked_at.into()),
            ("found", check.found().into()),
            ("findings", Node::List(findings)),
        ])
    };
    Node::Object(vec![("checks", Node::List(checks.iter().map(check).collect()))])
}

fn table(checks: &[Check]) -> String {
    let head = ["CHECK", "LOOKED AT", "FOUND"].map(str::to_owned);
    let row = |check: &Check| {
        [check.name.to_owned(), check.looked_at.to_string(), check.found().to_string()]
    };
    let rows: Vec<[String; 3]> = std::iter::once(head).chain(checks.iter().map(row)).collect();
    let mut out = output::columns(&rows);
    for check in checks {
        for finding in &check.findings {
            out += &format!("{}: {finding}\n", check.name);
        }
        if check.more > 0 {
            out += &format!("{}: and {} more\n", check.name, check.more);
        }
    }
    out
}
