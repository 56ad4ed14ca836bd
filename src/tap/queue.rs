//! The copy of the traffic on its way to the observer: bounded, in order, never in the way.
//!
//! One rule: the threads that forward traffic never wait here. They append under a lock that is only
//! ever held for a copy in memory; what does not fit is counted and dropped.
//!
//! An observer that has nothing to do is woken by what arrives, so that a call is counted before it is
//! answered, whatever happens to this process then. Waking a thread costs a forwarder more than the copy:
//! in a burst of messages the observer is not woken for each, but naps for a millisecond at a time and
//! finds what has come. After a burst of bytes it also rests seven times as long as it worked, so that a
//! flood never costs those whose traffic it looks at more than an eighth of a processor. A burst of 10 MB
//! is looked at whole; of a flood what does not fit is dropped.

use super::observer::Direction;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait. As many may be with the observer at the same time. None are held in silence.
const MAX_BYTES: usize = 12 << 20;
/// Pieces that may wait.
const MAX_PIECES: usize = 32 << 10;
/// The observer is woken from a nap when this much waits.
const URGENT: usize = 512 << 10;
/// Work without rest after a silence: what a burst takes.
const BURST: Duration = Duration::from_millis(500);
/// Rest after work, in multiples of the work, and at most.
const REST: u32 = 7;
const LONGEST_REST: Duration = Duration::from_millis(200);
/// How long the observer naps in a burst.
const NAP: Duration = Duration::from_millis(1);
/// Wakes that a burst begins with, before the observer naps.
const WAKES: u32 = 64;
/// Time after which it may be woken once more.
const WAKE_AGAIN: Duration = Duration::from_millis(4);
/// A silence: memory that a burst needed goes back.
const SILENCE: Duration = Duration::from_millis(100);

/// Consecutive bytes of one direction.
#[derive(Clone, Copy, Debug)]
struct Piece {
    direction: Direction,
    length: usize,
    /// Bytes of this direction are missing before this piece.
    after_loss: bool,
}

/// Traffic of both directions, in order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    /// When the observer began to work on it.
    taken: Option<Instant>,
}

impl Batch {
    /// Each piece: its direction, whether bytes are missing before it, its bytes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Direction, bool, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.pieces.iter().map(move |piece| {
            let (bytes, after) = rest.split_at_checked(piece.length).unwrap_or((rest, &[]));
            rest = after;
            (piece.direction, piece.after_loss, bytes)
        })
    }

    fn clear(&mut self) {
        self.pieces.clear();
        self.bytes.clear();
    }

    fn append(&mut self, direction: Direction, after_loss: bool, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        match self.pieces.last_mut() {
            Some(last) if last.direction == direction && !after_loss => last.length += bytes.len(),
            _ => self.pieces.push(Piece { direction, length: bytes.len(), after_loss }),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Awake,
    Nap,
    Sleep,
}

/// How often forwarders may still be asked to wake the observer.
struct Wakes {
    left: u32,
    since: Instant,
}

impl Wakes {
    fn new(now: Instant) -> Self {
        Self { left: WAKES, since: now }
    }

    /// Takes one, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since);
        let more = (passed.as_nanos() / WAKE_AGAIN.as_nanos()).min(u128::from(WAKES)) as u32;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(WAKES);
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

struct Waiting {
    batch: Batch,
    rest: Rest,
    wakes: Wakes,
    /// The observer waits for what the server says.
    is_answer_wanted: bool,
    /// What the observer has worked since the last silence.
    worked: Duration,
    /// Bytes of the direction (in the order of [`Direction`]) were dropped since its last piece.
    lost: [bool; 2],
    dropped: u64,
    is_ending: bool,
    is_closed: bool,
}

/// Between the two forwarders and the observer.
pub(super) struct Queue {
    is_open: AtomicBool,
    waiting: Mutex<Waiting>,
    arrival: Condvar,
    closing: Condvar,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            is_open: AtomicBool::new(true),
            waiting: Mutex::new(Waiting {
                batch: Batch::default(),
                rest: Rest::Awake,
                wakes: Wakes::new(Instant::now()),
                is_answer_wanted: true,
                worked: Duration::ZERO,
                lost: [false; 2],
                dropped: 0,
                is_ending: false,
                is_closed: false,
            }),
            arrival: Condvar::new(),
            closing: Condvar::new(),
        }
    }

    /// Copies `bytes` for the observer, if there is one and it keeps up.
    pub(super) fn push(&self, direction: Direction, bytes: &[u8]) {
        if !self.is_open.load(Ordering::Relaxed) {
            return;
        }
        let mut waiting = self.lock();
        let Waiting { batch, lost, .. } = &mut *waiting;
        let [to_server, to_client] = lost;
        let lost = if direction == Direction::ToServer { to_server } else { to_client };
        if batch.bytes.len() + bytes.len() > MAX_BYTES || batch.pieces.len() >= MAX_PIECES {
            *lost = true;
            waiting.dropped = waiting.dropped.saturating_add(bytes.len() as u64);
        } else {
            batch.append(direction, std::mem::take(lost), bytes);
        }
        let is_urgent = waiting.batch.bytes.len() > URGENT;
        let is_wanted = direction == Direction::ToServer || waiting.is_answer_wanted;
        let is_needed = match waiting.rest {
            Rest::Awake => false,
            Rest::Nap => is_urgent,
            Rest::Sleep => is_wanted || is_urgent,
        };
        if is_needed {
            waiting.rest = Rest::Awake;
            drop(waiting);
            self.arrival.notify_one();
        }
    }

    /// For the observer: waits for traffic and puts it into `batch` in place of what is there. Answers do not
    /// wake it when none is wanted; they are there with the next request, or after a silence.
    /// `false` when the session has ended and all has been taken.
    pub(super) fn take(&self, batch: &mut Batch, is_answer_wanted: bool) -> bool {
        let work = batch.taken.take().map(|taken| taken.elapsed()).unwrap_or_default();
        batch.clear();
        let mut waiting = self.rest_after(work, self.lock());
        waiting.is_answer_wanted = is_answer_wanted;
        loop {
            if !waiting.batch.pieces.is_empty() {
                std::mem::swap(&mut waiting.batch, batch);
                batch.taken = Some(Instant::now());
                return true;
            }
            if waiting.is_ending {
                return false;
            }
            waiting = if waiting.wakes.take(Instant::now()) {
                self.sleep(waiting, batch)
            } else {
                self.rest(waiting, Rest::Nap, NAP)
            };
        }
    }

    /// Rests where no forwarder wakes it.
    fn rest_after<'a>(
        &self,
        work: Duration,
        mut waiting: MutexGuard<'a, Waiting>,
    ) -> MutexGuard<'a, Waiting> {
        waiting.worked = waiting.worked.saturating_add(work);
        let rest = (work * REST).min(LONGEST_REST);
        if rest <= NAP || waiting.worked < BURST {
            return waiting;
        }
        let (waiting, _) = self
            .arrival
            .wait_timeout_while(waiting, rest, |w| !w.is_ending)
            .unwrap_or_else(PoisonError::into_inner);
        waiting
    }

    /// Until something arrives or the session ends. After a silence the memory of both batches goes back.
    fn sleep<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        batch: &mut Batch,
    ) -> MutexGuard<'a, Waiting> {
        let mut waiting = self.rest(waiting, Rest::Sleep, SILENCE);
        if waiting.batch.pieces.is_empty() && !waiting.is_ending {
            *batch = Batch::default();
            waiting.batch = Batch::default();
            waiting.worked = Duration::ZERO;
            // Nothing is held in silence, wanted or not.
            waiting.is_answer_wanted = true;
            waiting = self.rest(waiting, Rest::Sleep, Duration::MAX);
        }
        waiting
    }

    fn rest<'a>(
        &self,
        mut waiting: MutexGuard<'a, Waiting>,
        rest: Rest,
        limit: Duration,
    ) -> MutexGuard<'a, Waiting> {
        waiting.rest = rest;
        let is_restful = |w: &mut Waiting| w.rest == rest && !w.is_ending;
        let (mut waiting, _) = self
            .arrival
            .wait_timeout_while(waiting, limit, is_restful)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.rest = Rest::Awake;
        waiting
    }

    /// For the observer, before it begins: rests for `limit`, or until the session ends.
    pub(super) fn wait_for_end(&self, limit: Duration) {
        // Nobody wakes an observer that is awake, however much arrives.
        drop(self.arrival.wait_timeout_while(self.lock(), limit, |w| !w.is_ending));
    }

    /// Bytes that were not observed because the observer did not keep up.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// For the observer: it has stopped. What waits is dropped and nothing more is copied.
    pub(super) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        let mut waiting = self.lock();
        waiting.batch = Batch::default();
        waiting.is_closed = true;
        drop(waiting);
        self.closing.notify_all();
    }

    /// The session has ended: waits until the observer has seen all of it, but no longer than
    /// `limit`.
    pub(super) fn end(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut waiting = self.lock();
        waiting.is_ending = true;
        self.arrival.notify_all();
        while !waiting.is_closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let (guard, _) =
                self.closing.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    fn taken(queue: &Queue) -> Vec<(Direction, bool, Vec<u8>)> {
        let mut batch = Batch::default();
        assert!(queue.take(&mut batch, true));
        batch.iter().map(|(d, lost, bytes)| (d, lost, bytes.to_vec())).collect()
    }

    #[test]
    fn order_across_directions_is_kept_and_neighbours_are_joined() {
        let queue = Queue::new();
        queue.push(ToServer, b"ab");
        queue.push(ToServer, b"c");
        queue.push(ToClient, b"d");
        queue.push(ToServer, b"e");
        assert_eq!(
            taken(&queue),
            [
                (ToServer, false, b"abc".to_vec()),
                (ToClient, false, b"d".to_vec()),
                (ToServer, false, b"e".to_vec()),
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_counted_and_marks_only_its_own_direction() {
        let queue = Queue::new();
        let chunk = vec![b'x'; 64 << 10];
        for _ in 0..MAX_BYTES / chunk.len() {
            queue.push(ToClient, &chunk);
        }
        queue.push(ToClient, b"dropped");
        assert_eq!(queue.dropped(), 7);
        assert_eq!(taken(&queue), [(ToClient, false, vec![b'x'; MAX_BYTES])]);
        queue.push(ToServer, b"a");
        queue.push(ToClient, b"b");
        queue.push(ToClient, b"c");
        assert_eq!(
            taken(&queue),
            [(ToServer, false, b"a".to_vec()), (ToClient, true, b"bc".to_vec())]
        );
    }

    #[test]
    fn tiny_alternating_messages_are_bounded_too() {
        let queue = Queue::new();
        for _ in 0..MAX_PIECES {
            queue.push(ToClient, b"x");
            queue.push(ToServer, b"y");
        }
        assert_eq!(taken(&queue).len(), MAX_PIECES);
    }

    #[test]
    fn an_end_is_seen_after_all_that_came_before_it() {
        let queue = Queue::new();
        queue.push(ToServer, b"last");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(taken(&queue).len(), 1);
                assert!(!queue.take(&mut Batch::default(), true));
                queue.close();
            });
            queue.end(Duration::from_secs(60));
        });
        assert!(queue.lock().is_closed);
    }

    #[test]
    fn an_observer_that_hangs_is_not_waited_for() {
        let queue = Queue::new();
        queue.end(Duration::from_millis(1));
        assert!(!queue.lock().is_closed);
    }

    #[test]
    fn a_sleeping_observer_is_woken_by_the_first_byte() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let observer = scope.spawn(|| taken(&queue));
            while queue.lock().rest != Rest::Sleep {
                std::thread::yield_now();
            }
            queue.push(ToServer, b"x");
            assert_eq!(observer.join().unwrap(), [(ToServer, false, b"x".to_vec())]);
        });
    }

    #[test]
    fn an_observer_that_has_seen_all_sleeps_and_does_not_nap() {
        let queue = Queue::new();
        queue.push(ToServer, b"x");
        std::thread::scope(|scope| {
            let observer = scope.spawn(|| (taken(&queue), taken(&queue)));
            let rest = loop {
                match queue.lock().rest {
                    Rest::Awake => std::thread::yield_now(),
                    rest => break rest,
                }
            };
            assert!(rest == Rest::Sleep);
            queue.push(ToClient, b"y");
            assert_eq!(observer.join().unwrap().1, [(ToClient, false, b"y".to_vec())]);
        });
    }

    #[test]
    fn an_answer_that_is_not_wanted_wakes_nobody_and_is_seen_with_the_next_request() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let observer = scope.spawn(|| {
                let mut batch = Batch::default();
                assert!(queue.take(&mut batch, false));
                batch.iter().map(|(direction, _, _)| direction).collect::<Vec<_>>()
            });
            while queue.lock().rest != Rest::Sleep {
                std::thread::yield_now();
            }
            queue.push(ToClient, b"x");
            // A silence may have ended meanwhile, and it is taken all the same.
            if queue.lock().rest == Rest::Sleep {
                queue.push(ToServer, b"y");
            }
            assert_eq!(observer.join().unwrap().first(), Some(&ToClient));
        });
    }

    #[test]
    fn only_a_burst_uses_up_the_wakes() {
        let start = Instant::now();
        let mut wakes = Wakes::new(start);
        assert!((0..10 * WAKES).all(|call| wakes.take(start + WAKE_AGAIN * call)));
        let mut wakes = Wakes::new(start);
        assert!((0..WAKES).all(|_| wakes.take(start)));
        assert!(!wakes.take(start));
        assert!(wakes.take(start + WAKE_AGAIN) && !wakes.take(start + WAKE_AGAIN));
        let later = start + WAKE_AGAIN * 1000;
        assert!((0..WAKES).all(|_| wakes.take(later)) && !wakes.take(later));
    }

    #[test]
    fn nothing_is_copied_once_the_observer_has_stopped() {
        let queue = Queue::new();
        queue.push(ToServer, b"x");
        queue.close();
        queue.push(ToServer, b"y");
        assert!(queue.lock().batch.bytes.is_empty());
    }
}
