//! The errors of an install as they are sent.
//!
//! One rule: pure, and nothing is sent when there is nothing to say.

use crate::activation::{Errors, Standing};
use crate::contract::{Diagnostics, MAX_CODES, MAX_DIAGNOSTICS};
use crate::diagnostics::Code;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What a heartbeat says at `now` of the errors of this install and of its servers' `standing` ones.
pub fn diagnostics(errors: &Errors, standing: &Standing, now: u64) -> Option<Diagnostics> {
    let [attempted, succeeded] = errors.fixes(now);
    let said = Diagnostics {
        error_code_counts_24h: largest(errors.changes(now)),
        current_error_codes: largest(standing.servers()),
        fix_attempted_24h: attempted.min(MAX_DIAGNOSTICS),
        fix_succeeded_24h: succeeded.min(MAX_DIAGNOSTICS),
        unique_codes_ever: errors.ever().min(MAX_DIAGNOSTICS),
        last_error_code: errors.last().map(|code| code.as_str().to_owned()),
    };
    (said != Diagnostics::default()).then_some(said)
}

/// At most [`MAX_CODES`]: those with the largest counts, of equal ones the first in the catalog.
fn largest(counts: impl Iterator<Item = (Code, u64)>) -> BTreeMap<String, u64> {
    let mut all: Vec<(Code, u64)> = counts.filter(|(_, count)| *count > 0).collect();
    all.sort_by_key(|(code, count)| (Reverse(*count), *code));
    all.truncate(MAX_CODES);
    all.into_iter().map(|(code, count)| (code.as_str().to_owned(), count)).collect()
}

#[cfg(test)]
mod tests;
