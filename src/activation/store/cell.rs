//! The store of one directory in this process: an environment, what is known of it, what it still owes it.
//!
//! One rule: the order is slot (threads), file lock (processes), identity of the file, transaction; and
//! nothing slow happens inside.

use super::cache::{Cache, Known};
use super::checkpoint::Checkpoint;
use super::deferred::Deferred;
use super::slot::Slot;
use super::{Claim, Clock, DEADLINE, Health, Recorded, StoreError, files, owner, parts};
use crate::activation::record::{Key, Origin, Windows};
use crate::activation::state::{Counters, tokens_saved};
use crate::activation::{Mark, State};
use crate::paths::Place;
use mcpproxy_platform::files::{FileIdentity, create_private_dir, sync_directory};
use mcpproxy_platform::lmdb::{self, Environment, Failure, Ready, Records, Session, Transaction};
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// The cells of this process by directory: LMDB must not open one file twice.
static CELLS: Mutex<Vec<(PathBuf, Weak<Cell>)>> = Mutex::new(Vec::new());

pub struct Cell {
    dir: Place,
    clock: Box<dyn Clock>,
    environment: Slot<Environment>,
    cache: Cache,
    deferred: Mutex<Option<Box<Deferred>>>,
    about: Mutex<About>,
    /// The lock was not had in time: until it is, events try once and do not wait.
    congested: AtomicBool,
    /// How many files were opened: another one may lack what was stored before.
    opened: AtomicU64,
}

/// What is known of the file that is open.
#[derive(Clone, Copy)]
struct About {
    health: Health,
    generation: u64,
    identity: Option<FileIdentity>,
    /// Made by this process, and its name is not known to be on disk yet.
    name_is_new: bool,
}

/// What one transaction did.
struct Change {
    recorded: Recorded,
    /// What is to be remembered of it as it is now, if it was read.
    known: Option<Known>,
    /// Worth a sync and a checkpoint.
    sync: bool,
    /// What is owed belongs to another install than the one that is stored.
    still_owed: bool,
}

/// Changes the store in one transaction, with the marks that are owed to it.
type Changing<'c> =
    dyn FnMut(&mut Transaction<'_>, Option<&Deferred>) -> Result<Change, Failure> + 'c;

/// What a committed transaction leaves to be done outside the lock.
struct ToSync {
    file: Arc<File>,
    identity: FileIdentity,
    name_is_new: bool,
    checkpoint: Checkpoint,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds marks that change neither a flag nor the clients: the windows, then the counters, each once. The numbers
/// are raised where they stand; only the first event of an hour, and counters that are rare, take a record apart.
fn count(transaction: &mut Transaction<'_>, marks: &[Mark<'_>], now: u64) -> Result<(), Failure> {
    let discoveries = || {
        marks.iter().filter_map(|mark| match *mark {
            Mark::Discovery { indexed, returned } => Some([1, tokens_saved(indexed, returned)]),
            _ => None,
        })
    };
    if discoveries().next().is_some() {
        let raised = parts::raise::<Windows>(transaction, Key::Windows, |body| {
            discoveries().all(|counts| Windows::raise(body, now, counts))
        })?;
        if !raised {
            parts::change(transaction, Key::Windows, |windows: &mut Windows| {
                for [calls, tokens] in discoveries() {
                    windows.discovery_calls.add(now, calls);
                    windows.tokens_saved.add(now, tokens);
                }
            })?;
        }
    }
    let mut more = Counters::default();
    for mark in marks {
        more.apply(mark);
    }
    if more == Counters::default() {
        return Ok(());
    }
    let raised =
        parts::raise::<Counters>(transaction, Key::Counters, |body| Counters::raise(body, &more))?;
    if raised {
        return Ok(());
    }
    parts::change(transaction, Key::Counters, |counters: &mut Counters| {
        for mark in marks {
            counters.apply(mark);
        }
    })
}

/// What became of the marks that were owed.
struct Settled {
    merged: bool,
    /// A flag flipped or a client was added by them.
    rare: bool,
    still_owed: bool,
}

/// Changes the state together with what is owed to its install: the one that it belongs to before the
/// change, or after it. What is owed to neither stays owed.
fn settle(
    owed: Option<&Deferred>,
    state: &mut State,
    change: &mut dyn FnMut(&mut State),
) -> Settled {
    let mut settled = Settled { merged: false, rare: false, still_owed: owed.is_some() };
    let mut merge = |state: &mut State| {
        if settled.still_owed
            && let Some(owed) = owed.filter(|owed| owed.is_of(state))
        {
            let rare = owed.merge_into(state);
            settled = Settled { merged: true, rare, still_owed: false };
        }
    };
    merge(state);
    change(state);
    merge(state);
    settled
}

impl Cell {
    pub fn open(dir: &Place, clock: impl Clock) -> Result<Arc<Self>, StoreError> {
        create_private_dir(dir.root())?;
        let root = dir.root().canonicalize()?;
        let mut cells = lock(&CELLS);
        cells.retain(|(_, cell)| cell.strong_count() > 0);
        let known = cells.iter().find(|(path, _)| *path == root);
        if let Some(cell) = known.and_then(|(_, cell)| cell.upgrade()) {
            return Ok(cell);
        }
        let cell = Arc::new(Self::open_new(dir, Box::new(clock))?);
        cells.push((root, Arc::downgrade(&cell)));
        Ok(cell)
    }

    fn open_new(dir: &Place, clock: Box<dyn Clock>) -> Result<Self, StoreError> {
        files::check(dir)?;
        let cell = Self {
            dir: dir.clone(),
            clock,
            environment: Slot::new(Environment::at(&dir.store(), &dir.store_lock())?),
            cache: Cache::default(),
            deferred: Mutex::default(),
            about: Mutex::new(About {
                health: Health::Waiting,
                generation: 0,
                identity: None,
                name_is_new: false,
            }),
            congested: AtomicBool::new(false),
            opened: AtomicU64::new(0),
        };
        match cell.with_session(DEADLINE, |session| cell.make_ready(session)) {
            Ok(_) | Err(Failure::Busy) => {}
            Err(failure) => return Err(failure.into()),
        }
        // What the checkpoint knew better belongs to this file and to none that takes its place.
        let _ = cell.flush();
        Ok(cell)
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.dir
    }

    // A flag that is set is one load: also where size is what the build optimizes for.
    #[inline(always)]
    pub fn record(&self, marks: &[Mark<'_>], now: u64, claim: Option<&Claim<'_>>) -> Recorded {
        if marks.iter().all(|mark| self.cache.knows(mark, now)) && self.is_of(claim) {
            return Recorded::Unchanged;
        }
        self.record_new(marks, now, claim)
    }

    /// Whether the store belongs to the install that is claimed, as far as this process knows.
    fn is_of(&self, claim: Option<&Claim<'_>>) -> bool {
        claim.is_none_or(|claim| claim.owner == self.cache.owner())
    }

    fn record_new(&self, marks: &[Mark<'_>], now: u64, claim: Option<&Claim<'_>>) -> Recorded {
        let congested = self.congested.load(Ordering::Relaxed);
        let within = if congested { Duration::ZERO } else { DEADLINE };
        let outcome = self.write(within, &mut |transaction, owed| {
            self.apply(transaction, owed, marks, now, claim)
        });
        match outcome {
            Ok((recorded, to_sync)) => {
                to_sync.into_iter().for_each(|to_sync| self.sync(to_sync));
                recorded
            }
            Err(failure) => {
                let owner = claim.map_or(0, |claim| claim.owner);
                lock(&self.deferred).get_or_insert_default().add(marks, now, owner);
                match failure {
                    Failure::Busy => Recorded::Deferred,
                    _ => Recorded::NoStore,
                }
            }
        }
    }

    pub fn take_over(&self, earlier: Deferred) {
        let mut deferred = lock(&self.deferred);
        *deferred = Some(Box::new(earlier.followed_by(deferred.take())));
    }

    pub fn read(&self) -> Result<State, StoreError> {
        let outcome = {
            // No thread of ours is between taking deferred marks and committing them.
            let _environment = self.environment.take(DEADLINE).ok_or(StoreError::Busy)?;
            files::peek(&self.dir).map(|found| {
                found.map(|(mut state, _)| {
                    self.cache.refresh(&Known::of(&state));
                    let deferred = lock(&self.deferred);
                    if let Some(owed) = deferred.as_deref().filter(|owed| owed.is_of(&state)) {
                        owed.merge_into(&mut state);
                    }
                    state
                })
            })
        };
        match outcome {
            Ok(Some(state)) => Ok(state),
            // Missing or damaged: a write makes it good.
            Ok(None) | Err(StoreError::Damaged(_)) => {
                let mut read = State::default();
                self.update(false, &mut |state| read.clone_from(state))?;
                Ok(read)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs `change` once.
    pub fn update(
        &self,
        durable: bool,
        change: &mut dyn FnMut(&mut State),
    ) -> Result<(), StoreError> {
        let mut ran = false;
        let (_, to_sync) = self.write(DEADLINE, &mut |transaction, owed| {
            let mut state = parts::load(transaction)?;
            // Only a damaged record, above, makes this run again.
            if std::mem::replace(&mut ran, true) {
                return Err(Failure::Busy);
            }
            let settled = settle(owed, &mut state, change);
            parts::save(transaction, &state)?;
            Ok(Change {
                recorded: Recorded::Stored,
                known: Some(Known::of(&state)),
                sync: durable || settled.rare,
                still_owed: settled.still_owed,
            })
        })?;
        to_sync.into_iter().for_each(|to_sync| self.sync(to_sync));
        Ok(())
    }

    pub fn flush(&self) -> Result<(), StoreError> {
        if lock(&self.deferred).is_none() {
            return Ok(());
        }
        self.update(false, &mut |_| ())
    }

    pub fn refresh_if_replaced(&self) -> bool {
        let known = lock(&self.about).identity;
        if known.is_some() && lmdb::identity(&self.dir.store()) == known {
            return false;
        }
        let outcome = self.with_session(DEADLINE, |session| self.make_ready(session));
        outcome.is_ok_and(|replaced| replaced)
    }

    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    pub fn owner(&self) -> u64 {
        self.cache.owner()
    }

    pub fn health(&self) -> Health {
        lock(&self.about).health
    }
}

/// The way to the file.
impl Cell {
    /// Runs `work` with the environment and its lock.
    fn with_session<T>(
        &self,
        within: Duration,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut environment = self.environment.take(within).ok_or(Failure::Busy)?;
        let left = within.saturating_sub(environment.waited);
        let session = environment.lock(left);
        if let Err(Failure::Busy) = session {
            self.congested.store(true, Ordering::Relaxed);
        }
        let mut session = session?;
        self.congested.store(false, Ordering::Relaxed);
        work(&mut session)
    }

    /// Runs `change` in one transaction on a sound store, with the marks that are still owed.
    fn write(
        &self,
        within: Duration,
        change: &mut Changing<'_>,
    ) -> Result<(Recorded, Option<ToSync>), Failure> {
        self.with_session(within, |session| {
            self.make_ready(session)?;
            // Taken out, not locked: `change` is foreign code and may record a mark.
            let owed = lock(&self.deferred).take();
            let mut run = |session: &mut Session<'_>| {
                session.write(|transaction| {
                    let change = change(transaction, owed.as_deref())?;
                    let image = if change.sync { Some(parts::image(transaction)?) } else { None };
                    Ok((change, image.map(|records| (transaction.number(), records))))
                })
            };
            let mut outcome = run(session);
            if let Err(Failure::Damaged(_)) = outcome {
                outcome = self.recover(session, self.clock.now()).and_then(|()| run(session));
            }
            let still_owed = outcome.as_ref().map_or(true, |(change, _)| change.still_owed);
            if let Some(owed) = owed.filter(|_| still_owed) {
                self.take_over(*owed);
            }
            let (change, image) = outcome?;
            if let Some(known) = &change.known {
                self.cache.refresh(known);
            }
            Ok((change.recorded, image.and_then(|image| self.to_sync(session, image))))
        })
    }

    /// Applies the marks of one event. Those that come again and again touch one or two parts, the rest
    /// is rare: a flag, a client, a store that belongs to another install.
    fn apply(
        &self,
        transaction: &mut Transaction<'_>,
        owed: Option<&Deferred>,
        marks: &[Mark<'_>],
        now: u64,
        claim: Option<&Claim<'_>>,
    ) -> Result<Change, Failure> {
        let is_count = |mark: &Mark<'_>| self.cache.is_count(mark, now);
        if owed.is_none() && self.is_of(claim) && marks.iter().all(is_count) {
            count(transaction, marks, now)?;
            let (recorded, known) = (Recorded::Stored, None);
            return Ok(Change { recorded, known, sync: false, still_owed: false });
        }
        let mut state = parts::load(transaction)?;
        let before = owner(&state.install.anonymous_id);
        let settled = settle(owed, &mut state, &mut |state| {
            claim.into_iter().for_each(|claim| (claim.adopt)(state));
        });
        let now_of = owner(&state.install.anonymous_id);
        let adopted = now_of != before;
        let (mut changed, mut rare) = (settled.merged || adopted, settled.rare || adopted);
        for mark in marks {
            let applied = state.apply(mark, now);
            changed |= applied.changed;
            rare |= applied.rare;
        }
        parts::save(transaction, &state)?;
        Ok(Change {
            recorded: if changed { Recorded::Stored } else { Recorded::Unchanged },
            known: Some(Known::of(&state)),
            sync: rare,
            // The install that is current has been asked for: what is owed to another is owed to none.
            still_owed: settled.still_owed && claim.is_none_or(|claim| claim.owner != now_of),
        })
    }

    /// Makes sure that a sound store is open; true when it is another one than before.
    fn make_ready(&self, session: &mut Session<'_>) -> Result<bool, Failure> {
        match session.ready() {
            Ok(Ready::Same) => return Ok(false),
            Ok(Ready::Opened(records)) if self.adopt(session, &records) => {}
            Ok(Ready::Opened(records)) if parts::are_newer(parts::borrowed(&records)) => {
                session.close();
                return Err(Failure::Refused(parts::NEWER));
            }
            Ok(Ready::Opened(_)) | Err(Failure::Damaged(_)) => {
                self.recover(session, self.clock.now())?
            }
            Err(Failure::Missing) => {
                let now = self.clock.now();
                match self.create(session, now, 0) {
                    Err(Failure::Damaged(_)) => self.recover(session, now)?,
                    outcome => outcome?,
                }
            }
            Err(failure) => return Err(failure),
        }
        Ok(true)
    }

    /// Puts the damaged store aside and begins a new one.
    fn recover(&self, session: &mut Session<'_>, now: u64) -> Result<(), Failure> {
        session.close();
        files::leave_to_newer(&self.dir)?;
        let quarantined_at = files::put_aside(&self.dir, &self.dir.store(), now)?;
        self.create(session, now, quarantined_at)
    }

    fn create(&self, session: &mut Session<'_>, now: u64, quarantined: u64) -> Result<(), Failure> {
        // Who removed the whole directory does not want it back from a process that happens to run.
        if !self.dir.root().is_dir() {
            return Err(Failure::Missing);
        }
        files::leave_to_newer(&self.dir)?;
        let (records, health) = files::first_records(&self.dir, now, quarantined);
        session.create(&records)?;
        if !self.adopt(session, &records) {
            return Err(Failure::Damaged(parts::BAD_RECORD));
        }
        let mut about = lock(&self.about);
        about.health = health;
        about.name_is_new = true;
        Ok(())
    }

    /// Takes note of what was just opened; false when its records are damaged or another install's.
    fn adopt(&self, session: &Session<'_>, records: &Records) -> bool {
        let records = parts::borrowed(records);
        let Some(origin) = Origin::find(records.clone()) else { return false };
        let Some(state) = parts::assemble(records) else { return false };
        if files::is_foreign(&self.dir, &origin, &state) {
            return false;
        }
        self.cache.refresh(&Known::of(&state));
        if let Some(funnel) = files::forgotten(&self.dir, &origin, &state) {
            let owner = owner(&state.install.anonymous_id);
            lock(&self.deferred).get_or_insert_default().owe(&funnel, owner);
        }
        self.opened.fetch_add(1, Ordering::AcqRel);
        *lock(&self.about) = About {
            health: files::health_of(&origin),
            generation: origin.generation,
            identity: session.identity(),
            name_is_new: false,
        };
        true
    }
}

/// The way to the disk.
impl Cell {
    fn to_sync(&self, session: &Session<'_>, image: (u64, Records)) -> Option<ToSync> {
        let (transaction, records) = image;
        let About { generation, name_is_new, .. } = *lock(&self.about);
        Some(ToSync {
            file: session.file()?,
            identity: session.identity()?,
            name_is_new,
            checkpoint: Checkpoint { generation, transaction, records },
        })
    }

    /// Syncs a committed transaction, then brings the checkpoint up to it; outside the lock, which
    /// others would miss for milliseconds. Best effort: the transaction survives this process anyway.
    fn sync(&self, to_sync: ToSync) {
        if to_sync.file.sync_data().is_err() {
            return;
        }
        if to_sync.name_is_new && sync_directory(&self.dir.store()).is_ok() {
            lock(&self.about).name_is_new = false;
        }
        let Ok(prepared) = to_sync.checkpoint.prepare(&self.dir) else { return };
        let renamed = self.with_session(DEADLINE, |_session| {
            let replaced = lmdb::identity(&self.dir.store()) != Some(to_sync.identity);
            let newer = |there: &Checkpoint| to_sync.checkpoint.is_older_than(there);
            let kept = Checkpoint::read(&self.dir).as_ref().is_some_and(newer)
                || Checkpoint::is_newer(&self.dir);
            if !replaced && !kept {
                let place = self.dir.checkpoint();
                if place.symlink_metadata().is_ok_and(|it| it.is_dir()) {
                    // No file takes the place of a directory.
                    files::put_aside(&self.dir, &place, self.clock.now())?;
                }
                prepared.rename()?;
            }
            Ok(())
        });
        if renamed.is_ok() {
            // Not before this is the new checkpoint the one that a power failure leaves.
            let _ = sync_directory(self.dir.root());
        }
    }
}
