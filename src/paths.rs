//! The data directory and the names in it.
//!
//! One rule: every file name of the product is spelled here and nowhere else.

use std::path::{Path, PathBuf};

/// The data directory: `--data-dir`, else `MCPPROXY_HOME` (own or nearest ancestor's), else `~/.mcpproxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// A data directory at `root`, which need not exist.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `mcp_config.json`: the user's configuration, telemetry section included.
    pub fn config(&self) -> PathBuf {
        self.root.join("mcp_config.json")
    }

    /// Taken for every edit of the config.
    pub fn config_lock(&self) -> PathBuf {
        self.root.join("config.lock")
    }

    /// The LMDB environment.
    pub fn store(&self) -> PathBuf {
        self.root.join("telemetry")
    }

    /// Taken for every read and write of the store; outside what is ever renamed.
    pub fn store_lock(&self) -> PathBuf {
        self.root.join("telemetry.lock")
    }

    /// What brings flags back after damage.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("telemetry.checkpoint")
    }

    /// Where a damaged store is put aside.
    pub fn quarantine(&self, unix_seconds: u64) -> PathBuf {
        self.root.join(format!("telemetry.corrupt-{unix_seconds}"))
    }

    /// Copies of acknowledged payloads.
    pub fn sent(&self) -> PathBuf {
        self.root.join("sent")
    }

    /// What the tray says about autostart.
    pub fn autostart_sidecar(&self) -> PathBuf {
        self.root.join("tray-autostart.json")
    }
}
