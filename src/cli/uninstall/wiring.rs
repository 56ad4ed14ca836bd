//! What `connect` wrote into the configurations of MCP clients, and the entry that starts the gateway at login.
//!
//! One rule: by the rules of `disconnect`: an entry that no record proves to be ours is left, and named.

use super::UninstallError;
use crate::paths::DataDir;

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
    /// What belongs to another data directory, in words.
    pub(super) others: Vec<String>,
}

/// The data directory that is uninstalled: an entry that starts the program with another one is none of its.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "connect"),
    allow(dead_code, reason = "what this build does not see has no owner")
)]
pub(super) struct Owner<'a> {
    dir: &'a DataDir,
    is_told: bool,
}

impl<'a> Owner<'a> {
    /// `is_told`: by `--data-dir`.
    pub(super) fn new(dir: &'a DataDir, is_told: bool) -> Self {
        Self { dir, is_told }
    }

    /// Whether a command line belongs to it that names this directory, or none: such a one means what this command
    /// would mean without `--data-dir`, or the user's own.
    #[cfg(feature = "connect")]
    fn owns(self, named: Option<&str>) -> bool {
        let own = self.dir.root();
        let is_same = |named: &str| {
            let real = |path: &std::path::Path| path.canonicalize().ok();
            let named = std::path::Path::new(named);
            named == own || real(named).is_some_and(|named| real(own) == Some(named))
        };
        named.map_or(!self.is_told || self.dir.users().is_none(), is_same)
    }
}

pub(super) fn found(owner: Owner<'_>) -> Wiring {
    let (mut found, mut login) = (clients::found(owner), login::found(owner));
    found.goes.append(&mut login.goes);
    found.stays.append(&mut login.stays);
    found.others.append(&mut login.others);
    found
}

/// Takes it back; what could not be, and why.
pub(super) fn remove(owner: Owner<'_>) -> Vec<UninstallError> {
    let mut left = clients::remove(owner);
    left.append(&mut login::remove(owner));
    left
}

/// What this build neither sees nor removes.
#[cfg(not(all(feature = "connect", feature = "autostart")))]
mod absent {
    use super::{Owner, UninstallError, Wiring};

    pub(super) fn found(_: Owner<'_>) -> Wiring {
        Wiring::default()
    }

    pub(super) fn remove(_: Owner<'_>) -> Vec<UninstallError> {
        Vec::new()
    }
}

#[cfg(feature = "connect")]
mod clients {
    use super::{Owner, UninstallError, Wiring};
    use crate::cli::uninstall::data;
    use crate::connect::{self, CLIENTS, Change, Client, Entry, Found, Places, Plan, Server};
    use std::path::{Path, PathBuf};

    /// What is to become of one file of a client.
    #[derive(Default)]
    struct Review {
        /// What of ours stands in it.
        changes: Vec<Change>,
        /// The same of another data directory.
        others: Vec<Change>,
        /// What of ours lies beside it.
        aside: Vec<PathBuf>,
        stays: Vec<UninstallError>,
    }

    pub(super) fn found(owner: Owner<'_>) -> Wiring {
        let mut found = Wiring::default();
        each(|client, places, path| {
            let review = review(owner, client, places, path);
            let (shown, name) = (places.shown(path), client.name);
            let words = |change: &Change| match change {
                Change::Add(_) => format!("{shown}: the entry `mcpproxy` of {name}"),
                Change::Wrap { project, name: server, .. } => {
                    let of = project
                        .as_deref()
                        .map(|project| format!(" for {}", places.shown(Path::new(project))));
                    format!(
                        "{shown}: `mcpproxy tap` in front of {server:?} of {name}{}",
                        of.unwrap_or_default()
                    )
                }
            };
            found.goes.extend(review.changes.iter().map(words));
            let other = |change| format!("{}, which has another data directory", words(change));
            found.others.extend(review.others.iter().map(other));
            found.goes.extend(review.aside.iter().map(|path| {
                format!("{}: put aside beside the configuration of {name}", places.shown(path))
            }));
            found.stays.extend(review.stays);
        });
        found
    }

    pub(super) fn remove(owner: Owner<'_>) -> Vec<UninstallError> {
        let mut left = Vec::new();
        each(|client, places, path| {
            let Review { changes, aside, mut stays, .. } = review(owner, client, places, path);
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
            for path in connect::files(client, &places) {
                visit(client, &places, &path);
            }
        }
    }

    fn review(owner: Owner<'_>, client: &Client, places: &Places, path: &Path) -> Review {
        let look = connect::look(client, places, Some(path));
        let mut review = Review::default();
        for (change, data_dir) in changes(&look) {
            if !owner.owns(data_dir) {
                review.others.push(change);
                continue;
            }
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
        if review.stays.is_empty() && review.others.is_empty() {
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

    /// What of ours stands in a client's file, and the data directory that each names.
    fn changes(look: &Found) -> Vec<(Change, Option<&str>)> {
        let wrap = |server: &Server| Change::Wrap {
            project: server.project.clone(),
            name: server.name.clone(),
            through: Vec::new(),
        };
        let taps = look.taps().map(|server| (wrap(server), server.data_dir()));
        let add = || Change::Add(Entry::Command(Vec::new()));
        taps.chain(look.entry().map(|server| (add(), server.data_dir()))).collect()
    }
}

#[cfg(feature = "autostart")]
mod login {
    use super::{Owner, UninstallError, Wiring};
    use crate::{autostart, machine};

    pub(super) fn found(owner: Owner<'_>) -> Wiring {
        let mut found = Wiring::default();
        let what = "the entry that starts it at login";
        if autostart::is_ours() {
            match autostart::is_for(owner.dir) {
                true => found.goes.push(what.to_owned()),
                false => found.others.push(format!("{what}, with another data directory")),
            }
        } else if machine::autostart_entry() == Some(true) {
            found.stays.push(UninstallError::Login);
        }
        found
    }

    pub(super) fn remove(owner: Owner<'_>) -> Vec<UninstallError> {
        let found = found(owner);
        if found.goes.is_empty() {
            return found.stays;
        }
        autostart::disable().err().map(UninstallError::Autostart).into_iter().collect()
    }
}
