//! The cards of a page: a chart, what it means, and its numbers as a table.
//!
//! One rule: a card for each table of the report, so a page shows what `collector report` says, and no more.

use super::chart::{self, Form};
use super::parts;
use super::query::address_of;
use crate::collector::report::all_tables;
use crate::collector::report::tree::Table;
use crate::collector::view::{Topic, View};
use maud::{Markup, html};

/// The tables in the order of pages: how each is drawn, and what its reader has to know. One that is not here
/// stands behind the others, without a chart.
const CARDS: [(&str, Form, &str); 21] = [
    (
        "new_installs",
        Form::Counts,
        "By the ISO week of the first heartbeat. A week is final two days after its end.",
    ),
    (
        "cohorts",
        Form::Cells,
        "Of the installs first heard of in a week: on the day after (day 1), on any of days 7 to 13 (week 1), on any of \
         days 28 to 34 (week 4). A cell is final two days after the last of its days has ended for the whole week, and \
         does not change any more.",
    ),
    (
        "survival",
        Form::Curve,
        "The part of all installs that has not been silent for 28 days in a row, by days since the first heartbeat. n is \
         how many were still there, and old enough to be asked.",
    ),
    (
        "rolling_pooled",
        Form::Shares,
        "Who was heard of on any of 28 days, so that people who come once a month count as well.",
    ),
    ("rolling", Form::Cells, "The same of the installs of each week."),
    (
        "steps",
        Form::Shares,
        "Over the whole life of each install. The funnel begins with the first heartbeat: it ran for five minutes. \
         “Within 7 days” asks only installs that are at least 7 days old what they did on days 0 to 6, so that weeks with \
         many newcomers do not pull it down.",
    ),
    (
        "delays",
        Form::Parts,
        "How many days after the first heartbeat an install reported a step for the first time.",
    ),
    ("kinds", Form::Stack, "What active installs say today of where they run."),
    (
        "agent_environments",
        Form::Stack,
        "Whether only an agent works there. Old versions do not say.",
    ),
    ("launch_sources", Form::Stack, "How the program was started."),
    (
        "transparency",
        Form::None,
        "Each row is what installs declare, each column what their markers speak for. Off the diagonal the client decided \
         by more than the five markers, which is no error. No number uses the second.",
    ),
    (
        "once",
        Form::Shares,
        "Installs that are at least 7 days old and were heard of on their first day only. CI makes a new id for each run, \
         so a high share is normal there.",
    ),
    ("newest", Form::Shares, "Of the installs that were active in the last 28 days."),
    (
        "crashes",
        Form::Shares,
        "Of the installs that reported a version in the last 28 days, those that said with it that a host had crashed. \
         Compare intervals: versions whose intervals overlap may be equally good.",
    ),
    (
        "error_codes",
        Form::Shares,
        "Of the installs that reported a version in the last 28 days, those that met an error with it. “In it” are those \
         that had a server in its state.",
    ),
    ("adoption", Form::Shares, "The newest version first."),
    ("by_week", Form::Stack, "Which version active installs had at the end of each week."),
    (
        "upgrades",
        Form::Parts,
        "Installs that had an older version when a release came up and were heard of since, by the days until they \
         reported it or a later one.",
    ),
    (
        "names",
        Form::Shares,
        "Of the installs that were heard of in the last year and are two days old.",
    ),
    (
        "hidden",
        Form::None,
        "A name that few installs have seen could name somebody: it is counted only.",
    ),
    ("answers", Form::None, "Of all products, whatever the view."),
];

/// Where a table stands on its page.
fn place(table: &Table) -> usize {
    CARDS.iter().position(|(name, ..)| *name == table.name).unwrap_or(CARDS.len())
}

fn form(table: &Table) -> Form {
    CARDS.get(place(table)).map_or(Form::None, |(_, form, _)| *form)
}

/// All tables of a topic, or the one that is asked for.
pub fn cards(view: &View, topic: Topic, only: Option<&str>) -> Markup {
    let mut tables = all_tables(view, topic);
    tables.sort_by_key(place);
    html! {
        @for table in tables.iter().filter(|table| only.is_none_or(|only| only == table.name)) {
            (card(view, topic, table, only.is_some()))
        }
    }
}

/// The chart of a table as a file; `None`: it has none.
pub fn svg(view: &View, table: &Table) -> Option<String> {
    chart::of(table, form(table), view).map(|chart| chart.svg(view))
}

fn card(view: &View, topic: Topic, table: &Table, is_alone: bool) -> Markup {
    let chart = chart::of(table, form(table), view);
    let lead = CARDS.get(place(table)).map_or("", |(_, _, lead)| *lead);
    let address = |ending: &str| address_of(topic, Some(table.name), ending, &view.selection);
    html! {
        section.card id=(table.name) {
            h2 { @if is_alone { (table.title) } @else { a href=(address("")) { (table.title) } } }
            p.lead { (lead) }
            @if table.rows.is_empty() {
                p.wait { (sentence(table.none)) }
            } @else {
                @if let Some(chart) = &chart { (chart.html()) }
                @if chart.is_some() { (parts::notes(&view.notes)) }
                (parts::numbers(table))
            }
            p.exports {
                a href=(address(".csv")) { "CSV" span.sr { " of " (table.title) } }
                a href=(address(".json")) { "JSON" span.sr { " of " (table.title) } }
                @if chart.is_some() { a href=(address(".svg")) { "SVG" span.sr { " of " (table.title) } } }
            }
        }
    }
}

/// With a capital letter and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
