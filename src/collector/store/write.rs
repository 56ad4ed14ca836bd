//! Writing: a batch of heartbeats is one transaction.
//!
//! One rule: the commit comes before the answers, and holds the whole batch or nothing of it.

use super::batch::{Judge, ReadRow, Rows};
use super::change::{Change, Counts, Imported, Incoming, Outcome, count};
use super::erase::{self, Erasure, Sweep};
use super::error::StoreError;
use super::key::{self, Key, KeySource};
use super::packed::{self, DayRow};
use super::postgres::Server;
use super::products::{self, Products};
use super::retire::Retired;
use super::{check, database, in_place, sql, sum};
use crate::collector::floods::Floods;
use crate::collector::heartbeat::day;
use crate::collector::kept::Kept;
use mcpproxy_platform::files::{FileIdentity, HeldLock};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, ToSql, TransactionBehavior, params,
    params_from_iter,
};
use std::path::PathBuf;

/// How a database is opened to receive heartbeats.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// The server that holds the rows; `None`: they lie in the directory.
    pub server: Option<Server>,
    /// Where the key comes from.
    pub key: KeySource,
    /// Products that are added at the start.
    pub products: Vec<String>,
    /// Whether unknown products are received too, hidden until they are added.
    pub any_product: bool,
    /// Whether heartbeats of mcpproxy-go are received.
    pub mcpproxy_go: bool,
    /// Whether the directory may be gone when the machine stops.
    pub ephemeral: bool,
}

/// The database, to write it: one per data directory.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) key: Key,
    any_product: bool,
    known: Option<(i64, Products, Retired)>,
    sweep: Sweep,
    floods: Floods,
    path: PathBuf,
    identity: FileIdentity,
    _lock: Option<HeldLock>,
}

impl Store {
    /// Opens the database, made if it is missing, and adds `products`.
    pub fn open(options: &StoreOptions) -> Result<Self, products::ProductError> {
        let names = options.products.iter().map(|name| products::named(name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let key = Key::given(&options.key, &options.dir)?;
        database::prepare(&options.dir, options.ephemeral)?;
        let lock = database::hold(&options.dir)?;
        let mut connection = database::open_held(&options.dir, &lock)?;
        check::start(&connection)?;
        let key = Key::settle(key, &options.dir, &connection)?;
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in &names {
            products::add_to(&*change, name)?;
        }
        products::seal_once(&*change)?;
        change.commit()?;
        Ok(Self::of(options, connection, key, Some(lock))?)
    }

    /// Opens an existing database, beside a collector that may be running on it: SQLite gives each of them its turn.
    pub fn beside(options: &StoreOptions) -> Result<Self, StoreError> {
        let key = Key::given(&options.key, &options.dir)?;
        let connection = database::open(&options.dir)?;
        let key = Key::known(key, &connection)?;
        Self::of(options, connection, key, None)
    }

    fn of(
        options: &StoreOptions,
        connection: Connection,
        key: Key,
        lock: Option<HeldLock>,
    ) -> Result<Self, StoreError> {
        let path = database::file(&options.dir);
        let identity = FileIdentity::at(&path).map_err(|_| StoreError::Away)?;
        Ok(Self {
            connection,
            key,
            any_product: options.any_product,
            known: None,
            sweep: Sweep::default(),
            floods: Floods::default(),
            path,
            identity,
            _lock: lock,
        })
    }

    /// Lines of a file that are imported already.
    pub fn imported(&self, file: &[u8; 32]) -> Result<u64, StoreError> {
        let lines = self.connection.query_row(sql::IMPORT, [file], |row| row.get(0));
        Ok(lines.optional()?.unwrap_or(0))
    }

    /// Commits a batch, and `counts` with it. On an error nothing of it was stored.
    pub fn apply(
        &mut self,
        batch: &[Incoming<'_>],
        counts: &Counts,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.commit(&Change { batch, ..Change::default() }, counts)
    }

    /// Commits a change, and `counts` with it. On an error nothing of it was stored.
    pub fn commit(
        &mut self,
        Change { erasures, batch, imported }: &Change<'_>,
        counts: &Counts,
    ) -> Result<Vec<Outcome>, StoreError> {
        // SQLite would write on into a file that has no name any more.
        if FileIdentity::at(&self.path).ok() != Some(self.identity) {
            return Err(StoreError::Away);
        }
        // Of a batch that was undone no install is there.
        self.floods.take_back();
        let mut known = self.known.take();
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have changed the products.
        let version: i64 = change.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let (mut products, retired) = match known.take() {
            Some((of, products, retired)) if of == version => (products, retired),
            _ => (Products::read(&*change)?, Retired::read(&*change)?),
        };
        let mut counts = counts.clone();
        for Erasure { product, id, asked } in *erasures {
            // Removed or renamed, it is the same product; nothing is kept of one that was never known.
            if let Some(known) = products.get(product) {
                erase::erase(&*change, &self.key.install(&known.hashed_as, id), day(*asked))?;
            }
            count(&mut counts, *asked, "erasure");
        }
        let mut rows = SqliteRows::of(&change)?;
        let judge = Judge {
            engine: &*change,
            key: &self.key,
            products: &mut products,
            retired: &retired,
            floods: &mut self.floods,
            any_product: self.any_product,
            counts: &mut counts,
        };
        let outcomes = judge.run(&mut rows, batch)?;
        drop(rows);
        let received = batch.iter().map(|one| one.received);
        let today = received.chain(erasures.iter().map(|one| one.asked)).map(day).max();
        let sweep = self.sweep.step(&*change, today)?;
        let mut counted = change.prepare_cached(sql::COUNT)?;
        for ((day, name), n) in counts {
            counted.execute(params![day, name, n])?;
        }
        drop(counted);
        if let Some(Imported { file, lines }) = imported {
            change.execute(sql::IMPORT_WRITE, params![file, lines])?;
        }
        change.commit()?;
        self.floods.settle();
        self.sweep = sweep;
        // Only now: a product of a batch that was undone is none.
        self.known = Some((version, products, retired));
        Ok(outcomes)
    }

    /// Whether rows are still to be looked through for what is to be forgotten: every commit looks at some.
    pub fn is_sweeping(&self) -> bool {
        !self.sweep.is_done()
    }

    /// Whether new installs would have been marked as a flood, had they not all come through what may be a proxy.
    pub fn wants_a_proxy(&self) -> bool {
        self.floods.wants_a_proxy()
    }
}

/// Whether others on this machine may read the file of the key.
pub fn key_is_exposed(options: &StoreOptions) -> bool {
    key::is_exposed(&options.key, &options.dir)
}

/// The statements of a batch, each prepared once in the life of its connection: a batch is often one heartbeat, and
/// SQLite takes longer to read these than to run them.
pub(super) struct SqliteRows<'c> {
    install: CachedStatement<'c>,
    install_write: CachedStatement<'c>,
    day: CachedStatement<'c>,
    day_write: CachedStatement<'c>,
    erased: CachedStatement<'c>,
}

impl<'c> SqliteRows<'c> {
    pub(super) fn of(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            install: connection.prepare_cached(sql::INSTALL)?,
            install_write: connection.prepare_cached(sql::INSTALL_WRITE)?,
            day: connection.prepare_cached(sql::DAY)?,
            day_write: connection.prepare_cached(sql::DAY_WRITE)?,
            erased: connection.prepare_cached(sql::ERASED)?,
        })
    }
}

impl Rows for SqliteRows<'_> {
    fn install(&mut self, install: &[u8; 32]) -> Result<Option<ReadRow<Kept>>, StoreError> {
        Ok(self.install.query_row([install], |row| Ok(in_place::install(row))).optional()?)
    }

    fn day(&mut self, install: &[u8; 32], day: u32) -> Result<Option<ReadRow<DayRow>>, StoreError> {
        let packed = self.day.query_row(params![install, day], |row| Ok(row.get::<_, Vec<u8>>(0)));
        let unpack =
            |packed: rusqlite::Result<Vec<u8>>| DayRow::unpack(&packed.ok()?, install, day);
        Ok(packed.optional()?.map(|packed| unpack(packed).ok_or(StoreError::Damaged)))
    }

    fn erased_until(&mut self, install: &[u8; 32]) -> Result<Option<u32>, StoreError> {
        Ok(self.erased.query_row([install], |row| row.get(0)).optional()?)
    }

    fn write_day(&mut self, install: &[u8; 32], day: u32, row: &DayRow) -> Result<(), StoreError> {
        self.day_write.execute(params![install, day, row.pack(install, day)])?;
        Ok(())
    }

    fn write(&mut self, product: i64, install: &[u8; 32], kept: &Kept) -> Result<(), StoreError> {
        with_columns(product, install, kept, |columns| {
            self.install_write.execute(params_from_iter(columns))?;
            Ok(())
        })
    }
}

/// Gives the columns of an install to `then`, in the order of [`sql`].
pub(super) fn with_columns<T>(
    product: i64,
    install: &[u8; 32],
    kept: &Kept,
    then: impl FnOnce(&[&dyn ToSql]) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let [configured, connected, client, searched, called] = kept.steps;
    let days = packed::bits(&kept.days);
    let (first, now) = (packed::facts(&kept.first), packed::facts(&kept.now));
    let (versions, clients) = (packed::versions(&kept.versions), kept.clients.join(","));
    let recent = packed::times(&kept.recent);
    let values: [&dyn ToSql; in_place::SUMMED] = [
        install,
        &product,
        &kept.day0,
        &kept.last_day,
        &days,
        &first,
        &now,
        &configured,
        &connected,
        &client,
        &searched,
        &called,
        &versions,
        &clients,
        &kept.carried_over,
        &kept.days_since_install,
        &kept.install_day,
        &kept.clock_wrong,
        &kept.received,
        &kept.flood,
    ];
    let sum = sum::written(&values)?;
    let mut columns: [&dyn ToSql; in_place::SUMMED + 2] = [&recent; in_place::SUMMED + 2];
    columns[..in_place::SUMMED].copy_from_slice(&values);
    columns[in_place::SUMMED + 1] = &sum;
    then(&columns)
}
