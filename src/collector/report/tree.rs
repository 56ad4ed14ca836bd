//! The tree of a view: its tables, each with columns and rows of values.
//!
//! One rule: whatever shows numbers (terminal, CSV, JSON, a page) reads the same tree, and forms nothing else.

use crate::collector::code::Code;
use crate::collector::definitions::{Cell, Day, IsoWeek, Share};

/// One table, and what it is called.
#[derive(Clone, Debug)]
pub struct Table {
    /// The name that exports use.
    pub name: &'static str,
    /// What people read above it.
    pub title: &'static str,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a value for every column.
    pub rows: Vec<Row>,
    /// What people read in place of rows.
    pub none: &'static str,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// The name that exports use.
    pub name: &'static str,
    /// What people read at its head.
    pub title: &'static str,
    /// What stands in it.
    pub kind: Kind,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A word or a count.
    Plain,
    /// An ISO week: exports say its Monday beside it.
    Week,
    /// A share of installs.
    Share,
    /// A share that may be open.
    Cell,
    /// A part with an interval, which is no share of a count.
    Estimate,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// One for each column.
    pub values: Vec<Value>,
    /// A terminal has room for it.
    pub is_brief: bool,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing is known, or nothing is there: what people read of it.
    None(&'static str),
    /// A word of a closed list: its name in exports, and what people read.
    Word(&'static str, &'static str),
    /// A word that came from outside.
    Text(String),
    /// The same, and what people read in its place.
    Named(String, String),
    /// An error code.
    Code(Code),
    /// How many.
    Count(u64),
    /// A UTC day.
    Day(Day),
    /// An ISO week.
    Week(IsoWeek),
    /// Installs of installs.
    Share(Share),
    /// Installs of installs, final or open.
    Cell(Cell),
    /// A part between 0 and 1, and its interval.
    Estimate(f64, Option<(f64, f64)>),
}

impl Column {
    /// Words and counts.
    pub fn plain(name: &'static str, title: &'static str) -> Self {
        Self { name, title, kind: Kind::Plain }
    }

    /// ISO weeks.
    pub fn week() -> Self {
        Self { name: "week", title: "Week", kind: Kind::Week }
    }

    /// Shares.
    pub fn share(name: &'static str, title: &'static str) -> Self {
        Self { name, title, kind: Kind::Share }
    }
}

impl Row {
    /// A row that is always shown.
    pub fn of(values: Vec<Value>) -> Self {
        Self { values, is_brief: true }
    }
}
