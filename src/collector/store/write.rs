//! Writing: a batch of heartbeats is one transaction.
//!
//! One rule: the commit comes before the answers, and holds the whole batch or nothing of it.

use super::error::StoreError;
use super::key::{self, Key, KeySource};
use super::packed::{self, DayRow};
use super::products::{self, HIDDEN, Products};
use super::{database, read, sql, sum};
use crate::collector::floods::{Floods, Newcomer, Origin};
use crate::collector::heartbeat::{Heartbeat, day};
use crate::collector::kept::{self, Kept, Verdict};
use crate::collector::row::Standing;
use crate::contract::product::OWN_PRODUCT;
use mcpproxy_platform::files::{FileIdentity, FileLock, HeldLock, LockMode};
use rusqlite::{
    Connection, OptionalExtension as _, Statement, ToSql, Transaction, TransactionBehavior, params,
    params_from_iter,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A heartbeat that is remembered was received on this day or the two before (48 h), and counts for one of the two
/// days before that at the earliest (26 h): whose last day is older has no time to be remembered.
const TIMES_DAYS: u32 = 4;

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
    /// Whether the directory may be gone when the machine stops.
    pub ephemeral: bool,
}

/// A heartbeat that the gate has let through, and when it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// What it says.
    pub heartbeat: &'a Heartbeat,
    /// When it arrived: seconds since 1970.
    pub received: u64,
    /// The network that it came from; `None` where that is not known, or does not matter.
    pub origin: Option<Origin>,
}

impl<'a> Incoming<'a> {
    /// A heartbeat that arrived at `received`, of no known origin.
    pub fn new(heartbeat: &'a Heartbeat, received: u64) -> Self {
        Self { heartbeat, received, origin: None }
    }
}

/// What happened to a heartbeat of a batch that was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk.
    Stored,
    /// It was on disk before.
    Duplicate,
    /// Its install has had its share of this day.
    TooMany,
    /// Its product is not received here.
    UnknownProduct,
}

/// How often something was answered, by UTC day of receipt.
pub type Counts = BTreeMap<(u32, &'static str), u64>;

/// The database, to write it: one per data directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    key: Key,
    any_product: bool,
    products: Option<(i64, Products)>,
    floods: Floods,
    /// The day of receipt on which the times of installs that are gone were last forgotten.
    forgotten: u32,
    path: PathBuf,
    identity: FileIdentity,
    _lock: HeldLock,
}

impl Store {
    /// Opens the database, made if it is missing, and adds `products`.
    pub fn open(options: &StoreOptions) -> Result<Self, products::ProductError> {
        let names = options.products.iter().map(|name| products::named(name));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let key = Key::given(&options.key, &options.dir)?;
        database::prepare(&options.dir, options.ephemeral)?;
        let lock = FileLock::open(&options.dir.join("collector.lock"))
            .and_then(|lock| lock.acquire(LockMode::Exclusive, Duration::ZERO))
            .map_err(|error| StoreError::Directory(error.kind()))?
            .ok_or(StoreError::Taken)?;
        let mut connection = database::open_held(&options.dir, &lock)?;
        let key = Key::settle(key, &options.dir, &connection)?;
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in &names {
            products::add_to(&change, name)?;
        }
        change.commit()?;
        let path = database::file(&options.dir);
        let identity = FileIdentity::at(&path).map_err(|_| StoreError::Away)?;
        Ok(Self {
            connection,
            key,
            any_product: options.any_product,
            products: None,
            floods: Floods::default(),
            forgotten: 0,
            path,
            identity,
            _lock: lock,
        })
    }

    /// Commits a batch, and `counts` with it. On an error nothing of it was stored.
    pub fn apply(
        &mut self,
        batch: &[Incoming<'_>],
        counts: &Counts,
    ) -> Result<Vec<Outcome>, StoreError> {
        // SQLite would write on into a file that has no name any more.
        if FileIdentity::at(&self.path).ok() != Some(self.identity) {
            return Err(StoreError::Away);
        }
        // Of a batch that was undone no install is there.
        self.floods.take_back();
        let mut known = self.products.take();
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have changed the products.
        let version: i64 = change.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let mut products = match known.take() {
            Some((of, products)) if of == version => products,
            _ => Products::read(&change)?,
        };
        let mut counts = counts.clone();
        let mut rows = Rows::of(&change)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for Incoming { heartbeat, received, origin } in batch {
            let name = heartbeat.product.as_deref().unwrap_or(OWN_PRODUCT);
            let outcome = match received_product(&change, &mut products, name, self.any_product)? {
                None => Outcome::UnknownProduct,
                Some((product, hashed_as)) => {
                    let install = self.key.install(&hashed_as, &heartbeat.id);
                    let mut newcomer = || self.floods.add(*origin, day(*received));
                    let (outcome, is_wrong) =
                        rows.store(product, &install, heartbeat, *received, &mut newcomer)?;
                    if is_wrong {
                        count(&mut counts, *received, "clock_wrong");
                    }
                    outcome
                }
            };
            let name = match outcome {
                Outcome::Stored => "stored",
                Outcome::Duplicate => "duplicate",
                Outcome::TooMany => "too_many",
                Outcome::UnknownProduct => "refused.product",
            };
            count(&mut counts, *received, name);
            outcomes.push(outcome);
        }
        drop(rows);
        let today = batch.iter().map(|one| day(one.received)).max().unwrap_or(0);
        if today > self.forgotten {
            change
                .execute(sql::FORGET_TIMES, params![[0_u8; 0], today.saturating_sub(TIMES_DAYS)])?;
        }
        let mut counted = change.prepare(sql::COUNT)?;
        for ((day, name), n) in counts {
            counted.execute(params![day, name, n])?;
        }
        drop(counted);
        change.commit()?;
        self.floods.settle();
        self.forgotten = self.forgotten.max(today);
        // Only now: a product of a batch that was undone is none.
        self.products = Some((version, products));
        Ok(outcomes)
    }
}

impl Store {
    /// Whether new installs would have been marked as a flood, had they not all come through what may be a proxy.
    pub fn wants_a_proxy(&self) -> bool {
        self.floods.wants_a_proxy()
    }
}

/// Whether others on this machine may read the file of the key.
pub fn key_is_exposed(options: &StoreOptions) -> bool {
    key::is_exposed(&options.key, &options.dir)
}

/// Adds one to a count.
pub fn count(counts: &mut Counts, received: u64, name: &'static str) {
    *counts.entry((day(received), name)).or_default() += 1;
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

/// The statements of a batch, each prepared once.
struct Rows<'c> {
    install: Statement<'c>,
    install_write: Statement<'c>,
    day: Statement<'c>,
    day_write: Statement<'c>,
}

impl<'c> Rows<'c> {
    fn of(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            install: connection.prepare(sql::INSTALL)?,
            install_write: connection.prepare(sql::INSTALL_WRITE)?,
            day: connection.prepare(sql::DAY)?,
            day_write: connection.prepare(sql::DAY_WRITE)?,
        })
    }

    /// What becomes of one heartbeat, and whether its clock was wrong.
    fn store(
        &mut self,
        product: i64,
        install: &[u8; 32],
        heartbeat: &Heartbeat,
        received: u64,
        newcomer: &mut dyn FnMut() -> Newcomer,
    ) -> Result<(Outcome, bool), StoreError> {
        let before = self
            .install
            .query_row([install], |row| Ok(read::install(row)))
            .optional()?
            .transpose()?;
        let recent = before.as_ref().map_or(&[][..], |kept| &kept.recent);
        let (day, clock_wrong) = match kept::judge(recent, heartbeat.claimed, received) {
            Verdict::Duplicate => return Ok((Outcome::Duplicate, false)),
            Verdict::TooMany => return Ok((Outcome::TooMany, false)),
            Verdict::New(day, clock_wrong) => (day, clock_wrong),
        };
        let kept = match before {
            None => {
                let mut kept = Kept::new(heartbeat, day, clock_wrong, received);
                kept.flood = newcomer() == Newcomer::Flood;
                kept
            }
            Some(mut kept) => {
                kept.add(heartbeat, day, clock_wrong, received);
                kept
            }
        };
        self.write(product, install, &kept)?;
        let packed: Option<Vec<u8>> =
            self.day.query_row(params![install, day], |row| row.get(0)).optional()?;
        let before = match packed {
            None => None,
            Some(packed) => Some(DayRow::unpack(&packed, install, day).ok_or(StoreError::Damaged)?),
        };
        let row = DayRow::with(heartbeat, before.as_ref()).pack(install, day);
        self.day_write.execute(params![install, day, row])?;
        Ok((Outcome::Stored, clock_wrong))
    }

    fn write(&mut self, product: i64, install: &[u8; 32], kept: &Kept) -> Result<(), StoreError> {
        let [configured, connected, client, searched, called] = kept.steps;
        let days = packed::bits(&kept.days);
        let (first, now) = (packed::facts(&kept.first), packed::facts(&kept.now));
        let (versions, clients) = (packed::versions(&kept.versions), kept.clients.join(","));
        let recent = packed::times(&kept.recent);
        let values: [&dyn ToSql; read::SUMMED] = [
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
