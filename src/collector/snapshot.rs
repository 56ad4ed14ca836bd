//! A snapshot: the rows of all products, read into columns at one moment.
//!
//! One rule: every page and every report is made of one snapshot, which does not change while it is read.

use super::definitions::{Day, Frozen, Install, Now, Who};
use super::row::{STEPS, Standing};
use super::store::{Note, Reader, StoreError};
use std::sync::Arc;

/// All installs as they were at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the rows were read.
    pub made_at: Now,
    /// The last expiry has stopped because of what it found.
    pub expiry_stopped: bool,
    /// Everybody seems to come through a proxy that is not trusted.
    pub wants_a_proxy: bool,
    /// The operator's notes, by day.
    pub notes: Arc<[Note]>,
    products: Arc<[(String, Columns)]>,
}

/// The installs of a product, a column for each thing that the definitions ask.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    day0: Vec<u32>,
    last: Vec<u32>,
    days: Vec<[u64; 6]>,
    steps: Vec<[u16; STEPS]>,
    marks: Vec<Marks>,
    frozen: Vec<Frozen>,
}

/// What an install is, in five bytes.
#[derive(Clone, Copy, Debug)]
struct Marks {
    who: Who,
    is_release: bool,
    is_carried_over: bool,
    is_late_start: bool,
    is_flood: bool,
}

impl Snapshot {
    /// The snapshot of these products.
    pub fn new(made_at: Now, products: Vec<(String, Columns)>) -> Self {
        Self {
            made_at,
            expiry_stopped: false,
            wants_a_proxy: false,
            notes: Arc::new([]),
            products: products.into(),
        }
    }

    /// What the database holds now. Products that were not added are not shown.
    pub fn read(reader: &Reader, now: Now) -> Result<Self, StoreError> {
        // Of one moment: an install that expires in between would be counted twice, or not at all.
        reader.at_one_moment(|reader| {
            let mut products = Vec::new();
            for product in reader.products()? {
                if product.standing == Standing::Added {
                    let mut columns = Columns::default();
                    reader.each_row(&product.name, |row| {
                        columns.push(&Install::from(&row));
                        Ok::<_, StoreError>(())
                    })?;
                    columns.frozen = reader.frozen_installs(&product.name)?;
                    products.push((product.name, columns));
                }
            }
            let expiry_stopped = reader.expiry_has_stopped()?;
            let wants_a_proxy = reader.wants_a_proxy(now.today().0)?;
            let notes = reader.notes()?.into();
            Ok(Self { expiry_stopped, wants_a_proxy, notes, ..Self::new(now, products) })
        })
    }

    /// The same installs, looked at again: nothing has changed until `now`.
    pub fn unchanged_at(&self, now: Now) -> Self {
        Self { made_at: now, ..self.clone() }
    }

    /// Whether both are of one reading of the rows.
    #[cfg(test)]
    pub fn is_same_reading(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.products, &other.products)
    }

    /// The names of the products.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.products.iter().map(|(name, _)| name.as_str())
    }

    /// The installs of a product, or of all.
    pub fn installs(&self, product: Option<&str>) -> impl Iterator<Item = Install> {
        self.columns(product).flat_map(Columns::iter)
    }

    /// What is left of the expired installs of a product, or of all.
    pub fn frozen(&self, product: Option<&str>) -> impl Iterator<Item = &Frozen> {
        self.columns(product).flat_map(|columns| columns.frozen.iter())
    }

    fn columns(&self, product: Option<&str>) -> impl Iterator<Item = &Columns> {
        let wanted = move |name: &str| product.is_none_or(|product| product == name);
        let chosen = self.products.iter().filter(move |(name, _)| wanted(name));
        chosen.map(|(_, columns)| columns)
    }
}

impl Columns {
    /// Adds an install.
    pub fn push(&mut self, install: &Install) {
        self.day0.push(install.day0.0);
        self.last.push(install.last.0);
        self.days.push(install.days);
        self.steps.push(install.steps);
        self.marks.push(Marks {
            who: install.who,
            is_release: install.is_release,
            is_carried_over: install.is_carried_over,
            is_late_start: install.is_late_start,
            is_flood: install.is_flood,
        });
    }

    /// All installs.
    fn iter(&self) -> impl Iterator<Item = Install> {
        (0..self.day0.len()).map(|at| Install {
            day0: Day(self.day0[at]),
            last: Day(self.last[at]),
            days: self.days[at],
            steps: self.steps[at],
            who: self.marks[at].who,
            is_release: self.marks[at].is_release,
            is_carried_over: self.marks[at].is_carried_over,
            is_late_start: self.marks[at].is_late_start,
            is_flood: self.marks[at].is_flood,
        })
    }
}
