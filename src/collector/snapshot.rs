//! A snapshot: the rows of all products, read into columns at one moment.
//!
//! One rule: every page and every report is made of one snapshot, which does not change while it is read.

mod again;
mod pass;

use super::code::Met;
use super::definitions::{Day, Frozen, Install, Now, Record, SaidCode, SaidVersion, Traits, Who};
use super::row::{InstallRow, STEPS};
use super::store::{DayRow, Note, Outside, Reader, StoreError};
use super::views::Views;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

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
    /// What became of heartbeats.
    pub health: Arc<Health>,
    /// Whether the rows of days were read, not those of installs alone.
    pub has_days: bool,
    /// How it was read.
    pub made: Made,
    /// What was asked of it.
    pub(super) views: Arc<Views>,
    products: Arc<[(String, Columns)]>,
}

/// The last reading of the rows.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Readings until then, it among them.
    pub passes: u64,
    /// How long it took.
    pub took: Duration,
    /// Its processor time, where the system tells it: other work on the machine does not count.
    pub worked: Option<Duration>,
    /// Rows that were read, because they had changed or all were.
    pub read: u64,
    /// Bytes of the columns.
    pub bytes: usize,
    /// What may change day rows and leaves their installs as they are.
    outside: Outside,
}

/// What became of all heartbeats that were received, and how large the database is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// By name: on the last 7 UTC days of receipt, the last 28, and ever, the present one among them.
    pub counts: Vec<(String, [u64; 3])>,
    /// Bytes of the database, without its log.
    pub bytes: u64,
    /// Installs, of whichever product.
    pub installs: u64,
}

impl Health {
    fn read(reader: &Reader, today: Day, installs: u64) -> Result<Self, StoreError> {
        let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
        for (at, since) in [today.minus(6), today.minus(27), Day(0)].into_iter().enumerate() {
            for (name, n) in reader.counts(since.0)? {
                counts.entry(name).or_default()[at] = n;
            }
        }
        Ok(Self { counts: counts.into_iter().collect(), bytes: reader.bytes()?, installs })
    }

    /// How often something happened, in the order of [`Self::counts`].
    pub fn count(&self, name: &str) -> [u64; 3] {
        let found = self.counts.iter().find(|(known, _)| known == name);
        found.map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// By how many bytes the database grew in the last 28 days, if each heartbeat takes as many: the part of all
    /// stored heartbeats that came in these days. `None`: none was stored.
    pub fn growth(&self) -> Option<u64> {
        let [_, recent, ever] = self.count("stored");
        let grown = u128::from(self.bytes) * u128::from(recent) / u128::from(ever).max(1);
        (ever > 0).then(|| u64::try_from(grown).unwrap_or(u64::MAX))
    }
}

/// The installs of a product, a column for each thing that the definitions ask.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The number of the product in the database.
    product: i64,
    /// Its first day here.
    first_day: u32,
    /// How the key of each install begins, in their order, and a number that changes with its row.
    keys: Vec<u32>,
    prints: Vec<u64>,
    day0: Vec<u32>,
    last: Vec<u32>,
    /// Without the words behind the last day: half of all installs live for a day.
    days: Lists<u64>,
    steps: Vec<[u16; STEPS]>,
    lapses: Vec<u16>,
    marks: Vec<Marks>,
    first: Vec<Traits>,
    now: Vec<Traits>,
    /// The version of the first heartbeat, and of the last one.
    version: Vec<[u32; 2]>,
    versions: Lists<(u32, u32)>,
    clients: Lists<u32>,
    said: Lists<SaidVersion>,
    codes: Lists<SaidCode>,
    /// Versions and clients, each once.
    words: Vec<String>,
    /// The place of each of them, while rows are added.
    places: HashMap<String, u32>,
    /// Of words that look alike the place that was asked for last: mostly the next one too.
    recent: [u32; RECENT],
    frozen: Vec<Frozen>,
}

/// Places that are found without the map.
const RECENT: usize = 32;

/// A list for each install, one behind the other.
#[derive(Clone, Debug)]
struct Lists<T> {
    all: Vec<T>,
    /// Where each of them ends.
    ends: Vec<u32>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { all: Vec::new(), ends: Vec::new() }
    }
}

impl<T> Lists<T> {
    fn push(&mut self, list: impl Iterator<Item = T>) {
        self.all.extend(list);
        self.close();
    }

    /// Ends a list: the next begins behind it.
    fn close(&mut self) {
        self.ends.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
    }

    /// Empty lists up to this place.
    fn fill(&mut self, to: usize) {
        let end = self.ends.last().copied().unwrap_or(0);
        self.ends.resize(self.ends.len().max(to), end);
    }

    /// The member of the last list, which is at this place, that `is_it`; `new` if none is.
    fn entry(&mut self, at: usize, is_it: impl FnMut(&T) -> bool, new: T) -> &mut T {
        self.fill(at + 1);
        let begin = self.begin(at);
        let found = self.all[begin..].iter().position(is_it);
        let place = found.map_or(self.all.len(), |found| begin + found);
        if found.is_none() {
            self.all.push(new);
            self.ends[at] = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        }
        &mut self.all[place]
    }

    #[inline]
    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before]) as usize
    }

    #[inline(always)]
    fn at(&self, at: usize) -> &[T] {
        if at >= self.ends.len() {
            return &[];
        }
        let begin = self.begin(at);
        &self.all[begin..(self.ends[at] as usize).max(begin).min(self.all.len())]
    }
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
            health: Arc::default(),
            has_days: false,
            made: Made::default(),
            views: Arc::default(),
            products: products.into(),
        }
    }

    /// What the database holds now. Products that were not added are not shown.
    pub fn read(reader: &Reader, now: Now) -> Result<Self, StoreError> {
        pass::read(reader, now, false, None)
    }

    /// The same, with what installs said on the last 28 complete days: a look at each install that was active.
    pub fn read_with_days(reader: &Reader, now: Now) -> Result<Self, StoreError> {
        pass::read(reader, now, true, None)
    }

    /// The same, of a database that this snapshot was read from. What has not changed is not read again.
    pub fn read_again(&self, reader: &Reader, now: Now) -> Result<Self, StoreError> {
        pass::read(reader, now, true, Some(self))
    }

    /// The same installs, looked at again: nothing has changed until `now`.
    pub fn unchanged_at(&self, now: Now) -> Self {
        Self { made_at: now, views: Arc::default(), ..self.clone() }
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

    /// The installs of a product, or of all, with what they said of themselves.
    pub fn records(&self, product: Option<&str>) -> impl Iterator<Item = Record<'_>> {
        self.columns(product).flat_map(Columns::records)
    }

    /// As [`Self::records`], without a copy of one: a million copies are felt.
    pub fn each_record<'s>(&'s self, product: Option<&str>, mut each: impl FnMut(&Record<'s>)) {
        for columns in self.columns(product) {
            (0..columns.day0.len()).for_each(|at| each(&columns.record(at)));
        }
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
    /// Adds an install: about 120 bytes with its versions and clients.
    pub fn push(&mut self, row: &InstallRow) {
        self.add(&Install::from(row), [Traits::from(&row.first), Traits::from(&row.now)]);
        self.add_versions_in_use(&row.first.version, &row.now.version);
        row.versions.iter().for_each(|(name, day)| self.add_version(name, *day));
        row.clients.iter().for_each(|name| self.add_client(name));
        self.close();
    }

    /// Begins an install. Its words follow, then [`Self::close`].
    fn add(&mut self, install: &Install, [first, now]: [Traits; 2]) {
        self.day0.push(install.day0.0);
        self.last.push(install.last.0);
        let words = install.days.iter().rposition(|word| *word != 0).map_or(0, |last| last + 1);
        self.days.push(install.days[..words].iter().copied());
        self.steps.push(install.steps);
        // None is after the last of the bits.
        self.lapses.push(u16::try_from(install.lapses).unwrap_or(u16::MAX));
        self.marks.push(Marks {
            who: install.who,
            is_release: install.is_release,
            is_carried_over: install.is_carried_over,
            is_late_start: install.is_late_start,
            is_flood: install.is_flood,
        });
        self.first.push(first);
        self.now.push(now);
    }

    fn add_versions_in_use(&mut self, first: &str, now: &str) {
        let version = [self.place(first), self.place(now)];
        self.version.push(version);
    }

    fn add_version(&mut self, name: &str, day: u32) {
        let version = (self.place(name), day);
        self.versions.all.push(version);
    }

    fn add_client(&mut self, name: &str) {
        let client = self.place(name);
        self.clients.all.push(client);
    }

    /// Ends an install.
    fn close(&mut self) {
        self.versions.close();
        self.clients.close();
    }

    /// What the install that was added last said on one of its days.
    pub fn push_day(&mut self, day: Day, row: &DayRow<impl AsRef<str>>) {
        let (version, at) = (self.place(row.version.as_ref()), self.day0.len() - 1);
        let new = SaidVersion { version, last: day, crashed: None };
        let said = self.said.entry(at, |one| one.version == version, new);
        said.last = said.last.max(day);
        said.crashed = said.crashed.max(row.has_crashed().then_some(day));
        for Met { code, changes, servers } in row.codes.iter().copied() {
            let new = SaidCode { version, code, met: None, standing: None };
            let is_it = |one: &SaidCode| (one.version, one.code) == (version, code);
            let said = self.codes.entry(at, is_it, new);
            said.met = said.met.max((changes > 0).then_some(day));
            said.standing = said.standing.max((servers > 0).then_some(day));
        }
    }

    fn place(&mut self, word: &str) -> u32 {
        // The last bytes of versions differ, and the lengths of clients.
        let last =
            word.bytes().rev().take(4).fold(word.len(), |sum, byte| sum * 5 + usize::from(byte));
        let slot = last % RECENT;
        let recent = self.recent[slot];
        if self.words.get(recent as usize).is_some_and(|known| known == word) {
            return recent;
        }
        let place = match self.places.get(word) {
            Some(place) => *place,
            None => {
                let place = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
                self.words.push(word.to_owned());
                self.places.insert(word.to_owned(), place);
                place
            }
        };
        self.recent[slot] = place;
        place
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.day0.len()).map(|at| self.record(at))
    }

    #[inline(always)]
    fn record(&self, at: usize) -> Record<'_> {
        let [first_version, version] = self.version[at];
        Record {
            install: self.install(at),
            first: self.first[at],
            now: self.now[at],
            first_version: &self.words[first_version as usize],
            version,
            versions: self.versions.at(at),
            said: self.said.at(at),
            codes: self.codes.at(at),
            clients: self.clients.at(at),
            words: &self.words,
        }
    }

    /// All installs.
    fn iter(&self) -> impl Iterator<Item = Install> {
        (0..self.day0.len()).map(|at| self.install(at))
    }

    #[inline(always)]
    fn install(&self, at: usize) -> Install {
        let marks = self.marks[at];
        let mut days = [0; 6];
        days.iter_mut().zip(self.days.at(at)).for_each(|(day, word)| *day = *word);
        Install {
            day0: Day(self.day0[at]),
            last: Day(self.last[at]),
            days,
            steps: self.steps[at],
            lapses: u32::from(self.lapses[at]),
            who: marks.who,
            is_release: marks.is_release,
            is_carried_over: marks.is_carried_over,
            is_late_start: marks.is_late_start,
            is_flood: marks.is_flood,
        }
    }
}
