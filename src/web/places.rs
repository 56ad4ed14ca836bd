//! Places: one for each connection, and who gives theirs away when few are left.
//!
//! One rule: a newcomer always gets a place while one connection waits for its peer. A request that the surface
//! has begun to answer keeps its place until it is answered.

use super::connections::Watch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How often a newcomer looks whether somebody waits, when all are answered.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// All places.
#[derive(Clone)]
pub struct Places {
    free: Arc<Semaphore>,
    spare: usize,
    queue: Arc<Mutex<Queue>>,
    watch: Arc<dyn Watch>,
}

/// Who waits, in the order in which they began to.
#[derive(Default)]
struct Queue {
    waiting: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// The place of one connection. It is given back when the last copy is dropped.
#[derive(Clone)]
pub struct Place(Arc<Taken>);

struct Taken {
    queue: Arc<Mutex<Queue>>,
    /// Where it stands among those that wait; `None` while it is answered.
    number: Mutex<Option<u64>>,
    given_away: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

/// While it lives, a connection keeps its place.
pub struct Answering(Place);

impl Places {
    /// So many places, of which `spare` are kept free for newcomers.
    pub fn new(many: usize, spare: usize, watch: Arc<dyn Watch>) -> Self {
        Self { free: Arc::new(Semaphore::new(many)), spare, queue: Arc::default(), watch }
    }

    /// A place for a newcomer. Where only the spare ones are free, the connection that has waited longest gives
    /// its own away: a newcomer need not wait until that is closed.
    pub async fn take(&self) -> Place {
        let permit = loop {
            if self.free.available_permits() <= self.spare {
                self.make_room();
            }
            if let Ok(permit) = self.free.clone().try_acquire_owned() {
                break permit;
            }
            let free = self.free.clone().acquire_owned();
            if let Ok(Ok(permit)) = tokio::time::timeout(LOOK_AGAIN, free).await {
                break permit;
            }
        };
        let place = Place(Arc::new(Taken {
            queue: self.queue.clone(),
            number: Mutex::new(None),
            given_away: Arc::default(),
            _permit: permit,
        }));
        place.wait();
        place
    }

    /// The connection that has waited longest is closed.
    pub fn make_room(&self) {
        let oldest = locked(&self.queue).waiting.pop_first();
        if let Some((_, oldest)) = oldest {
            oldest.notify_one();
            self.watch.gave_away();
        }
    }
}

impl Place {
    /// Ends when the place goes to a newcomer.
    pub async fn is_given_away(&self) {
        self.0.given_away.notified().await;
    }

    /// A request has arrived, and is answered now.
    pub fn answering(&self) -> Answering {
        self.0.leave();
        Answering(self.clone())
    }

    /// It waits from now on: the last one to give its place away.
    fn wait(&self) {
        let mut queue = locked(&self.0.queue);
        let number = queue.next;
        queue.next += 1;
        queue.waiting.insert(number, self.0.given_away.clone());
        *locked(&self.0.number) = Some(number);
    }
}

impl Taken {
    fn leave(&self) {
        let number = locked(&self.number).take();
        if let Some(number) = number {
            locked(&self.queue).waiting.remove(&number);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.wait();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.leave();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn is_given_away(place: &Place) -> bool {
        let waits = pin!(place.is_given_away());
        matches!(waits.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
    }

    #[tokio::test]
    async fn the_one_that_has_waited_longest_gives_its_place_to_a_newcomer() {
        let places = Places::new(3, 0, Arc::new(()));
        let (first, second, third) =
            (places.take().await, places.take().await, places.take().await);
        // The first is answered, and waits again after that: it is the newest of them.
        drop(first.answering());
        let newcomer = {
            let places = places.clone();
            tokio::spawn(async move { places.take().await })
        };
        second.is_given_away().await;
        drop(second);
        let fourth = newcomer.await.expect("a place");
        assert!(![&first, &third, &fourth].into_iter().any(is_given_away));
    }

    #[tokio::test]
    async fn a_newcomer_takes_a_spare_place_at_once() {
        let places = Places::new(3, 1, Arc::new(()));
        let (first, second) = (places.take().await, places.take().await);
        assert!(![&first, &second].into_iter().any(is_given_away));
        let third = places.take().await;
        assert!(is_given_away(&first), "it goes while the third is there");
        assert!(![&second, &third].into_iter().any(is_given_away));
    }

    #[tokio::test]
    async fn what_is_answered_keeps_its_place() {
        let places = Places::new(2, 0, Arc::new(()));
        let (first, second) = (places.take().await, places.take().await);
        let (answering, other) = (first.answering(), second.answering());
        let newcomer = {
            let places = places.clone();
            tokio::spawn(async move { places.take().await })
        };
        // It looks, finds all of them answered, and looks again.
        drop(other);
        second.is_given_away().await;
        drop(second);
        newcomer.await.expect("a place");
        assert!(!is_given_away(&first));
        drop(answering);
    }
}
