//! A database with many installs, for tests and benches: made by direct inserts, in one transaction.
//!
//! One rule: the rows are those that the same heartbeats would have made, and follow from the seed.

use super::batch::Rows as _;
use super::error::StoreError;
use super::packed::DayRow;
use super::products::ProductError;
use super::write::{SqliteRows, Store, StoreOptions};
use super::{products, sql};
use crate::collector::heartbeat::{DELTAS, Gauges, Heartbeat};
use crate::collector::kept::Kept;
use crate::collector::row::Facts;
use crate::contract::{
    AgentEnv, Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os, RoutingMode,
};
use crate::gate::Unknown;
use rusqlite::{TransactionBehavior, params};

/// What is made.
#[derive(Clone, Copy, Debug)]
pub struct Bulk<'n> {
    /// Installs, of all products together.
    pub installs: u64,
    /// Days up to and with [`Self::last_day`]; every install has its first heartbeat on one of them.
    pub days: u32,
    /// A UTC day since 1970.
    pub last_day: u32,
    /// Names of the products; each has as many installs.
    pub products: &'n [&'n str],
    /// Another seed is another fleet.
    pub seed: u64,
}

impl Bulk<'_> {
    /// The id of install number `n`, and the name of its product.
    pub fn id(&self, n: u64) -> (&str, String) {
        let product = self.products[(n % self.products.len() as u64) as usize];
        (product, format!("{:08x}-5eed-4000-8000-{n:012x}", self.seed as u32))
    }

    /// Fills the new database of `options`. The clock of its rows is that of [`Self::last_day`].
    pub fn fill(&self, options: &StoreOptions) -> Result<(), ProductError> {
        let mut store = Store::open(options)?;
        let numbers: Vec<i64> = {
            let change = store.connection.transaction().map_err(StoreError::from)?;
            for name in self.products {
                products::add_to(&*change, name)?;
            }
            let known = products::Products::read(&*change)?;
            change.commit().map_err(StoreError::from)?;
            let number = |name: &&str| known.get(name).map_or(0, |known| known.product);
            self.products.iter().map(number).collect()
        };
        let mut keys: Vec<([u8; 32], u64)> = (0..self.installs)
            .map(|n| {
                let (product, id) = self.id(n);
                (store.key.install(product, &id), n)
            })
            .collect();
        // In the order of the file: thousands of installs a second instead of hundreds.
        keys.sort_unstable();
        let connection = &mut store.connection;
        connection.pragma_update(None, "synchronous", "OFF").map_err(StoreError::from)?;
        let change = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let mut rows = SqliteRows::of(&change)?;
        let mut stored = 0_u64;
        for (install, n) in &keys {
            let product = numbers[(n % numbers.len() as u64) as usize];
            stored += self.one(&mut rows, product, install, *n)?;
        }
        drop(rows);
        change.execute(sql::COUNT, params![self.last_day, "stored", stored])?;
        change.commit().map_err(StoreError::from)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(StoreError::from)?;
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(StoreError::from)?;
        Ok(())
    }

    /// Writes one install and its days; how many days.
    fn one(
        &self,
        rows: &mut SqliteRows<'_>,
        product: i64,
        install: &[u8; 32],
        n: u64,
    ) -> Result<u64, StoreError> {
        let mut chance = Chance(self.seed.wrapping_mul(0xd134_2543_de82_ef95) ^ n.rotate_left(32));
        let first = self.last_day - chance.below(u64::from(self.days)) as u32;
        // Most never come back, some come now and then, a few come daily.
        let habit = [0, 0, 0, 60, 250, 800][chance.below(6) as usize];
        // Of these every other one leaves within a quarter of a year.
        let stays = if chance.below(2) == 0 { chance.below(90) as u32 } else { self.days };
        let end = self.last_day.min(first + stays);
        let mut beat = heartbeat(&mut chance);
        beat.product = Some(self.products[(n % self.products.len() as u64) as usize].to_owned());
        let mut kept: Option<Kept> = None;
        let mut stored = 0;
        for day in first..=end {
            if day > first && chance.below(1000) >= habit {
                continue;
            }
            beat.claimed = u64::from(day) * 86_400 + chance.below(86_000);
            beat.facts.version = format!("1.{}.0", (day - (self.last_day - self.days)) / 21);
            for step in &mut beat.steps {
                *step = *step || chance.below(8) == 0;
            }
            beat.deltas = [(); DELTAS].map(|()| chance.below(200));
            match &mut kept {
                None => kept = Some(Kept::new(&beat, day, false, beat.claimed)),
                Some(kept) => kept.add(&beat, day, false, beat.claimed),
            }
            rows.write_day(install, day, &DayRow::with(&beat, None, true))?;
            stored += 1;
        }
        if let Some(mut kept) = kept {
            // Times are kept for two days.
            if kept.last_day + 2 < self.last_day {
                kept.recent.clear();
            }
            rows.write(product, install, &kept)?;
        }
        Ok(stored)
    }
}

fn heartbeat(chance: &mut Chance) -> Heartbeat {
    let kind = EnvKind::ALL[chance.below(EnvKind::ALL.len() as u64) as usize];
    let kind = if chance.below(2) == 0 { EnvKind::Interactive } else { kind };
    let clients = ["claude-code", "cursor", "vscode"];
    let clients: Vec<_> = clients.into_iter().filter(|_| chance.below(3) == 0).collect();
    Heartbeat {
        product: None,
        id: String::new(),
        claimed: 0,
        named: None,
        several_a_day: false,
        unknown: Unknown::default(),
        facts: Facts {
            kind,
            markers: Some(EnvMarkers {
                has_ci_env: kind == EnvKind::Ci,
                has_tty: kind == EnvKind::Interactive,
                ..EnvMarkers::default()
            }),
            agent_env: (chance.below(10) == 0).then_some(AgentEnv::Sandbox),
            launch_source: LaunchSource::ALL[chance.below(LaunchSource::ALL.len() as u64) as usize],
            os: Os::ALL[chance.below(Os::ALL.len() as u64) as usize],
            arch: Arch::ALL[chance.below(Arch::ALL.len() as u64) as usize],
            edition: Some(Edition::Personal),
            routing: Some(RoutingMode::Tap),
            version: String::new(),
        },
        steps: [true, false, false, false, false],
        clients: clients.into_iter().map(str::to_owned).collect(),
        carried_over: false,
        days_since_install: Some(0),
        gauges: Gauges { servers: Some(1), tools: Some(chance.below(40)), ..Gauges::default() },
        deltas: [0; DELTAS],
        codes: Vec::new(),
    }
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::store::Reader;

    #[test]
    fn the_rows_follow_from_the_seed_and_read_back() {
        let bulk = Bulk {
            installs: 600,
            days: 120,
            last_day: 20_785,
            products: &["notes-mcp", "other-mcp"],
            seed: 7,
        };
        let key = super::super::KeySource::Variable("ab".repeat(32));
        let read = |bulk: &Bulk<'_>| {
            let place = tempfile::tempdir().expect("a directory");
            let options = StoreOptions {
                dir: place.path().to_owned(),
                key: key.clone(),
                ephemeral: true,
                ..StoreOptions::default()
            };
            bulk.fill(&options).expect("a database");
            let reader = Reader::open(place.path()).expect("a reader");
            let rows = reader.rows("notes-mcp").expect("rows");
            let days = reader.days("notes-mcp").expect("days");
            let counted = rows
                .iter()
                .map(|row| (row.day0..=row.last_day).filter(|day| row.seen_on(*day)).count());
            assert_eq!(counted.sum::<usize>(), days.len(), "a row for each day");
            assert_eq!(
                (rows.len(), reader.rows("other-mcp").map(|rows| rows.len())),
                (300, Ok(300))
            );
            rows
        };
        assert_eq!(read(&bulk), read(&bulk));
        assert_ne!(read(&bulk), read(&Bulk { seed: 8, ..bulk }));
    }
}
