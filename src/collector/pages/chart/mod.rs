//! Charts as SVG, each made of a table of the tree.
//!
//! One rule: places are percentages of the width, so letters keep their size on every screen; each part has a shape
//! or a pattern of its own beside its colour, which is a class of the style.

mod curve;
mod rows;
mod weeks;

use super::parts;
use crate::collector::definitions::Share;
use crate::collector::report::shown;
use crate::collector::report::tree::{Row, Table, Value};
use crate::collector::report::words::{NONE_FINAL, count_of, interval, percent};
use crate::collector::view::View;
use maud::{Markup, PreEscaped, html};

/// The colours and patterns, which a file of its own holds as well.
pub const STYLE: &str = include_str!("chart.css");
/// Height of the part with marks, in pixels.
const HEIGHT: f64 = 132.0;
/// Above it, for the topmost line and its whisker.
const ABOVE: f64 = 8.0;
/// Below it, for the names of weeks and days.
const BELOW: f64 = 26.0;
/// Parts that differ in colour and pattern.
const PARTS: usize = 6;
/// Their patterns: the path of each on a tile of 8 pixels; the first is plain.
const PATTERNS: [&str; PARTS] = [
    "",
    "M-2 2 2 -2M0 8 8 0M6 10 10 6",
    "M1 2h2M5 6h2",
    "M0 2h8M0 6h8",
    "M-2 6 2 10M0 0 8 8M6 -2 10 2",
    "M2 0v8M6 0v8",
];

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all.
    None,
    /// Shares over weeks, one panel for each column of them.
    Cells,
    /// Counts over weeks.
    Counts,
    /// Counts over weeks, in parts.
    Stack,
    /// A curve over days, with its band.
    Curve,
    /// A row for each share; the second share of a row lies within the first.
    Shares,
    /// A row for each count, in parts.
    Parts,
}

/// A chart.
pub struct Chart {
    table: &'static str,
    title: &'static str,
    panels: Vec<Panel>,
    legend: Vec<Entry>,
    /// What it leaves to the table.
    rest: Option<String>,
}

/// One plot of it.
struct Panel {
    title: String,
    figure: Option<Share>,
    /// What it shows, in words.
    said: String,
    /// Labels at the left, each with its height in pixels.
    axis: Vec<(String, f64)>,
    /// 0: there is nothing to draw yet.
    height: f64,
    body: Markup,
    legend: Vec<Entry>,
}

/// What a look means: a class of the style.
struct Entry {
    look: &'static str,
    text: String,
}

fn entry(look: &'static str, text: impl Into<String>) -> Entry {
    Entry { look, text: text.into() }
}

/// The chart of a table; `None`: there is nothing to draw.
pub fn of(table: &Table, form: Form, view: &View) -> Option<Chart> {
    if table.rows.is_empty() {
        return None;
    }
    let mut chart = Chart {
        table: table.name,
        title: table.title,
        panels: Vec::new(),
        legend: Vec::new(),
        rest: None,
    };
    match form {
        Form::None => return None,
        Form::Cells => weeks::cells(&mut chart, table, view),
        Form::Counts => weeks::counts(&mut chart, table, view),
        Form::Stack => weeks::stack(&mut chart, table, view),
        Form::Curve => curve::curve(&mut chart, table),
        Form::Shares => rows::shares(&mut chart, table),
        Form::Parts => rows::parts(&mut chart, table),
    }
    Some(chart)
}

/// The patterns that all charts of a page share.
pub fn patterns() -> Markup {
    html! {
        svg.defs width="0" height="0" aria-hidden="true" { (definitions()) }
    }
}

fn definitions() -> Markup {
    html! {
        defs {
            pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                line.stripe x1="0" x2="0" y1="0" y2="6" {}
            }
            @for (at, path) in PATTERNS.into_iter().enumerate() {
                pattern id={ "p" (at) } width="8" height="8" patternUnits="userSpaceOnUse" {
                    rect class={ "p" (at) } width="8" height="8" {}
                    path.ink d=(path) {}
                }
            }
        }
    }
}

impl Chart {
    /// As a part of a page.
    pub fn html(&self) -> Markup {
        let is_side_by_side = self.panels.iter().all(|panel| panel.figure.is_some());
        html! {
            div.three[is_side_by_side].panels[!is_side_by_side] {
                @for (at, panel) in self.panels.iter().enumerate() {
                    div.panel {
                        @if !panel.title.is_empty() { h3 { (panel.title) } }
                        @if let Some(figure) = panel.figure {
                            p.figure-share {
                                @if figure.of == 0 { span.wait { (NONE_FINAL) } } @else { (parts::share(figure)) }
                            }
                        }
                        @if panel.height > 0.0 { (self.plot(panel, at)) }
                        (legend(&panel.legend))
                    }
                }
            }
            (legend(&self.legend))
            @if let Some(rest) = &self.rest { p.note { (rest) } }
        }
    }

    fn plot(&self, panel: &Panel, at: usize) -> Markup {
        let (name, told) =
            (format!("{}-{at}-name", self.table), format!("{}-{at}-told", self.table));
        html! {
            div.chart[!panel.axis.is_empty()] {
                @if !panel.axis.is_empty() {
                    svg.axis width="44" height=(panel.height) aria-hidden="true" { (axis(panel)) }
                }
                svg.plot width="100%" height=(panel.height) role="img" aria-labelledby=(name) aria-describedby=(told) {
                    title id=(name) { (self.title) @if !panel.title.is_empty() { ": " (panel.title) } }
                    desc id=(told) { (panel.said) " The table has all numbers." }
                    (panel.body)
                }
            }
        }
    }

    /// As a file of its own, with the view that it is of.
    pub fn svg(&self, view: &View) -> String {
        const WIDTH: f64 = 960.0;
        const LINE: f64 = 22.0;
        let has_axis = self.panels.iter().any(|panel| !panel.axis.is_empty());
        let left = if has_axis { 60.0 } else { 16.0 };
        let product = view.selection.product.as_deref().unwrap_or("all products");
        let mut y = 80.0;
        let body = html! {
            @for panel in &self.panels {
                @if !panel.title.is_empty() {
                    text.name x="16" y=(y) { (panel.title)
                        @if let Some(figure) = panel.figure { ": " (said(figure)) }
                    }
                    ({ y += 12.0; html! {} })
                }
                svg.axis x="16" y=(y) width="44" height=(panel.height) { (axis(panel)) }
                svg x=(left) y=(y) width=(WIDTH - left - 16.0) height=(panel.height) { (panel.body) }
                ({ y += panel.height + 12.0; html! {} })
                @for Entry { look, text } in &panel.legend {
                    (lined(look, text, left, y)) ({ y += LINE; html! {} })
                }
                ({ y += LINE; html! {} })
            }
            @for Entry { look, text } in &self.legend {
                (lined(look, text, left, y)) ({ y += LINE; html! {} })
            }
        };
        let page = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH) height=(y) viewBox={ "0 0 " (WIDTH) " " (y) } role="img" aria-labelledby="name" aria-describedby="told" {
                title id="name" { (self.title) }
                desc id="told" { @for panel in &self.panels { (panel.said) " " } }
                style { (PreEscaped(STYLE)) }
                (definitions())
                rect.paper width=(WIDTH) height=(y) {}
                text.head x="16" y="28" { (self.title) }
                text x="16" y="48" { (product) ": " (shown(view.selection.audience))
                    @for (name, value) in view.selection.filters.set() { ", " (name) " " (value) }
                    ", as of " (view.as_of)
                }
                (body)
            }
        };
        page.into_string()
    }
}

/// A share in one line; of few installs the interval alone.
fn said(share: Share) -> String {
    match share.of {
        0 => NONE_FINAL.to_owned(),
        _ if share.is_of_few() => format!("{}, {}", interval(share), count_of(share)),
        _ => format!("{}, {}, {}", percent(share), interval(share), count_of(share)),
    }
}

fn legend(entries: &[Entry]) -> Markup {
    html! {
        @if !entries.is_empty() {
            ul.legend aria-label="Legend" {
                @for Entry { look, text } in entries {
                    li {
                        @if !look.is_empty() { svg.key width="16" height="14" aria-hidden="true" { (swatch(look)) } }
                        (text)
                    }
                }
            }
        }
    }
}

fn lined(look: &str, text: &str, left: f64, y: f64) -> Markup {
    html! {
        svg x=(left) y=(y) width="16" height="14" { @if !look.is_empty() { (swatch(look)) } }
        text x=(left + 24.0) y=(y + 11.0) { (text) }
    }
}

/// A small piece of what a look means.
fn swatch(look: &str) -> Markup {
    html! {
        @match look {
            "whisker" | "mean" | "curve" | "few" => line class=(look) x1="0" x2="16" y1="7" y2="7" {},
            "hatch" => rect.open width="14" height="14" fill="url(#hatch)" {},
            _ if is_part(look) => rect width="14" height="14" fill={ "url(#" (look) ")" } {},
            _ => rect class=(look) width="14" height="14" rx="2" {},
        }
    }
}

fn is_part(look: &str) -> bool {
    look.strip_prefix('p').is_some_and(|rest| rest.len() == 1)
}

/// The names of the parts.
const LOOKS: [&str; PARTS] = ["p0", "p1", "p2", "p3", "p4", "p5"];

fn axis(panel: &Panel) -> Markup {
    html! {
        @for (label, y) in &panel.axis { text x="36" y=(y + 4.0) { (label) } }
    }
}

/// Where a part of the height lies.
fn place(value: f64) -> f64 {
    ABOVE + HEIGHT * (1.0 - value)
}

/// Lines at the bottom, the middle and the top.
fn grid() -> Markup {
    html! {
        @for value in [1.0, 0.5, 0.0] {
            line.grid x1="0" x2="100%" y1=(place(value)) y2=(place(value)) {}
        }
    }
}

/// The labels of these lines.
fn labels([top, half, bottom]: [String; 3]) -> Vec<(String, f64)> {
    vec![(top, place(1.0)), (half, place(0.5)), (bottom, place(0.0))]
}

fn percents() -> Vec<(String, f64)> {
    labels(["100 %", "50 %", "0 %"].map(str::to_owned))
}

#[allow(clippy::cast_precision_loss, reason = "counts of installs are far below 2^53")]
fn portion(count: u64, most: u64) -> f64 {
    if most == 0 { 0.0 } else { count as f64 / most as f64 }
}

/// The rows of each product, under its name if there are several; a table that knows no product is one group.
fn by_product(table: &Table) -> Vec<(String, Vec<&Row>)> {
    let Some(at) = table.columns.iter().position(|column| column.name == "product") else {
        return vec![(String::new(), table.rows.iter().collect())];
    };
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in &table.rows {
        let Some(Value::Text(product)) = row.values.get(at) else { continue };
        match groups.iter_mut().find(|(name, _)| name == product) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((product.clone(), vec![row])),
        }
    }
    if let [(name, _)] = &mut groups[..] {
        name.clear();
    }
    groups
}
