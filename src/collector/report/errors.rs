//! The tables of what went wrong, by version.
//!
//! One rule: as the other tables: names and order are decided here, numbers are those of the view.

use super::tree::{Column, Row, Table, Value};
use crate::collector::definitions::{Codes, Crashes};

/// Installs that had crashed.
pub(super) fn crashes(of: &[(String, Vec<Crashes>)]) -> Table {
    let rows = of.iter().flat_map(|(product, versions)| {
        versions.iter().map(|one| {
            Row::of(vec![
                Value::Text(product.clone()),
                Value::Text(one.version.clone()),
                Value::Share(one.share),
            ])
        })
    });
    Table {
        name: "crashes",
        title: "Installs with a crash, by version, in the last 28 days",
        columns: vec![
            Column::plain("product", "Product"),
            Column::plain("version", "Version"),
            Column::share("crashed", "Crashed"),
        ],
        rows: rows.collect(),
        none: "none was active",
    }
}

/// Error codes.
pub(super) fn codes(of: &[(String, Vec<Codes>)]) -> Table {
    let rows = of.iter().flat_map(|(product, codes)| {
        codes.iter().map(|one| {
            Row::of(vec![
                Value::Text(product.clone()),
                Value::Text(one.version.clone()),
                Value::Code(one.code),
                Value::Share(one.met),
                Value::Share(one.standing),
            ])
        })
    });
    Table {
        name: "error_codes",
        title: "Installs with an error, by version, in the last 28 days",
        columns: vec![
            Column::plain("product", "Product"),
            Column::plain("version", "Version"),
            Column::plain("code", "Code"),
            Column::share("met", "Met it"),
            Column::share("standing", "In it"),
        ],
        rows: rows.collect(),
        none: "no install said one",
    }
}
