//! The first table of a topic that has a form of its own in the terminal: newcomers, cohorts, the funnel.
//!
//! One rule: the oldest week first, as exports have it; a page shows the newest first.

use super::tree::{Column, Kind, Row, Table, Value};
use super::words::{measure, state, step};
use crate::collector::definitions::{Measure, State};
use crate::collector::view::{Topic, View};

/// The first table of `topic`; `None`: its tables are all alike.
pub fn first(view: &View, topic: Topic) -> Option<Table> {
    match topic {
        Topic::Overview => Some(new_installs(view)),
        Topic::Retention => Some(cohorts(view)),
        Topic::Activation => Some(steps(view)),
        _ => None,
    }
}

fn new_installs(view: &View) -> Table {
    let rows = view.new.iter().map(|week| {
        let of = if week.is_final { State::Final } else { State::Open };
        Row::of(vec![
            Value::Week(week.week),
            Value::Count(week.installs),
            Value::Word(of.name(), state(of)),
        ])
    });
    Table {
        name: "new_installs",
        title: "New installs by week",
        columns: vec![
            Column::week(),
            Column::plain("installs", "Installs"),
            Column::plain("state", "State"),
        ],
        rows: rows.collect(),
        none: "no installs",
    }
}

fn cohorts(view: &View) -> Table {
    let mut columns = vec![Column::week(), Column::plain("installs", "Installs")];
    columns.extend(Measure::ALL.map(|kind| Column {
        name: kind.name(),
        title: measure(kind),
        kind: Kind::Cell,
    }));
    let rows = view.retention.cohorts.iter().map(|cohort| {
        let mut values = vec![Value::Week(cohort.week), Value::Count(cohort.installs)];
        values.extend(cohort.cells.map(Value::Cell));
        Row::of(values)
    });
    Table {
        name: "cohorts",
        title: "Who came back",
        columns,
        rows: rows.collect(),
        none: "no installs",
    }
}

fn steps(view: &View) -> Table {
    let rows = view.activation.steps.iter().map(|row| {
        Row::of(vec![
            Value::Word(row.step.name(), step(row.step)),
            Value::Share(row.reached),
            Value::Share(row.with_all_before),
            row.within_7_days.map_or(Value::None("begins on day 7"), Value::Share),
        ])
    });
    Table {
        name: "steps",
        title: "How far installs came",
        columns: vec![
            Column::plain("step", "Step"),
            Column::share("reached", "Reached"),
            Column::share("with_all_before", "With all before"),
            Column::share("within_7_days", "Within 7 days"),
        ],
        rows: rows.collect(),
        none: "no installs",
    }
}
