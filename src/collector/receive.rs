//! Receiving: bytes and the time of their receipt in, an answer out.
//!
//! One rule: no answer says stored before the commit, and none holds a value of the heartbeat. HTTP only wraps
//! this; the tests and the simulator call it with a time of their own.

use super::heartbeat::{Heartbeat, until_midnight};
use super::mcpproxy_go::{self, Said};
use super::store::{self, Counts, Outcome, ProductError, Reader, Store, StoreError, StoreOptions};
use crate::gate::{self, RefusalRule};
use std::path::PathBuf;
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

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is on disk.
    Stored,
    /// It was on disk before.
    Duplicate,
    /// It is refused, and will be.
    Refused(Refused),
    /// It is no heartbeat but a farewell: nothing is stored.
    OptedOut,
    /// Its install has had its share of this day; seconds until the next.
    TooMany(u64),
    /// It cannot be stored now; seconds until the next try.
    Unavailable(u64),
}

/// Why a heartbeat is refused. Never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `size`, `syntax`, `shape`, `leak`, `type` or `product`.
    pub rule: &'static str,
    /// JSON pointer of the member; empty for the whole.
    pub field: String,
}

impl Refused {
    /// The body is not sent as JSON, or encoded.
    pub fn media_type() -> Self {
        Self { rule: "type", field: String::new() }
    }

    /// The body is longer than any heartbeat.
    pub fn size() -> Self {
        Self { rule: RefusalRule::Size.as_str(), field: String::new() }
    }

    /// The body does not arrive whole.
    pub fn broken() -> Self {
        Self { rule: RefusalRule::Syntax.as_str(), field: String::new() }
    }

    fn product(heartbeat: &Heartbeat) -> Self {
        let field = if heartbeat.product.is_some() { "/product/name" } else { "" };
        Self { rule: "product", field: field.to_owned() }
    }

    /// The name under which it is counted.
    fn counted(&self) -> &'static str {
        match self.rule {
            "size" => "refused.size",
            "syntax" => "refused.syntax",
            "leak" => "refused.leak",
            "type" => "refused.type",
            "product" => "refused.product",
            _ => "refused.shape",
        }
    }
}

/// One heartbeat on its way to the writer.
struct Job {
    heartbeat: Heartbeat,
    received: u64,
    answer: oneshot::Sender<Answer>,
}

/// What the writer and its callers share.
#[derive(Default)]
struct Shared {
    /// Refusals that no commit has counted yet: one number per rule and day.
    refusals: Mutex<Counts>,
    /// The error of the last write.
    write_error: Mutex<Option<StoreError>>,
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
    dir: PathBuf,
    mcpproxy_go: bool,
}

impl Receiver {
    /// Opens the database, made if it is missing, and starts its writer.
    pub fn open(options: &StoreOptions) -> Result<Self, ProductError> {
        let store = Store::open(options)?;
        let shared = Arc::new(Shared::default());
        let (queue, jobs) = sync_channel(QUEUE);
        let told = shared.clone();
        let writer = std::thread::Builder::new()
            .name("mcpproxy-writer".to_owned())
            .spawn(move || Writer { store, shared: told }.run(&jobs))
            .map_err(|error| StoreError::Directory(error.kind()))?;
        let dir = options.dir.clone();
        let mcpproxy_go = options.mcpproxy_go;
        Ok(Self { queue: Some(queue), writer: Some(writer), shared, dir, mcpproxy_go })
    }

    /// Takes one heartbeat that arrived at `received`, and waits for its answer. Not for asynchronous code.
    pub fn accept(&self, bytes: &[u8], received: u64) -> Answer {
        self.submit(bytes, received).wait()
    }

    /// As [`Self::accept`] for many, in their order, with as few commits as possible.
    pub fn accept_all<'b>(
        &self,
        heartbeats: impl IntoIterator<Item = (&'b [u8], u64)>,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut waiting: Vec<Pending> = Vec::with_capacity(BATCH);
        for (bytes, received) in heartbeats {
            if waiting.len() == BATCH {
                answers.extend(waiting.drain(..).map(Pending::wait));
            }
            waiting.push(self.submit(bytes, received));
        }
        answers.extend(waiting.into_iter().map(Pending::wait));
        answers
    }

    /// Takes one heartbeat that arrived at `received`; the answer may have to be waited for.
    pub fn submit(&self, bytes: &[u8], received: u64) -> Pending {
        let heartbeat = match read(bytes, self.mcpproxy_go) {
            Ok(Said::Heartbeat(heartbeat)) => *heartbeat,
            Ok(Said::OptedOut) => return Pending::Done(Answer::OptedOut),
            Err(refused) => {
                self.count(&refused, received);
                return Pending::Done(Answer::Refused(refused));
            }
        };
        let (answer, waiting) = oneshot::channel();
        let sent = match &self.queue {
            Some(queue) => queue.try_send(Job { heartbeat, received, answer }),
            None => return Pending::Done(Answer::Unavailable(QUEUE_RETRY)),
        };
        match sent {
            Ok(()) => Pending::Waiting(waiting),
            Err(TrySendError::Full(_)) => Pending::Done(Answer::Unavailable(QUEUE_RETRY)),
            Err(TrySendError::Disconnected(_)) => Pending::Done(Answer::Unavailable(STORE_RETRY)),
        }
    }

    /// Counts a refusal that was made before the bytes were looked at.
    pub fn count(&self, refused: &Refused, received: u64) {
        let mut refusals = self.shared.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        store::count(&mut refusals, received, refused.counted());
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
        Reader::open(&self.dir)
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
fn read(bytes: &[u8], mcpproxy_go: bool) -> Result<Said, Refused> {
    if mcpproxy_go && let Some(said) = mcpproxy_go::read(bytes) {
        return said;
    }
    let unknown = gate::check_received(bytes)
        .map_err(|refusal| Refused { rule: refusal.rule.as_str(), field: refusal.field })?;
    let unreadable = || Refused { rule: RefusalRule::Shape.as_str(), field: String::new() };
    Heartbeat::read(bytes, unknown).map(|read| Said::Heartbeat(read.into())).ok_or_else(unreadable)
}

/// The thread that writes.
struct Writer {
    store: Store,
    shared: Arc<Shared>,
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
                    if self.shared.write_error().is_some() || counted.elapsed() >= COUNTS_WAIT {
                        self.commit(Vec::new());
                        counted = Instant::now();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.commit(Vec::new()),
            }
        }
    }

    fn commit(&mut self, batch: Vec<Job>) {
        let refusals = &self.shared.refusals;
        let counts = std::mem::take(&mut *refusals.lock().unwrap_or_else(PoisonError::into_inner));
        if batch.is_empty() && counts.is_empty() && self.shared.write_error().is_none() {
            return;
        }
        let heartbeats: Vec<(&Heartbeat, u64)> =
            batch.iter().map(|job| (&job.heartbeat, job.received)).collect();
        let result = self.store.apply(&heartbeats, &counts);
        self.tell(result.as_ref().err());
        match result {
            Ok(outcomes) => {
                for (job, outcome) in batch.into_iter().zip(outcomes) {
                    let answer = match outcome {
                        Outcome::Stored => Answer::Stored,
                        Outcome::Duplicate => Answer::Duplicate,
                        Outcome::TooMany => Answer::TooMany(until_midnight(job.received)),
                        Outcome::UnknownProduct => {
                            Answer::Refused(Refused::product(&job.heartbeat))
                        }
                    };
                    // A client that is gone asks again, and learns that it was stored.
                    let _ = job.answer.send(answer);
                }
            }
            Err(_) => {
                let mut waiting = refusals.lock().unwrap_or_else(PoisonError::into_inner);
                for (name, n) in counts {
                    *waiting.entry(name).or_default() += n;
                }
                drop(waiting);
                for job in batch {
                    let _ = job.answer.send(Answer::Unavailable(STORE_RETRY));
                }
            }
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
