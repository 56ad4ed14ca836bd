//! `mcp_config.json`: reading our section, and editing it without touching anything else.
//!
//! One rule: what we do not own keeps its bytes, and what we cannot read turns telemetry off.

mod edit;
mod error;
mod file;
#[cfg(feature = "servers")]
pub(crate) mod halves;
pub(crate) mod layout;
mod products;
mod reader;
// The fuzz targets read it without the gateway, whose dependencies take minutes to build.
#[cfg(feature = "servers")]
pub mod servers;
mod text;
pub mod trust;

pub use edit::{EDIT_DEADLINE, EditError, Editing, edit};
pub use error::ConfigError;
pub use file::{Lock, lock};
pub(crate) use file::{lock_file, remove_leftovers};
pub use layout::NewValue;
pub use products::{ProductConfig, product_name};
pub(crate) use reader::file_stamp;
pub use reader::{MAX_BYTES, member, read, read_users, stamp, text_member};
pub use text::{Step, set_member};

/// How messages name the config; the real path may name the user.
pub const DISPLAY_NAME: &str = Which::Given.file();

/// Which config: that of the data directory, or the user's own beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of the data directory.
    Given,
    /// Of `~/.mcpproxy`, where the data directory is another one.
    Users,
}

impl Which {
    /// How messages name the file.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Given => "<data dir>/mcp_config.json",
            Self::Users => "~/.mcpproxy/mcp_config.json",
        }
    }

    /// How messages name its lock.
    const fn lock(self) -> &'static str {
        match self {
            Self::Given => "<data dir>/config.lock",
            Self::Users => "~/.mcpproxy/config.lock",
        }
    }

    /// How messages name its directory.
    const fn directory(self) -> &'static str {
        match self {
            Self::Given => "the data directory",
            Self::Users => "the directory ~/.mcpproxy",
        }
    }

    /// What helps a user whose own it is not.
    const fn elsewhere(self) -> &'static str {
        match self {
            Self::Given => "name another data directory with --data-dir or MCPPROXY_HOME",
            Self::Users => "set HOME to a home directory of your own",
        }
    }
}

/// Our section of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// `telemetry.enabled`
    pub enabled: Option<bool>,
    /// `telemetry.disabled`, a near name: a user who writes it has objected.
    pub disabled: Option<bool>,
    /// `telemetry.anonymous_id`, byte for byte. An empty one counts as none.
    pub anonymous_id: Option<String>,
    /// `telemetry.anonymous_id_created_at`. An empty one counts as none.
    pub anonymous_id_created_at: Option<String>,
    /// `telemetry.rotated_from`: the id before the last yearly rotation, never sent. An empty one counts
    /// as none.
    pub rotated_from: Option<String>,
    /// `telemetry.endpoint`. An empty one counts as none.
    pub endpoint: Option<String>,
    /// `telemetry.client_names` is `"known"`.
    pub known_client_names_only: bool,
    /// `telemetry.products`: in the order of the text, and twice where two spellings are one name.
    pub products: Vec<(String, ProductConfig)>,
}

impl TelemetryConfig {
    /// Whether it switches this product off, alone or with all others.
    pub fn objects_to(&self, product: &str) -> bool {
        self.enabled == Some(false)
            || self.disabled == Some(true)
            || self.product(product).any(ProductConfig::objects)
    }

    /// What is said about one product.
    pub fn product(&self, name: &str) -> impl Iterator<Item = &ProductConfig> {
        self.products.iter().filter(move |(known, _)| known == name).map(|(_, product)| product)
    }
}

/// What reading the config gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigState {
    /// There is no config file (or no data directory).
    Missing,
    /// It was read.
    Loaded(TelemetryConfig),
    /// It is unreadable or corrupt: telemetry is off.
    Unusable(ConfigError),
}

impl ConfigState {
    /// Our section, when the config could be read and has one.
    pub fn telemetry(&self) -> Option<&TelemetryConfig> {
        match self {
            Self::Loaded(telemetry) => Some(telemetry),
            Self::Missing | Self::Unusable(_) => None,
        }
    }
}

/// Identifies one version of the config file: (mtime in ns, size, inode), `None` when there is no file; and why it is not
/// used, when it or something on the way to it is in the hands of others.
pub type Stamp = (Option<(i128, u64, u64)>, Option<trust::Distrust>);
