//! From what happens in the gateway to telemetry, beside the traffic.
//!
//! One rule: no request waits for the store's lock or disk.

use crate::activation::ErrorMark;
use crate::contract::{BuiltinTool, Surface};
use crate::diagnostics::Code;
use crate::telemetry::{Event, Telemetry};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Such a call returned a result.
    UpstreamResult,
    /// A client asked something that none of the others stands for.
    Request,
    /// A tool of ours was called, other than through one of the above.
    Builtin(BuiltinTool),
    /// The page was opened.
    Page,
    /// Something changed into the state of this code; not when the state goes on.
    ErrorCode(Code),
    /// A fix was tried.
    FixAttempted,
    /// A fix ended the state that it was for.
    FixSucceeded,
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
            Self::UpstreamResult => Event::UpstreamResult,
            Self::Request => Event::Request { surface: Surface::Mcp },
            Self::Builtin(tool) => Event::BuiltinCall { tool: *tool },
            Self::Page => Event::Request { surface: Surface::Webui },
            Self::ErrorCode(code) => Event::Error(ErrorMark::Met(*code)),
            Self::FixAttempted => Event::Error(ErrorMark::FixAttempted),
            Self::FixSucceeded => Event::Error(ErrorMark::FixSucceeded),
        }
    }
}

/// Records events in the background, in their order, on one thread at a time: the store takes one writer,
/// and more threads would only wait for it.
pub struct Recorder {
    telemetry: Arc<Telemetry>,
    waiting: Mutex<Waiting>,
    done: Notify,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Happened>,
    is_writing: bool,
}

impl Recorder {
    /// Records into `telemetry`.
    pub fn new(telemetry: Arc<Telemetry>) -> Arc<Self> {
        Arc::new(Self { telemetry, waiting: Mutex::default(), done: Notify::new() })
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
        {
            let mut waiting = self.waiting();
            if waiting.events.len() >= MOST_WAITING {
                return;
            }
            waiting.events.push_back(happened);
            if std::mem::replace(&mut waiting.is_writing, true) {
                return;
            }
        }
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            while let Some(happened) = this.next() {
                this.telemetry.record(happened.event());
            }
            this.done.notify_waiters();
        });
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written next; with nothing, the writer is done.
    fn next(&self) -> Option<Happened> {
        let mut waiting = self.waiting();
        let next = waiting.events.pop_front();
        waiting.is_writing = next.is_some();
        next
    }

    /// Waits until everything is recorded, at most that long.
    pub async fn drained(&self, within: Duration) {
        let drained = async {
            loop {
                let done = self.done.notified();
                if !self.waiting().is_writing {
                    return;
                }
                done.await;
            }
        };
        let _ = tokio::time::timeout(within, drained).await;
    }
}
