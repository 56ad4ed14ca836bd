//! What all pages have: head, navigation, filters, the badge, the age of the numbers, the foot.
//!
//! One rule: a view says what it leaves out, with one link to everything.

use super::query::address;
use super::{activation, overview, retention};
use crate::collector::definitions::Audience;
use crate::collector::operating::STALE;
use crate::collector::report::words::{EXPIRY_STOPPED, counted};
use crate::collector::report::{among, reasons, shown};
use crate::collector::view::{Selection, Topic, View};
use maud::{DOCTYPE, Markup, html};

/// The sentence of the closed page.
pub const LOCKED: &str =
    "Open the link that the collector printed when it started, or enter its key.";
/// The same after a wrong key.
pub const WRONG: &str =
    "That is not the key of this collector: it stands in the file pages.key of its data directory.";

/// The whole page of a view. `age` is that of its numbers, in seconds; `endpoint` is where heartbeats go; `alarm`
/// is what the operator has to do before the numbers can be believed.
pub fn page(
    view: &View,
    topic: Topic,
    products: &[&str],
    age: u64,
    endpoint: &str,
    alarm: Option<&str>,
) -> Markup {
    let body = html! {
        header.top {
            a.brand href=(address(Topic::Overview, "", &view.selection)) {
                span.mark aria-hidden="true" {} "mcpproxy" span.muted { " collector" }
            }
            nav.pages aria-label="Pages" {
                @for other in Topic::PAGES {
                    a href=(address(other, "", &view.selection)) aria-current=[(other == topic).then_some("page")] {
                        (title(other))
                    }
                }
            }
            p.age.stale[age >= STALE] {
                @if age >= STALE { strong { "Numbers are old: " } }
                "read " (ago(age)) " ago"
                span.sr { ", at " (view.as_of) }
            }
            @if view.expiry_stopped { p.age.stale role="alert" { strong { (EXPIRY_STOPPED) } } }
        }
        main id="main" {
            @if let Some(alarm) = alarm { p.alarm role="alert" { (alarm) "." } }
            div.heading {
                div {
                    h1 { (title(topic)) }
                    p.scope { (view.selection.product.as_deref().unwrap_or("All products"))
                        @if let Some(since) = view.selection.since { ", installs since " (since.week()) }
                        @for (name, value) in view.selection.filters.set() { ", " (name) " " (value) }
                    }
                }
                (filters(view, topic, products))
            }
            @if view.activity.installs > 0 || view.left_out.total() > 0 { (badge(view, topic)) }
            @if view.activity.installs == 0 {
                (empty(view, topic, products, endpoint))
            } @else {
                @match topic {
                    Topic::Overview => (overview::body(view)),
                    Topic::Retention => (retention::body(view)),
                    Topic::Activation => (activation::body(view)),
                    // They have no page yet.
                    Topic::Environments | Topic::Versions | Topic::Clients | Topic::Health => {},
                }
            }
        }
        (foot(view))
    };
    document(
        &format!(
            "{} · {}",
            title(topic),
            view.selection.product.as_deref().unwrap_or("all products")
        ),
        &body,
    )
}

/// The page without the key.
pub fn closed(sentence: &str) -> Markup {
    document(
        "Closed",
        &html! {
            main.alone id="main" {
                section.card {
                    p.brand { span.mark aria-hidden="true" {} "mcpproxy" span.muted { " collector" } }
                    h1 { "These pages need a key" }
                    p { (sentence) }
                    form method="post" action="open" {
                        label for="key" { "Key" }
                        // Password managers file a password under a name.
                        input type="text" name="username" value="collector" autocomplete="username" hidden;
                        div.row {
                            input id="key" name="key" type="password" autocomplete="current-password" required;
                            button { "Open" }
                        }
                    }
                }
            }
        },
    )
}

/// A page with one sentence.
pub fn message(title: &str, sentence: &str) -> Markup {
    document(
        title,
        &html! {
            main.alone id="main" {
                section.card {
                    h1 { (title) }
                    p { (sentence) }
                    p { a.button href="./" { "Go to the overview" } }
                }
            }
        },
    )
}

/// A page of this title.
pub fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · mcpproxy collector" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="style.css";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

/// The name of a page.
pub fn title(topic: Topic) -> &'static str {
    match topic {
        Topic::Overview => "Overview",
        Topic::Retention => "Retention",
        Topic::Activation => "Activation",
        Topic::Environments => "Environments",
        Topic::Versions => "Versions",
        Topic::Clients => "Clients",
        Topic::Health => "Health of the data",
    }
}

fn filters(view: &View, topic: Topic, products: &[&str]) -> Markup {
    let selection = &view.selection;
    let path = address(topic, "", &Selection::default());
    html! {
        div.filters {
            nav.segments aria-label="Who is counted" {
                @for audience in Audience::ALL {
                    a href=(address(topic, "", &Selection { audience, ..selection.clone() }))
                        aria-current=[(audience == selection.audience).then_some("true")] {
                        (match audience {
                            Audience::People => "People",
                            Audience::Machines => "Machines",
                            Audience::All => "All",
                        })
                    }
                }
            }
            form.select method="get" action=(path) {
                @if selection.audience != Audience::default() {
                    input type="hidden" name="show" value=(selection.audience.name());
                }
                @for (name, value) in selection.filters.set() {
                    input type="hidden" name=(name) value=(value);
                }
                @if products.len() > 1 {
                    label { span { "Product" }
                        select name="product" {
                            option value="" { "All products" }
                            @for name in products {
                                option value=(name) selected[selection.product.as_deref() == Some(*name)] { (name) }
                            }
                        }
                    }
                } @else if let Some(product) = &selection.product {
                    input type="hidden" name="product" value=(product);
                }
                label { span { "Installs since" }
                    input type="date" name="since" value=[selection.since];
                }
                button { "Show" }
            }
        }
    }
}

/// What is shown, and what is not.
fn badge(view: &View, topic: Topic) -> Markup {
    let all = Selection { audience: Audience::All, ..view.selection.clone() };
    html! {
        p.badge {
            span { "Shows " strong { (shown(view.selection.audience)) } "." }
            @if let Some(out) = reasons(view.left_out) {
                " " span { "Left out: " (out) "." }
                " " a href=(address(topic, "", &all)) { "Show all" }
            } @else {
                " " span { "Nothing is left out." }
            }
            @if let Some(floods) = among(view) { " " span { (floods) } }
        }
    }
}

/// No numbers yet: what to do next.
fn empty(view: &View, topic: Topic, products: &[&str], endpoint: &str) -> Markup {
    let product = view.selection.product.as_deref().or(products.first().copied());
    let others = view.left_out.total();
    html! {
        section.card.empty {
            @if others > 0 {
                @let all = Selection { audience: Audience::All, ..view.selection.clone() };
                h2 { "None of these yet" }
                p { "There are no " (shown(view.selection.audience)) " so far, but there "
                    (if others == 1 { "is " } else { "are " }) (counted(others, "other install", "other installs")) "." }
                p { a.button href=(address(topic, "", &all)) { "Show all installs" } }
            } @else {
                h2 { "No heartbeats yet" }
                p { "The first one arrives about five minutes after an install has started, then one a day." }
                ol {
                    li { "Start your server through the wrapper, with this collector as the endpoint:"
                        pre tabindex="0" { code {
                            "mcpproxy tap --product " (product.unwrap_or("notes-mcp")) " --product-version 1.0.0 \\\n"
                            "  --endpoint " (endpoint) " \\\n  -- node server.js"
                        } }
                    }
                    li { "Leave it running for five minutes. " code { "mcpproxy telemetry status --product " (product.unwrap_or("notes-mcp")) } " says when the heartbeat is due and what became of it." }
                    li { "Load this page again: new heartbeats show within a minute or two." }
                }
                @if products.is_empty() {
                    p.note { "This collector knows no product yet. Start it with " code { "--product NAME" } " so that it accepts heartbeats of yours." }
                }
            }
        }
    }
}

fn foot(view: &View) -> Markup {
    let activity = &view.activity;
    html! {
        footer {
            h2 { "What these numbers are" }
            p { "The collector counts the heartbeats that it received. An install sends its first one after it has run for five "
                "minutes, and no more than one a day: shorter runs, offline machines and users who said no are not here. "
                "One person with two machines is two installs. All days are UTC, all weeks are ISO weeks." }
            @if activity.carried_over > 0 {
                p { (counted(activity.carried_over, "install was", "installs were")) " there before the first day known here: active, "
                    "but in no cohort and in no funnel." }
            }
            @if activity.late_starts > 0 {
                p { (counted(activity.late_starts, "install was", "installs were")) " first heard of two days after the install or later. They count from that day on." }
            }
        }
    }
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => counted(seconds, "second", "seconds"),
        60..3600 => counted(seconds / 60, "minute", "minutes"),
        3600..172_800 => counted(seconds / 3600, "hour", "hours"),
        _ => counted(seconds / 86_400, "day", "days"),
    }
}
