//! How many servers start at once.
//!
//! One rule: as many as there are processors, and two; the next begins when one answers or has had its time. A start
//! takes a processor for itself, and one that hangs takes none.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Beside one for each processor: some wait for the network or a disk.
const MORE: usize = 2;
/// How long a start keeps others waiting.
const TURN: Duration = Duration::from_secs(10);

/// Whose turn it is.
pub struct Starts {
    free: Arc<Semaphore>,
    turn: Duration,
}

/// A start that may begin.
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    most: Duration,
}

impl Default for Starts {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::new(processors + MORE, TURN)
    }
}

impl Starts {
    fn new(most: usize, turn: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), turn }
    }

    /// Waits for the turn of one more start.
    pub async fn turn(&self) -> Turn {
        Turn { permit: self.free.clone().acquire_owned().await.ok(), most: self.turn }
    }
}

impl Turn {
    /// Of a start that takes no processor.
    pub fn free() -> Self {
        Self { permit: None, most: Duration::ZERO }
    }

    /// Does `work` in this turn, and after it if that takes longer.
    pub async fn with<F: Future>(self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        if self.permit.is_some()
            && let Ok(done) = tokio::time::timeout(self.most, &mut work).await
        {
            return done;
        }
        drop(self.permit);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn no_more_start_at_once_than_may_and_all_of_them_start() {
        let starts = Arc::new(Starts::new(3, Duration::from_secs(3600)));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let start = |_| {
            let (starts, now, most) = (starts.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                let turn = starts.turn().await;
                let work = async {
                    let running = now.fetch_add(1, Ordering::AcqRel) + 1;
                    most.fetch_max(running, Ordering::AcqRel);
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    now.fetch_sub(1, Ordering::AcqRel);
                };
                turn.with(work).await;
            })
        };
        for started in (0..20).map(start).collect::<Vec<_>>() {
            started.await.expect("a start");
        }
        assert_eq!(most.load(Ordering::Acquire), 3);
    }

    #[tokio::test]
    async fn one_that_hangs_keeps_the_next_waiting_for_its_turn_only_and_goes_on() {
        let starts = Starts::new(1, Duration::from_millis(20));
        let release = Arc::new(Notify::new());
        let (turn, released) = (starts.turn().await, release.clone());
        let hangs = tokio::spawn(async move { turn.with(released.notified()).await });
        // Its turn comes although the first has not ended.
        starts.turn().await.with(async { release.notify_one() }).await;
        hangs.await.expect("it went on");
    }
}
