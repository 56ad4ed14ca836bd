//! The numbers for people, in a terminal.
//!
//! One rule: the same words as on the page; a share never stands without its interval and its n.

use super::tables;
use super::tree::{Table, Value};
use super::words::{
    EXPIRY_STOPPED, NONE_FINAL, count_of, counted, edges, grouped, interval, measure, part,
    percent, state, step,
};
use crate::collector::definitions::{Audience, Cell, LeftOut, Measure, Share, State};
use crate::collector::receive::PROXY_ALARM;
use crate::collector::view::{Topic, View};
use std::fmt::Write as _;

/// Why the age-fair form has none: the words of the page.
const NONE_OLD_ENOUGH: &str = "none is 7 days old";
/// Why any other has none.
const NO_INSTALLS: &str = "no installs";

/// `topic` of `view`.
pub fn table(view: &View, topic: Topic) -> String {
    let product = view.selection.product.as_deref().unwrap_or("all products");
    let mut out = format!("{product}: {}, as of {}\n", shown(view.selection.audience), view.as_of);
    if let Some(since) = view.selection.since {
        let _ = writeln!(out, "Installs of {} and later", since.week());
    }
    let filters = view.selection.filters.set();
    if !filters.is_empty() {
        let filters = filters.iter().map(|(name, value)| format!("{name} {value}"));
        let filters: Vec<String> = filters.collect();
        let _ = writeln!(out, "Whose first heartbeat said: {}", filters.join(", "));
    }
    out.push('\n');
    let first = match topic {
        Topic::Overview => Some(overview(view)),
        Topic::Retention => Some(retention(view)),
        Topic::Activation => Some(activation(view)),
        _ => None,
    };
    if let Some(first) = first {
        out += &columns(&first);
        out.push('\n');
    }
    for table in tables(view, topic) {
        let _ = writeln!(out, "{}", table.title);
        out += &columns(&grid(&table));
        out.push('\n');
    }
    for line in notes(view) {
        out += &line;
        out.push('\n');
    }
    out
}

/// What the audience is.
pub fn shown(audience: Audience) -> &'static str {
    match audience {
        Audience::People => "people with release versions",
        Audience::Machines => "machines with release versions",
        Audience::All => "all installs",
    }
}

/// What is left out, one reason after the other: `3 containers, 1 CI job`; `None` if nothing is.
pub fn reasons(out: LeftOut) -> Option<String> {
    let reasons = out.reasons();
    let some = reasons.iter().filter(|(_, count, ..)| *count > 0);
    let some: Vec<String> = some.map(|(_, count, one, many)| counted(*count, one, many)).collect();
    (!some.is_empty()).then(|| some.join(", "))
}

/// How many of the installs that are shown came in floods; `None` if none did.
pub fn among(view: &View) -> Option<String> {
    let floods = view.activity.floods;
    (floods > 0).then(|| {
        format!("Among them: {}.", counted(floods, "install of a flood", "installs of floods"))
    })
}

/// What the numbers do not say by themselves.
fn notes(view: &View) -> Vec<String> {
    let mut notes = Vec::new();
    if view.activity.installs == 0 {
        let none = match view.selection.filters.is_empty() {
            true => "No installs yet: the first heartbeat comes about five minutes after a start.",
            false => "No installs whose first heartbeat said this.",
        };
        notes.push(none.to_owned());
    }
    if let Some(out) = reasons(view.left_out) {
        notes.push(format!("Left out: {out}. --all shows everything."));
    }
    if view.expired_left_out > 0 {
        let expired = counted(view.expired_left_out, "install", "installs");
        notes
            .push(format!("Left out, because it has expired and only counts are left: {expired}."));
    }
    if view.expiry_stopped {
        notes.push(EXPIRY_STOPPED.to_owned());
    }
    if view.wants_a_proxy {
        notes.push(format!("Note: {PROXY_ALARM}."));
    }
    if let Some(floods) = among(view) {
        notes.push(floods);
    }
    let carried = view.activity.carried_over;
    if carried > 0 {
        let carried = counted(carried, "install", "installs");
        notes.push(format!("Carried over, in no cohort and no funnel: {carried}."));
    }
    let late = view.activity.late_starts;
    if late > 0 {
        let late = counted(late, "install", "installs");
        notes.push(format!("First heard of two days after the install or later: {late}."));
    }
    notes
}

fn overview(view: &View) -> Vec<Vec<String>> {
    let count = |name: &str, count: u64| vec![name.to_owned(), grouped(count)];
    let mut rows = vec![
        count("Installs", view.activity.installs),
        count("Active yesterday", view.activity.yesterday),
        count("Active in the last 7 days", view.activity.last_7_days),
        count("Active in the last 28 days", view.activity.last_28_days),
    ];
    if let Some(week) = view.last_full_week() {
        rows.push(count(&format!("New installs in {}", week.week), week.installs));
    }
    let mut share = |name: String, share: Share, none: &str| {
        rows.push([vec![name], shares(share, none)].concat());
    };
    share("Share of people".to_owned(), view.people, NO_INSTALLS);
    for (kind, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
        share(format!("Retention {}", measure(kind).to_lowercase()), pooled, NONE_FINAL);
    }
    if let Some(fair) = view.first_call().and_then(|row| row.within_7_days) {
        share("First real tool call within 7 days".to_owned(), fair, NONE_OLD_ENOUGH);
    }
    rows
}

fn retention(view: &View) -> Vec<Vec<String>> {
    let head = ["Week", "Installs", "Day 1", "Week 1", "Week 4"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for cohort in view.retention.cohorts.iter().rev() {
        let mut row = vec![cohort.week.to_string(), grouped(cohort.installs)];
        row.extend(cohort.cells.iter().map(cell));
        rows.push(row);
    }
    let mut row = vec!["All final".to_owned(), String::new()];
    row.extend(view.retention.pooled.map(|pooled| shares(pooled, NONE_FINAL).join(", ")));
    rows.push(row);
    rows
}

fn activation(view: &View) -> Vec<Vec<String>> {
    let head = ["Step", "Reached", "With all before", "Within 7 days"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in &view.activation.steps {
        let fair = row.within_7_days.map(|fair| shares(fair, NONE_OLD_ENOUGH).join(", "));
        rows.push(vec![
            step(row.step).to_owned(),
            shares(row.reached, NO_INSTALLS).join(", "),
            shares(row.with_all_before, NO_INSTALLS).join(", "),
            fair.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    rows
}

/// The rows of a table of the tree that a terminal has room for, below their head.
fn grid(table: &Table) -> Vec<Vec<String>> {
    if table.rows.is_empty() {
        return vec![vec![table.none.to_owned()]];
    }
    let head = table.columns.iter().map(|column| column.title.to_owned()).collect();
    let rows = table.rows.iter().filter(|row| row.is_brief);
    let rows = rows.map(|row| row.values.iter().map(text).collect());
    std::iter::once(head).chain(rows).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::None(words) => (*words).to_owned(),
        Value::Word(_, words) => (*words).to_owned(),
        Value::Text(text) | Value::Named(_, text) => text.clone(),
        Value::Code(code) => code.name().to_owned(),
        Value::Count(count) => grouped(*count),
        Value::Day(day) => day.to_string(),
        Value::Week(week) => week.to_string(),
        Value::Share(share) => shares(*share, NO_INSTALLS).join(", "),
        Value::Cell(of) => cell(of),
        Value::Estimate(value, None) => part(*value),
        Value::Estimate(value, Some(interval)) => format!("{}, {}", part(*value), edges(*interval)),
    }
}

fn cell(cell: &Cell) -> String {
    match cell.state {
        State::Final => shares(cell.share, NONE_FINAL).join(", "),
        State::Open => format!("{}, {} so far", state(cell.state), count_of(cell.share)),
        State::Empty => state(cell.state).to_owned(),
    }
}

/// Of few installs the interval comes first. `none` says why there is no share.
fn shares(share: Share, none: &str) -> Vec<String> {
    if share.of == 0 {
        return vec![none.to_owned()];
    }
    let (percent, interval, count) = (percent(share), interval(share), count_of(share));
    if share.is_of_few() { vec![interval, percent, count] } else { vec![percent, interval, count] }
}

/// Columns as wide as their widest text.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or_default()).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{text:<width$}  ");
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::definitions::Now;
    use crate::collector::snapshot::Snapshot;
    use crate::collector::view::Selection;

    #[test]
    fn only_retention_waits_for_a_final_week() {
        let view = View::of(&Snapshot::new(Now(1_790_000_000), Vec::new()), Selection::default());
        let activation = table(&view, Topic::Activation);
        assert!(!activation.contains("final"), "{activation}");
        assert!(activation.contains("none is 7 days old"), "{activation}");
        let overview = table(&view, Topic::Overview);
        let line = |name: &str| {
            let line = overview.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name}: {overview}")).trim().to_owned()
        };
        assert_eq!(line("Share of people"), "no installs");
        assert_eq!(line("Retention week 1"), "nothing final yet");
        assert_eq!(line("First real tool call within 7 days"), "none is 7 days old");
    }
}
