//! A curve over days, with the band of its interval.
//!
//! One rule: a step for each day; where fewer than 20 installs are at risk the line is broken, and the band is what
//! to look at.

use super::{ABOVE, Chart, HEIGHT, Panel, entry, grid, percents, portion};
use crate::collector::definitions::FEW;
use crate::collector::report::tree::{Table, Value};
use crate::collector::report::words::{edges, grouped, part};
use maud::{Markup, html};
use std::fmt::Write as _;

/// Below the curve, for days and the installs at risk on them.
const BELOW: f64 = 42.0;
/// Days that may stand below it.
const TICKS: [u64; 6] = [0, 27, 83, 167, 251, 337];

/// One day.
struct Point {
    day: u64,
    at_risk: u64,
    value: f64,
    interval: Option<(f64, f64)>,
}

/// The one panel.
pub fn curve(chart: &mut Chart, table: &Table) {
    let mut points = Vec::new();
    for row in &table.rows {
        if let [Value::Count(day), Value::Count(at_risk), _, Value::Estimate(value, interval)] =
            row.values[..]
        {
            points.push(Point { day, at_risk, value, interval });
        }
    }
    let Some(last) = points.last().map(|point| point.day) else { return };
    let told = |day: u64| {
        let point = points.iter().find(|point| point.day == day)?;
        let interval = point.interval.map(|interval| format!(", {}", edges(interval)));
        let (value, interval) = (part(point.value), interval.unwrap_or_default());
        Some(format!("after day {day}: {value}{interval} (n = {})", grouped(point.at_risk)))
    };
    let told: Vec<String> = TICKS.into_iter().filter_map(told).collect();
    chart.legend = vec![entry("curve", "still there"), entry("band", "95 % interval")];
    if points.iter().any(|point| point.at_risk < FEW) {
        chart
            .legend
            .push(entry("few", "fewer than 20 installs at risk: the interval is what to look at"));
    }
    chart.panels.push(Panel {
        title: String::new(),
        figure: None,
        said: format!("Still there {}.", told.join("; ")),
        axis: percents(),
        height: ABOVE + HEIGHT + BELOW,
        body: body(&points, last),
        legend: told.into_iter().map(|text| entry("", text)).collect(),
    });
}

fn body(points: &[Point], last: u64) -> Markup {
    // The end of the last day.
    let width = last + 1;
    html! {
        (grid())
        svg x="0" y=(ABOVE) width="100%" height=(HEIGHT) viewBox={ "0 0 " (width) " 100" } preserveAspectRatio="none" {
            @for band in bands(points) { path.band d=(band) {} }
            path.curve d=(steps(points.iter().filter(|point| point.at_risk >= FEW), true)) {}
            path.few d=(steps(points.iter().filter(|point| point.at_risk < FEW), false)) {}
        }
        @for (at, point) in points.iter().filter(|point| TICKS.contains(&point.day)).enumerate() {
            @let x = 100.0 * portion(point.day, width);
            @if at == 0 || x > 12.0 {
                line.grid x1={ (x) "%" } x2={ (x) "%" } y1=(ABOVE + HEIGHT) y2=(ABOVE + HEIGHT + 5.0) {}
                text.tick.first[at == 0] x={ (x) "%" } y=(ABOVE + HEIGHT + 20.0) { "day " (point.day) }
                text.tick.first[at == 0] x={ (x) "%" } y=(ABOVE + HEIGHT + 36.0) { "n " (grouped(point.at_risk)) }
            }
        }
    }
}

/// The height of a part, from the top.
fn y(value: f64) -> f64 {
    100.0 * (1.0 - value)
}

/// A line that is level through each day. `is_begun`: from all of them.
fn steps<'p>(points: impl Iterator<Item = &'p Point>, is_begun: bool) -> String {
    let mut path = String::new();
    let mut level = if is_begun { Some(1.0) } else { None };
    for point in points {
        if path.is_empty() {
            let _ = write!(path, "M{} {:.2}", point.day, y(level.unwrap_or(point.value)));
        }
        if level != Some(point.value) {
            let _ = write!(path, "H{}V{:.2}", point.day, y(point.value));
            level = Some(point.value);
        }
        let _ = write!(path, "H{}", point.day + 1);
    }
    path
}

/// The areas between the edges: one for each run of days that have them.
fn bands(points: &[Point]) -> Vec<String> {
    let known = |point: &Point| point.interval.map(|(low, high)| (point.day, low, high));
    let runs = points.split(|point| point.interval.is_none());
    let runs = runs.filter(|run| !run.is_empty()).map(|run| {
        let mut path = String::new();
        for (day, _, high) in run.iter().filter_map(known) {
            let begin = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{begin}{day} {:.2}H{}", y(high), day + 1);
        }
        for (day, low, _) in run.iter().filter_map(known).rev() {
            let _ = write!(path, "L{} {:.2}H{day}", day + 1, y(low));
        }
        path + "Z"
    });
    runs.collect()
}
