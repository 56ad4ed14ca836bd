//! A server that is started anew because somebody asked for it.
//!
//! One rule: the new one begins when nothing of the old one lives any more, and knows what that wrote.

use super::{Hub, Server, Status};
use crate::serve::supervisor;
use std::fmt;
use std::sync::{Arc, PoisonError};

/// Why a server is not restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartError {
    /// There is none of that name.
    Unknown,
    /// Its entry says that it is not to run.
    Disabled,
    /// Its entry is wrong, in these words.
    Unusable(String),
}

impl fmt::Display for RestartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("there is no server of that name"),
            Self::Disabled => {
                f.write_str("the server is disabled; `mcpproxy upstream enable` lets it run")
            }
            Self::Unusable(why) => write!(f, "the server's entry cannot be used: {why}"),
        }
    }
}

impl Hub {
    /// Ends the server of that name and starts it at once, whatever it was waiting for.
    pub fn restart(self: &Arc<Self>, name: &str) -> Result<(), RestartError> {
        let new = {
            let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
            let place = servers.iter_mut().find(|server| *server.name == *name);
            let place = place.ok_or(RestartError::Unknown)?;
            let stood = place.state().standing;
            let mut new = Server::new(place.entry.clone(), self.stop.child_token(), stood);
            match new.status() {
                Status::Disabled => return Err(RestartError::Disabled),
                Status::Failed(why) => return Err(RestartError::Unusable(why.to_string())),
                _ => {}
            }
            new.lines = place.lines.clone();
            let old = std::mem::replace(place, Arc::new(new));
            old.stop.cancel();
            self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(old);
            place.clone()
        };
        self.starting.send_modify(|count| *count += 1);
        let before = self.leaving_as(&new.name);
        self.tasks.spawn(supervisor::run(self.clone(), new, before));
        self.changed();
        Ok(())
    }
}
