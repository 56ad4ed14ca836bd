//! How a host comes to the place of its product: found, made, or taken over.
//!
//! One rule: names and identities change under the lock of the products alone, and a place is there when its
//! `install.json` is: whatever a killed process left before that is begun again by the next one.

use super::Subject;
use super::listing::{Listed, places, product_names};
use crate::activation::{State, Store, StoreError};
use crate::config::Which;
use crate::config::trust::{self, Distrust};
use crate::identity::install::{self, Begin, Editing, InstallError};
use crate::identity::{self, IdentityError};
use crate::machine;
use crate::paths::Place;
use mcpproxy_platform::files;
use std::fmt;
use std::io;
use std::time::Duration;

/// Products that a data directory holds; later ones run uncounted.
pub const MOST_PRODUCTS: usize = 64;
/// Endpoint hosts of one product that a data directory holds; later ones run uncounted.
pub const MOST_HOSTS: usize = 64;

/// Why a host did not come to its place. Never holds a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnterError {
    /// There are [`MOST_PRODUCTS`] products already.
    TooManyProducts,
    /// There are [`MOST_HOSTS`] endpoint hosts of this product already.
    TooManyHosts,
    /// The directory is in the hands of others.
    Untrusted(Distrust),
    /// The directory could not be made or renamed.
    Directory(io::ErrorKind),
    /// What is kept of the product could not be read or written.
    Install(InstallError),
    /// There is no id.
    Identity(IdentityError),
    /// The flags of the install could not be carried over.
    Flags(StoreError),
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyProducts => write!(
                f,
                "{MOST_PRODUCTS} products have their state in this data directory already: this one is not counted; remove one that is no longer used from <data dir>/products"
            ),
            Self::TooManyHosts => write!(
                f,
                "this product has state for {MOST_HOSTS} endpoint hosts already: it is not counted towards another; remove those that are no longer used from <data dir>/products"
            ),
            Self::Untrusted(why) => f.write_str(&why.in_words(Which::Given)),
            Self::Directory(kind) => write!(
                f,
                "the directory of the product cannot be made: {kind}; make the data directory writable"
            ),
            Self::Install(error) => error.fmt(f),
            Self::Identity(error) => error.fmt(f),
            Self::Flags(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EnterError {}

impl From<InstallError> for EnterError {
    fn from(error: InstallError) -> Self {
        Self::Install(error)
    }
}

impl From<IdentityError> for EnterError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}

impl From<io::Error> for EnterError {
    fn from(error: io::Error) -> Self {
        Self::Directory(error.kind())
    }
}

impl EnterError {
    /// Another process is at it: the next try may come soon.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Install(InstallError::Busy) | Self::Flags(StoreError::Busy))
    }

    /// It does not pass while this process runs.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::TooManyProducts | Self::TooManyHosts)
    }
}

/// Makes sure that `place`, which is where `subject` sends from, is there, has an id, and says what its host
/// says; `endpoint` is the one in use. Waits for other processes no longer than `deadline`.
pub fn enter(
    subject: &Subject,
    place: &Place,
    endpoint: Option<&str>,
    now: u64,
    deadline: Duration,
) -> Result<(), EnterError> {
    if place.is_own() {
        return Ok(());
    }
    trust::check_place(place).map_err(EnterError::Untrusted)?;
    let said = Said {
        endpoint,
        version: &subject.product.version,
        require_visible_notice: subject.require_visible_notice,
    };
    let all = places(&subject.dir, place.product());
    if all.first().is_some_and(|newest| newest.place == *place && said.is_in(newest)) {
        return Ok(());
    }
    let _lock = install::lock(place, deadline)?;
    // As it is now that no other process changes it.
    let all = places(&subject.dir, place.product());
    match all.iter().find(|known| known.place == *place) {
        Some(known) if known.used_at() == 0 && known.file.is_err() => {
            known.file.clone().map(drop).map_err(EnterError::Install)
        }
        Some(_) => install::edit_locked(place, Begin::AsItIs, |editing| {
            if editing.file().kept.anonymous_id.is_none() {
                identity::write_new_of_product(editing, None, false, now)?;
            }
            said.write(editing, &all, place, now)
        }),
        None => {
            make(subject, place, &all)?;
            install::edit_locked(place, Begin::AsItIs, |editing| {
                // What was taken over has an id already.
                if editing.file().kept.anonymous_id.is_none() {
                    let follows = all.iter().any(Listed::has_id);
                    identity::write_new_of_product(editing, None, follows, now)?;
                }
                said.write(editing, &all, place, now)
            })
        }
    }
}

/// What a host writes beside the state.
struct Said<'a> {
    endpoint: Option<&'a str>,
    version: &'a str,
    require_visible_notice: bool,
}

impl Said<'_> {
    fn is_in(&self, known: &Listed) -> bool {
        known.file.as_ref().is_ok_and(|file| {
            file.kept.anonymous_id.is_some()
                && file.endpoint.as_deref() == self.endpoint
                && file.version.as_deref() == Some(self.version)
                && file.require_visible_notice == self.require_visible_notice
        })
    }

    /// Makes the place the newest of its product.
    fn write(
        &self,
        editing: &mut Editing,
        all: &[Listed],
        place: &Place,
        now: u64,
    ) -> Result<(), EnterError> {
        let others = all.iter().filter(|other| other.place != *place);
        let newest = others.map(Listed::used_at).max().unwrap_or_default();
        let used_at = now.max(newest.saturating_add(1)).max(editing.file().used_at);
        let visible = self.require_visible_notice;
        Ok(editing.set_said(self.endpoint, Some(self.version), visible, used_at)?)
    }
}

/// Makes the directory: the first endpoint takes over what was counted without one, any other host of a
/// known product begins with the flags of the newest.
fn make(subject: &Subject, place: &Place, all: &[Listed]) -> Result<(), EnterError> {
    let names = product_names(&subject.dir);
    if !names.iter().any(|name| name == place.product()) && names.len() >= MOST_PRODUCTS {
        return Err(EnterError::TooManyProducts);
    }
    if all.len() >= MOST_HOSTS {
        return Err(EnterError::TooManyHosts);
    }
    let without_endpoint = subject.dir.place(place.product(), "");
    if let [only] = all
        && only.place == without_endpoint
    {
        // What a killed process began here has no id yet, and is nothing beside an install that has one.
        if place.root().is_dir() {
            std::fs::remove_dir_all(place.root())?;
        }
        std::fs::rename(without_endpoint.root(), place.root())?;
        return Ok(files::sync_directory(&subject.dir.product(place.product()))?);
    }
    files::create_private_dir(place.root())?;
    let Some(newest) = all.iter().find(|known| known.file.is_ok() && known.has_id()) else {
        return Ok(());
    };
    carry_flags(&newest.place, place)
}

/// Copies the flags of one install into the store of another, which has no id yet; its clients stay behind.
fn carry_flags(from: &Place, to: &Place) -> Result<(), EnterError> {
    let now = machine::now();
    let known = Store::peek(from, now).ok().flatten().or_else(|| Store::remembered(from));
    let Some(State { mut funnel, .. }) = known else { return Ok(()) };
    funnel.clients.clear();
    let carried = Store::open(to, machine::now)
        .and_then(|store| store.update(true, |state| state.funnel.merge(&funnel)));
    match carried {
        // A build without a store, or a disk that keeps none, has no flags to lose.
        Ok(_) | Err(StoreError::NotBuilt | StoreError::RemoteFileSystem(_)) => Ok(()),
        Err(error) => Err(EnterError::Flags(error)),
    }
}
