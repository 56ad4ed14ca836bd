//! The products of a database, and the names that their heartbeats carry.
//!
//! One rule: the operator decides which products are received; a product never loses its installs.

use super::engine::{Database, Engine};
use super::error::StoreError;
use super::place::Location;
use super::sum::Sum;
use super::{database, frozen, sql};
use crate::collector::mcpproxy_go;
use crate::collector::row::{Product, Standing};
use crate::contract::product::{self, OWN_PRODUCT};
use crate::gate;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::fmt;

/// Products that are received unasked with `--any-product`.
pub const HIDDEN: usize = 100;

/// Why the products are not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductError {
    /// The name has not the form of one.
    Name(product::NameError),
    /// The version has not the form of one.
    Version,
    /// No product has this name.
    Unknown,
    /// Another product has this name, or had it.
    Taken,
    /// The database cannot be used.
    Store(StoreError),
}

impl fmt::Display for ProductError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Version => f.write_str(
                "the version must be one that heartbeats carry, such as 1.4.0 or 1.5.0-rc.1",
            ),
            Self::Unknown => f.write_str(
                "no product has this name; `mcpproxy collector product list` shows those that there are",
            ),
            Self::Taken => f.write_str(
                "another product has this name, or had it: choose one that was never used here",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProductError {}

impl<E: Into<StoreError>> From<E> for ProductError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// The name that an operator means: that of the gateway, that of mcpproxy-go, or one that a product may have. Heartbeats of any other
/// are refused wherever they arrive.
pub fn named(text: &str) -> Result<String, ProductError> {
    match text.trim() {
        name @ (OWN_PRODUCT | mcpproxy_go::NAME) => Ok(name.to_owned()),
        text => gate::product_name(text).map_err(ProductError::Name),
    }
}

/// The name of a product that there is, as an operator spells it: an earlier version may have added one that
/// [`named`] refuses today.
pub fn name_of_existing(text: &str) -> Result<String, ProductError> {
    match text.trim() {
        name if product::is_name(name) => Ok(name.to_owned()),
        text => named(text),
    }
}

/// One product as the database holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub product: i64,
    pub name: String,
    pub hashed_as: String,
    pub standing: Standing,
}

/// Every product, by number and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Products {
    known: HashMap<i64, Known>,
    names: HashMap<String, i64>,
}

impl Products {
    pub fn read(engine: &dyn Engine) -> Result<Self, StoreError> {
        let mut products = Self::default();
        engine.each(sql::PRODUCTS, &[], &mut |row| {
            let standing = match row.get(3)? {
                0_i64 => Standing::Removed,
                1 => Standing::Added,
                2 => Standing::Hidden,
                _ => return Err(StoreError::Damaged),
            };
            let product = row.get(0)?;
            let known = Known { product, name: row.get(1)?, hashed_as: row.get(2)?, standing };
            products.known.insert(product, known);
            Ok(())
        })?;
        products.names = engine
            .all(sql::NAMES, &[], |row| Ok((row.get(0)?, row.get(1)?)))?
            .into_iter()
            .collect();
        match engine.one::<String>(sql::META, &[&SEAL])? {
            Some(seal) if seal != sum(engine)? => Err(StoreError::Damaged),
            _ => Ok(products),
        }
    }

    /// The product whose heartbeats carry `name`.
    pub fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(self.names.get(name)?)
    }

    pub fn all(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    pub fn hidden(&self) -> usize {
        self.all().filter(|known| known.standing == Standing::Hidden).count()
    }

    /// Adds a product of that name, which no other has.
    pub fn insert(
        &mut self,
        engine: &dyn Engine,
        name: &str,
        standing: Standing,
    ) -> Result<(), StoreError> {
        let product = self.known.keys().max().map_or(1, |last| last + 1);
        engine.execute(sql::PRODUCT_INSERT, params![product, name, name, code(standing)])?;
        engine.execute(sql::NAME_INSERT, params![name, product])?;
        seal(engine)?;
        let known = Known { product, name: name.to_owned(), hashed_as: name.to_owned(), standing };
        self.known.insert(product, known);
        self.names.insert(name.to_owned(), product);
        Ok(())
    }
}

/// The name in `meta` of the sum over products and names: a flipped bit in a name would make every install new.
const SEAL: &str = "products";

fn sum(engine: &dyn Engine) -> Result<String, StoreError> {
    let mut sum = Sum::default();
    for (query, columns) in [(sql::PRODUCTS, 4), (sql::NAMES, 2)] {
        engine.each(query, &[], &mut |row| sum.row(row, columns))?;
    }
    Ok(sum.get().to_string())
}

/// Writes the sum of a database that has none: schema 1 wrote none.
pub(super) fn seal_once(engine: &dyn Engine) -> Result<(), StoreError> {
    let known = engine.one::<String>(sql::META, &[&SEAL])?;
    if known.is_none() { seal(engine) } else { Ok(()) }
}

/// Writes the sum after a change.
fn seal(engine: &dyn Engine) -> Result<(), StoreError> {
    engine.execute(sql::META_WRITE, params![SEAL, sum(engine)?])?;
    Ok(())
}

const fn code(standing: Standing) -> i64 {
    match standing {
        Standing::Removed => 0,
        Standing::Added => 1,
        Standing::Hidden => 2,
    }
}

/// Adds a product; whether that changes anything.
pub(super) fn add_to(engine: &dyn Engine, name: &str) -> Result<bool, StoreError> {
    let mut products = Products::read(engine)?;
    match products.get(name) {
        None => products.insert(engine, name, Standing::Added)?,
        Some(known) if known.standing == Standing::Added => return Ok(false),
        Some(known) => {
            let standing = code(Standing::Added);
            engine.execute(sql::PRODUCT_STANDING, params![standing, known.product])?;
            seal(engine)?;
        }
    }
    Ok(true)
}

/// Adds a product to a database, which is made if it is missing; whether that changes anything.
pub fn add(
    place: impl Into<Location>,
    is_ephemeral: bool,
    name: &str,
) -> Result<bool, ProductError> {
    let name = named(name)?;
    let mut database = Database::open_or_begin(&place.into(), is_ephemeral)?;
    database.change(|change| Ok(add_to(change, &name)?))
}

/// Gives a product another name. Its heartbeats may carry either, and its installs stay its own.
pub fn rename(place: impl Into<Location>, from: &str, to: &str) -> Result<(), ProductError> {
    let (from, to) = (name_of_existing(from)?, named(to)?);
    Database::open(&place.into())?.change(|change| {
        let products = Products::read(change)?;
        let known = products.get(&from).ok_or(ProductError::Unknown)?;
        match products.get(&to) {
            Some(other) if other.product != known.product => return Err(ProductError::Taken),
            _ => {}
        }
        change.execute(sql::PRODUCT_NAME, params![to, known.product])?;
        change.execute(sql::NAME_INSERT, params![to, known.product])?;
        Ok(seal(change)?)
    })
}

/// Refuses a product's heartbeats from now on. Its installs stay.
pub fn remove(place: impl Into<Location>, name: &str) -> Result<(), ProductError> {
    let name = name_of_existing(name)?;
    Database::open(&place.into())?.change(|change| {
        let products = Products::read(change)?;
        let known = products.get(&name).filter(|known| known.standing != Standing::Removed);
        let known = known.ok_or(ProductError::Unknown)?;
        let standing = code(Standing::Removed);
        change.execute(sql::PRODUCT_STANDING, params![standing, known.product])?;
        Ok(seal(change)?)
    })
}

/// Every product, by name.
pub(super) fn list(engine: &dyn Engine) -> Result<Vec<Product>, StoreError> {
    let mut sizes: HashMap<i64, (u64, u32)> = HashMap::new();
    engine.each(sql::PRODUCT_SIZES, &[], &mut |row| {
        sizes.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
        Ok(())
    })?;
    let has_expired = database::is_past_schema_1(engine)?;
    let products = Products::read(engine)?;
    let mut list: Vec<Product> = products
        .all()
        .map(|known| {
            let size = sizes.get(&known.product);
            // A copy of schema 1 has no such table.
            let expired = match has_expired {
                true => frozen::first_day(engine, known.product)?,
                false => None,
            };
            Ok(Product {
                name: known.name.clone(),
                standing: known.standing,
                first_day: size.map(|(_, first)| *first).into_iter().chain(expired).min(),
                installs: size.map_or(0, |(count, _)| *count),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    list.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(list)
}

pub(super) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}
