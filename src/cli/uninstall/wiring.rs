//! What `connect` wrote into the configurations of MCP clients, and the entry that starts the gateway at login.
//!
//! One rule: by the rules of `disconnect`: an entry that no record proves to be ours is left, and named.

use super::UninstallError;

#[cfg(not(feature = "connect"))]
use absent as clients;
#[cfg(not(feature = "autostart"))]
use absent as login;

/// What there is.
#[derive(Default)]
pub(super) struct Wiring {
    /// What goes, in words.
    pub(super) goes: Vec<String>,
    /// Why the rest stays.
    pub(super) stays: Vec<UninstallError>,
}

pub(super) fn found() -> Wiring {
    let (mut found, mut login) = (clients::found(), login::found());
    found.goes.append(&mut login.goes);
    found.stays.append(&mut login.stays);
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
    use super::{UninstallError, Wiring};

    pub(super) fn found() -> Wiring {
        Wiring::default()
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        Vec::new()
    }
}

#[cfg(feature = "connect")]
mod clients {
    use super::{UninstallError, Wiring};
    use crate::cli::uninstall::data;
    use crate::connect::{self, CLIENTS, Change, Client, Entry, Found, Places, Plan};
    use std::path::{Path, PathBuf};

    /// What is to become of one file of a client.
    struct Review {
        /// What of ours stands in it.
        changes: Vec<Change>,
        /// What of ours lies beside it.
        aside: Vec<PathBuf>,
        stays: Vec<UninstallError>,
    }

    pub(super) fn found() -> Wiring {
        let mut found = Wiring::default();
        each(|client, places, path| {
            let review = review(client, places, path);
            let (shown, name) = (places.shown(path), client.name);
            found.goes.extend(review.changes.iter().map(|change| match change {
                Change::Add(_) => format!("{shown}: the entry `mcpproxy` of {name}"),
                Change::Wrap { name: server, .. } => {
                    format!("{shown}: `mcpproxy tap` in front of {server:?} of {name}")
                }
            }));
            found.goes.extend(review.aside.iter().map(|path| {
                format!("{}: put aside beside the configuration of {name}", places.shown(path))
            }));
            found.stays.extend(review.stays);
        });
        found
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        let mut left = Vec::new();
        each(|client, places, path| {
            let Review { changes, aside, mut stays } = review(client, places, path);
            for change in &changes {
                let done = plan(client, places, path, change).and_then(|plan| {
                    let failed = |why| UninstallError::Client(places.shown(path), Some(why));
                    plan.carry_out().map_err(failed)
                });
                stays.extend(done.err());
            }
            // As long as something of ours stays in the file, its original is of use.
            if stays.is_empty() {
                stays.extend(aside.iter().filter_map(|path| data::remove(path).err()));
            }
            left.append(&mut stays);
        });
        left
    }

    /// A client may have several files.
    fn each(mut visit: impl FnMut(&Client, &Places, &Path)) {
        let Some(places) = Places::here() else { return };
        for client in CLIENTS {
            for path in client.files(&places) {
                visit(client, &places, &path);
            }
        }
    }

    fn review(client: &Client, places: &Places, path: &Path) -> Review {
        let look = connect::look(client, places, Some(path));
        let mut review = Review { changes: Vec::new(), aside: Vec::new(), stays: Vec::new() };
        for change in changes(&look) {
            match plan(client, places, path, &change) {
                Ok(_) => review.changes.push(change),
                Err(why) => review.stays.push(why),
            }
        }
        let original = connect::original(path);
        match look.servers {
            Err(why) if original.is_some() => {
                review.stays.push(UninstallError::Client(places.shown(path), Some(why)));
            }
            Ok(None) => {
                let original = original.iter().map(|path| places.shown(path));
                review.stays.extend(original.map(UninstallError::Original));
            }
            _ => {}
        }
        if review.stays.is_empty() {
            review.aside = connect::put_aside(path);
        }
        review
    }

    fn plan(
        client: &Client,
        places: &Places,
        path: &Path,
        change: &Change,
    ) -> Result<Plan, UninstallError> {
        match connect::disconnect(client, places, Some(path), change) {
            Ok(plan) if plan.is_foreign() => Err(None),
            Ok(plan) => Ok(plan),
            Err((_, trouble)) => Err(Some(trouble)),
        }
        .map_err(|why| UninstallError::Client(places.shown(path), why))
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
    use super::{UninstallError, Wiring};
    use crate::{autostart, machine};

    pub(super) fn found() -> Wiring {
        let mut found = Wiring::default();
        if autostart::is_ours() {
            found.goes.push("the entry that starts it at login".to_owned());
        } else if machine::autostart_entry() == Some(true) {
            found.stays.push(UninstallError::Login);
        }
        found
    }

    pub(super) fn remove() -> Vec<UninstallError> {
        if autostart::is_ours() {
            return autostart::disable().err().map(UninstallError::Autostart).into_iter().collect();
        }
        found().stays
    }
}
