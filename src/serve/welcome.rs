//! The words at the start of a gateway on a terminal: its servers, what to do next, how to stop it.
//!
//! One rule: why a server is not connected stands in the log above, once, and is not repeated here.

use super::hub::{Hub, Status};
use crate::connect;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long the first attempts are waited for: a person wants the address more than the last server.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known when the addresses are printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    servers: usize,
    connected: usize,
    connecting: usize,
    disabled: usize,
    tools: usize,
    /// Configurations of clients that lead here.
    clients: u64,
}

impl Welcome {
    /// Waits for the first attempts, and looks.
    pub async fn of(hub: &Arc<Hub>) -> Self {
        let _ = tokio::time::timeout(PATIENCE, hub.settled()).await;
        let clients = tokio::task::spawn_blocking(connect::configured_ide_count).await;
        let mut welcome = Self { clients: clients.unwrap_or_default(), ..Self::default() };
        for server in hub.servers() {
            welcome.servers += 1;
            match server.status() {
                Status::Connected => welcome.connected += 1,
                Status::Connecting => welcome.connecting += 1,
                Status::Disabled => welcome.disabled += 1,
                Status::Failed(_) | Status::Waiting { .. } | Status::Parked(_) => {}
            }
            welcome.tools += server.live().map_or(0, |live| live.offer.tools.len());
        }
        welcome
    }

    fn next(&self) -> &'static str {
        if self.servers == 0 {
            "mcpproxy upstream add NAME -- COMMAND adds a server"
        } else if self.connected + self.connecting + self.disabled < self.servers {
            "mcpproxy doctor says why a server is not connected, and what helps"
        } else if self.clients == 0 {
            "mcpproxy connect CLIENT brings it into an MCP client; without CLIENT, it lists them"
        } else {
            "start a client that was connected, and ask it for something"
        }
    }
}

impl fmt::Display for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.servers {
            0 => write!(f, "Servers:        none yet")?,
            all => {
                write!(f, "Servers:        {} of {all} connected", self.connected)?;
                let tools = if self.tools == 1 { "tool" } else { "tools" };
                write!(f, ", {} {tools}", self.tools)?;
            }
        }
        for (count, word) in [(self.connecting, "still connecting"), (self.disabled, "disabled")] {
            if count > 0 {
                write!(f, ", {count} {word}")?;
            }
        }
        write!(f, "\nNext:           {}\nTo stop:        press Ctrl+C\n", self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_there_and_what_to_do_next() {
        for (welcome, first, next) in [
            (Welcome::default(), "none yet", "upstream add"),
            (
                Welcome { servers: 2, connected: 1, tools: 1, ..Welcome::default() },
                "1 of 2 connected, 1 tool\n",
                "mcpproxy doctor",
            ),
            (
                Welcome {
                    servers: 3,
                    connected: 1,
                    connecting: 1,
                    disabled: 1,
                    tools: 4,
                    clients: 0,
                },
                "1 of 3 connected, 4 tools, 1 still connecting, 1 disabled\n",
                "mcpproxy connect CLIENT",
            ),
            (
                Welcome { servers: 1, connected: 1, tools: 2, clients: 1, ..Welcome::default() },
                "1 of 1 connected, 2 tools\n",
                "start a client",
            ),
        ] {
            let text = welcome.to_string();
            assert!(text.starts_with(&format!("Servers:        {first}")), "{text}");
            assert!(text.lines().nth(1).is_some_and(|line| line.contains(next)), "{text}");
            assert!(text.ends_with("press Ctrl+C\n"), "{text}");
        }
    }
}
