//! Versions of products that are told to stop.
//!
//! One rule: a version is kept without its leading `v`, and a running collector notices at its next commit.

use super::error::StoreError;
use super::products::{self, ProductError, Products};
use super::{database, sql};
use crate::contract::product;
use rusqlite::Connection;
use std::collections::HashSet;
use std::path::Path;

/// The retired versions of each product, by its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Retired(HashSet<(i64, String)>);

impl Retired {
    pub fn read(connection: &Connection) -> Result<Self, StoreError> {
        let mut statement = connection.prepare(sql::RETIRED)?;
        let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self(all.collect::<Result<_, _>>()?))
    }

    /// Whether this version of a product, without a leading `v`, is retired.
    pub fn holds(&self, product: i64, version: &str) -> bool {
        // Mostly there is none, and then nothing is copied.
        !self.0.is_empty() && self.0.contains(&(product, version.to_owned()))
    }
}

/// Retires a version of a product; whether that changes anything.
pub fn retire(dir: &Path, product: &str, version: &str) -> Result<bool, ProductError> {
    change(dir, product, version, sql::RETIRED_INSERT)
}

/// Takes [`retire`] back; whether that changes anything.
pub fn unretire(dir: &Path, product: &str, version: &str) -> Result<bool, ProductError> {
    change(dir, product, version, sql::RETIRED_DELETE)
}

/// Every retired version, with the name of its product, in order.
pub fn retired(dir: &Path) -> Result<Vec<(String, String)>, StoreError> {
    let connection = database::open_to_read(dir)?;
    let products = Products::read(&connection)?;
    let Retired(all) = Retired::read(&connection)?;
    let named = |(product, version)| {
        let known = products.all().find(|known| known.product == product)?;
        Some((known.name.clone(), version))
    };
    let mut all: Vec<_> = all.into_iter().filter_map(named).collect();
    all.sort();
    Ok(all)
}

fn change(dir: &Path, name: &str, version: &str, sql: &str) -> Result<bool, ProductError> {
    let name = products::named(name)?;
    let version = version.strip_prefix('v').unwrap_or(version);
    if !product::is_version(version) {
        return Err(ProductError::Version);
    }
    let mut connection = database::open(dir)?;
    let change = products::begin(&mut connection)?;
    let products = Products::read(&change)?;
    let known = products.get(&name).ok_or(ProductError::Unknown)?;
    let changed = change.execute(sql, (known.product, version))? > 0;
    change.commit()?;
    Ok(changed)
}
