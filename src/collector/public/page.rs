//! The public page of a product, and the list of products.
//!
//! One rule: it shows published numbers and nothing else: no share, no exact count, no address with a filter.

use super::badge;
use super::numbers::{K, Numbers, Row};
use crate::collector::definitions::{Day, IsoWeek};
use crate::collector::pages;
use crate::collector::report::words::grouped;
use maud::{Markup, html};
use std::fmt;

/// What every public page is called, for `collector doctor`.
pub const TITLE: &str = "Public numbers";

/// The page of one product. `top` leads from its address to the directory of all pages.
pub fn of_product(numbers: &Numbers, day: Day, top: &str) -> Markup {
    let week = IsoWeek(numbers.week);
    let (from, to) = numbers.newcomers_of;
    let (from, to) = (IsoWeek(from), IsoWeek(to));
    let body = html! {
        main.public id="main" {
            (brand())
            h1 { (numbers.product) }
            p.scope { (TITLE) " of " (date(&day)) ". The last full week is " (date(&week)) ", " (date(&week.monday())) " to "
                (date(&week.sunday())) "." }
            section.tiles aria-label="In one number" {
                div.tile {
                    h2 { "Active in " (week) }
                    p.figure { (count(&numbers.people)) }
                    p.what { "people, rounded down to a multiple of " (K) }
                }
            }
            div.two {
                (table("People by week", &html! { "Heard of on any day of an ISO week." }, "Week", None, &numbers.weeks))
                (table("Where it runs", &html! { "People and machines of " (date(&week)) ", by what they said first." }, "Kind",
                    Some(&numbers.installs), &numbers.kinds))
                (table("How many came back", &html! { "People who began in " (date(&from)) " to " (date(&to)) "." }, "Heard of again",
                    Some(&numbers.newcomers), &numbers.came_back))
                (table("How far they got", &html! { "The same people, within 7 days of the first heartbeat." }, "Step",
                    Some(&numbers.newcomers), &numbers.reached))
                (table("Versions", &html! { "People of " (date(&week)) ", at its end." }, "Version", None, &numbers.versions))
                (table("MCP clients", &html! { "People of " (date(&week)) ", by the clients that they have ever seen." }, "Client", None,
                    &numbers.clients))
                (table("Operating systems", &html! { "People of " (date(&week)) "." }, "System", None, &numbers.systems))
            }
        }
        (foot(top))
    };
    pages::document(&format!("{TITLE} · {}", numbers.product), &body)
}

/// The list of products.
pub fn index<'n>(all: impl Iterator<Item = &'n Numbers>, day: Day) -> Markup {
    let body = html! {
        main.public id="main" {
            (brand())
            h1 { (TITLE) }
            p.scope { "Of " (date(&day)) ". People who were active in the last full week." }
            section.card {
                dl.lines {
                    @for numbers in all {
                        div {
                            dt { a href={ "public/" (numbers.product) } { (numbers.product) } }
                            dd { (badge::words(numbers)) }
                        }
                    }
                }
            }
        }
        (foot(""))
    };
    pages::document(TITLE, &body)
}

fn brand() -> Markup {
    html! { p.brand { span.mark aria-hidden="true" {} "mcpproxy" span.muted { " collector" } } }
}

/// On one line.
fn date(of: &dyn fmt::Display) -> Markup {
    html! { span.date { (of.to_string()) } }
}

fn count(row: &Row) -> String {
    row.count().map_or_else(|| format!("fewer than {K}"), grouped)
}

/// A one-way table: a line for each name with its count, and a bar as long as its part of the largest.
fn table(title: &str, lead: &Markup, name: &str, all: Option<&Row>, rows: &[Row]) -> Markup {
    let most = all.into_iter().chain(rows).filter_map(Row::count).max().unwrap_or(K);
    html! {
        section.card {
            h2 { (title) }
            p.lead { (lead) }
            @if rows.is_empty() {
                p.muted { "Nothing to show: each count is below " (K) "." }
            } @else {
                table {
                    caption.sr { (title) }
                    thead { tr { th scope="col" { (name) } th.number scope="col" { "Installs" } } }
                    tbody {
                        @for row in all.into_iter().chain(rows) {
                            tr {
                                th scope="row" {
                                    (row.name())
                                    svg.part width="100%" height="6" aria-hidden="true" {
                                        rect.track width="100%" height="6" rx="2" {}
                                        rect.bar width={ (100 * row.count().unwrap_or(0) / most) "%" } height="6" rx="2" {}
                                    }
                                }
                                td.number { (count(row)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn foot(top: &str) -> Markup {
    html! {
        footer {
            h2 { "What these numbers are" }
            p { "An install that ran for five minutes sends at most one heartbeat a day; users who said no are not counted. A person is an "
                "install on a desktop, in a terminal or in a hosted workspace, with a release version: one person with two machines is two. "
                "All days are UTC, all weeks are ISO weeks, and every week here is over." }
            p { "Counts below " (K) " are left out. All others, sums as well, are each rounded down to a multiple of " (K) ", so the lines of a table "
                "do not add up to its sum. The numbers are made once a day, and there are no others to ask for." }
            p { "Anyone can send heartbeats of installs that do not exist: these numbers are what arrived, and no proof." }
            p { a href={ (top) "privacy" } { "What the collector keeps" } }
        }
    }
}
