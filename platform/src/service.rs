//! What a long-running service needs of its system.
//!
//! One rule: what a system does not have is quietly not done.

use crate::backend::service as backend;
use process_wrap::tokio::CommandWrap;

/// Puts the child in a process group of its own: a signal that a terminal sends to our group does not
/// reach it, and ending it ends its descendants.
pub fn own_group(command: &mut CommandWrap) {
    backend::own_group(command);
}

/// Tells the service manager how this process is: `READY=1`, `STOPPING=1` (see `sd_notify(3)`). Without
/// one (no `NOTIFY_SOCKET`) nothing happens.
pub fn notify(state: &str) {
    backend::notify(state);
}
