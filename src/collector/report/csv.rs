//! The numbers as CSV (RFC 4180): one heading line, one line a row.
//!
//! One rule: an empty field stands for "no installs"; names of columns are those of the JSON.

use super::json::rounded;
use crate::collector::definitions::{Measure, Share};
use crate::collector::view::{Topic, View};

/// The columns of a share.
const OF_SHARE: [&str; 5] = ["count", "of", "share", "low", "high"];

/// `topic` of `view`.
pub fn csv(view: &View, topic: Topic) -> String {
    let lines = match topic {
        Topic::Overview => overview(view),
        Topic::Retention => retention(view),
        Topic::Activation => activation(view),
    };
    lines.into_iter().map(|fields| fields.join(",") + "\r\n").collect()
}

fn overview(view: &View) -> Vec<Vec<String>> {
    let mut lines = vec![[texts(&["number"]), texts(&OF_SHARE)].concat()];
    let counts = [
        ("installs", view.activity.installs),
        ("active_yesterday", view.activity.yesterday),
        ("active_last_7_days", view.activity.last_7_days),
        ("active_last_28_days", view.activity.last_28_days),
        ("carried_over", view.activity.carried_over),
        ("late_starts", view.activity.late_starts),
        ("floods", view.activity.floods),
    ];
    for (name, count) in counts {
        lines.push(texts(&[name, &count.to_string(), "", "", "", ""]));
    }
    for week in &view.new {
        let name = format!("new_installs_{}", week.week);
        lines.push(texts(&[&name, &week.installs.to_string(), "", "", "", ""]));
    }
    let mut shares = vec![("people".to_owned(), view.people)];
    for (measure, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
        shares.push((format!("retention_{}", measure.name()), pooled));
    }
    if let Some(row) = view.first_call() {
        shares.push(("first_real_tool_call".to_owned(), row.reached));
        shares.extend(
            row.within_7_days.map(|fair| ("first_real_tool_call_within_7_days".to_owned(), fair)),
        );
    }
    lines.extend(shares.into_iter().map(|(name, of)| [vec![name], share(Some(of))].concat()));
    lines
}

fn retention(view: &View) -> Vec<Vec<String>> {
    let mut names = texts(&["week", "monday", "installs"]);
    for measure in Measure::ALL {
        names.push(format!("{}_state", measure.name()));
        names.extend(OF_SHARE.map(|column| format!("{}_{column}", measure.name())));
    }
    let mut lines = vec![names];
    for cohort in &view.retention.cohorts {
        let mut line = vec![
            cohort.week.to_string(),
            cohort.week.monday().to_string(),
            cohort.installs.to_string(),
        ];
        for cell in &cohort.cells {
            line.push(cell.state.name().to_owned());
            line.extend(share(Some(cell.share)));
        }
        lines.push(line);
    }
    lines
}

fn activation(view: &View) -> Vec<Vec<String>> {
    let mut names = texts(&["step"]);
    for form in ["reached", "with_all_before", "within_7_days"] {
        names.extend(OF_SHARE.map(|column| format!("{form}_{column}")));
    }
    let mut lines = vec![names];
    for row in &view.activation.steps {
        let mut line = texts(&[row.step.name()]);
        for form in [Some(row.reached), Some(row.with_all_before), row.within_7_days] {
            line.extend(share(form));
        }
        lines.push(line);
    }
    lines
}

fn share(share: Option<Share>) -> Vec<String> {
    let Some(share) = share else { return texts(&[""; 5]) };
    let text = |value: Option<f64>| value.map_or_else(String::new, |it| rounded(it).to_string());
    let edges = share.interval();
    vec![
        share.count.to_string(),
        share.of.to_string(),
        text(share.value()),
        text(edges.map(|(low, _)| low)),
        text(edges.map(|(_, high)| high)),
    ]
}

fn texts(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}
