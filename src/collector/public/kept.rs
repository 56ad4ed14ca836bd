//! What is published on one day, of all products, and the file that keeps it.
//!
//! One rule: made once a day. A restart on the same day reads the file and publishes the same numbers.

use super::numbers::{K, Numbers, Row};
use crate::collector::definitions::Day;
use crate::collector::snapshot::Snapshot;
use mcpproxy_platform::files;
use miniserde::{Deserialize, Serialize, json};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// Its file in the data directory of the collector.
const FILE: &str = "public.json";
/// It is some kilobytes for each product.
const MOST_BYTES: u64 = 16 << 20;

/// What is published on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    day: u32,
    /// In the order of their names.
    pub products: Vec<Numbers>,
}

impl Published {
    /// Made of this snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let products = snapshot.names().map(|name| Numbers::of(snapshot, name));
        Self { day: snapshot.made_at.today().0, products: products.collect() }
    }

    /// The UTC day that it is for.
    pub fn day(&self) -> Day {
        Day(self.day)
    }

    /// What was kept last; `None` where there is nothing that could be published.
    pub fn read(dir: &Path) -> Option<Self> {
        let mut text = String::new();
        let file = fs::File::open(dir.join(FILE)).ok()?;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let kept: Self = json::from_str(&text).ok()?;
        let is_ours = |row: &Row| row.count().is_none_or(|count| count.is_multiple_of(K));
        let are_ours = kept.products.iter().flat_map(Numbers::rows).all(is_ours);
        are_ours.then_some(kept)
    }

    /// Keeps it, for its owner alone.
    pub fn keep(&self, dir: &Path) -> io::Result<()> {
        files::write_atomically(&dir.join(FILE), json::to_string(self).as_bytes(), 0o600)
    }
}
