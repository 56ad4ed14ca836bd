//! Values decided at compile time, in one place; `--version --verbose` prints them.

use crate::contract::{self, Arch, Edition, Os};

/// What a build variable says; an empty one says nothing.
const fn said(value: Option<&'static str>) -> Option<&'static str> {
    match value {
        Some(text) if !text.is_empty() => value,
        _ => None,
    }
}

/// The release version (a git tag such as `v1.2.3`), when this is a release build.
pub const RELEASE_VERSION: Option<&str> = match said(option_env!("MCPPROXY_VERSION")) {
    Some(text) => match text.as_bytes() {
        [b'v', b'0'..=b'9', ..] => Some(text),
        _ => panic!("MCPPROXY_VERSION must be a version with a leading v, such as v1.2.3"),
    },
    None => None,
};
/// The version that is sent and shown: the release, else the crate's version marked `-dev`.
pub const VERSION: &str = match RELEASE_VERSION {
    Some(version) => version,
    None => concat!("v", env!("CARGO_PKG_VERSION"), "-dev"),
};

const _: () = assert!(
    contract::is_version(VERSION.as_bytes()),
    "MCPPROXY_VERSION must be a version as the schema's /$defs/version has it, such as v1.2.3 or \
     v1.2.3-rc1: the gate refuses every heartbeat of another"
);

/// Where heartbeats go when the config names no endpoint.
pub const ENDPOINT: Option<&str> = said(option_env!("MCPPROXY_ENDPOINT"));
/// The product whose installs are counted when a host names none.
pub const PRODUCT: Option<&str> = said(option_env!("MCPPROXY_PRODUCT"));
/// The version of that product.
pub const PRODUCT_VERSION: Option<&str> = said(option_env!("MCPPROXY_PRODUCT_VERSION"));
/// Nothing is sent before a person could see the notice.
pub const REQUIRE_VISIBLE_NOTICE: bool = match said(option_env!("MCPPROXY_REQUIRE_VISIBLE_NOTICE"))
{
    Some(text) => match text.as_bytes() {
        b"true" => true,
        b"false" => false,
        _ => panic!("MCPPROXY_REQUIRE_VISIBLE_NOTICE must be true or false"),
    },
    None => false,
};
/// The commit that was built, when the build was told.
pub const COMMIT: Option<&str> = said(option_env!("MCPPROXY_COMMIT"));
/// The target triple of this build.
pub const TARGET: &str = env!("MCPPROXY_TARGET");
/// The edition that is sent.
pub const EDITION: Edition = match said(option_env!("MCPPROXY_EDITION")) {
    Some(text) => match text.as_bytes() {
        b"personal" => Edition::Personal,
        b"server" => Edition::Server,
        b"minimal" => Edition::Minimal,
        _ => panic!("MCPPROXY_EDITION must be personal, server or minimal"),
    },
    None if cfg!(feature = "cli") => Edition::Personal,
    None => Edition::Minimal,
};
/// Only client names of the known vocabulary are ever sent.
pub const KNOWN_CLIENT_NAMES_ONLY: bool = match said(option_env!("MCPPROXY_CLIENT_NAMES")) {
    Some(text) => match text.as_bytes() {
        b"known" => true,
        b"all" => false,
        _ => panic!("MCPPROXY_CLIENT_NAMES must be known or all"),
    },
    None => false,
};

/// The operating system of this build, as sent.
pub fn os() -> Os {
    match std::env::consts::OS {
        "linux" => Os::Linux,
        "macos" => Os::Darwin,
        "windows" => Os::Windows,
        _ => Os::Other,
    }
}

/// The architecture of this build, as sent.
pub fn arch() -> Arch {
    match std::env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::Arm64,
        _ => Arch::Other,
    }
}

/// The cargo features of this build, in the order of the build menu.
pub const FEATURES: &[(&str, bool)] = &[
    ("detect-container", cfg!(feature = "detect-container")),
    ("detect-display", cfg!(feature = "detect-display")),
    ("detect-tty", cfg!(feature = "detect-tty")),
    ("detect-ppid", cfg!(feature = "detect-ppid")),
    ("activation", cfg!(feature = "activation")),
    ("heartbeat", cfg!(feature = "heartbeat")),
    ("tls", cfg!(feature = "tls")),
    ("tap", cfg!(feature = "tap")),
    ("record", cfg!(feature = "record")),
    ("cli", cfg!(feature = "cli")),
    ("web", cfg!(feature = "web")),
    ("servers", cfg!(feature = "servers")),
    ("serve", cfg!(feature = "serve")),
    ("collector", cfg!(feature = "collector")),
    ("simulate", cfg!(feature = "simulate")),
    ("connect", cfg!(feature = "connect")),
    ("autostart", cfg!(feature = "autostart")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::table::Text;

    #[test]
    fn the_version_of_this_build_can_be_sent() {
        assert!(Text::Version.matches(VERSION));
    }
}
