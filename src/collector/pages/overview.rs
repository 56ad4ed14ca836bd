//! The overview: who is there, who is new, and one line of each other page.
//!
//! One rule: what it says in one line, a page says in full; the line links to it.

use super::parts;
use super::query::address;
use crate::collector::definitions::Measure;
use crate::collector::report::words::{NONE_FINAL, count_of, grouped, interval, measure, percent};
use crate::collector::view::{Topic, View};
use maud::{Markup, html};

/// The page below its heading.
pub fn body(view: &View) -> Markup {
    let activity = &view.activity;
    html! {
        section.tiles aria-label="Active installs" {
            (tile("Active yesterday", activity.yesterday, "installs heard of on the last full UTC day"))
            (tile("Active in 7 days", activity.last_7_days, "on any of the last 7 full days"))
            (tile("Active in 28 days", activity.last_28_days, "on any of the last 28 full days"))
            @if let Some(week) = view.last_full_week() {
                (tile("New installs", week.installs, &format!("in {}, the last full week", week.week)))
            } @else {
                (tile("New installs", view.new.iter().map(|week| week.installs).sum(), "in the first week, which is still open"))
            }
            div.tile {
                h2 { "Share of people" }
                p.figure.wide[view.people.is_of_few()] {
                    @if view.people.of == 0 { "–" }
                    @else if view.people.is_of_few() { (interval(view.people)) }
                    @else { (percent(view.people)) }
                }
                p.what {
                    @if view.people.is_of_few() { (percent(view.people)) } @else { (interval(view.people)) }
                    ", " (count_of(view.people)) " active in 28 days"
                }
            }
        }
        div.two {
            section.card {
                h2 { a href=(address(Topic::Retention, "", &view.selection)) { "Retention" } }
                p.lead { "Installs that came back, over all weeks whose numbers are final." }
                dl.lines {
                    @for (kind, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
                        div {
                            dt { (measure(kind)) }
                            dd { @if pooled.of == 0 { span.wait { (NONE_FINAL) } } @else { (parts::share(pooled)) } }
                        }
                    }
                }
            }
            section.card {
                h2 { a href=(address(Topic::Activation, "", &view.selection)) { "Activation" } }
                p.lead { "Installs that got as far as a real tool call." }
                dl.lines {
                    @if let Some(row) = view.first_call() {
                        @if let Some(fair) = row.within_7_days {
                            div {
                                dt { "Within 7 days" }
                                dd { @if fair.of == 0 { span.wait { "none is 7 days old" } } @else { (parts::share(fair)) } }
                            }
                        }
                        div { dt { "So far" } dd { (parts::share(row.reached)) } }
                    }
                }
            }
        }
    }
}

fn tile(name: &str, count: u64, what: &str) -> Markup {
    html! {
        div.tile {
            h2 { (name) }
            p.figure { (grouped(count)) }
            p.what { (what) }
        }
    }
}
