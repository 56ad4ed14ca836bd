//! Taking a change back, to the byte.
//!
//! One rule: the copy of the original is believed only if our changes, made to it again, give exactly the
//! file as it is now. Otherwise somebody else has written since, and only what is ours is taken out.

use super::clients::Client;
use super::document::{self, Change};
use super::problem::Problem;

/// The text without `change`; `None` when that is nothing at all, because we `made` the file. `original` is
/// the copy that was put aside.
pub(super) fn undo(
    client: &Client,
    now: &[u8],
    change: &Change,
    original: Option<&[u8]>,
    made: bool,
) -> Result<Option<Vec<u8>>, Problem> {
    let mut changes = document::changes(client, now)?;
    let nothing: Option<&[u8]> = made.then_some(b"");
    for _ in 0..2 {
        for base in [nothing, original].into_iter().flatten() {
            if replay(client, base, &changes).as_deref() != Some(now) {
                continue;
            }
            let rest: Vec<Change> = changes.iter().filter(|c| !same(c, change)).cloned().collect();
            let new = replay(client, base, &rest);
            let is_gone = |new: &Vec<u8>| {
                document::changes(client, new).is_ok_and(|all| !all.iter().any(|c| same(c, change)))
            };
            if let Some(new) = new.filter(is_gone) {
                return Ok((!(made && new.is_empty())).then_some(new));
            }
        }
        // The order in which they were made is not known; there are two that people use.
        changes.reverse();
    }
    let new = document::take_out(client, now, change)?;
    match original {
        // The place for servers came with our entry.
        Some(original) if !document::has_container(client, original) => {
            document::remove_container(client, new).map(Some)
        }
        _ => Ok(Some(new)),
    }
}

/// Whether a text is what comes of our changes where there was no file.
pub(super) fn is_ours_alone(client: &Client, now: &[u8]) -> bool {
    let changes = document::changes(client, now).unwrap_or_default();
    !changes.is_empty() && replay(client, b"", &changes).as_deref() == Some(now)
}

/// The text with all these changes, if every one of them can be made.
fn replay(client: &Client, original: &[u8], changes: &[Change]) -> Option<Vec<u8>> {
    changes
        .iter()
        .try_fold(original.to_vec(), |text, change| document::apply(client, &text, change).ok())
}

/// Whether two changes are about the same thing.
fn same(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (Change::Add(_), Change::Add(_)) => true,
        (
            Change::Wrap { project, name, .. },
            Change::Wrap { project: other_project, name: other, .. },
        ) => project == other_project && name == other,
        _ => false,
    }
}
