//! `mcp_config.json`: reading our section, and editing it without touching anything else.
//!
//! One rule: what we do not own keeps its bytes, and what we cannot read turns telemetry off.

use crate::paths::DataDir;

/// Our section of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// `telemetry.enabled`
    pub enabled: Option<bool>,
    /// `telemetry.anonymous_id`, byte for byte.
    pub anonymous_id: Option<String>,
    /// `telemetry.anonymous_id_created_at`
    pub anonymous_id_created_at: Option<String>,
    /// `telemetry.endpoint`
    pub endpoint: Option<String>,
    /// `telemetry.client_names` is `"known"`.
    pub known_client_names_only: bool,
}

/// What reading the config gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigState {
    /// There is no config file (or no data directory).
    Missing,
    /// It was read.
    Loaded(TelemetryConfig),
    /// It is unreadable or corrupt: telemetry is off. The text says what is wrong, without values.
    Unusable(String),
}

/// Identifies one version of the config file: (mtime in ns, size, inode); `None` when there is no file.
pub type Stamp = Option<(i128, u64, u64)>;

/// Reads the config.
pub fn read(_dir: &DataDir) -> ConfigState {
    todo!("consent room")
}

/// The stamp of the config file as it is now; one `stat`.
pub fn stamp(_dir: &DataDir) -> Stamp {
    todo!("consent room")
}
