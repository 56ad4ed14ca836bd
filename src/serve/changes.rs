//! Changes of lists that a server tells of: how fast it is heard, and when its lists are asked for again.
//!
//! One rule: a server that tells without end costs the others nothing. A hundred notifications are read as they come,
//! the next ones at a bounded pace, and its lists are asked for after pauses that grow.

use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Changes that come together are asked for together.
const TOGETHER: Duration = Duration::from_millis(50);
/// The longest pause before lists are asked for again.
const LONGEST: Duration = Duration::from_secs(60);
/// Asking takes at most one part in so many of the time.
const SHARE: u32 = 20;
/// So many notifications are read as they come.
const BURST: u32 = 100;
/// How long the connection rests after as many more.
const REST: Duration = Duration::from_millis(20);

/// When the lists of a server are asked for again.
#[derive(Default)]
pub struct Pace {
    pause: Duration,
    /// When they were asked for last, and how long that took.
    asked: Option<(Instant, Duration)>,
}

impl Pace {
    /// How long after a change, which is heard of `now`, lists are asked for.
    pub fn pause(&mut self, now: Instant) -> Duration {
        let Some((asked, took)) = self.asked else { return TOGETHER };
        let was_quiet = now.saturating_duration_since(asked) > self.pause * 2;
        self.pause = if was_quiet { TOGETHER } else { (self.pause * 2).clamp(TOGETHER, LONGEST) };
        self.pause.max((took * SHARE).min(LONGEST))
    }

    /// They were asked for until `now`.
    pub fn asked(&mut self, now: Instant, took: Duration) {
        self.pause = self.pause.max(TOGETHER);
        self.asked = Some((now, took));
    }
}

/// A transport that keeps notifications to a pace. Those of changes go to `changed` and no further, and what is for a
/// log goes nowhere.
pub struct Paced<T> {
    inner: T,
    changed: Arc<Notify>,
    /// What was read of the burst, and since when.
    read: u32,
    since: Option<Instant>,
    rests_until: Option<Instant>,
}

impl<T> Paced<T> {
    /// Watches `inner`.
    pub fn new(inner: T, changed: Arc<Notify>) -> Self {
        Self { inner, changed, read: 0, since: None, rests_until: None }
    }

    /// One more was read. Each burst is good for as long as its rest, or longer.
    fn count(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) > REST * BURST {
            (self.read, self.since) = (0, Some(now));
        }
        self.read += 1;
        if self.read.is_multiple_of(BURST) {
            self.rests_until = Some(now + REST);
        }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Paced<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            // The SDK drops this future whenever something else happens: the rest stands in `self`.
            if let Some(until) = self.rests_until {
                sleep_until(until).await;
                self.rests_until = None;
            }
            let message = self.inner.receive().await?;
            let JsonRpcMessage::Notification(told) = &message else { return Some(message) };
            self.count(Instant::now());
            match &told.notification {
                ServerNotification::ToolListChangedNotification(_)
                | ServerNotification::PromptListChangedNotification(_)
                | ServerNotification::ResourceListChangedNotification(_) => {
                    self.changed.notify_one();
                }
                ServerNotification::LoggingMessageNotification(_)
                | ServerNotification::ResourceUpdatedNotification(_) => {}
                _ => return Some(message),
            }
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_changes_without_end_is_asked_ever_more_rarely() {
        let start = Instant::now();
        let (mut pace, mut now, mut asked) = (Pace::default(), start, 0);
        // It tells of the next change as soon as it was asked.
        while now < start + Duration::from_secs(600) {
            now += pace.pause(now);
            pace.asked(now, Duration::from_millis(1));
            asked += 1;
        }
        assert!((10..25).contains(&asked), "{asked} times in ten minutes");
        assert_eq!(pace.pause(now), LONGEST);
        // Once it was quiet, a change is followed at once.
        assert_eq!(pace.pause(now + LONGEST * 2 + TOGETHER), TOGETHER);
    }

    #[test]
    fn lists_that_take_long_are_asked_for_with_pauses_as_long() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.pause(now), TOGETHER, "the first change is followed at once");
        pace.asked(now, Duration::from_secs(1));
        assert_eq!(pace.pause(now + Duration::from_secs(10)), Duration::from_secs(20));
        pace.asked(now, Duration::from_secs(100));
        assert_eq!(pace.pause(now + Duration::from_secs(10)), LONGEST);
    }

    #[test]
    fn a_burst_is_read_as_it_comes_and_a_flood_is_not() {
        let start = Instant::now();
        let mut paced = Paced::new((), Arc::default());
        (1..BURST).for_each(|_| paced.count(start));
        assert_eq!(paced.rests_until, None);
        paced.count(start);
        assert_eq!(paced.rests_until, Some(start + REST));
        // As many, slowly, are no flood.
        let mut paced = Paced::new((), Arc::default());
        for number in 0..BURST * 3 {
            paced.count(start + REST * 2 * number);
        }
        assert_eq!(paced.rests_until, None);
    }
}
