//! Writing to a server: a batch of heartbeats is one transaction of a few statements.
//!
//! One rule: every row that is written is the next one of the row that was read. Where another collector was faster,
//! the transaction is done again from its beginning.

use super::super::batch::{Judge, ReadRow, Rows};
use super::super::change::{Change, Counts, Imported, Incoming, Outcome, count};
use super::super::engine::{Engine, Values};
use super::super::erase::{self, Erasure, Sweep};
use super::super::error::StoreError;
use super::super::key::{Key, KeySource};
use super::super::packed::DayRow;
use super::super::products::{self, ProductError, Products};
use super::super::retire::Retired;
use super::super::sql::{self, postgres as own};
use super::super::write::{StoreOptions, with_columns};
use super::super::writer::Writer;
use super::super::{database, frozen, in_place};
use super::address::Server;
use super::link::{CHANGED, Link};
use super::row::Column;
use crate::collector::floods::Floods;
use crate::collector::heartbeat::{day, day_of};
use crate::collector::kept::Kept;
use crate::contract::product::OWN_PRODUCT;
use ::postgres::types::Type;
use mcpproxy_platform::files;
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet, HashMap};

type InstallKey = [u8; 32];

/// A database on a server, to write it.
#[derive(Debug)]
pub struct PostgresStore {
    link: Link,
    state: State,
    sweep: Sweep,
}

/// What a commit is made with.
#[derive(Debug)]
struct State {
    key: Key,
    any_product: bool,
    known: Option<Known>,
    floods: Floods,
}

/// What is read again when something but heartbeats has changed.
#[derive(Clone, Debug)]
struct Known {
    changed: Option<String>,
    products: Products,
    retired: Retired,
}

impl PostgresStore {
    /// Opens the database, its tables made if there are none, and adds the products.
    pub fn open(server: &Server, options: &StoreOptions) -> Result<Self, ProductError> {
        let names = options.products.iter().map(|name| products::named(name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let key = Key::given(&options.key, &options.dir)?;
        match options.key {
            // The directory is to hold the key.
            KeySource::Own => database::prepare(&options.dir, options.ephemeral)?,
            _ => files::create_private_dir(&options.dir)
                .map_err(|error| StoreError::Directory(error.kind()))?,
        }
        let link = Link::open_or_begin(server)?;
        check(&link)?;
        let key = Key::settle(key, &options.dir, &link)?;
        link.change(|change| {
            for name in &names {
                products::add_to(change, name)?;
            }
            products::seal_once(change)
        })?;
        Ok(Self::of(link, key, options))
    }

    /// Opens an existing database, beside collectors that may be running on it.
    pub fn beside(server: &Server, options: &StoreOptions) -> Result<Self, StoreError> {
        let key = Key::given(&options.key, &options.dir)?;
        let link = Link::open(server)?;
        let key = Key::known(key, &link)?;
        Ok(Self::of(link, key, options))
    }

    fn of(link: Link, key: Key, options: &StoreOptions) -> Self {
        let any_product = options.any_product;
        let state = State { key, any_product, known: None, floods: Floods::default() };
        Self { link, state, sweep: Sweep::default() }
    }

    /// Looks at some rows for what is to be forgotten, in a transaction of its own: it touches rows of others. Where it
    /// fails, the next commit is as good.
    fn sweep(&mut self, today: Option<u32>) {
        let (sweep, link) = (self.sweep, &self.link);
        if let Ok(next) = link.transaction(|| sweep.step(link, today)) {
            self.sweep = next;
        }
    }
}

impl State {
    /// Everything of a commit but its end: it may be done again.
    fn attempt(
        &mut self,
        link: &Link,
        Change { erasures, batch, imported }: &Change<'_>,
        counts: &Counts,
    ) -> Result<(Vec<Outcome>, Known), StoreError> {
        // Of an attempt that was undone no install is there.
        self.floods.take_back();
        let engine: &dyn Engine = link;
        let changed = engine.one::<String>(sql::META, &[&CHANGED])?;
        let mut known = match self.known.take() {
            Some(known) if known.changed == changed => known,
            _ => Known {
                changed,
                products: Products::read(engine)?,
                retired: Retired::read(engine)?,
            },
        };
        let mut counts = counts.clone();
        for Erasure { product, id, asked } in *erasures {
            // Removed or renamed, it is the same product; nothing is kept of one that was never known.
            if let Some(known) = known.products.get(product) {
                erase::erase(engine, &self.key.install(&known.hashed_as, id), day(*asked))?;
            }
            count(&mut counts, *asked, "erasure");
        }
        let mut rows = ServerRows::of(link, &self.key, &known.products, batch)?;
        let before = known.products.all().count();
        let judge = Judge {
            engine,
            key: &self.key,
            products: &mut known.products,
            retired: &known.retired,
            floods: &mut self.floods,
            any_product: self.any_product,
            counts: &mut counts,
        };
        let outcomes = judge.run(&mut rows, batch)?;
        rows.write_all()?;
        add_counts(link, &counts)?;
        if let Some(Imported { file, lines }) = imported {
            engine.execute(sql::IMPORT_WRITE, params![file, lines])?;
        }
        if known.products.all().count() != before {
            link.tell_change()?;
            known.changed = engine.one(sql::META, &[&CHANGED])?;
        }
        Ok((outcomes, known))
    }
}

/// What every start checks: products, what stays of expired rows, and that each install is of a product.
fn check(link: &Link) -> Result<(), StoreError> {
    let engine: &dyn Engine = link;
    Products::read(engine)?;
    frozen::check(engine)?;
    match engine.one::<u64>(sql::STRAY_INSTALLS, &[])? {
        Some(0) => Ok(()),
        _ => Err(StoreError::Damaged),
    }
}

impl Writer for PostgresStore {
    fn commit(&mut self, change: &Change<'_>, counts: &Counts) -> Result<Vec<Outcome>, StoreError> {
        let Self { link, state, .. } = self;
        let (outcomes, known) = link.transaction(|| state.attempt(link, change, counts))?;
        state.floods.settle();
        state.known = Some(known);
        let received = change.batch.iter().map(|one| one.received);
        let today = received.chain(change.erasures.iter().map(|one| one.asked)).map(day).max();
        self.sweep(today);
        Ok(outcomes)
    }

    fn imported(&self, file: &[u8; 32]) -> Result<u64, StoreError> {
        let engine: &dyn Engine = &self.link;
        Ok(engine.one(sql::IMPORT, &[file])?.unwrap_or(0))
    }

    fn is_sweeping(&self) -> bool {
        !self.sweep.is_done()
    }

    fn wants_a_proxy(&self) -> bool {
        self.state.floods.wants_a_proxy()
    }
}

fn add_counts(link: &Link, counts: &Counts) -> Result<(), StoreError> {
    let (mut days, mut names, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for ((day, name), n) in counts {
        days.push(i64::from(*day));
        names.push(*name);
        numbers.push(i64::try_from(*n).unwrap_or(i64::MAX));
    }
    if days.is_empty() {
        return Ok(());
    }
    let columns: [(&(dyn ::postgres::types::ToSql + Sync), Type); 3] =
        [(&days, Type::INT8_ARRAY), (&names, Type::TEXT_ARRAY), (&numbers, Type::INT8_ARRAY)];
    link.run(own::COUNTS_ADD, &columns).map(drop)
}

/// The rows that a batch meets: read at once, changed here, and written at once.
struct ServerRows<'l> {
    link: &'l Link,
    /// With the revision of each.
    installs: HashMap<InstallKey, (ReadRow<Kept>, i64)>,
    days: HashMap<(InstallKey, u32), ReadRow<DayRow>>,
    erased: HashMap<InstallKey, u32>,
    /// In the order of their keys: two that write the same rows wait for each other in one direction.
    written: BTreeMap<InstallKey, Written>,
    written_days: BTreeMap<(InstallKey, u32), DayRow>,
}

/// A row of an install that is to be written.
struct Written {
    /// That of the row that was read; 0: there was none.
    revision: i64,
    product: i64,
    kept: Kept,
}

impl Rows for ServerRows<'_> {
    fn install(&mut self, install: &InstallKey) -> Result<Option<ReadRow<Kept>>, StoreError> {
        let written = self.written.get(install).map(|written| Ok(written.kept.clone()));
        Ok(written.or_else(|| self.installs.get(install).map(|(read, _)| read.clone())))
    }

    fn day(
        &mut self,
        install: &InstallKey,
        day: u32,
    ) -> Result<Option<ReadRow<DayRow>>, StoreError> {
        let written = self.written_days.get(&(*install, day)).map(|row| Ok(row.clone()));
        Ok(written.or_else(|| self.days.get(&(*install, day)).cloned()))
    }

    fn erased_until(&mut self, install: &InstallKey) -> Result<Option<u32>, StoreError> {
        Ok(self.erased.get(install).copied())
    }

    fn write(&mut self, product: i64, install: &InstallKey, kept: &Kept) -> Result<(), StoreError> {
        let revision = self.installs.get(install).map_or(0, |(_, revision)| *revision);
        self.written.insert(*install, Written { revision, product, kept: kept.clone() });
        Ok(())
    }

    fn write_day(
        &mut self,
        install: &InstallKey,
        day: u32,
        row: &DayRow,
    ) -> Result<(), StoreError> {
        self.written_days.insert((*install, day), row.clone());
        Ok(())
    }
}

impl<'l> ServerRows<'l> {
    /// Reads what the heartbeats of known products meet. A product that is made meanwhile has no rows.
    fn of(
        link: &'l Link,
        key: &Key,
        products: &Products,
        batch: &[Incoming<'_>],
    ) -> Result<Self, StoreError> {
        let (mut keys, mut days) = (BTreeSet::new(), BTreeSet::new());
        for Incoming { heartbeat, received, .. } in batch {
            let name = heartbeat.product.as_deref().unwrap_or(OWN_PRODUCT);
            if let Some(known) = products.get(name) {
                keys.insert(key.install(&known.hashed_as, &heartbeat.id));
                days.insert(day_of(heartbeat.claimed, *received).0);
            }
        }
        let mut rows = Self {
            link,
            installs: HashMap::new(),
            days: HashMap::new(),
            erased: HashMap::new(),
            written: BTreeMap::new(),
            written_days: BTreeMap::new(),
        };
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(rows) };
        let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        for row in link.query(own::INSTALLS_OF, &[(&keys, Type::BYTEA_ARRAY)])? {
            let values: &dyn Values = &row;
            let found = (in_place::install(values), values.get(in_place::SUMMED + 2)?);
            rows.installs.insert(values.get(0)?, found);
        }
        rows.erased = rows.erased_of(&keys)?;
        let range = [i64::from(*first), i64::from(*last)];
        let found = link.query(
            own::DAYS_OF,
            &[(&keys, Type::BYTEA_ARRAY), (&range[0], Type::INT8), (&range[1], Type::INT8)],
        )?;
        for row in found {
            let values: &dyn Values = &row;
            let (install, day): (InstallKey, u32) = (values.get(0)?, values.get(1)?);
            let packed = values.value(2)?.as_blob().map_err(|_| StoreError::Damaged)?;
            let read = DayRow::unpack(packed, &install, day).ok_or(StoreError::Damaged);
            rows.days.insert((install, day), read);
        }
        Ok(rows)
    }

    fn erased_of(&self, keys: &[&[u8]]) -> Result<HashMap<InstallKey, u32>, StoreError> {
        let found = self.link.query(own::ERASED_OF, &[(&keys, Type::BYTEA_ARRAY)])?;
        let read = |row: &super::row::ServerRow| {
            let values: &dyn Values = row;
            Ok((values.get(0)?, values.get(1)?))
        };
        found.iter().map(read).collect()
    }

    /// Writes what has changed.
    fn write_all(self) -> Result<(), StoreError> {
        if self.written.is_empty() {
            return Ok(());
        }
        self.write_installs()?;
        self.write_days()?;
        // A new install may have been erased since its tombstone was looked for.
        let new = self.written.iter().filter(|(_, written)| written.revision == 0);
        let new: Vec<&[u8]> = new.map(|(key, _)| key.as_slice()).collect();
        if !new.is_empty() {
            let now = self.erased_of(&new)?;
            if now.iter().any(|(key, until)| self.erased.get(key) != Some(until)) {
                return Err(self.link.contended());
            }
        }
        Ok(())
    }

    fn write_installs(&self) -> Result<(), StoreError> {
        let mut columns: [Column; in_place::SUMMED + 2] = std::array::from_fn(|at| match at {
            0 | 4 | 20 => Column::Bytes(Vec::new()),
            5 | 6 | 12 | 13 => Column::Texts(Vec::new()),
            _ => Column::Numbers(Vec::new()),
        });
        let mut revisions = Vec::with_capacity(self.written.len());
        for (install, Written { revision, product, kept }) in &self.written {
            with_columns(*product, install, kept, |values| {
                values.iter().zip(&mut columns).try_for_each(|(value, column)| column.push(*value))
            })?;
            revisions.push(if *revision == 0 { 1 } else { -(revision + 1) });
        }
        let mut values: Vec<_> = columns.iter().map(Column::typed).collect();
        values.push((&revisions, Type::INT8_ARRAY));
        let written = self.link.query(own::INSTALLS_WRITE, &values)?;
        let is_next = |row: &super::row::ServerRow| {
            let values: &dyn Values = row;
            values.get::<i64>(0).is_ok_and(|revision| revision > 0)
        };
        match written.len() == self.written.len() && written.iter().all(is_next) {
            true => Ok(()),
            false => Err(self.link.contended()),
        }
    }

    fn write_days(&self) -> Result<(), StoreError> {
        let packed: Vec<_> = self
            .written_days
            .iter()
            .map(|((install, day), row)| {
                (install.as_slice(), i64::from(*day), row.pack(install, *day))
            })
            .collect();
        let installs: Vec<&[u8]> = packed.iter().map(|(install, ..)| *install).collect();
        let days: Vec<i64> = packed.iter().map(|(_, day, _)| *day).collect();
        let rows: Vec<&[u8]> = packed.iter().map(|(.., row)| row.as_slice()).collect();
        let columns: [(&(dyn ::postgres::types::ToSql + Sync), Type); 3] =
            [(&installs, Type::BYTEA_ARRAY), (&days, Type::INT8_ARRAY), (&rows, Type::BYTEA_ARRAY)];
        self.link.run(own::DAYS_WRITE, &columns).map(drop)
    }
}
