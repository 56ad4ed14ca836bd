//! From what happens in the gateway to telemetry, beside the traffic.
//!
//! One rule: no request waits for the store's lock or disk.

use crate::activation::BuiltinTool;
use crate::activation::Surface;
use crate::telemetry::{Event, Telemetry};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Events that may wait; with more the store is stuck, and they are dropped.
const MOST_WAITING: usize = 1024;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A client introduced itself by this raw name.
    Client(String),
    /// A server answered.
    ServerConnected,
    /// `retrieve_tools` was answered.
    Discovery {
        /// Tools that were searched.
        indexed: u64,
        /// Tools that were returned.
        returned: u64,
    },
    /// A tool of a server was called.
    UpstreamCall,
    /// A tool of ours was called, other than through one of the above.
    Builtin(BuiltinTool),
    /// The page was opened.
    Page,
}

impl Happened {
    fn event(&self) -> Event<'_> {
        match self {
            Self::Client(name) => Event::ClientSeen { name },
            Self::ServerConnected => Event::ServerConnected,
            Self::Discovery { indexed, returned } => {
                Event::Discovery { indexed: Some(*indexed), returned: Some(*returned) }
            }
            Self::UpstreamCall => Event::UpstreamCall,
            Self::Builtin(tool) => Event::BuiltinCall { tool: *tool },
            Self::Page => Event::Request { surface: Surface::Webui },
        }
    }
}

/// Records events in the background.
pub struct Recorder {
    telemetry: Arc<Telemetry>,
    waiting: AtomicUsize,
    done: Notify,
}

impl Recorder {
    /// Records into `telemetry`.
    pub fn new(telemetry: Arc<Telemetry>) -> Arc<Self> {
        Arc::new(Self { telemetry, waiting: AtomicUsize::new(0), done: Notify::new() })
    }

    /// What is recorded into.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// Records one event; returns at once. Needs a runtime.
    pub fn record(self: &Arc<Self>, happened: Happened) {
        if !self.telemetry.is_on() {
            // One look at the config: telemetry may have been switched on. No thread for that.
            self.telemetry.record(happened.event());
            return;
        }
        if self.telemetry.is_known(&happened.event()) {
            return;
        }
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            this.telemetry.record(happened.event());
            if this.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
                this.done.notify_waiters();
            }
        });
    }

    /// Waits until everything is recorded, at most that long.
    pub async fn drained(&self, within: Duration) {
        let drained = async {
            loop {
                let done = self.done.notified();
                if self.waiting.load(Ordering::Acquire) == 0 {
                    return;
                }
                done.await;
            }
        };
        let _ = tokio::time::timeout(within, drained).await;
    }
}
