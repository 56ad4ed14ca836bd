//! Bars over weeks: shares, counts, counts in parts.
//!
//! One rule: what is still open is hatched or dashed, and a week without installs is a dot, not a bar of nothing.

use super::{
    ABOVE, BELOW, Chart, HEIGHT, LOOKS, PARTS, Panel, by_product, entry, grid, labels, percents,
    place, portion,
};
use crate::collector::definitions::{Cell, Day, FEW, IsoWeek, Measure, Share, State};
use crate::collector::report::tree::{Kind, Table, Value};
use crate::collector::report::words::{count_of, grouped, interval, measure, percent};
use crate::collector::store::Note;
use crate::collector::view::View;
use maud::{Markup, html};

/// Weeks that fit on a small screen.
const WEEKS: usize = 26;
/// Names of weeks under a chart.
const LABELS: usize = 5;

/// One panel for each column of cells.
pub fn cells(chart: &mut Chart, table: &Table, view: &View) {
    let pooled = || view.retention.pooled.iter().chain(&view.rolling.pooled).copied();
    for (at, column) in table.columns.iter().enumerate() {
        if column.kind != Kind::Cell {
            continue;
        }
        let of = Measure::ALL.into_iter().chain(Measure::ROLLING);
        let of = of.zip(pooled()).find(|(kind, _)| kind.name() == column.name);
        let mean = of.map(|(_, share)| share).unwrap_or_default();
        let mut all: Vec<(IsoWeek, Cell)> = Vec::new();
        for row in &table.rows {
            if let (Some(Value::Week(week)), Some(Value::Cell(cell))) =
                (row.values.first(), row.values.get(at))
            {
                all.push((*week, *cell));
            }
        }
        all.sort_by_key(|(week, _)| *week);
        let all = last(chart, &all);
        // Days that no install has come to yet make no plot.
        let is_begun =
            all.iter().any(|(_, cell)| cell.state == State::Final || cell.share.count > 0);
        chart.panels.push(Panel {
            title: match of.map(|(kind, _)| kind) {
                Some(Measure::Day1) => "Day 1: the day after".to_owned(),
                Some(kind @ (Measure::Week1 | Measure::Week4)) => {
                    let (first, last) = kind.days();
                    format!("{}: days {first} to {last}", measure(kind))
                }
                _ => column.title.to_owned(),
            },
            figure: Some(mean),
            said: format!("All final weeks: {}, {}.", percent(mean), count_of(mean)),
            axis: if is_begun { percents() } else { Vec::new() },
            height: if is_begun { ABOVE + HEIGHT + BELOW } else { 0.0 },
            body: if is_begun {
                shares(all, mean, &view.notes)
            } else {
                html! {}
            },
            legend: Vec::new(),
        });
    }
    chart.legend = vec![
        entry("bar", "final, with its 95 % interval"),
        entry("range", "fewer than 20 installs: the interval itself"),
        entry("hatch", "still open: in no mean"),
        entry("mean", "all final weeks together"),
    ];
}

fn shares(all: &[(IsoWeek, Cell)], mean: Share, notes: &[Note]) -> Markup {
    let slots = Slots::of(all.len());
    html! {
        (grid())
        @for (at, (week, cell)) in all.iter().enumerate() {
            @let (left, width) = slots.at(at);
            g {
                title { (week) ": " (spoken(cell)) }
                @match (cell.state, cell.share.value(), cell.share.interval()) {
                    // At least a sliver: an open cell of 0 so far is there.
                    (State::Open, Some(value), _) => { (open(left, width, value)) }
                    (State::Final, Some(value), Some((low, high))) => {
                        @if cell.share.of < FEW {
                            // Of few installs: the interval is the bar.
                            rect.range x={ (left) "%" } width={ (width) "%" } y=(place(high)) height=(HEIGHT * (high - low)) rx="2" {}
                            line.point x1={ (left) "%" } x2={ (left + width) "%" } y1=(place(value)) y2=(place(value)) {}
                        } @else {
                            @let middle = left + width / 2.0;
                            rect.bar x={ (left) "%" } width={ (width) "%" } y=(place(value)) height=(HEIGHT * value) rx="2" {}
                            line.whisker x1={ (middle) "%" } x2={ (middle) "%" } y1=(place(high)) y2=(place(low)) {}
                        }
                    }
                    _ => { (none(left, width)) }
                }
            }
        }
        @if let Some(mean) = mean.value() {
            line.mean x1="0" x2="100%" y1=(place(mean)) y2=(place(mean)) {}
        }
        (below(&weeks_of(all), &slots, notes))
    }
}

/// How many, by week.
pub fn counts(chart: &mut Chart, table: &Table, view: &View) {
    let mut all: Vec<(IsoWeek, (u64, bool))> = Vec::new();
    for row in &table.rows {
        if let [Value::Week(week), Value::Count(count), Value::Word(state, _)] = row.values[..] {
            all.push((week, (count, state == State::Final.name())));
        }
    }
    let all = last(chart, &all);
    let most = round_up(all.iter().map(|(_, (count, _))| *count).max().unwrap_or_default());
    let slots = Slots::of(all.len());
    let finals = all.iter().rfind(|(_, (_, is_final))| *is_final);
    chart.panels.push(Panel {
        title: String::new(),
        figure: None,
        said: finals.map_or_else(
            || "No week is final yet.".to_owned(),
            |(week, (count, _))| format!("The last final week, {week}: {}.", grouped(*count)),
        ),
        axis: labels([most, most / 2, 0].map(grouped)),
        height: ABOVE + HEIGHT + BELOW,
        body: html! {
            (grid())
            @for (at, (week, (count, is_final))) in all.iter().enumerate() {
                @let (left, width) = slots.at(at);
                @let value = portion(*count, most);
                g {
                    title { (week) ": " (grouped(*count)) @if !is_final { ", still open" } }
                    @if !is_final { (open(left, width, value)) }
                    @else if *count == 0 { (none(left, width)) }
                    @else { rect.bar x={ (left) "%" } width={ (width) "%" } y=(place(value)) height=(HEIGHT * value) rx="2" {} }
                }
            }
            (below(&weeks_of(all), &slots, &view.notes))
        },
        legend: vec![entry("bar", "final"), entry("hatch", "still open")],
    });
}

/// The parts of each week: a part for each column of counts, or for each version.
pub fn stack(chart: &mut Chart, table: &Table, view: &View) {
    let yesterday = view.as_of.today().minus(1);
    for (title, rows) in by_product(table) {
        let mut names: Vec<String> = Vec::new();
        let mut weeks: Vec<(IsoWeek, Vec<u64>)> = Vec::new();
        for row in rows {
            let Some(Value::Week(week)) = row.values.first() else { continue };
            if weeks.last().is_none_or(|(last, _)| last != week) {
                weeks.push((*week, Vec::new()));
            }
            let Some((_, counts)) = weeks.last_mut() else { continue };
            let mut add = |name: &str, n: u64| {
                let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                    names.push(name.to_owned());
                    names.len() - 1
                });
                counts.resize(counts.len().max(at + 1), 0);
                counts[at] += n;
            };
            match &row.values[..] {
                [_, _, Value::Text(version), Value::Share(share)] => add(version, share.count),
                [_, _, counts @ ..] => {
                    for (column, value) in table.columns[2..].iter().zip(counts) {
                        if let Value::Count(n) = value {
                            add(&column.title.replace('_', " "), *n);
                        }
                    }
                }
                _ => {}
            }
        }
        weeks.reverse();
        let weeks = last(chart, &weeks);
        let series = Series::of(names, weeks);
        let (body, most) = stacked(&series, weeks, yesterday, &view.notes);
        let full = series.weeks.iter().zip(weeks).rev();
        let mut full = full.filter(|(_, (week, _))| week.sunday() <= yesterday);
        let (counts, said) = match (full.next(), series.weeks.last()) {
            (Some((counts, (week, _))), _) => (counts, format!("The last full week, {week}:")),
            (None, Some(counts)) => (counts, "So far:".to_owned()),
            (None, None) => continue,
        };
        let of = counts.iter().sum();
        let parts = series.names.iter().zip(counts).map(|(name, count)| {
            let share = Share { count: *count, of };
            let large = if share.is_of_few() { interval(share) } else { percent(share) };
            format!("{name}: {large}, {}", count_of(share))
        });
        let parts: Vec<String> = parts.collect();
        let mut legend = vec![entry("", said.clone())];
        legend.extend(LOOKS.into_iter().zip(&parts).map(|(look, text)| entry(look, text)));
        if weeks.last().is_some_and(|(week, _)| week.sunday() > yesterday) {
            legend.push(entry("unfinished", "still open"));
        }
        chart.panels.push(Panel {
            title,
            figure: None,
            said: format!("{said} {}.", parts.join("; ")),
            axis: labels([most, most / 2, 0].map(grouped)),
            height: ABOVE + HEIGHT + BELOW,
            body,
            legend,
        });
    }
}

/// At most [`PARTS`] parts that are not empty; what is beyond stands together in the last.
struct Series {
    names: Vec<String>,
    weeks: Vec<Vec<u64>>,
}

impl Series {
    fn of(names: Vec<String>, weeks: &[(IsoWeek, Vec<u64>)]) -> Self {
        let total = |at: usize| -> u64 { weeks.iter().filter_map(|(_, all)| all.get(at)).sum() };
        let mut kept: Vec<usize> = (0..names.len()).filter(|at| total(*at) > 0).collect();
        let has_others = kept.len() > PARTS;
        if has_others {
            // The largest stay, in their order.
            kept.sort_by_key(|at| std::cmp::Reverse(total(*at)));
            kept.truncate(PARTS - 1);
            kept.sort_unstable();
        }
        let rows = weeks.iter().map(|(_, all)| {
            let mut counts: Vec<u64> =
                kept.iter().map(|at| all.get(*at).copied().unwrap_or_default()).collect();
            if has_others {
                let rest = all.iter().sum::<u64>() - counts.iter().sum::<u64>();
                counts.push(rest);
            }
            counts
        });
        let weeks = rows.collect();
        let mut names: Vec<String> = kept.iter().map(|at| names[*at].clone()).collect();
        if has_others {
            names.push("others".to_owned());
        }
        Self { names, weeks }
    }
}

fn stacked(
    series: &Series,
    weeks: &[(IsoWeek, Vec<u64>)],
    yesterday: Day,
    notes: &[Note],
) -> (Markup, u64) {
    let totals = series.weeks.iter().map(|counts| counts.iter().sum());
    let totals: Vec<u64> = totals.collect();
    let most = round_up(totals.iter().copied().max().unwrap_or_default());
    let slots = Slots::of(weeks.len());
    let body = html! {
        (grid())
        @for (at, ((week, _), counts)) in weeks.iter().zip(&series.weeks).enumerate() {
            @let (left, width) = slots.at(at);
            @let is_open = week.sunday() > yesterday;
            g.partial[is_open] {
                @if totals[at] == 0 { (none(left, width)) }
                @for (part, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                    @let top = portion(counts[..=part].iter().sum(), most);
                    rect.part x={ (left) "%" } width={ (width) "%" } y=(place(top)) height=(HEIGHT * portion(*count, most)) fill={ "url(#" (LOOKS[part]) ")" } {
                        title { (week) @if is_open { " so far" } ", " (series.names[part]) ": " (count_of(Share { count: *count, of: totals[at] })) }
                    }
                }
                @if is_open && totals[at] > 0 {
                    @let value = portion(totals[at], most);
                    rect.unfinished x={ (left) "%" } width={ (width) "%" } y=(place(value)) height=(HEIGHT * value) {}
                }
            }
        }
        (below(&weeks_of(weeks), &slots, notes))
    };
    (body, most)
}

/// The last weeks, and a word about the others.
fn last<'a, T>(chart: &mut Chart, all: &'a [T]) -> &'a [T] {
    let cut = all.len().saturating_sub(WEEKS);
    if cut > 0 {
        chart.rest =
            Some(format!("The chart shows the last {WEEKS} weeks, the table all {}.", all.len()));
    }
    &all[cut..]
}

fn weeks_of<T>(all: &[(IsoWeek, T)]) -> Vec<IsoWeek> {
    all.iter().map(|(week, _)| *week).collect()
}

fn open(left: f64, width: f64, value: f64) -> Markup {
    let height = (HEIGHT * value).max(3.0);
    html! {
        rect.open x={ (left) "%" } width={ (width) "%" } y=(ABOVE + HEIGHT - height) height=(height) fill="url(#hatch)" {}
    }
}

fn none(left: f64, width: f64) -> Markup {
    html! { circle.none cx={ (left + width / 2.0) "%" } cy=(ABOVE + HEIGHT - 4.0) r="2" {} }
}

fn spoken(cell: &Cell) -> String {
    match cell.state {
        State::Final => format!("{}, {}", interval(cell.share), count_of(cell.share)),
        State::Open => format!("still open, {} so far", count_of(cell.share)),
        State::Empty => "no installs".to_owned(),
    }
}

/// Places of bars, in percent of the width.
struct Slots {
    each: f64,
}

#[allow(clippy::cast_precision_loss, reason = "a handful of weeks")]
impl Slots {
    fn of(count: usize) -> Self {
        // A few bars are not as wide as the page.
        Self { each: 100.0 / count.max(8) as f64 }
    }

    /// Left edge and width of a bar.
    fn at(&self, at: usize) -> (f64, f64) {
        (self.each * (at as f64 + 0.2), self.each * 0.6)
    }
}

/// Names under the bars, few enough to stand beside each other, the last one always; and lines in the weeks that
/// the operator has noted something of.
fn below(weeks: &[IsoWeek], slots: &Slots, notes: &[Note]) -> Markup {
    let count = weeks.len();
    let step = count.div_ceil(LABELS).max(1);
    let middle = |at: usize| {
        let (left, width) = slots.at(at);
        left + width / 2.0
    };
    html! {
        @for (at, week) in weeks.iter().enumerate() {
            @let of_week: Vec<_> = notes.iter().filter(|note| Day(note.day).week() == *week).collect();
            @if !of_week.is_empty() {
                g {
                    title {
                        @for (at, note) in of_week.into_iter().enumerate() {
                            @if at > 0 { "; " }
                            (Day(note.day)) ": " (note.text)
                        }
                    }
                    line.note x1={ (middle(at)) "%" } x2={ (middle(at)) "%" } y1=(ABOVE) y2=(ABOVE + HEIGHT) {}
                }
            }
            @if (count - 1 - at).is_multiple_of(step) {
                text.tick x={ (middle(at)) "%" } y=(ABOVE + HEIGHT + 20.0) { "W" (format!("{:02}", week.year_and_number().1)) }
            }
        }
    }
}

/// The next round number, so that half of it is round as well; at least 4.
fn round_up(most: u64) -> u64 {
    let mut unit = 1_u64;
    while unit.saturating_mul(100) <= most {
        unit = unit.saturating_mul(10);
    }
    let steps = [4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100];
    let steps = steps.map(|step| unit.saturating_mul(step));
    steps.into_iter().find(|step| *step >= most).unwrap_or(most)
}
