//! Charts as SVG: bars over weeks, bars of a funnel.
//!
//! One rule: places are percentages of the width, so letters keep their size on every screen; colours are classes
//! of the style, so both schemes have theirs.

use crate::collector::definitions::{Day, FEW, IsoWeek, Share};
use crate::collector::report::words::{count_of, grouped, interval, percent};
use crate::collector::store::Note;
use maud::{Markup, html};

/// Height of the part with bars, in pixels.
const HEIGHT: f64 = 132.0;
/// Above the bars, for the topmost line and its whisker.
const ABOVE: f64 = 8.0;
/// Below the bars, for the weeks.
const BELOW: f64 = 26.0;
/// Weeks that fit on a small screen.
pub const WEEKS: usize = 26;
/// Names of weeks under a chart.
const LABELS: usize = 5;

/// How a bar is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Final: filled.
    Full,
    /// Open: hatched.
    Hatched,
    /// No installs: a dot on the line.
    None,
}

/// One week of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The week.
    pub week: IsoWeek,
    /// How it is drawn.
    pub look: Look,
    /// What it says.
    pub share: Share,
}

/// Shares of 0 to 100 % over weeks. `mean` is a line across; a week with a note has a mark.
pub fn shares(name: &str, bars: &[Bar], mean: Share, notes: &[Note]) -> Markup {
    let bars = &bars[bars.len().saturating_sub(WEEKS)..];
    let pattern = format!("hatch-{}", name.to_lowercase().replace(' ', "-"));
    let slots = slots(bars.len());
    let place = |value: f64| ABOVE + HEIGHT * (1.0 - value);
    html! {
        div.chart {
            (axis(&[("100 %", 1.0), ("50 %", 0.5), ("0 %", 0.0)]))
            svg.plot width="100%" height=(ABOVE + HEIGHT + BELOW) role="img" aria-label={ (name) " by week; the table has the numbers" } {
                (hatch(&pattern))
                (grid(&[1.0, 0.5, 0.0]))
                @for (at, bar) in bars.iter().enumerate() {
                    @let (left, width) = slots.of(at);
                    @let middle = left + width / 2.0;
                    g {
                        title { (bar.week) ": " (spoken(bar)) }
                        @match (bar.look, bar.share.value(), bar.share.interval()) {
                            (Look::Hatched, Some(value), _) => {
                                // At least a sliver: an open cell of 0 so far is there.
                                @let height = (HEIGHT * value).max(3.0);
                                rect.open x={ (left) "%" } width={ (width) "%" } y=(ABOVE + HEIGHT - height) height=(height)
                                    fill={ "url(#" (pattern) ")" } {}
                            }
                            (Look::Full, Some(value), Some((low, high))) => {
                                @if bar.share.of < FEW {
                                    // Of few installs: the interval is the bar.
                                    rect.range x={ (left) "%" } width={ (width) "%" } y=(place(high)) height=(HEIGHT * (high - low)) rx="2" {}
                                    line.point x1={ (left) "%" } x2={ (left + width) "%" } y1=(place(value)) y2=(place(value)) {}
                                } @else {
                                    rect.bar x={ (left) "%" } width={ (width) "%" } y=(place(value)) height=(HEIGHT * value) rx="2" {}
                                    line.whisker x1={ (middle) "%" } x2={ (middle) "%" } y1=(place(high)) y2=(place(low)) {}
                                }
                            }
                            _ => { circle.none cx={ (middle) "%" } cy=(ABOVE + HEIGHT - 4.0) r="2" {} }
                        }
                    }
                }
                @if let Some(mean) = mean.value() {
                    line.mean x1="0" x2="100%" y1=(place(mean)) y2=(place(mean)) {}
                }
                (marks(bars.iter().map(|bar| bar.week), &slots, notes))
                (weeks(bars.iter().map(|bar| bar.week), &slots))
            }
        }
    }
}

/// Counts over weeks; those of weeks that are not final are hatched. A week with a note has a mark.
pub fn counts(name: &str, bars: &[(IsoWeek, u64, bool)], notes: &[Note]) -> Markup {
    let bars = &bars[bars.len().saturating_sub(WEEKS)..];
    let most = round_up(bars.iter().map(|(_, count, _)| *count).max().unwrap_or_default());
    let slots = slots(bars.len());
    let (top, half) = (grouped(most), grouped(most / 2));
    html! {
        div.chart {
            (axis(&[(top.as_str(), 1.0), (half.as_str(), 0.5), ("0", 0.0)]))
            svg.plot width="100%" height=(ABOVE + HEIGHT + BELOW) role="img" aria-label={ (name) "; the table has the numbers" } {
                (hatch("hatch-new"))
                (grid(&[1.0, 0.5, 0.0]))
                @for (at, (week, count, is_final)) in bars.iter().enumerate() {
                    @let (left, width) = slots.of(at);
                    @let height = HEIGHT * portion(*count, most);
                    g {
                        title { (week) ": " (grouped(*count)) @if !is_final { ", still open" } }
                        @if *is_final {
                            rect.bar x={ (left) "%" } width={ (width) "%" } y=(ABOVE + HEIGHT - height) height=(height) rx="2" {}
                        } @else {
                            rect.open x={ (left) "%" } width={ (width) "%" } y=(ABOVE + HEIGHT - height.max(3.0)) height=(height.max(3.0))
                                fill="url(#hatch-new)" {}
                        }
                    }
                }
                (marks(bars.iter().map(|(week, ..)| *week), &slots, notes))
                (weeks(bars.iter().map(|(week, ..)| *week), &slots))
            }
        }
    }
}

/// A funnel: each step with its bar, the darker part with all steps before.
pub fn funnel(rows: &[(&str, Share, Share)]) -> Markup {
    const ROW: usize = 58;
    html! {
        svg.funnel width="100%" height=(rows.len() * ROW) role="img" aria-label="The funnel; the table has the numbers" {
            @for (at, (name, reached, with_all)) in rows.iter().enumerate() {
                @let y = at * ROW;
                g {
                    title { (name) ": " (count_of(*reached)) ", " (interval(*reached)) }
                    text.name x="0" y=(y + 18) { (name) }
                    text.value x="100%" y=(y + 18) {
                        @if reached.is_of_few() { (interval(*reached)) } @else { (percent(*reached)) }
                        tspan.muted { "  " (count_of(*reached)) }
                    }
                    rect.track x="0" y=(y + 28) width="100%" height="14" rx="3" {}
                    @if let (Some(value), Some(all)) = (reached.value(), with_all.value()) {
                        rect.soft x="0" y=(y + 28) width={ (100.0 * value) "%" } height="14" rx="3" {}
                        rect.bar x="0" y=(y + 28) width={ (100.0 * all) "%" } height="14" rx="3" {}
                    }
                    @if let Some((low, high)) = reached.interval() {
                        line.halo x1={ (100.0 * low) "%" } x2={ (100.0 * high) "%" } y1=(y + 35) y2=(y + 35) {}
                        line.whisker x1={ (100.0 * low) "%" } x2={ (100.0 * high) "%" } y1=(y + 35) y2=(y + 35) {}
                    }
                }
            }
        }
    }
}

/// Places of bars, in percent of the width.
struct Slots {
    each: f64,
}

#[allow(clippy::cast_precision_loss, reason = "a handful of weeks")]
fn slots(count: usize) -> Slots {
    // A few bars are not as wide as the page.
    Slots { each: 100.0 / count.max(8) as f64 }
}

impl Slots {
    /// Left edge and width of a bar.
    #[allow(clippy::cast_precision_loss, reason = "a handful of weeks")]
    fn of(&self, at: usize) -> (f64, f64) {
        (self.each * (at as f64 + 0.2), self.each * 0.6)
    }
}

fn spoken(bar: &Bar) -> String {
    let numbers = format!("{}, {}", interval(bar.share), count_of(bar.share));
    match bar.look {
        Look::Full => numbers,
        Look::Hatched => format!("still open, {} so far", count_of(bar.share)),
        Look::None => "no installs".to_owned(),
    }
}

fn hatch(name: &str) -> Markup {
    html! {
        defs {
            pattern id=(name) width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                line.stripe x1="0" x2="0" y1="0" y2="6" {}
            }
        }
    }
}

fn axis(labels: &[(&str, f64)]) -> Markup {
    html! {
        svg.axis width="44" height=(ABOVE + HEIGHT + BELOW) aria-hidden="true" {
            @for (label, value) in labels {
                text x="36" y=(ABOVE + HEIGHT * (1.0 - value) + 4.0) { (label) }
            }
        }
    }
}

fn grid(values: &[f64]) -> Markup {
    html! {
        @for value in values {
            @let y = ABOVE + HEIGHT * (1.0 - value);
            line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
        }
    }
}

/// Lines in the weeks that the operator has noted something of.
fn marks(all: impl Iterator<Item = IsoWeek>, slots: &Slots, notes: &[Note]) -> Markup {
    html! {
        @for (at, week) in all.enumerate() {
            @let of_week: Vec<_> = notes.iter().filter(|note| Day(note.day).week() == week).collect();
            @if !of_week.is_empty() {
                @let (left, width) = slots.of(at);
                g {
                    title {
                        @for (at, note) in of_week.into_iter().enumerate() {
                            @if at > 0 { "; " }
                            (Day(note.day)) ": " (note.text)
                        }
                    }
                    line.note x1={ (left + width / 2.0) "%" } x2={ (left + width / 2.0) "%" } y1=(ABOVE) y2=(ABOVE + HEIGHT) {}
                }
            }
        }
    }
}

/// Names under the bars: few enough to stand beside each other, the last one always.
fn weeks(all: impl ExactSizeIterator<Item = IsoWeek>, slots: &Slots) -> Markup {
    let count = all.len();
    let step = count.div_ceil(LABELS).max(1);
    html! {
        g.weeks aria-hidden="true" {
            @for (at, week) in all.enumerate().filter(|(at, _)| (count - 1 - at).is_multiple_of(step)) {
                @let (left, width) = slots.of(at);
                text x={ (left + width / 2.0) "%" } y=(ABOVE + HEIGHT + 20.0) { "W" (format!("{:02}", week.year_and_number().1)) }
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of installs are far below 2^53")]
fn portion(count: u64, most: u64) -> f64 {
    if most == 0 { 0.0 } else { count as f64 / most as f64 }
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
