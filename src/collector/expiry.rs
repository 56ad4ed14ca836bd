//! The thread that lets old rows expire, once a UTC day.
//!
//! One rule: heartbeats come first. It works in small steps, and rests after each for longer than it has worked.

use super::definitions::Now;
use super::http::Clock;
use super::store::{Expired, Expiry, ExpiryError, Keep, Location};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// How often it looks whether a new day has begun.
const LOOK: Duration = Duration::from_secs(60);
/// It rests so many times as long as a step took.
const PART: u32 = 4;

/// Lets rows expire until it is dropped.
pub struct Background {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Begins at once, and again on every new day.
pub fn begin(place: Location, keep: Keep, clock: Clock) -> std::io::Result<Background> {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("expiry".to_owned()).spawn(move || {
        let mut done = None;
        let mut failed = None;
        loop {
            let now = Now(clock());
            if done != Some(now.today()) {
                match pass(&place, keep, now, &stopped) {
                    Ok(None) => return,
                    Ok(Some(0)) => failed = None,
                    Ok(Some(rows)) => {
                        info!(rows, "old rows have expired; their numbers stay");
                        failed = None;
                    }
                    // Said once, not every day.
                    Err(error) if failed.as_ref() != Some(&error) => {
                        error!("old rows are kept: {error}");
                        failed = Some(error);
                    }
                    Err(_) => {}
                }
                done = Some(now.today());
            }
            if stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    })?;
    Ok(Background { stop: Some(stop), thread: Some(thread) })
}

/// How many rows expired; `None` when it was told to end.
fn pass(
    place: &Location,
    keep: Keep,
    now: Now,
    stopped: &Receiver<()>,
) -> Result<Option<u64>, ExpiryError> {
    let mut expiry = Expiry::begin(place, keep, now)?;
    let mut all = 0;
    loop {
        let started = Instant::now();
        match expiry.step()? {
            Expired::Rows(rows) => all += u64::from(rows),
            Expired::Nothing => return Ok(Some(all)),
        }
        let rest = started.elapsed().saturating_mul(PART);
        if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
            return Ok(None);
        }
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
