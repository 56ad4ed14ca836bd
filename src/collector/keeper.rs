//! The keeper of the newest snapshot: looks at the database in the background.
//!
//! One rule: it reads only when something has changed, and rests twenty times as long as it has read. Pages
//! never wait for it.

use super::definitions::Now;
use super::http::Clock;
use super::snapshot::Snapshot;
use super::store::{Reader, StoreError};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// The shortest rest between two looks.
const REST: Duration = Duration::from_secs(60);
/// It works at most one part in so many of the time.
const PART: u32 = 20;

/// The newest snapshot.
pub struct Keeper {
    current: RwLock<Arc<Snapshot>>,
    source: Mutex<Source>,
    clock: Clock,
}

/// Where snapshots are read from.
struct Source {
    reader: Reader,
    /// The database's stamp when it was read last.
    stamp: i64,
}

/// Looks at the database until it is dropped.
pub struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Reads the first snapshot.
    pub fn new(reader: Reader, clock: Clock) -> Result<Self, StoreError> {
        // Before the rows: a change between the two is read again.
        let stamp = reader.stamp()?;
        let snapshot = Snapshot::read_with_days(&reader, Now(clock()))?;
        let source = Mutex::new(Source { reader, stamp });
        Ok(Self { current: RwLock::new(Arc::new(snapshot)), source, clock })
    }

    /// The newest snapshot.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks once. On an error the last snapshot stays, and its age says so.
    pub fn look(&self) -> Result<(), StoreError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Now((self.clock)());
        let stamp = source.reader.stamp()?;
        let snapshot = if stamp == source.stamp {
            self.current().unchanged_at(now)
        } else {
            Snapshot::read_with_days(&source.reader, now)?
        };
        source.stamp = stamp;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(())
    }

    /// Looks again and again, until the answer is dropped.
    pub fn begin(self: &Arc<Self>) -> std::io::Result<Background> {
        let (stop, stopped) = mpsc::channel::<()>();
        let keeper = self.clone();
        let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            let mut rest = REST;
            let mut failed = None;
            while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
                let started = Instant::now();
                let result = keeper.look().err();
                // Said once, not every minute.
                match &result {
                    Some(error) if failed.as_ref() != Some(error) => {
                        error!("the pages show old numbers: {error}");
                    }
                    None if failed.is_some() => info!("the pages show new numbers again"),
                    _ => {}
                }
                failed = result;
                rest = rest_after(started.elapsed());
            }
        })?;
        Ok(Background { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn rest_after(took: Duration) -> Duration {
    took.saturating_mul(PART).max(REST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::store::{Counts, Incoming, KeySource, Store, StoreOptions};
    use crate::collector::testing::heartbeat;
    use std::sync::atomic::{AtomicU64, Ordering};

    const NOW: u64 = 1_790_000_000;

    #[test]
    fn a_look_reads_again_only_when_something_has_changed() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = StoreOptions {
            dir: directory.path().to_owned(),
            key: KeySource::default(),
            products: vec!["notes-mcp".to_owned()],
            // The directory of a test may lie in memory.
            ephemeral: true,
            ..StoreOptions::default()
        };
        let mut store = Store::open(&options).expect("a database");
        let time = Arc::new(AtomicU64::new(NOW));
        let clock = {
            let time = time.clone();
            Arc::new(move || time.load(Ordering::SeqCst))
        };
        let reader = Reader::open(directory.path()).expect("a reader");
        let keeper = Keeper::new(reader, clock).expect("a snapshot");
        let first = keeper.current();
        assert_eq!((first.made_at, first.installs(None).count()), (Now(NOW), 0));

        time.store(NOW + 60, Ordering::SeqCst);
        keeper.look().expect("a look");
        let second = keeper.current();
        assert_eq!(second.made_at, Now(NOW + 60), "it was looked at");
        assert!(second.is_same_reading(&first), "and not read again");

        let beat = heartbeat(NOW);
        store.apply(&[Incoming::new(&beat, NOW)], &Counts::new()).expect("a commit");
        assert_eq!(keeper.current().installs(None).count(), 0, "until the next look");
        keeper.look().expect("a look");
        assert_eq!(keeper.current().installs(Some("notes-mcp")).count(), 1);
        assert_eq!(first.installs(None).count(), 0, "a snapshot does not change");
    }

    #[test]
    fn it_rests_twenty_times_as_long_as_it_reads_and_a_minute_at_least() {
        assert_eq!(rest_after(Duration::from_millis(10)), Duration::from_secs(60));
        assert_eq!(rest_after(Duration::from_secs(3)), Duration::from_secs(60));
        assert_eq!(rest_after(Duration::from_secs(10)), Duration::from_secs(200));
    }

    #[test]
    fn the_background_ends_with_its_handle() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = StoreOptions {
            dir: directory.path().to_owned(),
            ephemeral: true,
            ..StoreOptions::default()
        };
        let _store = Store::open(&options).expect("a database");
        let reader = Reader::open(directory.path()).expect("a reader");
        let keeper = Arc::new(Keeper::new(reader, Arc::new(|| NOW)).expect("a snapshot"));
        drop(keeper.begin().expect("a thread"));
        assert_eq!(Arc::strong_count(&keeper), 1, "the thread has given its keeper back");
    }
}
