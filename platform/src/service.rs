//! What a long-running service needs of its system.
//!
//! One rule: what a system does not have is quietly not done.

use crate::backend::service as backend;

/// Tells the service manager how this process is: `READY=1`, `STOPPING=1` (see `sd_notify(3)`). Without
/// one (no `NOTIFY_SOCKET`) nothing happens.
pub fn notify(state: &str) {
    backend::notify(state);
}
