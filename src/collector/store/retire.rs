//! Versions of products that are told to stop.
//!
//! One rule: a version is kept without its leading `v`, and a running collector notices at its next commit.

use super::engine::{Database, Engine};
use super::error::StoreError;
use super::place::Location;
use super::products::{self, ProductError, Products};
use super::sql;
use crate::contract::product;
use rusqlite::params;
use std::collections::HashSet;

/// The retired versions of each product, by its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Retired(HashSet<(i64, String)>);

impl Retired {
    pub fn read(engine: &dyn Engine) -> Result<Self, StoreError> {
        let all = engine.all(sql::RETIRED, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self(all.into_iter().collect()))
    }

    /// Whether this version of a product, without a leading `v`, is retired.
    pub fn holds(&self, product: i64, version: &str) -> bool {
        // Mostly there is none, and then nothing is copied.
        !self.0.is_empty() && self.0.contains(&(product, version.to_owned()))
    }
}

/// Retires a version of a product; whether that changes anything.
pub fn retire(
    place: impl Into<Location>,
    product: &str,
    version: &str,
) -> Result<bool, ProductError> {
    change(&place.into(), product, version, sql::RETIRED_INSERT)
}

/// Takes [`retire`] back; whether that changes anything.
pub fn unretire(
    place: impl Into<Location>,
    product: &str,
    version: &str,
) -> Result<bool, ProductError> {
    change(&place.into(), product, version, sql::RETIRED_DELETE)
}

/// Every retired version, with the name of its product, in order.
pub fn retired(place: impl Into<Location>) -> Result<Vec<(String, String)>, StoreError> {
    let database = Database::open_to_read(&place.into())?;
    let products = Products::read(database.engine())?;
    let Retired(all) = Retired::read(database.engine())?;
    let named = |(product, version)| {
        let known = products.all().find(|known| known.product == product)?;
        Some((known.name.clone(), version))
    };
    let mut all: Vec<_> = all.into_iter().filter_map(named).collect();
    all.sort();
    Ok(all)
}

fn change(place: &Location, name: &str, version: &str, sql: &str) -> Result<bool, ProductError> {
    let name = products::named(name)?;
    let version = version.strip_prefix('v').unwrap_or(version);
    if !product::is_version(version) {
        return Err(ProductError::Version);
    }
    Database::open(place)?.change(|change| {
        let products = Products::read(change)?;
        let known = products.get(&name).ok_or(ProductError::Unknown)?;
        Ok(change.execute(sql, params![known.product, version])? > 0)
    })
}
