//! The numbers as CSV (RFC 4180): one heading line, one line a row.
//!
//! One rule: an empty field stands for "no installs"; names of columns are those of the JSON.

use super::all_tables;
use super::json::rounded;
use super::tree::{Column, Kind, Table, Value};
use crate::collector::definitions::{Cell, Measure, Share};
use crate::collector::view::{Topic, View};

/// The columns of a share.
const OF_SHARE: [&str; 5] = ["count", "of", "share", "low", "high"];

/// `topic` of `view`: its first table, and of the overview its numbers.
pub fn csv(view: &View, topic: Topic) -> String {
    match topic {
        Topic::Overview => written(overview(view)),
        _ => all_tables(view, topic).first().map(csv_of).unwrap_or_default(),
    }
}

/// A table of the tree.
pub fn csv_of(table: &Table) -> String {
    let names = table.columns.iter().flat_map(names).collect::<Vec<_>>();
    let rows = table.rows.iter().map(|row| {
        let fields = row.values.iter().zip(&table.columns);
        fields.flat_map(|(value, column)| fields_of(value, column.kind)).collect::<Vec<_>>()
    });
    written(std::iter::once(names).chain(rows))
}

fn written(lines: impl IntoIterator<Item = Vec<String>>) -> String {
    lines.into_iter().map(|fields| fields.join(",") + "\r\n").collect()
}

/// Our own words need no quotes; what came from outside may.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn names(column: &Column) -> Vec<String> {
    let of = |parts: &[&str]| parts.iter().map(|part| format!("{}_{part}", column.name)).collect();
    match column.kind {
        Kind::Plain => texts(&[column.name]),
        Kind::Week => texts(&[column.name, "monday"]),
        Kind::Share => of(&OF_SHARE),
        Kind::Cell => [of(&["state"]), of(&OF_SHARE)].concat(),
        Kind::Estimate => [texts(&[column.name]), of(&["low", "high"])].concat(),
    }
}

fn fields_of(value: &Value, kind: Kind) -> Vec<String> {
    let number = |value: f64| rounded(value).to_string();
    match value {
        Value::None(_) => {
            let fields = match kind {
                Kind::Plain => 1,
                Kind::Week => 2,
                Kind::Share => 5,
                Kind::Cell => 6,
                Kind::Estimate => 3,
            };
            vec![String::new(); fields]
        }
        Value::Word(name, _) => texts(&[name]),
        Value::Text(text) | Value::Named(text, _) => vec![quoted(text)],
        Value::Code(code) => vec![code.name().to_owned()],
        Value::Count(count) => vec![count.to_string()],
        Value::Day(day) => vec![day.to_string()],
        Value::Week(week) => vec![week.to_string(), week.monday().to_string()],
        Value::Share(of) => share(Some(*of)),
        Value::Cell(Cell { state, share: of }) => {
            [texts(&[state.name()]), share(Some(*of))].concat()
        }
        Value::Estimate(value, edges) => {
            let edge = |edge: Option<f64>| edge.map(number).unwrap_or_default();
            vec![number(*value), edge(edges.map(|(low, _)| low)), edge(edges.map(|(_, high)| high))]
        }
    }
}

fn overview(view: &View) -> Vec<Vec<String>> {
    let mut lines = vec![[texts(&["number"]), texts(&OF_SHARE)].concat()];
    let counts = [
        ("installs", view.activity.installs),
        ("active_yesterday", view.activity.yesterday),
        ("active_last_7_days", view.activity.last_7_days),
        ("active_last_28_days", view.activity.last_28_days),
        ("carried_over", view.activity.carried_over),
        ("late_starts", view.activity.late_starts),
        ("floods", view.activity.floods),
    ];
    for (name, count) in counts {
        lines.push(texts(&[name, &count.to_string(), "", "", "", ""]));
    }
    for week in &view.new {
        let name = format!("new_installs_{}", week.week);
        lines.push(texts(&[&name, &week.installs.to_string(), "", "", "", ""]));
    }
    let mut shares = vec![("people".to_owned(), view.people)];
    for (measure, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
        shares.push((format!("retention_{}", measure.name()), pooled));
    }
    if let Some(row) = view.first_call() {
        shares.push(("first_real_tool_call".to_owned(), row.reached));
        shares.extend(
            row.within_7_days.map(|fair| ("first_real_tool_call_within_7_days".to_owned(), fair)),
        );
    }
    lines.extend(shares.into_iter().map(|(name, of)| [vec![name], share(Some(of))].concat()));
    lines
}

fn share(share: Option<Share>) -> Vec<String> {
    let Some(share) = share else { return texts(&[""; 5]) };
    let text = |value: Option<f64>| value.map_or_else(String::new, |it| rounded(it).to_string());
    let edges = share.interval();
    vec![
        share.count.to_string(),
        share.of.to_string(),
        text(share.value()),
        text(edges.map(|(low, _)| low)),
        text(edges.map(|(_, high)| high)),
    ]
}

fn texts(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}
