//! What a host process says about itself: once when it starts, and as long as it lives.

use crate::contract::{LaunchSource, RoutingMode};
use crate::products::HostProduct;
use std::path::PathBuf;

/// What a host says about itself when it starts telemetry.
#[derive(Clone, Debug)]
pub struct Host {
    /// How it routes: decides its priority as a sender (`Tap` yields to a live gateway).
    pub routing_mode: RoutingMode,
    /// `--data-dir`, or `None` for the default.
    pub data_dir: Option<PathBuf>,
    /// How the host was launched, when it knows.
    pub launched_by: Option<LaunchSource>,
    /// The product that it belongs to; `None` counts it as an install of `mcpproxy` itself.
    pub product: Option<HostProduct>,
}
