//! What the facade and the background thread of one host share: consent as last seen, the store, the
//! host's live counts, and the wish to stop.
//!
//! One rule: no write without a look at the config's stamp; off means no write, no packet, no thread.

use super::host::{Host, LiveCounts};
use super::permission::Permission;
use super::timing::Timing;
use crate::activation::state::LiveMark;
use crate::activation::{State, Store, StoreError};
use crate::config::{self, Stamp};
use crate::consent::{Consent, Effective};
use crate::contract::RoutingMode;
use crate::machine::{self, Surroundings};
use crate::paths::DataDir;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Provider = Arc<dyn Fn() -> LiveCounts + Send + Sync>;

/// Shared by the facade and the background thread of one host process.
pub(crate) struct Session {
    pub(crate) dir: DataDir,
    pub(crate) host: Host,
    pub(crate) around: &'static Surroundings,
    pub(crate) timing: Timing,
    /// Names this process in marks and in the lease; not 0.
    pub(crate) nonce: u64,
    pub(crate) started_at: u64,
    live: Mutex<Option<Provider>>,
    watch: Mutex<Watch>,
    /// A copy of the watch's verdict that `record` reads without a lock.
    allowed: AtomicBool,
    /// [`Store::opened`] as any thread of this host saw it last.
    opened: AtomicU64,
    signal: Mutex<Signal>,
    wake: Condvar,
}

/// Consent, the identity it was read with, and the store that it allows.
struct Watch {
    stamp: Stamp,
    consent: Consent,
    anonymous_id: Option<String>,
    store: Option<Arc<Store>>,
    /// Opening failed for a reason that does not pass.
    no_store: bool,
    /// The data directory was there: when it no longer is, somebody removed it.
    had_directory: bool,
}

#[derive(Default)]
struct Signal {
    stop: bool,
    refresh: bool,
    /// A background thread exists.
    running: bool,
}

/// What a look at the config found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As before.
    Same,
    /// Allowed, but for another id: caches of what is already stored are void.
    OtherInstall,
    /// Telemetry was off and is on again.
    Resumed,
    /// Off.
    Off,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a host's thread must not end telemetry, let alone the host.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(crate) fn new(dir: DataDir, host: Host, around: &'static Surroundings) -> Self {
        let timing = Timing::of(around);
        let stamp = config::stamp(&dir);
        let permission = Permission::read(&dir, around);
        let allowed = permission.consent.effective != Effective::Off;
        let had_directory = dir.root().is_dir();
        Self {
            dir,
            host,
            around,
            timing,
            nonce: super::nonce(),
            started_at: machine::now(),
            live: Mutex::new(None),
            watch: Mutex::new(Watch {
                stamp,
                consent: permission.consent,
                anonymous_id: permission.telemetry.anonymous_id,
                store: None,
                no_store: false,
                had_directory,
            }),
            allowed: AtomicBool::new(allowed),
            opened: AtomicU64::new(0),
            signal: Mutex::new(Signal::default()),
            wake: Condvar::new(),
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

    /// The id in the config when it was last looked at.
    pub(crate) fn anonymous_id(&self) -> Option<String> {
        lock(&self.watch).anonymous_id.clone()
    }

    /// Reads consent again if the config changed since the last look: two `stat`s when it did not.
    pub(crate) fn look(&self) -> Look {
        let mut watch = lock(&self.watch);
        // The stamp first: a change after it is seen by the next look.
        let stamp = config::stamp(&self.dir);
        let was_off = watch.consent.effective == Effective::Off;
        if stamp == watch.stamp {
            return if was_off { Look::Off } else { Look::Same };
        }
        watch.stamp = stamp;
        let permission = Permission::read(&self.dir, self.around);
        watch.consent = permission.consent;
        if watch.had_directory && !self.dir.root().is_dir() {
            watch.consent = directory_is_gone();
        }
        if watch.consent.effective == Effective::Off {
            self.allowed.store(false, Ordering::Release);
            watch.store = None;
            drop(watch);
            self.wake.notify_all();
            return Look::Off;
        }
        self.allowed.store(true, Ordering::Release);
        let id = permission.telemetry.anonymous_id;
        let other = watch.anonymous_id.is_some() && watch.anonymous_id != id;
        watch.anonymous_id = id;
        match (was_off, other) {
            (true, _) => Look::Resumed,
            (false, true) => Look::OtherInstall,
            (false, false) => Look::Same,
        }
    }

    /// The store, opened when it is first needed. Call [`Self::look`] first.
    pub(crate) fn store(&self) -> Option<Arc<Store>> {
        let mut watch = lock(&self.watch);
        if watch.consent.effective == Effective::Off || watch.no_store {
            return None;
        }
        if watch.store.is_none() {
            match Store::open(&self.dir, machine::now) {
                Ok(store) => {
                    watch.store = Some(Arc::new(store));
                    watch.had_directory = true;
                }
                Err(StoreError::Busy) => {}
                Err(_) => watch.no_store = true,
            }
        }
        watch.store.clone()
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
        lock(&self.watch).no_store
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
        let classification = machine::classification();
        LiveMark {
            nonce: self.nonce,
            at: now,
            started_at: self.started_at,
            launch_source: self.launch_source(),
            autostart_enabled: machine::autostart_enabled(&self.dir.autostart_sidecar()),
            env_kind: classification.env_kind,
            env_markers: classification.markers,
            routing_mode: self.host.routing_mode,
            server_count: counts.server_count,
            connected_server_count: counts.connected_server_count,
            tool_count: counts.tool_count,
            server_protocol_counts: counts.server_protocol_counts,
            configured_ide_count: counts.configured_ide_count,
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

    /// Removes this host's mark, if it is still the one that is stored.
    pub(crate) fn withdraw(&self) {
        let opened = lock(&self.watch).store.is_some();
        if !opened || self.look() == Look::Off {
            return;
        }
        let Some(store) = self.store() else { return };
        let _ = store.update(false, |state| {
            let ours = |mark: &mut LiveMark| mark.nonce == self.nonce;
            let _ = state.live_tap.take_if(ours);
            let _ = state.live_serve.take_if(ours);
        });
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
