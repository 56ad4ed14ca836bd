//! `mcpproxy collector report`: what a page shows, in a terminal.
//!
//! One rule: the numbers are those of the page, made by the same code of the same rows.

use super::collector::located;
use super::collector_clock::now;
use super::{Call, Failure, output};
use crate::collector::definitions::{Audience, Day, Filters, Now};
use crate::collector::report::{self, Form};
use crate::collector::row::Standing;
use crate::collector::snapshot::Snapshot;
use crate::collector::store::{Reader, StoreError};
use crate::collector::view::{Selection, Topic, View};
use std::ffi::OsStr;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    if let Some(option) = call.repeated() {
        return Err(usage(&format!("--{option} is given twice: give it once")));
    }
    let topic = call.operand().to_str().and_then(Topic::from_name);
    let topic = topic.ok_or_else(|| usage(&format!("PAGE is one of {}", names().join(", "))))?;
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
        filters: filters(call)?,
        k: None,
    };
    let now = Now(now()?);
    let failed = |error: StoreError| Failure::failed(error.to_string());
    let reader = Reader::open(&located(call)?).map_err(failed)?;
    let snapshot = match topic {
        Topic::Versions | Topic::Health => Snapshot::read_with_days(&reader, now),
        _ => Snapshot::read(&reader, now),
    };
    let snapshot = snapshot.map_err(failed)?;
    if let Some(product) = &selection.product
        && !snapshot.names().any(|name| name == product)
    {
        let mut known = reader.products().map_err(failed)?.into_iter();
        let standing = known.find(|one| one.name == *product).map(|one| one.standing);
        return Err(usage(match standing {
            Some(Standing::Hidden) => {
                "this product is hidden until it is added: `mcpproxy collector product add NAME`"
            }
            Some(Standing::Removed) => {
                "this product was removed: `mcpproxy collector product add NAME` shows it again"
            }
            Some(Standing::Added) | None => {
                "there is no product of this name: `mcpproxy collector product list` shows them all"
            }
        }));
    }
    let view = View::with(&snapshot, selection, &[topic]);
    let Some(wanted) = call.value("table") else {
        return output::print(&report::write(&view, topic, form));
    };
    if form != Form::Csv {
        return Err(usage("--table chooses what CSV holds: give -o csv as well"));
    }
    let tables = report::all_tables(&view, topic);
    let Some(table) = tables.iter().find(|table| Some(table.name) == wanted.to_str()) else {
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        return Err(usage(&format!(
            "there is no such table on this page; tables of {}: {}",
            topic.name(),
            names.join(", ")
        )));
    };
    output::print(&report::csv_of(table))
}

fn names() -> Vec<&'static str> {
    Topic::ALL.map(Topic::name).to_vec()
}

/// The options that are filters, each with the name that addresses use.
const FILTERS: [(&str, &str); 6] = [
    ("kind", "kind"),
    ("agent-env", "agent_env"),
    ("launch-source", "launch_source"),
    ("os", "os"),
    ("edition", "edition"),
    ("product-version", "version"),
];

fn filters(call: &Call) -> Result<Filters, Failure> {
    let mut filters = Filters::default();
    for (option, name) in FILTERS {
        let Some(value) = call.value(option) else { continue };
        let value = value.to_string_lossy();
        filters.put(name, &value).map_err(|_| match option {
            "product-version" => usage("--product-version needs a version such as 1.4.0"),
            _ => usage(&format!("--{option} is one of {}", Filters::words(name).join(", "))),
        })?;
    }
    Ok(filters)
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
