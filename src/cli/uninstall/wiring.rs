//! What `connect` wrote into the configurations of MCP clients, and the entry that starts the gateway at login.
//!
//! One rule: by the rules of `disconnect`: an entry that no record proves to be ours is left, and named.

use super::UninstallError;

#[cfg(not(feature = "connect"))]
use absent as clients;
#[cfg(not(feature = "autostart"))]
use absent as login;

/// What there is, in words.
pub(super) fn found() -> Vec<String> {
    let mut found = clients::found();
    found.append(&mut login::found());
    found
}

/// Takes it back; what could not be, and why.
pub(super) fn remove() -> Vec<UninstallError> {
    let mut left = clients::remove();
    left.append(&mut login::remove());
    left
}

/// What this build neither sees nor removes.
#[cfg(not(all(feature = "connect", feature = "autostart")))]
mod absent {
    use super::UninstallError;

    pub(super) fn found() -> Vec<String> {
        Vec::new()
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        Vec::new()
    }
}

#[cfg(feature = "connect")]
mod clients {
    use super::UninstallError;
    use crate::connect::{self, CLIENTS, Change, Client, Entry, Found, Places};

    pub(super) fn found() -> Vec<String> {
        let Some(places) = Places::here() else { return Vec::new() };
        CLIENTS.iter().flat_map(|client| found_of(client, &places)).collect()
    }

    fn found_of(client: &Client, places: &Places) -> Vec<String> {
        let look = connect::look(client, places, None);
        let (shown, name) = (places.shown(&look.path), client.name);
        let in_words = |change: Change| match change {
            Change::Add(_) => format!("{shown}: the entry `mcpproxy` of {name}"),
            Change::Wrap { name: server, .. } => {
                format!("{shown}: `mcpproxy tap` in front of {server:?} of {name}")
            }
        };
        let mut found: Vec<String> = changes(&look).into_iter().map(in_words).collect();
        found.extend(connect::put_aside(&look.path).iter().map(|path| {
            format!("{}: put aside beside the configuration of {name}", places.shown(path))
        }));
        found
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        let Some(places) = Places::here() else { return Vec::new() };
        CLIENTS.iter().flat_map(|client| remove_of(client, &places)).collect()
    }

    fn remove_of(client: &Client, places: &Places) -> Vec<UninstallError> {
        let look = connect::look(client, places, None);
        let mut left = Vec::new();
        for change in changes(&look) {
            let plan = connect::disconnect(client, places, Some(&look.path), &change);
            let done = match plan {
                Ok(plan) if plan.is_foreign() => Err(None),
                Ok(plan) => plan.carry_out().map_err(Some),
                Err((_, trouble)) => Err(Some(trouble)),
            };
            left.extend(
                done.err().map(|why| UninstallError::Client(places.shown(&look.path), why)),
            );
        }
        // As long as something of ours stays in the file, its original is of use.
        if changes(&connect::look(client, places, Some(&look.path))).is_empty() {
            for path in connect::put_aside(&look.path) {
                let removed = std::fs::remove_file(&path);
                left.extend(removed.err().map(|error| UninstallError::File(path, error.kind())));
            }
        }
        left
    }

    /// What of ours stands in a client's file.
    fn changes(look: &Found) -> Vec<Change> {
        let wrap = |name: &str| Change::Wrap { name: name.to_owned(), through: Vec::new() };
        let mut changes: Vec<Change> = look.wrapped().into_iter().map(wrap).collect();
        if look.has_entry() {
            changes.push(Change::Add(Entry::Command(Vec::new())));
        }
        changes
    }
}

#[cfg(feature = "autostart")]
mod login {
    use super::UninstallError;
    use crate::{autostart, machine};

    pub(super) fn found() -> Vec<String> {
        let entry = machine::autostart_entry().map(|_| "the entry that starts it at login");
        entry.map(str::to_owned).into_iter().collect()
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        match machine::autostart_entry().map(|_| autostart::disable()) {
            Some(Err(error)) => vec![UninstallError::Autostart(error)],
            _ => Vec::new(),
        }
    }
}
