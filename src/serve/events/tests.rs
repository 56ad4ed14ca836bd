//! Streams that end and come back, by a clock that the tests move.

use super::*;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_stream::StreamExt as _;

/// A client of a server whose every stream holds these events, and a clock that is moved by hand.
struct Moved {
    tidy: Tidy,
    events: Vec<Sse>,
    asked: AtomicUsize,
    now: Arc<Mutex<Instant>>,
}

impl Moved {
    fn new(events: &[Sse]) -> Self {
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = now.clone();
        let tidy = Tidy::with_clock(Arc::new(move || *clock.lock().unwrap()));
        Self { tidy, events: events.to_vec(), asked: AtomicUsize::new(0), now }
    }

    async fn stream(&self, last: Option<String>) -> Events {
        let opened = async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let events: Vec<_> = self.events.iter().cloned().map(Ok).collect();
            Ok::<Events, Infallible>(Box::pin(tokio_stream::iter(events)))
        };
        self.tidy.open(last, opened).await.expect("a stream")
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    /// The events of a stream, if it is time for one.
    async fn open(&self, last: Option<String>) -> Option<Vec<Sse>> {
        let stream = tokio::time::timeout(Duration::ZERO, self.stream(last)).await.ok()?;
        Some(stream.map(|event| event.expect("an event")).collect().await)
    }

    /// How often the server is asked in this time by a client that does not wait by itself.
    async fn asked_within(&self, time: Duration) -> usize {
        let step = Duration::from_secs(1);
        let mut passed = Duration::ZERO;
        let mut last = None;
        while passed <= time {
            if let Some(events) = self.open(last.clone()).await {
                last = events.iter().rev().find_map(|event| event.id.clone()).or(last);
            }
            self.pass(step);
            passed += step;
        }
        self.asked.load(Ordering::Relaxed)
    }
}

fn event(kind: Option<&str>, data: &str) -> Sse {
    let mut event = Sse::default().data(data);
    event.event = kind.map(str::to_owned);
    event
}

#[tokio::test]
async fn events_of_other_types_are_skipped_and_keep_what_they_say_of_the_stream() {
    let mut ping = event(Some("ping"), "2026-01-01 00:00:00");
    (ping.id, ping.retry) = (Some("7".to_owned()), Some(0));
    let events = [
        ping,
        event(Some("endpoint"), "/messages?x=1"),
        event(Some("message"), "{}"),
        event(Some(""), "{}"),
        event(None, "{}"),
    ];
    let seen = Moved::new(&events).open(None).await.expect("a stream");
    let data: Vec<_> = seen.iter().map(|event| event.data.as_deref()).collect();
    assert_eq!(data, [None, None, Some("{}"), Some("{}"), Some("{}")]);
    assert_eq!((seen[0].id.as_deref(), seen[0].retry), (Some("7"), Some(1000)));
}

#[tokio::test]
async fn a_stream_that_brings_nothing_is_asked_for_more_and_more_rarely() {
    let mut at_once = event(None, "");
    at_once.retry = Some(0);
    let pinging = [event(Some("ping"), "x"), at_once.clone()];
    for events in [&[][..], &[at_once][..], &pinging[..]] {
        // After 0, 1, 3, 7, 15, 31, 63, 123, 183, 243 s.
        assert_eq!(Moved::new(events).asked_within(Duration::from_secs(60)).await, 6);
        assert_eq!(Moved::new(events).asked_within(Duration::from_secs(245)).await, 10);
    }
}

#[tokio::test]
async fn a_stream_that_brings_something_or_lasts_is_opened_again_after_a_second() {
    let message = [event(None, "{}")];
    assert_eq!(Moved::new(&message).asked_within(Duration::from_secs(60)).await, 61);
    let mut numbered = event(None, "{}");
    numbered.id = Some("1".to_owned());
    assert_eq!(Moved::new(&[numbered]).asked_within(Duration::from_secs(60)).await, 61);
    let quiet = Moved::new(&[]);
    for _ in 0..5 {
        let stream = quiet.stream(None).await;
        quiet.pass(STEADY);
        drop(stream);
        quiet.pass(SHORTEST);
    }
    assert_eq!(quiet.asked.load(Ordering::Relaxed), 5);
}
