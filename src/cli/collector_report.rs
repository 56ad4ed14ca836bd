//! `mcpproxy collector report`: what a page shows, in a terminal.
//!
//! One rule: the numbers are those of the page, made by the same code of the same rows.

use super::collector::dir;
use super::collector_clock::now;
use super::{Call, Failure, output};
use crate::collector::definitions::{Audience, Day, Now};
use crate::collector::report::{self, Form};
use crate::collector::snapshot::Snapshot;
use crate::collector::store::Reader;
use crate::collector::view::{Selection, Topic, View};
use std::ffi::OsStr;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let topic = call.operand().to_str().and_then(Topic::from_name);
    let topic = topic.ok_or_else(|| usage("PAGE is one of overview, retention, activation"))?;
    let form = match call.value("output").map(OsStr::to_str) {
        None | Some(Some("table")) => Form::Table,
        Some(Some("csv")) => Form::Csv,
        Some(Some("json")) => Form::Json,
        Some(_) => return Err(usage("--output must be table, csv or json")),
    };
    let day = |text: &OsStr| {
        let day = text.to_str().and_then(Day::parse);
        day.ok_or_else(|| usage("--since needs a day such as 2026-11-02"))
    };
    let selection = Selection {
        audience: audience(call)?,
        product: call.value("product").map(|name| name.to_string_lossy().into_owned()),
        since: call.value("since").map(day).transpose()?,
    };
    let now = Now(now()?);
    let snapshot = Reader::open(&dir(call)?).and_then(|reader| Snapshot::read(&reader, now));
    let snapshot = snapshot.map_err(|error| Failure::failed(error.to_string()))?;
    if let Some(product) = &selection.product
        && !snapshot.names().any(|name| name == product)
    {
        return Err(usage(
            "there is no product of this name: `mcpproxy collector product list` shows them all",
        ));
    }
    output::print(&report::write(&View::of(&snapshot, selection), topic, form))
}

fn audience(call: &Call) -> Result<Audience, Failure> {
    let given: Vec<_> = Audience::ALL.into_iter().filter(|one| call.has(one.name())).collect();
    match given[..] {
        [] => Ok(Audience::default()),
        [one] => Ok(one),
        _ => Err(usage("--people, --machines and --all: give one of them")),
    }
}

fn usage(words: &str) -> Failure {
    Failure::usage("collector report", words)
}
