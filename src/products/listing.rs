//! Which products have state in a data directory.
//!
//! One rule: no side effects, and what cannot be read is listed all the same.

use super::Subject;
use crate::build_info;
use crate::contract::Product;
use crate::contract::product::{OWN_PRODUCT, is_name, version_from};
use crate::identity::install::{self, InstallError, InstallFile};
use crate::paths::{DataDir, Place};
use std::path::Path;

/// The state of one product towards one endpoint host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it lies.
    pub place: Place,
    /// What is kept beside it.
    pub file: Result<InstallFile, InstallError>,
}

impl Listed {
    /// When a host last made it the newest of its product; 0 when that cannot be read.
    pub fn used_at(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.used_at)
    }

    /// Whether an install lives here, as far as that is known: one that was forgotten has no id.
    pub(super) fn has_id(&self) -> bool {
        self.file.as_ref().map_or(true, |file| file.kept.anonymous_id.is_some())
    }

    /// Which endpoint it belongs to is not written here: it was damaged, or is since it was repaired.
    pub fn has_lost_endpoint(&self) -> bool {
        let endpoint = self.file.as_ref().ok().and_then(|file| file.endpoint.as_ref());
        let without = self.place.data_dir().place(self.place.product(), "");
        endpoint.is_none() && self.place != without
    }

    /// The product as its last host here named it.
    pub fn subject(&self) -> Subject {
        let file = self.file.clone().unwrap_or_default();
        Subject {
            dir: self.place.data_dir(),
            product: Product {
                name: self.place.product().to_owned(),
                version: version_from(&file.version.unwrap_or_default()),
            },
            endpoint: file.endpoint,
            require_visible_notice: file.require_visible_notice
                || build_info::REQUIRE_VISIBLE_NOTICE,
        }
    }
}

/// The names in a directory, sorted; none when it cannot be read.
fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let directories = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// The names of the products that have a directory here, our own not among them.
pub(super) fn product_names(dir: &DataDir) -> Vec<String> {
    let mut names = names(&dir.products());
    names.retain(|name| is_name(name) && name != OWN_PRODUCT);
    names
}

/// Every directory of a product other than our own, whatever lies in it.
pub fn directories(dir: &DataDir) -> Vec<Place> {
    let of = |product: &String| -> Vec<Place> {
        let found = names(&dir.product(product)).into_iter().filter(|name| is_ours(name));
        found.map(|name| dir.place_named(product, &name)).collect()
    };
    product_names(dir).iter().flat_map(of).collect()
}

/// Whether a directory has a name that [`DataDir::place`] gives.
fn is_ours(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Every place of one product where a host ever started, the newest first.
pub(super) fn places(dir: &DataDir, product: &str) -> Vec<Listed> {
    let found =
        names(&dir.product(product)).into_iter().filter(|name| is_ours(name)).filter_map(|name| {
            let place = dir.place_named(product, &name);
            match install::read(&place) {
                Ok(None) => None,
                Ok(Some(file)) => Some(Listed { place, file: Ok(file) }),
                Err(error) => Some(Listed { place, file: Err(error) }),
            }
        });
    let mut found: Vec<Listed> = found.collect();
    found.sort_by_key(|listed| std::cmp::Reverse(listed.used_at()));
    found
}

/// The newest place of one product.
pub fn newest(dir: &DataDir, product: &str) -> Option<Listed> {
    if !is_name(product) {
        return None;
    }
    places(dir, product).into_iter().next()
}

/// Every product but our own, with each of its places: by name, the newest place first.
pub fn list(dir: &DataDir) -> Vec<Listed> {
    product_names(dir).iter().flat_map(|name| places(dir, name)).collect()
}
