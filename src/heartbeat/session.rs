//! What the facade and the background thread of one host share: consent as last seen, the store, the
//! host's live counts, and the wish to stop.
//!
//! One rule: no write without a look at the config's stamp within [`LOOK_EVERY`]; off means no write, no
//! packet, no thread.

use super::host::Host;
use super::live;
use super::permission::Permission;
use super::schedule;
use super::timing::Timing;
use crate::activation::{
    Claim, DEADLINE, Deferred, Ending, LiveCounts, LiveMark, Mark, State, Store, StoreError, owner,
};
use crate::config::{self, trust};
use crate::consent::{self, Consent, Effective, Stamps};
use crate::contract::RoutingMode;
use crate::identity;
use crate::machine::{self, Surroundings};
use crate::paths::Place;
use crate::products::{self, EnterError, Subject};
use mcpproxy_platform::files::coarse_time;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an event relies on the last look at the configs: their `stat`s for each would cost as much as
/// storing it. An objection stops what comes after this time; what is sent has a look of its own.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Pauses between two tries to open a store, in seconds: the first, and the longest.
const OPEN_AGAIN: (u64, u64) = (1, 5 * 60);

type Provider = Arc<dyn Fn() -> LiveCounts + Send + Sync>;

/// Shared by the facade and the background thread of one host process.
pub(crate) struct Session {
    pub(crate) subject: Subject,
    pub(crate) host: Host,
    pub(crate) around: &'static Surroundings,
    pub(crate) timing: Timing,
    /// Names this process in marks and in the lease; not 0.
    pub(crate) nonce: u64,
    pub(crate) started_at: u64,
    /// As [`Self::started_at`], by [`coarse_time`], which no setting of the clock moves.
    began: Duration,
    /// A server of this host has answered.
    answered: AtomicBool,
    live: Mutex<Option<Provider>>,
    watch: Mutex<Watch>,
    /// A copy of the watch's verdict that `record` reads without a lock.
    allowed: AtomicBool,
    /// When ([`coarse_time`]) the config was looked at last, in milliseconds.
    looked: AtomicU64,
    /// [`owner`] of the install's id; 0 when there is none that can be kept.
    owner: AtomicU64,
    /// How often another install began, or this one again: caches of what is stored are void.
    installs: AtomicU64,
    /// [`Store::opened`] as any thread of this host saw it last.
    opened: AtomicU64,
    /// Events that wait for a store.
    waiting: Mutex<Option<Deferred>>,
    signal: Mutex<Signal>,
    wake: Condvar,
    /// How this host ended is noted.
    ended: AtomicBool,
}

/// Consent, the identity it was read with, and the store that it allows.
struct Watch {
    stamp: Stamp,
    consent: Consent,
    /// Where the state lies: another one when the endpoint's host changes.
    place: Place,
    /// The endpoint in use.
    endpoint: Option<String>,
    anonymous_id: Option<String>,
    store: Option<Arc<Store>>,
    /// Why there is no store.
    trouble: Option<Trouble>,
    /// Why this product is not counted here.
    uncounted: Option<EnterError>,
    /// The directory of the place was there: when it no longer is, somebody removed it.
    had_directory: bool,
}

/// Identifies one version of the configs, and of what is kept of a product.
type Stamp = (Stamps, Option<config::Stamp>);

fn stamp(place: &Place) -> Stamp {
    let of_install = || (config::file_stamp(&place.install()), trust::check_place(place).err());
    (consent::stamps(&place.data_dir()), (!place.is_own()).then(of_install))
}

/// A store that could not be opened.
#[derive(Clone, Copy)]
struct Trouble {
    /// The reason does not pass.
    is_final: bool,
    /// Seconds between this try and the next.
    pause: u64,
    /// When ([`coarse_time`]) the next one is due.
    again: Duration,
}

impl Trouble {
    fn new(is_final: bool, before: Option<Trouble>) -> Self {
        let (first, longest) = OPEN_AGAIN;
        let pause = before.map_or(first, |before| (before.pause * 2).min(longest));
        Self { is_final, pause, again: coarse_time() + Duration::from_secs(pause) }
    }

    /// Seconds until the next try, rounded up.
    fn wait(&self) -> u64 {
        let left = self.again.saturating_sub(coarse_time());
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }
}

#[derive(Default)]
struct Signal {
    stop: bool,
    refresh: bool,
    /// A background thread exists.
    running: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a host's thread must not end telemetry, let alone the host.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`coarse_time`] in milliseconds.
fn milliseconds() -> u64 {
    coarse_time().as_millis() as u64
}

/// [`owner`] of the id that is kept, unless a new one is due.
fn owner_of(permission: &Permission) -> u64 {
    permission.identity(machine::now()).map_or(0, |identity| owner(&identity.anonymous_id))
}

/// No config is no objection, but where the whole data directory is gone an objection may be gone with it, and
/// who removed it does not want it back from a process that happens to run. The next host may make it.
fn directory_is_gone() -> Consent {
    Consent {
        effective: Effective::Off,
        rule: "data-dir:removed".to_owned(),
        detail: "the data directory was removed while this process ran".to_owned(),
    }
}

impl Session {
    pub(crate) fn new(subject: Subject, host: Host, around: &'static Surroundings) -> Self {
        let timing = Timing::of(around);
        let place = match subject.is_own() {
            true => subject.place(None),
            false => Permission::read(&subject, around).place,
        };
        // The stamp first: a change after it is seen by the next look.
        let mut stamp = stamp(&place);
        let permission = Permission::read(&subject, around);
        if permission.place != place {
            stamp.1 = None;
        }
        let allowed = permission.consent.effective != Effective::Off;
        let owner = owner_of(&permission);
        let had_directory = permission.place.root().is_dir();
        Self {
            subject,
            host,
            around,
            timing,
            nonce: super::nonce(),
            started_at: machine::now(),
            began: coarse_time(),
            answered: AtomicBool::new(false),
            live: Mutex::new(None),
            watch: Mutex::new(Watch {
                stamp,
                anonymous_id: permission.anonymous_id(),
                endpoint: permission.endpoint(),
                consent: permission.consent,
                place: permission.place,
                store: None,
                trouble: None,
                uncounted: None,
                had_directory,
            }),
            allowed: AtomicBool::new(allowed),
            looked: AtomicU64::new(milliseconds()),
            owner: AtomicU64::new(owner),
            installs: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            waiting: Mutex::default(),
            signal: Mutex::new(Signal::default()),
            wake: Condvar::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// The last verdict; one atomic load.
    #[inline]
    pub(crate) fn allowed(&self) -> bool {
        self.allowed.load(Ordering::Acquire)
    }

    /// The last verdict with its reason.
    pub(crate) fn consent(&self) -> Consent {
        lock(&self.watch).consent.clone()
    }

    /// The id when it was last looked at.
    pub(crate) fn anonymous_id(&self) -> Option<String> {
        lock(&self.watch).anonymous_id.clone()
    }

    /// Why this product is not counted in this data directory, if so.
    pub(crate) fn uncounted(&self) -> Option<String> {
        lock(&self.watch).uncounted.as_ref().map(EnterError::to_string)
    }

    /// Whether the last look at the config is too old to rely on.
    pub(crate) fn is_look_due(&self) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        milliseconds().saturating_sub(looked) >= LOOK_EVERY.as_millis() as u64
    }

    /// As [`Self::look`], but not again within [`LOOK_EVERY`].
    pub(crate) fn look_if_due(&self) -> bool {
        if self.is_look_due() { self.look() } else { self.allowed() }
    }

    /// Reads consent again if a config changed since the last look: a few `stat`s when none did. Whether
    /// telemetry is allowed.
    pub(crate) fn look(&self) -> bool {
        let mut watch = lock(&self.watch);
        self.looked.store(milliseconds(), Ordering::Release);
        // The stamp first: a change after it is seen by the next look.
        let stamp = stamp(&watch.place);
        let was_off = watch.consent.effective == Effective::Off;
        if stamp == watch.stamp {
            return !was_off;
        }
        watch.stamp = stamp;
        let permission = Permission::read(&self.subject, self.around);
        let owner = owner_of(&permission);
        let id = permission.anonymous_id();
        watch.endpoint = permission.endpoint();
        watch.consent = permission.consent;
        let moved = watch.place != permission.place;
        if moved {
            // Another endpoint host is another install.
            watch.had_directory = permission.place.root().is_dir();
            watch.place = permission.place;
            watch.stamp.1 = None;
            watch.store = None;
            watch.trouble = None;
        } else if watch.had_directory && !watch.place.root().is_dir() {
            watch.consent = directory_is_gone();
        }
        if watch.consent.effective == Effective::Off {
            self.allowed.store(false, Ordering::Release);
            watch.store = None;
            watch.trouble = watch.trouble.filter(|trouble| trouble.is_final);
            drop(watch);
            *lock(&self.waiting) = None;
            self.wake.notify_all();
            return false;
        }
        let other = moved || watch.anonymous_id.is_some() && watch.anonymous_id != id;
        watch.anonymous_id = id;
        self.owner.store(owner, Ordering::Release);
        if was_off || other {
            self.installs.fetch_add(1, Ordering::AcqRel);
        }
        self.allowed.store(true, Ordering::Release);
        true
    }

    /// How often another install began, or this one again, while this host ran.
    pub(crate) fn installs(&self) -> u64 {
        self.installs.load(Ordering::Acquire)
    }

    /// The store, opened when it is first needed. Call [`Self::look`] first.
    pub(crate) fn store(&self) -> Option<Arc<Store>> {
        let mut watch = lock(&self.watch);
        if watch.trouble.is_none() {
            self.open(&mut watch);
        }
        watch.store.clone()
    }

    /// For the background thread: as [`Self::store`], and tries again when that is due; else seconds until
    /// it is.
    pub(crate) fn store_again(&self) -> Result<Arc<Store>, u64> {
        let mut watch = lock(&self.watch);
        if watch.trouble.is_none_or(|trouble| !trouble.is_final && trouble.wait() == 0) {
            self.open(&mut watch);
        }
        watch
            .store
            .clone()
            .ok_or(watch.trouble.map_or(OPEN_AGAIN.0, |trouble| trouble.wait().max(1)))
    }

    fn open(&self, watch: &mut Watch) {
        if watch.consent.effective == Effective::Off || watch.store.is_some() {
            return;
        }
        // Who removed the whole directory does not want it back from a process that happens to run.
        let opened = if watch.had_directory && !watch.place.root().is_dir() {
            Err(StoreError::Io("the data directory was removed".to_owned()))
        } else {
            if !self.enter(watch) {
                return;
            }
            Store::open(&watch.place, machine::now)
        };
        match opened {
            Ok(store) => {
                if let Some(waiting) = lock(&self.waiting).take() {
                    store.take_over(waiting);
                }
                watch.store = Some(Arc::new(store));
                watch.trouble = None;
                watch.had_directory = true;
            }
            Err(StoreError::Busy) => {}
            Err(error) => {
                let is_final =
                    matches!(error, StoreError::RemoteFileSystem(_) | StoreError::NotBuilt);
                watch.trouble = Some(Trouble::new(is_final, watch.trouble));
            }
        }
    }

    /// Makes sure that the place of the product is there; whether it is.
    fn enter(&self, watch: &mut Watch) -> bool {
        if watch.place.is_own() {
            return true;
        }
        let endpoint = watch.endpoint.as_deref();
        match products::enter(&self.subject, &watch.place, endpoint, machine::now(), DEADLINE) {
            Ok(()) => {
                let permission = Permission::read(&self.subject, self.around);
                // Else the next look finds it.
                if permission.place == watch.place {
                    watch.anonymous_id = permission.anonymous_id();
                    self.owner.store(owner_of(&permission), Ordering::Release);
                }
                watch.uncounted = None;
                true
            }
            Err(error) => {
                if !error.is_busy() {
                    watch.trouble = Some(Trouble::new(error.is_final(), watch.trouble));
                    watch.uncounted = Some(error);
                }
                false
            }
        }
    }

    /// Keeps the marks of an event until there is a store, unless there never will be one.
    pub(crate) fn wait_for_store(&self, marks: &[Mark<'_>], now: u64) {
        // Held until it is kept: no other thread opens the store in between.
        let watch = lock(&self.watch);
        let is_final = watch.trouble.is_some_and(|trouble| trouble.is_final);
        if watch.consent.effective == Effective::Off || is_final {
            return;
        }
        let owner = self.owner.load(Ordering::Acquire);
        match &watch.store {
            Some(store) => {
                let mut waiting = Deferred::default();
                waiting.add(marks, now, owner);
                store.take_over(waiting);
            }
            None => lock(&self.waiting).get_or_insert_default().add(marks, now, owner),
        }
    }

    /// Runs `record` with the install that this host's events belong to, as far as it is known.
    pub(crate) fn with_claim<R>(
        &self,
        store: &Store,
        record: impl FnOnce(Option<&Claim<'_>>) -> R,
    ) -> R {
        let adopt = |state: &mut State| {
            let permission = Permission::read(&self.subject, self.around);
            let identity = permission.identity(machine::now());
            let is_current = permission.consent.effective != Effective::Off
                && permission.place == *store.place();
            if let Some(identity) = identity.filter(|_| is_current) {
                schedule::adopt(state, &identity);
            }
        };
        match self.owner.load(Ordering::Acquire) {
            0 => record(None),
            owner => record(Some(&Claim { owner, adopt: &adopt })),
        }
    }

    /// Makes the id of a new or rotated install now, if the store is still the old one's: what is recorded
    /// before it is made would be lost with that. Waits for the config's lock no longer than `within`.
    pub(crate) fn settle(&self, within: Duration) {
        let store = lock(&self.watch).store.clone();
        // Without the directory, to make an id would make it again.
        let Some(store) = store.filter(|store| store.owner() != 0) else { return };
        if !store.place().root().is_dir() {
            return;
        }
        let permission = Permission::read(&self.subject, self.around);
        let now = machine::now();
        let is_due = permission.kept.as_ref().is_ok_and(|kept| {
            identity::current(kept, now) == Ok(None) && permission.place == *store.place()
        });
        if is_due
            && permission.consent.effective != Effective::Off
            && identity::ensure_within(store.place(), now, within).is_ok()
        {
            // Our own edit of the config is news to us.
            self.look();
        }
    }

    /// Which of the files that were this install's store is the current one.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// Takes note of the file that `store` leads to; one `stat` if it is the same.
    pub(crate) fn note_file(&self, store: &Store) {
        store.refresh_if_replaced();
        self.opened.store(store.opened(), Ordering::Release);
    }

    /// There is no store and none will appear: nothing is left to do in the background.
    pub(crate) fn is_storeless(&self) -> bool {
        lock(&self.watch).trouble.is_some_and(|trouble| trouble.is_final)
    }

    pub(crate) fn provide_live(&self, provider: Provider) {
        *lock(&self.live) = Some(provider);
        self.refresh();
    }

    /// What this host says about itself at `now`. Calls the host's own code: only from the background
    /// thread, which holds none of the host's locks.
    pub(crate) fn mark(&self, now: u64) -> LiveMark {
        let provider = lock(&self.live).clone();
        // The host's own code: a panic in it is the host's bug, not the end of this thread.
        let counts = provider.and_then(|p| catch_unwind(AssertUnwindSafe(|| p())).ok());
        self.mark_with(now, counts.unwrap_or_default())
    }

    /// As [`Self::mark`], with these counts.
    pub(crate) fn mark_with(&self, now: u64, counts: LiveCounts) -> LiveMark {
        LiveMark {
            nonce: self.nonce,
            at: now,
            started_at: self.started_at,
            routing_mode: self.host.routing_mode,
            process: live::process(&self.subject.dir, self.launch_source()),
            counts,
        }
    }

    /// Without the installer overlay, which belongs to the install and not to the process.
    fn launch_source(&self) -> crate::contract::LaunchSource {
        use crate::contract::LaunchSource;
        machine::launch_source(self.host.launched_by.filter(|s| *s != LaunchSource::Installer))
    }

    /// Puts a mark where marks of this kind of host live.
    pub(crate) fn place(&self, state: &mut State, mark: LiveMark) {
        match self.host.routing_mode {
            RoutingMode::Tap => state.live_tap = Some(mark),
            RoutingMode::RetrieveTools | RoutingMode::Direct => state.live_serve = Some(mark),
        }
    }

    /// Removes this host's mark, if it is still the one that is stored, and notes how the host ended, if that is
    /// known; the first word holds. In one transaction that waits for others no longer than any.
    pub(crate) fn withdraw(&self, ending: Option<Ending>) {
        let opened = lock(&self.watch).store.is_some();
        if !opened || !self.look() {
            return;
        }
        let Some(store) = self.store() else { return };
        let is_news = !self.ended.swap(true, Ordering::AcqRel);
        let count = |state: &mut State, claim: Option<&Claim<'_>>, ending| {
            let is_ours = |state: &State| {
                claim.is_none_or(|claim| claim.owner == owner(&state.install.anonymous_id))
            };
            if !is_ours(state) {
                claim.into_iter().for_each(|claim| (claim.adopt)(state));
            }
            // What ended is no host of another install.
            if is_ours(state) {
                state.apply(&Mark::Ended(ending), machine::now());
            }
        };
        let _ = store.update(false, |state| {
            if let Some(ending) = ending.filter(|_| is_news) {
                self.with_claim(&store, |claim| count(state, claim, ending));
            }
            let ours = |mark: &mut LiveMark| mark.nonce == self.nonce;
            let _ = state.live_tap.take_if(ours);
            let _ = state.live_serve.take_if(ours);
        });
    }

    /// A server has answered: what this host says of its servers is no longer the beginning only.
    pub(crate) fn server_answered(&self) {
        self.answered.store(true, Ordering::Release);
    }

    /// Seconds until this host may send although no server has answered: a heartbeat that was due before it
    /// started would go out before any server was tried, and say that none is connected.
    pub(crate) fn unsettled(&self) -> Option<u64> {
        if self.answered.load(Ordering::Acquire) {
            return None;
        }
        let limit = Duration::from_secs(self.timing.settle());
        let left = limit.saturating_sub(coarse_time().saturating_sub(self.began));
        (!left.is_zero()).then(|| left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }

    /// Asks the background thread for a new mark soon.
    pub(crate) fn refresh(&self) {
        lock(&self.signal).refresh = true;
        self.wake.notify_all();
    }

    /// Whether a background thread is to be started: there is none yet.
    pub(crate) fn begin(&self) -> bool {
        let mut signal = lock(&self.signal);
        !std::mem::replace(&mut signal.running, true)
    }

    /// Whether the background thread may end; else telemetry was switched on again meanwhile, and it
    /// goes on, because no other was started.
    pub(crate) fn finish(&self) -> bool {
        let mut signal = lock(&self.signal);
        signal.running = self.allowed() && !signal.stop;
        !signal.running
    }

    pub(crate) fn stop(&self) {
        lock(&self.signal).stop = true;
        self.wake.notify_all();
    }

    pub(crate) fn stopped(&self) -> bool {
        lock(&self.signal).stop
    }

    /// Sleeps until `wait` is over, a new mark is wanted, or the thread must end. Whether it goes on.
    pub(crate) fn sleep(&self, wait: Duration) -> bool {
        let signal = lock(&self.signal);
        let (mut signal, _) = self
            .wake
            .wait_timeout_while(signal, wait, |s| !s.stop && !s.refresh && self.allowed())
            .unwrap_or_else(PoisonError::into_inner);
        signal.refresh = false;
        !signal.stop && self.allowed()
    }
}
