//! What `connect` wrote into the configurations of MCP clients, and the entry that starts the gateway at login.
//!
//! One rule: by the rules of `disconnect`: an entry that no record proves to be ours is left, and named.

use super::UninstallError;
#[cfg(feature = "connect")]
use crate::connect::{self, CLIENTS, Change, Entry, Found, Places};

/// What there is, in words.
pub(super) fn found() -> Vec<String> {
    let mut found = Vec::new();
    #[cfg(feature = "connect")]
    if let Some(places) = Places::here() {
        for client in CLIENTS {
            let look = connect::look(client, &places, None);
            let shown = places.shown(&look.path);
            found.extend(changes(&look).iter().map(|change| match change {
                Change::Add(_) => format!("{shown}: the entry `mcpproxy` of {}", client.name),
                Change::Wrap { name, .. } => {
                    format!("{shown}: `mcpproxy tap` in front of {name:?} of {}", client.name)
                }
            }));
            let beside = connect::put_aside(&look.path);
            found.extend(beside.iter().map(|path| {
                format!(
                    "{}: put aside beside the configuration of {}",
                    places.shown(path),
                    client.name
                )
            }));
        }
    }
    #[cfg(feature = "autostart")]
    if crate::machine::autostart_entry().is_some() {
        found.push("the entry that starts the gateway at login".to_owned());
    }
    found
}

/// Takes it back; what could not be, and why.
pub(super) fn remove() -> Vec<UninstallError> {
    let mut failed = Vec::new();
    #[cfg(feature = "connect")]
    if let Some(places) = Places::here() {
        for client in CLIENTS {
            let look = connect::look(client, &places, None);
            for change in changes(&look) {
                let plan = connect::disconnect(client, &places, Some(&look.path), &change);
                let done = match plan {
                    Ok(plan) if plan.is_foreign() => Err(None),
                    Ok(plan) => plan.carry_out().map_err(Some),
                    Err((_, trouble)) => Err(Some(trouble)),
                };
                if let Err(why) = done {
                    failed.push(UninstallError::Client(places.shown(&look.path), why));
                }
            }
            // As long as something of ours stays in the file, its original is of use.
            if changes(&connect::look(client, &places, Some(&look.path))).is_empty() {
                for path in connect::put_aside(&look.path) {
                    if let Err(error) = std::fs::remove_file(&path) {
                        failed.push(UninstallError::File(path, error.kind()));
                    }
                }
            }
        }
    }
    #[cfg(feature = "autostart")]
    if crate::machine::autostart_entry().is_some()
        && let Err(error) = crate::autostart::disable()
    {
        failed.push(UninstallError::Autostart(error.to_string()));
    }
    failed
}

/// What of ours stands in a client's file.
#[cfg(feature = "connect")]
fn changes(look: &Found) -> Vec<Change> {
    let wrap = |name: &str| Change::Wrap { name: name.to_owned(), through: Vec::new() };
    let mut changes: Vec<Change> = look.wrapped().into_iter().map(wrap).collect();
    if look.has_entry() {
        changes.push(Change::Add(Entry::Command(Vec::new())));
    }
    changes
}
