//! Where installs run, a second way.
//!
//! One rule: what the last heartbeat said, by the table of the specification, line by line.

use super::paper::{Paper, fact, monday};
use super::{Numbers, Question, add};
use std::collections::BTreeMap;

/// The mix of each week: by Monday, what is told and the word.
#[derive(Default)]
pub(super) struct Mix<'p>(BTreeMap<(i64, &'static str, &'p str), u64>);

impl Mix<'_> {
    pub(super) fn tell(self, all: &mut Numbers) {
        for ((week, form, word), n) in self.0 {
            add(all, format!("mix.{week}.{form}{word}"), n);
        }
    }
}

pub(super) fn count<'p>(
    all: &mut Numbers,
    mix: &mut Mix<'p>,
    paper: &'p Paper,
    first_day: i64,
    question: Question<'_>,
) {
    let yesterday = question.yesterday();
    let kind = fact(&paper.now, "kind");
    let agent = match fact(&paper.now, "agent_env") {
        "-" => "not_said",
        said => said,
    };
    let launch = fact(&paper.now, "launch_source");
    for week in paper.weeks(yesterday).into_iter().filter(|monday| question.is_recent(*monday)) {
        for (form, word) in
            [("installs", ""), ("kind.", kind), ("agent.", agent), ("launch.", launch)]
        {
            *mix.0.entry((week, form, word)).or_default() += 1;
        }
    }
    if paper.was_active(28, yesterday) {
        add(all, format!("transparency.{kind}.{}", recomputed(&paper.now)), 1);
    }
    let age = yesterday + 1 - paper.day0;
    let is_asked = !paper.is_carried_over(first_day) && question.is_recent(monday(paper.day0));
    if is_asked && (7..=364).contains(&age) {
        let first = fact(&paper.first, "kind");
        add(all, format!("once.{first}.of"), 1);
        add(all, format!("once.{first}.count"), u64::from(paper.seen().all(|day| day == 0)));
    }
}

/// The kind that the markers speak for.
fn recomputed(now: &str) -> &'static str {
    let markers = fact(now, "markers").as_bytes();
    let &[ci, ide, container, tty, display] = markers else { return "no_markers" };
    let is = |marker: u8| marker == b'1';
    let is_agent = !matches!(fact(now, "agent_env"), "-" | "none");
    let os = fact(now, "os");
    let lines = [
        (is_agent && is(ci), "ci"),
        (is_agent, "container"),
        (is(ide), "cloud_ide"),
        (is(ci), "ci"),
        (is(container), "container"),
        (os == "darwin" || os == "windows", "interactive"),
        (is(tty) || is(display), "interactive"),
        (os == "linux", "headless"),
    ];
    lines.into_iter().find(|(holds, _)| *holds).map_or("unknown", |(_, kind)| kind)
}
