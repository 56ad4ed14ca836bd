//! Rows, each with a name and a bar: shares with their intervals, counts in parts.
//!
//! One rule: of few installs the bar is the interval, and a row without installs says so.

use super::{Chart, LOOKS, PARTS, Panel, by_product, entry, portion};
use crate::collector::definitions::Share;
use crate::collector::report::tree::{Row, Table, Value};
use crate::collector::report::words::{count_of, counted, interval, percent};
use maud::{Markup, html};

/// Height of a row, in pixels.
const ROW: usize = 54;
/// What is added to it where the share stands below the name.
const LINE: usize = 20;
/// Pixels that a small screen has for a name beside its share.
const NAME: usize = 170;
/// Rows that a chart shows.
const MOST: usize = 16;

/// A row of shares.
struct Bar {
    /// What it is of.
    name: String,
    share: Share,
    /// The part of it that is drawn within.
    within: Option<Share>,
    /// What to say without a share.
    none: &'static str,
}

/// A row for each share of the table.
pub fn shares(chart: &mut Chart, table: &Table) {
    let groups: Vec<_> = by_product(table)
        .into_iter()
        .map(|(title, rows)| {
            let bars: Vec<Bar> = rows.into_iter().map(|row| bar(table, row)).collect();
            (title, bars)
        })
        .collect();
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    if all().any(|bar| bar.within.is_some()) {
        chart.legend.push(entry("bar", "reached with all steps before"));
        chart.legend.push(entry("soft", "reached"));
    }
    if all().any(|bar| bar.share.of > 0 && !bar.share.is_of_few()) {
        chart.legend.push(entry("whisker", "95 % interval"));
    }
    if all().any(|bar| bar.share.of > 0 && bar.share.is_of_few()) {
        chart.legend.push(entry("range", "fewer than 20 installs: the interval itself"));
    }
    for (title, bars) in groups {
        cut(chart, bars.len());
        let bars = &bars[..bars.len().min(MOST)];
        let said = bars.iter().map(|Bar { name, share, none, .. }| match share.of {
            0 => format!("{name}: {none}"),
            _ => format!("{name}: {}, {}, {}", percent(*share), interval(*share), count_of(*share)),
        });
        let said = said.collect::<Vec<_>>().join("; ") + ".";
        let lower = if bars.iter().any(|bar| width(&bar.name) > NAME) { LINE } else { 0 };
        let row = ROW + lower;
        chart.panels.push(panel(
            title,
            said,
            bars.len() * row,
            html! {
                @for (at, bar) in bars.iter().enumerate() { (share_row(bar, at * row, lower)) }
            },
        ));
    }
}

/// About how wide a name is, in pixels: capitals take more.
fn width(name: &str) -> usize {
    name.chars().map(|letter| if letter.is_uppercase() || letter == '_' { 9 } else { 7 }).sum()
}

fn panel(title: String, said: String, height: usize, body: Markup) -> Panel {
    #[allow(clippy::cast_precision_loss, reason = "a handful of rows")]
    let height = height as f64;
    Panel { title, figure: None, said, axis: Vec::new(), height, body, legend: Vec::new() }
}

/// The name of a row is what stands before its first share.
fn bar(table: &Table, row: &Row) -> Bar {
    let mut bar =
        Bar { name: name(table, row), share: Share::default(), within: None, none: "no installs" };
    let mut shares = Vec::new();
    for value in &row.values {
        match value {
            Value::Share(share) => shares.push(*share),
            Value::None(words) if shares.is_empty() => bar.none = words,
            _ => {}
        }
    }
    bar.share = shares.first().copied().unwrap_or_default();
    bar.within = shares.get(1).copied().filter(|_| table.name == "steps");
    bar
}

fn name(table: &Table, row: &Row) -> String {
    let named =
        table.columns.iter().zip(&row.values).filter(|(column, _)| column.name != "product");
    let words = named.map_while(|(_, value)| match value {
        Value::Text(text) | Value::Named(_, text) => Some(text.clone()),
        Value::Code(code) => Some(code.name().to_owned()),
        Value::Word(_, words) => Some(words.replace('_', " ")),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// `lower`: how far below its name the share stands.
fn share_row(Bar { name, share, within, none }: &Bar, y: usize, lower: usize) -> Markup {
    let (above, y) = (y, y + lower);
    html! {
        g {
            title { (name) ": " (count_of(*share)) ", " (interval(*share)) }
            text.name x="0" y=(above + 18) { (name) }
            text.value x="100%" y=(y + 18) {
                @if share.of == 0 { tspan.muted { (none) } }
                @else {
                    @if share.is_of_few() { (interval(*share)) } @else { (percent(*share)) }
                    tspan.muted { "  " (count_of(*share)) }
                }
            }
            rect.track x="0" y=(y + 27) width="100%" height="14" rx="3" {}
            @if let (Some(value), Some((low, high))) = (share.value(), share.interval()) {
                @if share.is_of_few() {
                    rect.range x={ (100.0 * low) "%" } width={ (100.0 * (high - low)) "%" } y=(y + 27) height="14" rx="3" {}
                    line.point x1={ (100.0 * value) "%" } x2={ (100.0 * value) "%" } y1=(y + 27) y2=(y + 41) {}
                } @else {
                    @if within.is_some() { rect.soft x="0" y=(y + 27) width={ (100.0 * value) "%" } height="14" rx="3" {} }
                    @let inner = within.and_then(Share::value).unwrap_or(value);
                    rect.bar x="0" y=(y + 27) width={ (100.0 * inner) "%" } height="14" rx="3" {}
                    line.halo x1={ (100.0 * low) "%" } x2={ (100.0 * high) "%" } y1=(y + 34) y2=(y + 34) {}
                    line.whisker x1={ (100.0 * low) "%" } x2={ (100.0 * high) "%" } y1=(y + 34) y2=(y + 34) {}
                }
            }
        }
    }
}

/// A row for each that is counted in parts: the last columns of the table.
pub fn parts(chart: &mut Chart, table: &Table) {
    let from = table.columns.len().saturating_sub(PARTS);
    let looks = LOOKS.into_iter().zip(&table.columns[from..]);
    chart.legend = looks.map(|(look, column)| entry(look, column.title.to_lowercase())).collect();
    for (title, rows) in by_product(table) {
        cut(chart, rows.len());
        let rows = rows.into_iter().take(MOST).map(|row| {
            let counts = row.values[from..].iter().map(|value| match value {
                Value::Count(n) => *n,
                _ => 0,
            });
            (name(table, row), counts.collect::<Vec<u64>>())
        });
        let rows: Vec<(String, Vec<u64>)> = rows.collect();
        let most = rows.iter().map(|(_, counts)| counts.iter().sum()).max().unwrap_or_default();
        let said = rows.iter().map(|(name, counts)| {
            format!("{name}: {}", counted(counts.iter().sum(), "install", "installs"))
        });
        let said = said.collect::<Vec<_>>().join("; ") + ".";
        chart.panels.push(panel(title, said, rows.len() * ROW, html! {
            @for (at, (name, counts)) in rows.iter().enumerate() {
                @let y = at * ROW;
                text.name x="0" y=(y + 18) { (name) }
                text.value x="100%" y=(y + 18) { tspan.muted { (counted(counts.iter().sum(), "install", "installs")) } }
                rect.track x="0" y=(y + 27) width="100%" height="14" rx="3" {}
                @for (part, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    @let before = portion(counts[..part].iter().sum(), most);
                    rect.part x={ (100.0 * before) "%" } width={ (100.0 * portion(*count, most)) "%" } y=(y + 27) height="14" fill={ "url(#" (LOOKS[part]) ")" } {
                        title { (name) ", " (table.columns[from + part].title.to_lowercase()) ": "
                            (count_of(Share { count: *count, of: counts.iter().sum() })) }
                    }
                }
            }
        }));
    }
}

fn cut(chart: &mut Chart, rows: usize) {
    if rows > MOST {
        chart.rest = Some(format!("The chart shows the first {MOST} rows, the table all."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::report::tree::Column;

    #[test]
    fn a_share_stands_below_a_name_that_leaves_it_no_room() {
        let height = |name: &str| {
            let columns = vec![Column::plain("name", "Name"), Column::share("share", "Share")];
            let share = Share { count: 5, of: 12 };
            let rows = vec![Row {
                values: vec![Value::Text(name.to_owned()), Value::Share(share)],
                is_brief: true,
            }];
            let table = Table { name: "names", title: "", columns, rows, none: "" };
            let mut chart = Chart {
                table: "names",
                title: "",
                panels: Vec::new(),
                legend: Vec::new(),
                rest: None,
            };
            shares(&mut chart, &table);
            let body = chart.panels[0].body.clone().into_string();
            let y = |class: &str| {
                let text = body.split_once(&format!("class=\"{class}\"")).expect("a text").1;
                text.split_once(" y=\"").expect("its place").1.split('"').next().map(str::to_owned)
            };
            (y("name") == y("value"), chart.panels[0].height)
        };
        assert_eq!(height("Active in a second week"), (true, 54.0));
        assert_eq!(height("1.10.0 MCPX_STDIO_NOT_FOUND"), (false, 74.0));
    }
}
