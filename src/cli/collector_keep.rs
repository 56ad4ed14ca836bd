//! `mcpproxy collector backup` and `restore`: a copy of the database, and a copy in its place.
//!
//! One rule: a copy says what it holds, and where the key is that it is worth nothing without.

use super::collector::{key, located};
use super::{Call, Failure, output};
use crate::collector::report::words::counted;
use crate::collector::row::Product;
use crate::collector::store::{self, KeepError};
use crate::machine;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn backup(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector backup";
    let file = file(call, place)?;
    let at = located(call)?;
    let dir = at.file_for(place).map_err(|error| Failure::failed(error.to_string()))?;
    let made = store::backup(dir, &file, &key(call)?, call.has("with-key"));
    let made = made.map_err(|error| failed(place, &error))?;
    let of_key = match (&made.key_copy, &made.key) {
        (Some(copy), _) => format!(
            "Its key is in {}: keep the two in different places, because together they tell whether an id is known.",
            copy.display()
        ),
        (None, Some(key)) => format!(
            "Its key is not in it, and without the key every install is new: keep a copy of {} in another place.",
            key.display()
        ),
        (None, None) => {
            "Its key is not in it, and without the key every install is new: keep a copy of \
                         MCPPROXY_COLLECTOR_KEY in another place."
                .to_owned()
        }
    };
    output::print(&format!("{} holds {}.\n{of_key}\n", file.display(), size(&made.products)))
}

pub(super) fn restore(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector restore";
    let file = file(call, place)?;
    let at = located(call)?;
    let dir = at.file_for(place).map_err(|error| Failure::failed(error.to_string()))?;
    let done = store::restore(dir, &file, &key(call)?, call.has("ephemeral"), machine::now());
    let done = done.map_err(|error| failed(place, &error))?;
    let before = match &done.aside {
        Some(aside) => format!("The database before is {}.\n", aside.display()),
        None => String::new(),
    };
    let erased = match done.erased {
        0 => String::new(),
        n => {
            let installs = counted(n as u64, "install", "installs");
            format!("{installs} erased since the copy was made stay erased.\n")
        }
    };
    let size = size(&done.products);
    output::print(&format!("collector.db is the copy now: it holds {size}.\n{erased}{before}"))
}

fn size(products: &[Product]) -> String {
    let installs: u64 = products.iter().map(|product| product.installs).sum();
    let installs = counted(installs, "install", "installs");
    format!("{installs} of {}", counted(products.len() as u64, "product", "products"))
}

/// The operand, in full: the messages name it.
fn file(call: &Call, place: &str) -> Result<PathBuf, Failure> {
    if call.operand().is_empty() {
        return Err(Failure::usage(place, "FILE is empty: name a file"));
    }
    std::path::absolute(call.operand()).map_err(|_| {
        Failure::failed(
            "FILE is relative and the current directory is gone: use an absolute path".to_owned(),
        )
    })
}

fn failed(place: &str, error: &KeepError) -> Failure {
    match error {
        KeepError::Exists(_) => Failure::usage(place, error.to_string()),
        _ => Failure::failed(error.to_string()),
    }
}
