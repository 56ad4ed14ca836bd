//! The bare engine: the rows of the collector, inserted in batches with the same promises to the disk.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::path::Path;
use std::time::Instant;

/// One install and its day, as the collector has written them, and their tables.
pub struct Rows {
    tables: Vec<String>,
    install: Vec<Value>,
    day: Vec<Value>,
}

fn open(dir: &Path) -> Connection {
    Connection::open(dir.join("collector.db")).expect("a database")
}

impl Rows {
    pub fn of(dir: &Path) -> Self {
        let file = open(dir);
        let row = |table: &str| {
            let mut statement =
                file.prepare(&format!("SELECT * FROM {table} LIMIT 1")).expect("a table");
            let columns = statement.column_count();
            let row = statement.query_row([], |row| (0..columns).map(|at| row.get(at)).collect());
            row.expect("a row")
        };
        let (install, day) = (row("installs"), row("days"));
        let tables = "SELECT sql FROM sqlite_master WHERE name IN ('installs', 'days')";
        let mut statement = file.prepare(tables).expect("the schema");
        let tables = statement.query_map([], |row| row.get(0)).expect("tables");
        Self { tables: tables.collect::<Result<_, _>>().expect("tables"), install, day }
    }

    /// Installs a second, `batch` of them a commit.
    pub fn insert(&self, count: usize, batch: usize) -> f64 {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = open(directory.path());
        file.pragma_update(None, "journal_mode", "WAL").expect("a log");
        file.pragma_update(None, "synchronous", "FULL").expect("a promise");
        file.pragma_update(None, "fullfsync", true).expect("a promise");
        for table in &self.tables {
            file.execute_batch(table).expect("a table");
        }
        // Keys are keyed hashes: in no order.
        let mut random = 1_u64;
        let mut keys = Vec::with_capacity(count);
        for _ in 0..count {
            let mut key = Vec::with_capacity(32);
            for _ in 0..4 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                key.extend((random ^ random >> 29).to_be_bytes());
            }
            keys.push(Value::Blob(key));
        }
        let holes = |row: &[Value]| vec!["?"; row.len()].join(", ");
        let install = format!("INSERT INTO installs VALUES ({})", holes(&self.install));
        let day = format!("INSERT INTO days VALUES ({})", holes(&self.day));
        let started = Instant::now();
        for keys in keys.chunks(batch) {
            let change = file.transaction().expect("a transaction");
            let mut installs = change.prepare(&install).expect("a statement");
            let mut days = change.prepare(&day).expect("a statement");
            for key in keys {
                let row = |row: &[Value]| {
                    let rest = row.iter().skip(1).cloned();
                    params_from_iter(std::iter::once(key.clone()).chain(rest).collect::<Vec<_>>())
                };
                installs.execute(row(&self.install)).expect("a row");
                days.execute(row(&self.day)).expect("a row");
            }
            drop((installs, days));
            change.commit().expect("a commit");
        }
        count as f64 / started.elapsed().as_secs_f64()
    }
}

/// Bytes that an install and a day row take in the file. Empties it.
pub fn sizes(dir: &Path) -> (f64, f64) {
    let file = open(dir);
    let size = || {
        file.execute_batch("VACUUM").expect("room");
        let pages: i64 =
            file.pragma_query_value(None, "page_count", |row| row.get(0)).expect("pages");
        let bytes: i64 =
            file.pragma_query_value(None, "page_size", |row| row.get(0)).expect("a size");
        (pages * bytes) as f64
    };
    let count = |table: &str| -> f64 {
        let count = format!("SELECT COUNT(*) FROM {table}");
        file.query_row(&count, [], |row| row.get::<_, i64>(0)).expect("a count") as f64
    };
    let (installs, days) = (count("installs"), count("days"));
    let all = size();
    file.execute_batch("DELETE FROM days").expect("a change");
    let without_days = size();
    file.execute_batch("DELETE FROM installs").expect("a change");
    let empty = size();
    ((without_days - empty) / installs, (all - without_days) / days)
}
