//! The names of all variables that classification and consent may ask for.
//!
//! One rule: an environment is read for the names listed here and the few of [`crate::machine`]; all others
//! are dropped while it is read.

use super::variables::{
    CI_GENERIC, CI_JENKINS, CI_JENKINS_JOB, CI_PROVIDER, CI_TASKCLUSTER, CLOUD_STRONG, CLOUD_WEAK,
};

/// Set inside containers by what runs them.
pub(super) const CONTAINER_SET: &[&str] = &[
    "KUBERNETES_SERVICE_HOST",
    "ECS_CONTAINER_METADATA_URI",
    "ECS_CONTAINER_METADATA_URI_V4",
    "K_SERVICE",
    "CLOUD_RUN_JOB",
    "CONTAINER_APP_NAME",
];
/// systemd's container interface: names the container manager.
pub(super) const CONTAINER: &str = "container";
/// Set inside a Distrobox.
pub(super) const DISTROBOX: &str = "DISTROBOX_ENTER_PATH";
/// Where a graphical session listens.
pub(super) const DISPLAY: &[&str] = &["DISPLAY", "WAYLAND_DISPLAY"];
/// Set in every process of a WSL distribution.
pub(super) const WSL: &str = "WSL_DISTRO_NAME";

/// The variables that can object to telemetry, of this process and of every ancestor. What a value of each
/// says is in `consent`, which does not build without a rule for every name.
///
/// The last two are near names: a user who sets one of them has objected.
pub const OBJECTIONS: &[&str] =
    &["DO_NOT_TRACK", "MCPPROXY_TELEMETRY", "MCPPROXY_TELEMETRY_DISABLED", "MCPPROXY_DO_NOT_TRACK"];

/// The variables by which a product is named to a host, name and version. They are read of this process alone,
/// and are no business of the programs that it starts.
pub const OF_PRODUCTS: [&str; 2] = ["MCPPROXY_PRODUCT", "MCPPROXY_PRODUCT_VERSION"];
/// How these begin, and whatever is said about a product in a variable.
pub const PREFIX_OF_PRODUCTS: &str = OF_PRODUCTS[0];

const LISTS: &[&[&str]] = &[
    CI_PROVIDER,
    CI_GENERIC,
    &CI_TASKCLUSTER,
    &[CI_JENKINS],
    &CI_JENKINS_JOB,
    CLOUD_STRONG,
    CLOUD_WEAK,
    CONTAINER_SET,
    &[CONTAINER, DISTROBOX, WSL],
    DISPLAY,
];

/// For each first byte, which lengths occur. An environment holds a hundred names that nobody asks
/// for, nine environments are read at every start, and this rejects nearly all of them at once.
const LENGTHS_BY_FIRST_BYTE: [u64; 128] = {
    let mut lengths = [0; 128];
    let mut list = 0;
    while list < LISTS.len() {
        let mut at = 0;
        while at < LISTS[list].len() {
            let name = LISTS[list][at].as_bytes();
            assert!(name.len() < 64, "a longer name needs a wider mask");
            lengths[name[0] as usize] |= 1 << name.len();
            at += 1;
        }
        list += 1;
    }
    lengths
};

/// Whether [`super::classify`] may ask for the variable `name`.
pub fn is_asked_for(name: &[u8]) -> bool {
    let Some(&first) = name.first() else { return false };
    let lengths = LENGTHS_BY_FIRST_BYTE.get(usize::from(first)).copied().unwrap_or(0);
    name.len() < 64
        && lengths & (1 << name.len()) != 0
        && LISTS.iter().any(|list| list.iter().any(|known| known.as_bytes() == name))
}

/// Every name, in the order of the rules.
pub fn all() -> impl Iterator<Item = &'static str> {
    LISTS.iter().flat_map(|list| list.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_listed_names_are_asked_for() {
        for name in all() {
            assert!(is_asked_for(name.as_bytes()), "{name}");
            assert!(!is_asked_for(name.to_lowercase().as_bytes()) || name == CONTAINER, "{name}");
            assert!(!is_asked_for(format!("{name}_").as_bytes()), "{name}_");
        }
        for name in
            ["", "PATH", "HOME", "BUILD_NUMBER", "RENDER", "NETLIFY_LOCAL", "VERCEL", "\u{e9}"]
        {
            assert!(!is_asked_for(name.as_bytes()), "{name}");
        }
        assert!(!is_asked_for(&[b'C'; 100]) && !is_asked_for(&[b'C'; 64]));
    }

    #[test]
    fn no_name_is_listed_twice() {
        let mut names: Vec<_> = all().collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
