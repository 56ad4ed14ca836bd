//! Receiving: bytes and the time of their receipt in, an answer out.
//!
//! One rule: no answer says stored before the commit, and none holds a value of the heartbeat. HTTP only wraps
//! this; the tests and the simulator call it with a time of their own.

use super::answer::{Answer, Refused, names};
use super::erasure;
use super::floods::Origin;
use super::heartbeat::{Heartbeat, until_midnight};
use super::mcpproxy_go::{self, Said};
use super::metrics::Metrics;
use super::store::{
    self, Change, Counts, Erasure, Incoming, Location, Outcome, ProductError, Reader, StoreError,
    StoreOptions, Writer as Storing,
};
use crate::contract::product::OWN_PRODUCT;
use crate::gate::{self, RefusalRule};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver as Queue, RecvTimeoutError, SyncSender, TrySendError, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tracing::{error, info};

/// Heartbeats that wait for the writer.
const QUEUE: usize = 2_048;
/// Heartbeats of one commit.
const BATCH: usize = 512;
/// How often the writer looks up without a heartbeat.
const IDLE: Duration = Duration::from_secs(1);
/// How long counts of refusals may wait for a commit.
const COUNTS_WAIT: Duration = Duration::from_secs(10);
/// Seconds after which a full queue is worth another try.
const QUEUE_RETRY: u64 = 5;
/// Seconds after which a database that cannot be written is worth another try.
const STORE_RETRY: u64 = 60;

/// What an operator has forgotten to say.
pub const PROXY_ALARM: &str = "all new installs come from one address, with forwarding headers: if that is your proxy, \
     start the collector with --trusted-proxy and the address of the proxy; until then no flood is marked";

/// Something on its way to the writer.
#[expect(clippy::large_enum_variant, reason = "nearly every job is a heartbeat")]
enum Job {
    Heartbeat(Beat),
    Erasure(Erasure, oneshot::Sender<Answer>),
}

/// One heartbeat on its way to the writer.
struct Beat {
    heartbeat: Heartbeat,
    received: u64,
    origin: Option<Origin>,
    answer: oneshot::Sender<Answer>,
}

/// What the writer and its callers share.
#[derive(Default)]
struct Shared {
    /// Refusals that no commit has counted yet: one number per rule and day.
    refusals: Mutex<Counts>,
    /// The error of the last write.
    write_error: Mutex<Option<StoreError>>,
    /// Counters of this process.
    metrics: Arc<Metrics>,
    /// Everybody seems to come through a proxy that is not trusted.
    wants_a_proxy: AtomicBool,
}

impl Shared {
    fn write_error(&self) -> Option<StoreError> {
        self.write_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Receives heartbeats into one database. Dropped, it answers what it has accepted, and ends.
pub struct Receiver {
    queue: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    place: Location,
    mcpproxy_go: bool,
}

impl Receiver {
    /// Opens the database, made if it is missing, and starts its writer.
    pub fn open(options: &StoreOptions) -> Result<Self, ProductError> {
        let store = store::open_to_write(options)?;
        let shared = Arc::new(Shared::default());
        let (queue, jobs) = sync_channel(QUEUE);
        let told = shared.clone();
        let writer = std::thread::Builder::new()
            .name("mcpproxy-writer".to_owned())
            .spawn(move || Writer { store, shared: told, is_damage_told: false }.run(&jobs))
            .map_err(|error| StoreError::Directory(error.kind()))?;
        let place = Location::from(options);
        let mcpproxy_go = options.mcpproxy_go;
        Ok(Self { queue: Some(queue), writer: Some(writer), shared, place, mcpproxy_go })
    }

    /// Takes one heartbeat that arrived at `received`, and waits for its answer. Not for asynchronous code.
    pub fn accept(&self, bytes: &[u8], received: u64) -> Answer {
        self.submit(bytes, received, None).wait()
    }

    /// As [`Self::accept`] for many, in their order, with as few commits as possible.
    pub fn accept_all<'b>(
        &self,
        heartbeats: impl IntoIterator<Item = (&'b [u8], u64)>,
    ) -> Vec<Answer> {
        let from_nowhere = |(bytes, received)| (bytes, received, None);
        self.accept_from(heartbeats.into_iter().map(from_nowhere))
    }

    /// As [`Self::accept_all`], each from its origin.
    pub fn accept_from<'b>(
        &self,
        heartbeats: impl IntoIterator<Item = (&'b [u8], u64, Option<Origin>)>,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut waiting: Vec<Pending> = Vec::with_capacity(BATCH);
        for (bytes, received, origin) in heartbeats {
            if waiting.len() == BATCH {
                answers.extend(waiting.drain(..).map(Pending::wait));
            }
            waiting.push(self.submit(bytes, received, origin));
        }
        answers.extend(waiting.into_iter().map(Pending::wait));
        answers
    }

    /// Takes one heartbeat that arrived at `received` from `origin`; the answer may have to be waited for.
    pub fn submit(&self, bytes: &[u8], received: u64, origin: Option<Origin>) -> Pending {
        let heartbeat = match read(bytes, self.mcpproxy_go) {
            Ok(Said::Heartbeat(heartbeat)) => *heartbeat,
            Ok(Said::OptedOut) => return Pending::Done(Answer::OptedOut),
            Err(refused) => {
                self.count(&refused, received);
                return Pending::Done(Answer::Refused(refused));
            }
        };
        let (answer, waiting) = oneshot::channel();
        self.send(Job::Heartbeat(Beat { heartbeat, received, origin, answer }), waiting)
    }

    /// Takes the request to erase an install, whose body is `bytes`: who holds the id may do so.
    pub fn erase(&self, bytes: &[u8], asked: u64) -> Pending {
        let erasure = match erasure::read(bytes, asked) {
            Ok(erasure) => erasure,
            Err(refused) => return Pending::Done(Answer::Refused(refused)),
        };
        let (answer, waiting) = oneshot::channel();
        self.send(Job::Erasure(erasure, answer), waiting)
    }

    fn send(&self, job: Job, waiting: oneshot::Receiver<Answer>) -> Pending {
        self.shared.metrics.queue();
        let sent = match &self.queue {
            Some(queue) => queue.try_send(job),
            None => return Pending::Done(Answer::Unavailable(QUEUE_RETRY)),
        };
        if sent.is_err() {
            self.shared.metrics.take(1);
        }
        match sent {
            Ok(()) => Pending::Waiting(waiting),
            Err(TrySendError::Full(_)) => Pending::Done(Answer::Unavailable(QUEUE_RETRY)),
            Err(TrySendError::Disconnected(_)) => Pending::Done(Answer::Unavailable(STORE_RETRY)),
        }
    }

    /// Counts a refusal that was made before the bytes were looked at.
    pub fn count(&self, refused: &Refused, received: u64) {
        self.count_as(refused.counted(), received);
    }

    /// Counts a heartbeat that came too fast after others of its network.
    pub fn count_limited(&self, received: u64) {
        self.count_as(names::LIMITED, received);
    }

    fn count_as(&self, name: &'static str, received: u64) {
        let mut refusals = self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        store::count(&mut refusals, received, name);
    }

    /// Tells whether all new installs of a day came from one address with forwarding headers, so many that they
    /// would be a flood, while no proxy is trusted.
    pub fn proxy_alarm(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.wants_a_proxy.load(Ordering::Relaxed)
    }

    /// The counters of this process.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// The error of the last write; `None` when heartbeats can be stored.
    pub fn write_error(&self) -> Option<StoreError> {
        match &self.writer {
            Some(writer) if !writer.is_finished() => self.shared.write_error(),
            _ => Some(StoreError::Away),
        }
    }

    /// A reader of the same database.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.place)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic was reported where it happened.
            let _ = writer.join();
        }
    }
}

/// An answer that may not be there yet.
pub enum Pending {
    /// It is.
    Done(Answer),
    /// The writer gives it.
    Waiting(oneshot::Receiver<Answer>),
}

impl Pending {
    /// The answer, for asynchronous code.
    pub async fn answer(self) -> Answer {
        match self {
            Self::Done(answer) => answer,
            Self::Waiting(waiting) => waiting.await.unwrap_or(Answer::Unavailable(STORE_RETRY)),
        }
    }

    /// The answer, for other code.
    pub fn wait(self) -> Answer {
        match self {
            Self::Done(answer) => answer,
            Self::Waiting(waiting) => {
                waiting.blocking_recv().unwrap_or(Answer::Unavailable(STORE_RETRY))
            }
        }
    }
}

/// The heartbeat that `bytes` hold, if the gate lets it through: the same one as on the client, whose private
/// words do not exist here, open for what later clients say and this program does not keep.
/// What mcpproxy-go says is its own affair, where it is received.
pub(super) fn read(bytes: &[u8], mcpproxy_go: bool) -> Result<Said, Refused> {
    if mcpproxy_go && let Some(said) = mcpproxy_go::read(bytes) {
        return said;
    }
    let unknown = gate::check_received(bytes)
        .map_err(|refusal| Refused { rule: refusal.rule.as_str(), field: refusal.field })?;
    let unreadable = || Refused { rule: RefusalRule::Shape.as_str(), field: String::new() };
    Heartbeat::read(bytes, unknown).map(|read| Said::Heartbeat(read.into())).ok_or_else(unreadable)
}

/// The answer to a heartbeat whose batch is committed.
fn answer(heartbeat: &Heartbeat, received: u64, outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Stored => Answer::Stored,
        Outcome::Duplicate => Answer::Duplicate,
        Outcome::TooMany => Answer::TooMany(until_midnight(received)),
        Outcome::UnknownProduct => Answer::Refused(Refused::product(heartbeat)),
        Outcome::Erased => Answer::Erased,
        Outcome::Retired => Answer::Retired {
            product: heartbeat.product.clone().unwrap_or_else(|| OWN_PRODUCT.to_owned()),
            version: heartbeat.facts.version.clone(),
        },
        Outcome::Damaged => Answer::Unavailable(STORE_RETRY),
    }
}

/// The thread that writes.
struct Writer {
    store: Box<dyn Storing>,
    shared: Arc<Shared>,
    /// Somebody was told that a row is damaged.
    is_damage_told: bool,
}

impl Writer {
    /// Commits what waits, over and over: while one commit runs, the next batch gathers.
    fn run(mut self, jobs: &Queue<Job>) {
        let mut counted = Instant::now();
        loop {
            match jobs.recv_timeout(IDLE) {
                Ok(first) => {
                    let mut batch = vec![first];
                    batch.extend(jobs.try_iter().take(BATCH - 1));
                    self.commit(batch);
                    counted = Instant::now();
                }
                Err(RecvTimeoutError::Timeout) => {
                    // A database that is well again is found by trying.
                    let is_due = self.shared.write_error().is_some() || self.store.is_sweeping();
                    if is_due || counted.elapsed() >= COUNTS_WAIT {
                        self.commit(Vec::new());
                        counted = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.commit(Vec::new()),
            }
        }
    }

    fn commit(&mut self, batch: Vec<Job>) {
        self.shared.metrics.take(batch.len());
        let started = Instant::now();
        let refusals = &self.shared.refusals;
        let counts = std::mem::take(&mut *refusals.lock().unwrap_or_else(PoisonError::into_inner));
        let is_idle = counts.is_empty() && !self.store.is_sweeping();
        if batch.is_empty() && is_idle && self.shared.write_error().is_none() {
            return;
        }
        let (mut beats, mut erasures, mut erasers) = (Vec::new(), Vec::new(), Vec::new());
        for job in batch {
            match job {
                Job::Heartbeat(beat) => beats.push(beat),
                Job::Erasure(erasure, answer) => {
                    erasures.push(erasure);
                    erasers.push(answer);
                }
            }
        }
        let incoming = beats.iter().map(|beat| Incoming {
            origin: beat.origin,
            ..Incoming::new(&beat.heartbeat, beat.received)
        });
        let incoming: Vec<_> = incoming.collect();
        let change = Change { erasures: &erasures, batch: &incoming, imported: None };
        let result = self.store.commit(&change, &counts);
        self.shared.metrics.committed(started.elapsed(), result.is_ok());
        self.tell(result.as_ref().err());
        if self.store.wants_a_proxy() && !self.shared.wants_a_proxy.swap(true, Ordering::Relaxed) {
            error!("{PROXY_ALARM}");
        }
        match result {
            Ok(outcomes) => {
                if outcomes.contains(&Outcome::Damaged) {
                    self.tell_damage();
                }
                for (beat, outcome) in beats.into_iter().zip(outcomes) {
                    // A client that is gone asks again, and learns that it was stored.
                    let _ = beat.answer.send(answer(&beat.heartbeat, beat.received, outcome));
                }
                for eraser in erasers {
                    let _ = eraser.send(Answer::Erased);
                }
            }
            Err(_) => {
                let mut waiting = refusals.lock().unwrap_or_else(PoisonError::into_inner);
                for (name, n) in counts {
                    *waiting.entry(name).or_default() += n;
                }
                drop(waiting);
                for waiting in beats.into_iter().map(|beat| beat.answer).chain(erasers) {
                    let _ = waiting.send(Answer::Unavailable(STORE_RETRY));
                }
            }
        }
    }

    /// Says once that a row is damaged: every heartbeat of its install meets it.
    fn tell_damage(&mut self) {
        if !std::mem::replace(&mut self.is_damage_told, true) {
            error!(
                "a row of collector.db is damaged: heartbeats of its install are answered with 503; put a copy of \
                 collector.db in its place, or ask the user for `mcpproxy telemetry reset-id`"
            );
        }
    }

    /// Says once that heartbeats cannot be stored, and once that they can again.
    fn tell(&self, now: Option<&StoreError>) {
        let mut before = self.shared.write_error.lock().unwrap_or_else(PoisonError::into_inner);
        match now {
            Some(error) if before.as_ref() != Some(error) => {
                error!("heartbeats are answered with 503: {error}");
            }
            None if before.is_some() => info!("heartbeats are stored again"),
            _ => {}
        }
        *before = now.cloned();
    }
}
