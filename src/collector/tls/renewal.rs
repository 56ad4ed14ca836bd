//! The certificate in use, and the look at its files that renews it.
//!
//! One rule: connections keep the certificate that they began with; the next ones get the newest that works.

use super::{Bytes, Current, SOON, TlsError, TlsFiles};
use crate::collector::http::Clock;
use crate::contract::timestamp;
use mcpproxy_platform::files;
use rustls::ServerConfig;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{error, info, warn};

/// How often the files are read again. Their contents are compared, not their times: a link that leads elsewhere
/// and a file that was put back are seen as well.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate of a running collector.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Current>,
}

impl Tls {
    /// The certificate that the files hold, and the thread that reads them again and again, which ends with its
    /// handle.
    pub fn begin(files: TlsFiles, clock: Clock) -> Result<(Arc<Self>, Renewing), TlsError> {
        let bytes = Bytes::read(&files)?;
        let current = Current::new(&bytes, &files)?;
        let tls = Arc::new(Self { files, current: RwLock::new(current) });
        let (stop, stopped) = mpsc::channel::<()>();
        let mut look =
            Look { tls: tls.clone(), used: bytes, before: None, is_bad: false, warned: None };
        let thread = std::thread::Builder::new().name("certificate".to_owned()).spawn(move || {
            look.warn_of_the_end(clock());
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                look.at_the_files();
                look.warn_of_the_end(clock());
            }
        });
        let thread = thread.map_err(|error| TlsError::Thread(error.kind()))?;
        Ok((tls, Renewing { stop: Some(stop), thread: Some(thread) }))
    }

    /// Others on this machine may read the private key.
    pub fn key_is_exposed(&self) -> bool {
        files::is_readable_by_others(&self.files.key)
    }

    /// Seconds since 1970 at which the certificate ends, where it says so.
    pub fn ends_at(&self) -> Option<u64> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).ends_at
    }

    /// What the next connection is greeted with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }
}

/// Renews the certificate until it is dropped.
pub struct Renewing {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Renewing {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// What the looks have found, and what was said about it.
struct Look {
    tls: Arc<Tls>,
    /// The bytes of the certificate in use.
    used: Bytes,
    /// What the look before this one found, when it was something else.
    before: Option<Result<Bytes, TlsError>>,
    /// It was said that the files do not work.
    is_bad: bool,
    /// The day on which the end was last warned of.
    warned: Option<u64>,
}

impl Look {
    /// Files are taken once they were the same twice: a certificate and its key are written one after the other.
    fn at_the_files(&mut self) {
        let files = &self.tls.files;
        let found = Bytes::read(files);
        if found.as_ref() == Ok(&self.used) {
            self.before = None;
            if std::mem::take(&mut self.is_bad) {
                info!("the files of the certificate in use are back");
            }
            return;
        }
        if self.before.as_ref() != Some(&found) {
            self.before = Some(found);
            self.is_bad = false;
            return;
        }
        if self.is_bad {
            return;
        }
        let made = found.and_then(|bytes| Ok((Current::new(&bytes, files)?, bytes)));
        match made {
            Ok((current, bytes)) => {
                let ends = current.ends_at.map(timestamp::format);
                *self.tls.current.write().unwrap_or_else(PoisonError::into_inner) = current;
                (self.used, self.before, self.warned) = (bytes, None, None);
                info!(ends, "a new certificate is in use");
            }
            Err(error) => {
                self.is_bad = true;
                error!("the old certificate stays in use: {error}");
            }
        }
    }

    /// Says once a day that the certificate ends soon, or has ended.
    fn warn_of_the_end(&mut self, now: u64) {
        let Some(ends_at) = self.tls.ends_at() else { return };
        let today = now / timestamp::DAY;
        let left = ends_at.saturating_sub(now) / timestamp::DAY;
        if left >= SOON || self.warned == Some(today) {
            return;
        }
        self.warned = Some(today);
        let ends = timestamp::format(ends_at);
        if ends_at <= now {
            error!(ends, "the certificate has ended: clients refuse it; renew it");
        } else {
            warn!(ends, "the certificate ends in {left} days: renew it");
        }
    }
}
