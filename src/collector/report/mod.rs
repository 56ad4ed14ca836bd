//! What `collector report` and the exports of the pages say: JSON, CSV, a table for people.
//!
//! One rule: written of a [`View`], which computes; here are forms and words only.

mod csv;
mod errors;
mod first;
mod json;
mod table;
mod tables;
pub mod tree;
pub mod words;

pub use csv::{csv, csv_of};
pub use json::{json, json_of};
pub use table::{among, reasons, shown, table};
pub use tables::{NOT_SAID, tables};

use super::view::{Topic, View};
use tree::Table;

/// A form of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people, in a terminal.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// `topic` of `view` in that form, with a line end.
pub fn write(view: &View, topic: Topic, form: Form) -> String {
    match form {
        Form::Table => table(view, topic),
        Form::Csv => csv(view, topic),
        Form::Json => json(view, topic),
    }
}

/// All tables of `topic`, the one with a form of its own first.
pub fn all_tables(view: &View, topic: Topic) -> Vec<Table> {
    first::first(view, topic).into_iter().chain(tables(view, topic)).collect()
}
