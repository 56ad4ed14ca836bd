//! Writing: a batch of heartbeats is one transaction.
//!
//! One rule: the commit comes before the answers, and holds the whole batch or nothing of it.

use super::change::{Change, Counts, Imported, Incoming, Outcome, count};
use super::erase::{self, Erasure, Sweep};
use super::error::StoreError;
use super::key::{self, Key, KeySource};
use super::packed::{self, DayRow};
use super::products::{self, HIDDEN, Products};
use super::retire::Retired;
use super::{check, database, in_place, sql, sum};
use crate::collector::floods::{Floods, Newcomer, PROXIED};
use crate::collector::heartbeat::{Heartbeat, day};
use crate::collector::kept::{self, Kept, Verdict};
use crate::collector::row::Standing;
use crate::contract::product::OWN_PRODUCT;
use crate::gate::Unknown;
use mcpproxy_platform::files::{FileIdentity, HeldLock};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, ToSql, Transaction, TransactionBehavior,
    params, params_from_iter,
};
use std::path::PathBuf;

/// How a database is opened to receive heartbeats.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// The data directory.
    pub dir: PathBuf,
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
            products::add_to(&change, name)?;
        }
        products::seal_once(&change)?;
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
            _ => (Products::read(&change)?, Retired::read(&change)?),
        };
        let mut counts = counts.clone();
        for Erasure { product, id, asked } in *erasures {
            // Removed or renamed, it is the same product; nothing is kept of one that was never known.
            if let Some(known) = products.get(product) {
                erase::erase(&change, &self.key.install(&known.hashed_as, id), day(*asked))?;
            }
            count(&mut counts, *asked, "erasure");
        }
        let mut rows = Rows::of(&change)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for Incoming { heartbeat, received, origin } in *batch {
            let name = heartbeat.product.as_deref().unwrap_or(OWN_PRODUCT);
            let outcome = match received_product(&change, &mut products, name, self.any_product)? {
                None => Outcome::UnknownProduct,
                Some((product, hashed_as)) => {
                    let install = self.key.install(&hashed_as, &heartbeat.id);
                    let is_retired = retired.holds(product, &heartbeat.facts.version);
                    let mut newcomer = || self.floods.add(*origin, day(*received));
                    let (outcome, marks) = rows.store(
                        product,
                        &install,
                        heartbeat,
                        *received,
                        is_retired,
                        &mut newcomer,
                    )?;
                    for name in marks.names() {
                        count(&mut counts, *received, name);
                    }
                    outcome
                }
            };
            count(&mut counts, *received, outcome.counted());
            if outcome == Outcome::Stored {
                count_unknown(&mut counts, *received, &heartbeat.unknown);
            }
            outcomes.push(outcome);
        }
        drop(rows);
        let received = batch.iter().map(|one| one.received);
        let today = received.chain(erasures.iter().map(|one| one.asked)).map(day).max();
        let sweep = self.sweep.step(&change, today)?;
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

/// Adds how much of a heartbeat that is stored this program does not know.
fn count_unknown(counts: &mut Counts, received: u64, unknown: &Unknown) {
    let of = [
        ("projected", u32::from(unknown.is_later)),
        ("projected.members", unknown.members),
        ("unknown.values", unknown.values),
        ("unknown.codes", unknown.codes),
    ];
    for (name, n) in of.into_iter().filter(|(_, n)| *n > 0) {
        *counts.entry((day(received), name)).or_default() += u64::from(n);
    }
}

/// The number of a product that is received, and the name that its ids are hashed with.
fn received_product(
    change: &Transaction<'_>,
    products: &mut Products,
    name: &str,
    any_product: bool,
) -> Result<Option<(i64, String)>, StoreError> {
    if products.get(name).is_none() && any_product && products.hidden() < HIDDEN {
        products.insert(change, name, Standing::Hidden)?;
    }
    let known = products.get(name).filter(|known| known.standing != Standing::Removed);
    Ok(known.map(|known| (known.product, known.hashed_as.clone())))
}

/// What is counted of a heartbeat beside its outcome.
#[derive(Clone, Copy, Default)]
struct Marks {
    /// Its clock was wrong.
    clock_wrong: bool,
    /// Where its install comes from, if it is new.
    newcomer: Newcomer,
    /// A sum of its day is larger than any that is kept.
    capped: bool,
}

impl Marks {
    /// The names under which they are counted.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let newcomer = match self.newcomer {
            Newcomer::Usual => None,
            Newcomer::Flood => Some("flood"),
            Newcomer::Proxied => Some(PROXIED),
        };
        [(self.clock_wrong, "clock_wrong"), (self.capped, "capped")]
            .into_iter()
            .filter_map(|(is_so, name)| is_so.then_some(name))
            .chain(newcomer)
    }
}

/// The statements of a batch, each prepared once in the life of its connection: a batch is often one heartbeat, and
/// SQLite takes longer to read these than to run them.
pub(super) struct Rows<'c> {
    install: CachedStatement<'c>,
    install_write: CachedStatement<'c>,
    day: CachedStatement<'c>,
    day_write: CachedStatement<'c>,
    erased: CachedStatement<'c>,
}

impl<'c> Rows<'c> {
    pub(super) fn of(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            install: connection.prepare_cached(sql::INSTALL)?,
            install_write: connection.prepare_cached(sql::INSTALL_WRITE)?,
            day: connection.prepare_cached(sql::DAY)?,
            day_write: connection.prepare_cached(sql::DAY_WRITE)?,
            erased: connection.prepare_cached(sql::ERASED)?,
        })
    }

    /// What becomes of one heartbeat, and what is counted beside it.
    fn store(
        &mut self,
        product: i64,
        install: &[u8; 32],
        heartbeat: &Heartbeat,
        received: u64,
        is_retired: bool,
        newcomer: &mut dyn FnMut() -> Newcomer,
    ) -> Result<(Outcome, Marks), StoreError> {
        let before =
            self.install.query_row([install], |row| Ok(in_place::install(row))).optional()?;
        // The database reads; this row of it does not. The others of the batch are stored.
        let Ok(before) = before.transpose() else {
            return Ok((Outcome::Damaged, Marks::default()));
        };
        if before.is_none() && self.is_erased(install, day(received))? {
            return Ok((Outcome::Erased, Marks::default()));
        }
        if is_retired {
            return Ok((Outcome::Retired, Marks::default()));
        }
        let recent = before.as_ref().map_or(&[][..], |kept| &kept.recent);
        let mut marks = Marks::default();
        let (day, clock_wrong) = match kept::judge(recent, heartbeat, received) {
            Verdict::Duplicate => return Ok((Outcome::Duplicate, Marks::default())),
            Verdict::TooMany => return Ok((Outcome::TooMany, Marks::default())),
            Verdict::New(day, clock_wrong) => (day, clock_wrong),
        };
        let packed =
            self.day.query_row(params![install, day], |row| Ok(row.get::<_, Vec<u8>>(0).ok()));
        let unpack = |packed: Vec<u8>| DayRow::unpack(&packed, install, day);
        let day_before = match packed.optional()?.map(|packed| packed.and_then(unpack)) {
            None => None,
            Some(Some(row)) => Some(row),
            Some(None) => return Ok((Outcome::Damaged, Marks::default())),
        };
        let is_latest = before.as_ref().is_none_or(|kept| kept.is_latest(heartbeat, day, received));
        let kept = match before {
            None => {
                let mut kept = Kept::new(heartbeat, day, clock_wrong, received);
                marks.newcomer = newcomer();
                kept.flood = marks.newcomer == Newcomer::Flood;
                kept
            }
            Some(mut kept) => {
                kept.add(heartbeat, day, clock_wrong, received);
                kept
            }
        };
        self.write(product, install, &kept)?;
        let row = DayRow::with(heartbeat, day_before.as_ref(), is_latest);
        self.write_day(install, day, &row)?;
        marks.clock_wrong = clock_wrong;
        marks.capped = row.is_capped(heartbeat, day_before.as_ref());
        Ok((Outcome::Stored, marks))
    }

    /// Whether the install was erased, and is not to come back on `today`.
    fn is_erased(&mut self, install: &[u8; 32], today: u32) -> Result<bool, StoreError> {
        let until: Option<u32> = self.erased.query_row([install], |row| row.get(0)).optional()?;
        Ok(until.is_some_and(|until| until >= today))
    }

    pub(super) fn write_day(
        &mut self,
        install: &[u8; 32],
        day: u32,
        row: &DayRow,
    ) -> Result<(), StoreError> {
        self.day_write.execute(params![install, day, row.pack(install, day)])?;
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        product: i64,
        install: &[u8; 32],
        kept: &Kept,
    ) -> Result<(), StoreError> {
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
        let values = values.into_iter().chain([&recent as &dyn ToSql, &sum]);
        self.install_write.execute(params_from_iter(values))?;
        Ok(())
    }
}
