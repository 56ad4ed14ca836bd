//! The retention page: three charts, and every cell in a table.
//!
//! One rule: a cell that is not final looks different and says so in words.

use super::{chart, parts};
use crate::collector::definitions::{Cell, Measure, State};
use crate::collector::report::words::{count_of, grouped, measure};
use crate::collector::view::{Topic, View};
use chart::{Bar, Look};
use maud::{Markup, html};

/// The page below its heading.
pub fn body(view: &View) -> Markup {
    let retention = &view.retention;
    html! {
        section.card {
            h2 { "Who came back" }
            p.lead { "Of the installs first heard of in a week: on the day after (day 1), on any of days 7 to 13 (week 1), on any of days 28 to 34 (week 4)." }
            div.three {
                @for (at, kind) in Measure::ALL.into_iter().enumerate() {
                    @let pooled = retention.pooled[at];
                    @let bars: Vec<Bar> = retention.cohorts.iter().map(|cohort| bar(cohort.week, &cohort.cells[at])).collect();
                    div.panel {
                        h3 { (measure(kind)) span.muted { (days(kind)) } }
                        p.figure-share {
                            @if pooled.of == 0 { span.wait { "not final yet" } } @else { (parts::share(pooled)) }
                        }
                        (chart::shares(measure(kind), &bars, pooled, &view.notes))
                    }
                }
            }
            ul.legend aria-label="Legend" {
                li { span.key.bar {} "final, with its 95 % interval" }
                li { span.key.range {} "fewer than 20 installs: the interval itself" }
                li { span.key.hatched {} "still open: in no mean" }
                li { span.key.line {} "all final cells together" }
            }
            (parts::notes(&view.notes))
        }
        section.card {
            h2 { "Every week" }
            p.lead { "A cell is final two days after the last of its days has ended for the whole week, and does not change any more. The large number is the share, or its 95 % interval below 20 installs." }
            (parts::table("Retention by week", &html! {
                thead {
                    tr {
                        th scope="col" { "Week" }
                        th.number.wide scope="col" { "Installs" }
                        @for kind in Measure::ALL { th.number scope="col" { (measure(kind)) } }
                    }
                }
                tbody {
                    tr.total {
                        th scope="row" { "All final weeks" }
                        td.wide {}
                        @for pooled in retention.pooled {
                            td.number { @if pooled.of == 0 { span.wait { "not final yet" } } @else { (parts::share(pooled)) } }
                        }
                    }
                    @for cohort in retention.cohorts.iter().rev() {
                        tr {
                            th scope="row" { span.week { (cohort.week) } span.small { span.wide { "from " } (cohort.week.monday()) } }
                            td.number.wide { (grouped(cohort.installs)) }
                            @for one in &cohort.cells { (cell(one)) }
                        }
                    }
                }
            }))
            (parts::exports(view, Topic::Retention))
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    html! {
        @match cell.state {
            State::Final => td.number { (parts::share(cell.share)) },
            State::Open => td.number.hatched {
                span.share {
                    span.wait { "still open" }
                    span.small { span { (count_of(cell.share)) } " so far" }
                }
            },
            State::Empty => td.number.none { "no installs" },
        }
    }
}

fn bar(week: crate::collector::definitions::IsoWeek, cell: &Cell) -> Bar {
    let look = match cell.state {
        State::Final => Look::Full,
        State::Open => Look::Hatched,
        State::Empty => Look::None,
    };
    Bar { week, look, share: cell.share }
}

fn days(measure: Measure) -> String {
    match measure.days() {
        (1, 1) => " the day after".to_owned(),
        (first, last) => format!(" days {first} to {last}"),
    }
}
