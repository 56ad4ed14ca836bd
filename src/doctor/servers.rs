//! The upstream servers of the gateway.

use super::Check;
use crate::paths::DataDir;

/// The entries, one check for each that is broken.
#[cfg(feature = "serve")]
pub(super) fn check(dir: &DataDir) -> Vec<Check> {
    use crate::config::servers;
    const NAME: &str = "upstream_servers";
    // A file that cannot be read is said of the whole configuration already.
    let Ok(all) = servers::servers(dir) else { return Vec::new() };
    let lookup = |name: &str| std::env::var(name).ok();
    let broken = all.iter().filter(|server| server.enabled).filter_map(|server| {
        let why = server.trouble().or_else(|| server.expanded(&lookup).err())?;
        let found = format!("{:?} is not connected: {why}", server.name);
        Some(Check::warn(NAME, found, "correct its entry; see `mcpproxy upstream list`"))
    });
    let mut checks: Vec<Check> = broken.collect();
    if checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            match all.len() {
                0 => "there are none; `mcpproxy upstream add` adds one".to_owned(),
                count => format!("{count} configured, none of them broken"),
            },
        ));
    }
    checks
}

/// Without the gateway there are none.
#[cfg(not(feature = "serve"))]
pub(super) fn check(_dir: &DataDir) -> Vec<Check> {
    Vec::new()
}
