//! What all pages have: head, navigation, filters, the badge, the age of the numbers, the foot.
//!
//! One rule: a view says what it leaves out, with one link to everything.

use super::query::{address, address_of};
use super::{cards, chart, overview};
use crate::collector::definitions::{Audience, Filters, client::K};
use crate::collector::operating::STALE;
use crate::collector::report::words::{EXPIRY_STOPPED, counted};
use crate::collector::report::{among, reasons, shown as words};
use crate::collector::view::{Selection, Topic, View};
use maud::{DOCTYPE, Markup, html};

/// The sentence of the closed page.
pub const LOCKED: &str =
    "Open the link that the collector printed when it started, or enter its key.";
/// The same after a wrong key.
pub const WRONG: &str =
    "That is not the key of this collector: it stands in the file pages.key of its data directory.";

/// What a page is of.
#[derive(Clone, Copy)]
pub struct Shown<'s> {
    /// The numbers.
    pub view: &'s View,
    /// Which page.
    pub topic: Topic,
    /// One of its tables alone.
    pub table: Option<&'s str>,
    /// All products.
    pub products: &'s [&'s str],
    /// Where heartbeats go.
    pub endpoint: &'s str,
}

impl Shown<'_> {
    /// The address of the same with another selection.
    fn with(&self, selection: &Selection) -> String {
        address_of(self.topic, self.table, "", selection)
    }
}

/// The whole page of a view. `age` is that of its numbers, in seconds; `alarm` is what the operator has to do before
/// the numbers can be believed.
pub fn page(shown: &Shown<'_>, age: u64, alarm: Option<&str>) -> Markup {
    let (view, topic) = (shown.view, shown.topic);
    let selection = &view.selection;
    let body = html! {
        header.top {
            a.brand href=(address(Topic::Overview, "", selection)) {
                span.mark aria-hidden="true" {} "mcpproxy" span.muted { " collector" }
            }
            nav.pages aria-label="Pages" {
                @for other in Topic::ALL {
                    a href=(address(other, "", selection)) aria-current=[(other == topic).then_some("page")] {
                        (short(other))
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
            (chart::patterns())
            @if let Some(alarm) = alarm { p.alarm role="alert" { (alarm) "." } }
            @if let Some(k) = selection.k.filter(|k| *k < K && topic == Topic::Clients) {
                p.alarm role="alert" { "Names that " (k) (if k == 1 { " install has" } else { " installs have" })
                    " seen are shown: such a name can name a user. Keep this view to yourself." }
            }
            div.heading {
                h1 { (title(topic)) }
                p.scope { (selection.product.as_deref().unwrap_or("All products"))
                    @if let Some(since) = selection.since { ", installs since " (since.week()) }
                    @for (name, value) in selection.filters.set() { ", " (name) " " (value) }
                    ", as of " (view.as_of.today())
                }
            }
            (filters(shown))
            @if view.activity.installs > 0 || view.left_out.total() > 0 { (badge(shown)) }
            @if shown.table.is_some() {
                p.back { a href=(address(topic, "", selection)) { "All of " (title(topic)) } }
            }
            @if view.activity.installs == 0 { (empty(shown)) }
            // What was refused is worth a look above all when nothing is there.
            @if view.activity.installs > 0 || topic == Topic::Health {
                @if topic == Topic::Overview && shown.table.is_none() { (overview::body(view)) }
                (cards::cards(view, topic, shown.table))
            }
        }
        (foot(view))
    };
    document(
        &format!("{} · {}", title(topic), selection.product.as_deref().unwrap_or("all products")),
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

/// The name of a page in the navigation.
fn short(topic: Topic) -> &'static str {
    if topic == Topic::Health { "Health" } else { title(topic) }
}

/// The filters that are lists of words, each with its label.
const CHOICES: [(&str, &str); 5] = [
    ("kind", "Kind of environment"),
    ("agent_env", "Agent's environment"),
    ("launch_source", "Started by"),
    ("os", "Operating system"),
    ("edition", "Edition"),
];

fn filters(shown: &Shown<'_>) -> Markup {
    let selection = &shown.view.selection;
    let set = selection.filters.set();
    let value_of =
        |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let is_set = !set.is_empty();
    let without = Selection { filters: Filters::default(), ..selection.clone() };
    html! {
        div.filters {
            nav.segments aria-label="Who is counted" {
                @for audience in Audience::ALL {
                    a href=(shown.with(&Selection { audience, ..selection.clone() }))
                        aria-current=[(audience == selection.audience).then_some("true")] {
                        (match audience {
                            Audience::People => "People",
                            Audience::Machines => "Machines",
                            Audience::All => "All",
                        })
                    }
                }
            }
            form.select method="get" action=(address(shown.topic, "", &Selection::default())) {
                @if selection.audience != Audience::default() {
                    input type="hidden" name="show" value=(selection.audience.name());
                }
                @if let Some(k) = selection.k { input type="hidden" name="k" value=(k); }
                @if let Some(table) = shown.table { input type="hidden" name="table" value=(table); }
                @if shown.products.len() > 1 {
                    label { span { "Product" }
                        select name="product" {
                            option value="" { "All products" }
                            @for name in shown.products {
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
                details.more open[is_set] {
                    summary { "More filters" }
                    p.muted { "By what the first heartbeat of an install said." }
                    div.choices {
                        @for (name, words) in CHOICES {
                            label { span { (words) }
                                select name=(name) {
                                    option value="" { "any" }
                                    @for word in Filters::words(name) {
                                        option value=(word) selected[value_of(name) == Some(*word)] { (word.replace('_', " ")) }
                                    }
                                }
                            }
                        }
                        label { span { "First version" }
                            input type="text" name="version" value=[value_of("version")] placeholder="any";
                        }
                    }
                }
                button { "Show" }
                @if is_set { a.clear href=(shown.with(&without)) { "Clear filters" } }
            }
        }
    }
}

/// What is shown, and what is not.
fn badge(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    let all = Selection { audience: Audience::All, ..view.selection.clone() };
    html! {
        p.badge {
            span { "Shows " strong { (words(view.selection.audience)) } "." }
            @if let Some(out) = reasons(view.left_out) {
                " " span { "Left out: " (out) "." }
                " " a href=(shown.with(&all)) { "Show all" }
            } @else {
                " " span { "Nothing is left out." }
            }
            @if view.expired_left_out > 0 {
                " " span { "Filters know nothing of " (counted(view.expired_left_out, "install that has", "installs that have")) " expired." }
            }
            @if let Some(floods) = among(view) { " " span { (floods) } }
        }
    }
}

/// No numbers yet: what to do next.
fn empty(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    let product = view.selection.product.as_deref().or(shown.products.first().copied());
    let product = product.unwrap_or("notes-mcp");
    let others = view.left_out.total();
    let all = Selection { audience: Audience::All, ..view.selection.clone() };
    let without = Selection { filters: Filters::default(), ..view.selection.clone() };
    html! {
        section.card.empty {
            @if others > 0 {
                h2 { "None of these yet" }
                p { "There are no " (words(view.selection.audience)) " so far, but there "
                    (if others == 1 { "is " } else { "are " }) (counted(others, "other install", "other installs")) "." }
                p { a.button href=(shown.with(&all)) { "Show all installs" } }
            } @else if !view.selection.filters.is_empty() {
                h2 { "No such installs" }
                p { "The first heartbeat of no install said this." }
                p { a.button href=(shown.with(&without)) { "Clear filters" } }
            } @else {
                h2 { "No heartbeats yet" }
                p { "The first one arrives about five minutes after an install has started, then one a day." }
                ol {
                    li { "Start your server through the wrapper, with this collector as the endpoint:"
                        pre tabindex="0" { code {
                            "mcpproxy tap --product " (product) " \\\n  --product-version 1.0.0 \\\n"
                            "  --endpoint " (shown.endpoint) " \\\n  -- node server.js"
                        } }
                    }
                    li { "Leave it running for five minutes. " code { "mcpproxy telemetry status --product " (product) } " says when the heartbeat is due and what became of it." }
                    li { "Load this page again: new heartbeats show within a minute or two." }
                }
                @if shown.products.is_empty() {
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
