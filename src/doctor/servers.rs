//! The upstream servers of the gateway.

use super::Check;
use crate::paths::DataDir;

/// The entries, one check for each that is broken.
#[cfg(feature = "serve")]
pub(super) fn check(dir: &DataDir) -> Vec<Check> {
    use crate::config::DISPLAY_NAME;
    use crate::config::servers::{self, ServersError};
    use crate::serve::trial;
    use mcpproxy_platform::files;
    const NAME: &str = "upstream_servers";
    let all = match servers::servers(dir) {
        Ok(all) => all,
        // It is said of the whole configuration already.
        Err(ServersError::Config(_)) => return Vec::new(),
        Err(error) => {
            let advice = "correct it; until then no server is used";
            return vec![Check::fail(NAME, error.to_string(), advice).with(error.code())];
        }
    };
    let lookup = |name: &str| std::env::var(name).ok();
    let broken = all.iter().filter(|server| server.enabled).filter_map(|server| {
        let error = server.trouble().map_or_else(|| server.expanded(&lookup), Err);
        let (code, why) = match &error {
            Err(error) => (error.code(), error.to_string()),
            Ok(transport) => trial::obvious(transport)?,
        };
        let found = format!("{:?} is not connected: {why}", server.name);
        let advice = match error {
            Err(_) => "correct its entry; see `mcpproxy upstream list`",
            Ok(_) => {
                "correct its entry or install what it names; `mcpproxy upstream test NAME` tries it"
            }
        };
        Some(Check::warn(NAME, found, advice).with(code))
    });
    let mut checks: Vec<Check> = broken.collect();
    if let Some(mode) = files::mode_for_others(&dir.config())
        && let Some((server, member)) =
            all.iter().find_map(|server| Some((server, server.secret()?)))
    {
        let found = format!(
            "{DISPLAY_NAME} has mode {mode:04o}: others may read the `{member}` of {:?}",
            server.name
        );
        checks.push(Check::warn(NAME, found, "chmod 600, or write ${NAME} in place of a secret"));
    }
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
