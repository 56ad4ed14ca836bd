//! What lies in a data directory, of one product or of all: found, shown, removed.
//!
//! One rule: only names that this program gives are removed, and a directory only once it is empty.

use super::UninstallError;
use crate::activation::{Store, StoreError};
use crate::config::{self, ConfigState, EDIT_DEADLINE, EditError};
use crate::contract::product::OWN_PRODUCT;
use crate::heartbeat::{schedule, sent};
use crate::paths::{DataDir, Place};
use crate::products;
use mcpproxy_platform::files;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is to be removed from a data directory.
pub(super) struct Data<'a> {
    dir: &'a DataDir,
    /// Of every product that is meant, ours last: it is the directory itself.
    pub(super) places: Vec<Place>,
    /// All products are meant.
    is_all: bool,
    /// The product's opt-out goes along.
    with_opt_out: bool,
}

impl<'a> Data<'a> {
    pub(super) fn of(dir: &'a DataDir, product: Option<&str>, with_opt_out: bool) -> Self {
        let mut places = products::directories(dir);
        let own = dir.place(OWN_PRODUCT, "");
        places.push(own);
        places.retain(|place| product.is_none_or(|name| place.product() == name));
        Self { dir, places, is_all: product.is_none(), with_opt_out }
    }

    /// A host that runs, in words: what it holds must not be taken from under it.
    pub(super) fn host(&self, now: u64) -> Result<(), UninstallError> {
        for place in &self.places {
            let state = match Store::peek(place, now) {
                Err(StoreError::Busy) => return Err(StoreError::Busy.into()),
                Ok(Some(state)) => state,
                // A damaged one is removed like any other.
                _ => continue,
            };
            let marks = [state.live_serve, state.live_tap];
            if marks.iter().flatten().any(|mark| schedule::is_fresh(mark, now)) {
                return Err(UninstallError::Running(place.product().to_owned()));
            }
        }
        Ok(())
    }

    /// What is there to be removed, each with what it is.
    pub(super) fn found(&self) -> Vec<(PathBuf, &'static str)> {
        let mut found = Vec::new();
        for place in &self.places {
            found.extend(files_of(place));
        }
        if self.is_all {
            let sidecar = (self.dir.autostart_sidecar(), "whether it starts at login");
            let faults = (self.dir.upstream_faults(), "what is off in what servers offer");
            found.extend([sidecar, faults].into_iter().filter(|(path, _)| exists(path)));
        }
        if let ConfigState::Loaded(telemetry) = config::read(self.dir) {
            let own = self.places.iter().any(Place::is_own);
            if own && telemetry.anonymous_id.is_some() {
                found.push((self.dir.config(), "in it the id alone"));
            }
            let is_off = telemetry.enabled == Some(false) || telemetry.disabled == Some(true);
            let objects = self.is_all && is_off
                || self.names().any(|name| telemetry.product(name).any(|said| said.objects()));
            if self.with_opt_out && objects {
                found.push((self.dir.config(), "in it the opt-out"));
            }
        }
        found
    }

    /// The configuration, when it cannot be read: what of ours stands in it is not known.
    pub(super) fn stays(&self) -> Option<UninstallError> {
        match config::read(self.dir) {
            ConfigState::Unusable(why) if self.is_all => Some(EditError::Unusable(why).into()),
            _ => None,
        }
    }

    /// The products that are meant, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let mut last = "";
        let names = self.places.iter().map(Place::product);
        names.filter(move |name| std::mem::replace(&mut last, name) != *name)
    }

    /// Removes it; what could not be removed, and why.
    pub(super) fn remove(&self) -> Vec<UninstallError> {
        let mut failed: Vec<UninstallError> =
            self.places.iter().filter_map(|place| remove_place(place).err()).collect();
        failed.extend(self.edit_config().err());
        if self.is_all {
            failed.extend(remove(&self.dir.autostart_sidecar()).err());
            failed.extend(remove(&self.dir.upstream_faults()).err());
            // Others may wait for a lock that is still there.
            let products = self.dir.products();
            if fs::read_dir(&products).is_ok_and(|entries| entries.count() <= 1) {
                failed.extend(remove(&self.dir.products_lock()).err());
                let _ = fs::remove_dir(products);
            }
            if !exists(&self.dir.config()) {
                failed.extend(remove(&self.dir.config_lock()).err());
                let _ = fs::remove_dir(self.dir.root());
            }
        }
        failed
    }

    /// Takes the id out of the configuration, and the opt-out if that is wanted. A file that held nothing else goes.
    fn edit_config(&self) -> Result<(), UninstallError> {
        let own = self.places.iter().any(Place::is_own);
        if !exists(&self.dir.config()) || !(own || self.with_opt_out) {
            return Ok(());
        }
        let is_empty = config::edit(self.dir, EDIT_DEADLINE, |editing| {
            let before = editing.bytes().to_vec();
            if own {
                editing.forget_identity()?;
            }
            if self.with_opt_out {
                for name in self.names() {
                    editing.switch_product(name, true)?;
                }
                if self.is_all {
                    editing.forget_switch()?;
                }
            }
            Ok::<_, EditError>(editing.is_empty() && before != editing.bytes())
        })?;
        if is_empty { remove(&self.dir.config()) } else { Ok(()) }
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What one place holds of ours.
fn files_of(place: &Place) -> Vec<(PathBuf, &'static str)> {
    let mut found = vec![
        (place.install(), "id and notice"),
        (place.store(), "what was counted"),
        (place.checkpoint(), "what was counted"),
        (place.store_lock(), "its lock"),
    ];
    let aside = Store::quarantines(place).into_iter().map(|number| place.quarantine(number));
    found.extend(aside.map(|path| (path, "a damaged store")));
    found.retain(|(path, _)| exists(path));
    if !sent::copies(place).is_empty() {
        found.push((place.sent(), "copies of what was sent"));
    }
    found
}

fn remove_place(place: &Place) -> Result<(), UninstallError> {
    match Store::reset(place) {
        Ok(()) | Err(StoreError::NotBuilt) => {}
        Err(error) => return Err(error.into()),
    }
    sent::remove_all(place).map_err(|(copy, kind)| UninstallError::File(copy, kind))?;
    files::remove_leftovers(&place.install());
    remove(&place.install())?;
    remove(&place.store_lock())?;
    if !place.is_own() {
        let _ = fs::remove_dir(place.root());
        let _ = fs::remove_dir(place.data_dir().product(place.product()));
    }
    Ok(())
}

/// Removes a file; that there is none is fine.
pub(super) fn remove(path: &Path) -> Result<(), UninstallError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(UninstallError::File(path.to_owned(), error.kind()))
        }
        _ => Ok(()),
    }
}
