//! Parts of pages: a share with its interval, a table of the tree in its own box, notes.
//!
//! One rule: below n = 20 the interval is what is large.

use crate::collector::definitions::{Cell, Day, Share, State};
use crate::collector::report::tree::{Kind, Row, Table, Value};
use crate::collector::report::words::{count_of, edges, grouped, interval, part, percent, state};
use crate::collector::store::Note;
use maud::{Markup, html};

/// Notes under a chart: those before have left it.
const SHOWN_NOTES: usize = 26;

/// A share: large what can be said, small what it is made of.
pub fn share(share: Share) -> Markup {
    let (percent, interval, count) = (percent(share), interval(share), count_of(share));
    html! {
        span.share {
            @if share.of == 0 {
                span.large { span aria-hidden="true" { "–" } span.sr { "no installs" } }
            } @else if share.is_of_few() {
                span.large { (interval) }
                span.small { span { (percent) } " " span { (count) } }
            } @else {
                span.large { (percent) }
                span.small { span { (interval) } " " span { (count) } }
            }
        }
    }
}

/// Columns that a small screen has room for, whatever is in them.
const NARROW: usize = 5;

/// A table that scrolls inside its own box, reachable by keyboard; the newest week first. On a small screen the columns
/// that say least are left out.
pub fn numbers(table: &Table) -> Markup {
    let product = table.columns.iter().position(|column| column.name == "product");
    let product = product.filter(|at| !is_the_same(table, *at));
    let shown: Vec<usize> =
        (0..table.columns.len()).filter(|at| !is_the_same(table, *at)).collect();
    let has_cells = table.columns.iter().any(|column| column.kind == Kind::Cell);
    // The first columns stay.
    let is_of_zeros = |at: usize| {
        shown.len() > NARROW && at > 2 && table.rows.iter().all(|row| is_zero(&row.values[at]))
    };
    let is_wide = |at: usize| {
        let is_count = has_cells && table.columns[at].kind == Kind::Plain;
        is_count || Some(at) == product || is_of_zeros(at)
    };
    let week = |row: &Row| match row.values.first() {
        Some(Value::Week(week)) => Some(*week),
        _ => None,
    };
    let mut rows: Vec<&Row> = table.rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(week(row)));
    html! {
        div.scroll role="region" aria-label=(table.title) tabindex="0" {
            table {
                caption.sr { (table.title) }
                thead {
                    tr {
                        @for (place, at) in shown.iter().enumerate() {
                            @let column = &table.columns[*at];
                            @let is_number = place > 0 && column.kind != Kind::Week && rows.iter().any(|row| is_number(&row.values[*at]));
                            th.number[is_number].wide[is_wide(*at)] scope="col" { (column.title.replace('_', " ")) }
                        }
                    }
                }
                tbody {
                    @for (line, row) in rows.iter().enumerate() {
                        tr {
                            @for (place, at) in shown.iter().enumerate() {
                                @let value = &row.values[*at];
                                @if place == 0 {
                                    th.wide[is_wide(*at)] scope="row" { (head(value)) }
                                } @else if let Some(of) = product.filter(|product| product + 1 == *at) {
                                    // Where the column of the product is left out.
                                    td.date { span.narrow.small { (words(&row.values[of])) } (words(value)) }
                                } @else {
                                    (cell(value, table.columns[*at].kind, is_wide(*at), table.name == "transparency" && *at == line + 1))
                                }
                            }
                        }
                    }
                }
            }
        }
        @if shown.iter().any(|at| is_of_zeros(*at)) {
            p.note.narrow { "Columns of zeros are left out on a small screen." }
        }
    }
}

/// The product of a view of one product says nothing.
fn is_the_same(table: &Table, at: usize) -> bool {
    let first = table.rows.first().map(|row| &row.values[at]);
    table.columns[at].name == "product"
        && table.rows.iter().all(|row| Some(&row.values[at]) == first)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Count(count) => *count == 0,
        Value::Cell(cell) => cell.state != State::Final && cell.share.count == 0,
        _ => false,
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Count(_) | Value::Share(_) | Value::Cell(_) | Value::Estimate(..))
}

fn head(value: &Value) -> Markup {
    html! {
        @match value {
            Value::Week(week) => { span.week { (week) } span.small { span.wide { "from " } (week.monday()) } },
            value => (words(value)),
        }
    }
}

fn cell(value: &Value, kind: Kind, is_wide: bool, is_same: bool) -> Markup {
    let is_share = kind != Kind::Plain;
    html! {
        @match value {
            Value::Cell(Cell { state: State::Open, share: of }) => td.number.hatched.wide[is_wide] {
                span.share {
                    span.wait { (state(State::Open)) }
                    span.small { span { (count_of(*of)) } " so far" }
                }
            },
            Value::Cell(Cell { state: State::Empty, .. }) => td.number.none.wide[is_wide] { (state(State::Empty)) },
            Value::Cell(Cell { share: of, .. }) | Value::Share(of) => td.number.wide[is_wide] { (share(*of)) },
            Value::Estimate(value, interval) => td.number {
                span.share {
                    span.large { (part(*value)) }
                    @if let Some(interval) = interval { span.small { (edges(*interval)) } }
                }
            },
            Value::Count(count) => td.number.wide[is_wide].same[is_same].none[*count == 0] { (grouped(*count)) },
            Value::None(words) => td.none.number[is_share] { (words) },
            Value::Word("open", words) => td.none { (words) },
            Value::Code(code) => td.code.wide[is_wide] {
                @match code.page() {
                    Some(page) => a href=(page) { (code.name()) },
                    None => (code.name()),
                }
            },
            value => td.date.wide[is_wide] { (words(value)) },
        }
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Word(_, words) => words.replace('_', " "),
        Value::Text(text) | Value::Named(_, text) => text.clone(),
        Value::Code(code) => code.name().to_owned(),
        Value::Day(day) => day.to_string(),
        Value::Week(week) => week.to_string(),
        Value::Count(count) => grouped(*count),
        _ => String::new(),
    }
}

/// What the operator has noted, newest first; nothing without a note.
pub fn notes(notes: &[Note]) -> Markup {
    html! {
        @if !notes.is_empty() {
            ul.notes aria-label="Notes" {
                @for note in notes.iter().rev().take(SHOWN_NOTES) {
                    li { span.muted { (Day(note.day)) } " " (note.text) }
                }
            }
        }
    }
}
