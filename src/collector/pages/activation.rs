//! The activation page: the funnel over the lifetime, and every step in a table.
//!
//! One rule: young installs pull a lifetime share down, so the age-fair form stands beside it.

use super::{chart, parts};
use crate::collector::definitions::Step;
use crate::collector::report::words::step;
use crate::collector::view::{Topic, View};
use maud::{Markup, html};

/// The page below its heading.
pub fn body(view: &View) -> Markup {
    let rows = &view.activation.steps;
    let is_wrapped = rows.iter().any(|row| row.step == Step::SecondDay);
    html! {
        section.card {
            h2 { "How far installs came" }
            p.lead {
                "Over the whole life of each install. The funnel begins with the first heartbeat: it ran for five minutes."
                @if is_wrapped { " Steps that are true of a wrapped server by construction are not shown." }
            }
            @let bars: Vec<_> = rows.iter().map(|row| (step(row.step), row.reached, row.with_all_before)).collect();
            (chart::funnel(&bars))
            ul.legend aria-label="Legend" {
                li { span.key.bar {} "reached with all steps before" }
                li { span.key.soft {} "reached" }
                li { span.key.whisker {} "95 % interval" }
            }
        }
        section.card {
            h2 { "Every step" }
            p.lead { "“Within 7 days” asks only installs that are at least 7 days old what they did on days 0 to 6, so that weeks with many newcomers do not pull it down." }
            (parts::table("Activation by step", &html! {
                thead {
                    tr {
                        th scope="col" { "Step" }
                        th.number scope="col" { "Reached" }
                        th.number scope="col" { "With all before" }
                        th.number scope="col" { "Within 7 days" }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (step(row.step)) }
                            td.number { (parts::share(row.reached)) }
                            td.number { (parts::share(row.with_all_before)) }
                            td.number {
                                @match row.within_7_days {
                                    None => span.wait { "begins on day 7" },
                                    Some(fair) if fair.of == 0 => span.wait { "none is 7 days old" },
                                    Some(fair) => (parts::share(fair)),
                                }
                            }
                        }
                    }
                }
            }))
            (parts::exports(view, Topic::Activation))
        }
    }
}
