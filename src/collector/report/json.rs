//! The numbers as JSON.
//!
//! One rule: every share is an object with its count, its n, its interval; `null` stands for "no installs".

use super::all_tables;
use super::tree::{Table, Value as Leaf};
use crate::collector::definitions::{Cell, Measure, Share};
use crate::collector::view::{Topic, View};
use serde_json::{Map, Value, json};

/// `topic` of `view`.
pub fn json(view: &View, topic: Topic) -> String {
    let mut all = head(view, topic);
    match topic {
        Topic::Overview => all.extend(overview(view)),
        Topic::Retention => {
            all.insert("pooled".to_owned(), pooled(view));
        }
        _ => {}
    }
    all.extend(all_tables(view, topic).iter().map(named));
    written(all)
}

/// One table of `topic`, below the same head.
pub fn json_of(view: &View, topic: Topic, table: &Table) -> String {
    let mut all = head(view, topic);
    all.extend([named(table)]);
    written(all)
}

fn written(all: Map<String, Value>) -> String {
    format!("{:#}\n", Value::Object(all))
}

fn named(table: &Table) -> (String, Value) {
    (table.name.to_owned(), rows(table))
}

/// The rows of a table of the tree.
fn rows(table: &Table) -> Value {
    let rows = table.rows.iter().map(|row| {
        let members = table.columns.iter().zip(&row.values);
        let mut all = Map::new();
        for (column, value) in members {
            all.insert(column.name.to_owned(), leaf(value));
            if let Leaf::Week(week) = value {
                all.insert("monday".to_owned(), json!(week.monday().to_string()));
            }
        }
        Value::Object(all)
    });
    Value::Array(rows.collect())
}

fn leaf(value: &Leaf) -> Value {
    match value {
        Leaf::None(_) => Value::Null,
        Leaf::Word(name, _) => json!(name),
        Leaf::Text(text) | Leaf::Named(text, _) => json!(text),
        Leaf::Code(code) => json!(code.name()),
        Leaf::Count(count) => json!(count),
        Leaf::Day(day) => json!(day.to_string()),
        Leaf::Week(week) => json!(week.to_string()),
        Leaf::Share(of) => share(*of),
        Leaf::Cell(of) => cell(of),
        Leaf::Estimate(value, edges) => json!({
            "share": rounded(*value),
            "low": edges.map(|(low, _)| rounded(low)),
            "high": edges.map(|(_, high)| rounded(high)),
        }),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What was asked, and what is not in the answer.
fn head(view: &View, topic: Topic) -> Map<String, Value> {
    let out = view.left_out.reasons().map(|(name, count, ..)| (name.to_owned(), json!(count)));
    let mut head = object(json!({
        "page": topic.name(),
        "as_of": view.as_of.to_string(),
        "product": view.selection.product,
        "show": view.selection.audience.name(),
        "since": view.selection.since.map(|day| day.week().monday().to_string()),
        "installs": view.activity.installs,
        "left_out": Value::Object(out.into_iter().collect()),
        "carried_over": view.activity.carried_over,
        "late_starts": view.activity.late_starts,
        "floods": view.activity.floods,
    }));
    let filters = &view.selection.filters;
    if !filters.is_empty() {
        let set = filters.set().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
        head.insert("filters".to_owned(), Value::Object(set.collect()));
        head.insert("expired_left_out".to_owned(), json!(view.expired_left_out));
    }
    head
}

fn overview(view: &View) -> Map<String, Value> {
    object(json!({
        "active": {
            "yesterday": view.activity.yesterday,
            "last_7_days": view.activity.last_7_days,
            "last_28_days": view.activity.last_28_days,
        },
        "people": share(view.people),
        "retention": pooled(view),
        "first_real_tool_call": view.first_call().map(|row| json!({
            "reached": share(row.reached),
            "within_7_days": row.within_7_days.map(share),
        })),
    }))
}

fn pooled(view: &View) -> Value {
    let shares = Measure::ALL.into_iter().zip(view.retention.pooled);
    Value::Object(shares.map(|(measure, pool)| (measure.name().to_owned(), share(pool))).collect())
}

fn cell(cell: &Cell) -> Value {
    let mut all = object(json!({ "state": cell.state.name() }));
    all.extend(object(share(cell.share)));
    Value::Object(all)
}

fn share(share: Share) -> Value {
    let edges = share.interval();
    json!({
        "count": share.count,
        "of": share.of,
        "share": share.value().map(rounded),
        "low": edges.map(|(low, _)| rounded(low)),
        "high": edges.map(|(_, high)| rounded(high)),
    })
}

/// To four places: more would be noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
