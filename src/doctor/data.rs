//! The data directory and what is in it.

use super::Check;
use crate::config::trust::{self, Part};
use crate::config::{self, ConfigState, DISPLAY_NAME, Which};
use crate::consent::Configs;
use crate::diagnostics::Code;
use crate::paths::DataDir;
use mcpproxy_platform::files::{self, FileSystem};
use std::path::Path;

const DIRECTORY: &str = "data_dir";

/// The directory: one check, or one for each trouble.
pub(super) fn directory(dir: &DataDir) -> Vec<Check> {
    let root = dir.root();
    let elsewhere = "name another directory with --data-dir or MCPPROXY_HOME";
    let nearest = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    if !nearest.is_dir() {
        return vec![
            Check::fail(DIRECTORY, "it is a file, or its path leads through one", elsewhere)
                .with(Code::StoreReadOnly),
        ];
    }
    let mut checks = Vec::new();
    if let Err(why) = trust::check(dir)
        && matches!(why.part, Part::Directory | Part::WayToDirectory)
    {
        let found = format!("{why}: telemetry is off, and no server is used");
        let check = Check::fail(DIRECTORY, found, why.advice(Which::Given));
        checks.push(check.with(Code::ConfigUnreadable));
    }
    if let Err(e) = files::check_writable(nearest) {
        let found = format!("it cannot be written: {}", e.kind());
        let check = Check::fail(DIRECTORY, found, format!("make it writable, or {elsewhere}"));
        checks.push(check.with(Code::StoreReadOnly));
    }
    if let Ok(FileSystem::RemoteOrUnknown(name)) = files::file_system(nearest) {
        let found = format!("it is on {name}, where no store is kept: nothing is counted or sent");
        checks.push(Check::warn(DIRECTORY, found, elsewhere).with(Code::StoreRemote));
    }
    if root.exists() && files::is_readable_by_others(root) {
        checks.push(Check::warn(
            DIRECTORY,
            "other users can read it",
            "take their rights away: chmod 700",
        ));
    }
    if checks.is_empty() {
        checks.push(Check::ok(
            DIRECTORY,
            match root.exists() {
                true => "it is there, writable, private, and on a local file system",
                false => "there is none yet; it is made when something has to be kept",
            },
        ));
    }
    checks
}

/// The configuration.
pub(super) fn config(dir: &DataDir) -> Check {
    if let Err(why) = trust::check(dir) {
        let found = format!("it is not read: {why}");
        let check = Check::fail("config", found, why.advice(Which::Given));
        return check.with(Code::ConfigUnreadable);
    }
    match config::read(dir) {
        ConfigState::Missing => Check::ok("config", "there is none; everything is as by default"),
        ConfigState::Loaded(_) => Check::ok("config", "it is there, and strict JSON"),
        ConfigState::Unusable(why) => Check::fail(
            "config",
            format!("{DISPLAY_NAME}: {why}"),
            "repair it or move it away; until then telemetry is off, and no server is used",
        )
        .with(Code::ConfigUnreadable),
    }
}

/// The user's own config, where it is another one and is there.
pub(super) fn users_config(dir: &DataDir) -> Option<Check> {
    const USERS: &str = "user_config";
    match Configs::read(dir).users? {
        ConfigState::Missing => None,
        ConfigState::Loaded(_) => {
            Some(Check::ok(USERS, format!("{} is strict JSON", Which::Users.file())))
        }
        ConfigState::Unusable(why) => {
            let check = Check::fail(
                USERS,
                format!("{}: {why}", Which::Users.file()),
                "repair it or move it away; until then telemetry is off in every data directory",
            );
            Some(check.with(Code::ConsentUnreadable))
        }
    }
}

/// The key of the status API.
#[cfg(feature = "serve")]
pub(super) fn api_key(dir: &DataDir) -> Option<Check> {
    use crate::serve::key::{self, KeyError};
    Some(match key::exposure(dir) {
        Ok(None) => Check::ok("api_key", "there is none yet; `mcpproxy serve` makes one"),
        Ok(Some(false)) => Check::ok("api_key", "it is there, and only its owner can read it"),
        Ok(Some(true)) => Check::warn(
            "api_key",
            format!("other users can read it in {DISPLAY_NAME}"),
            "take their rights away: chmod 600; then remove `api_key`, and a new one is made",
        ),
        // Said of the whole file already.
        Err(KeyError::Config(_)) => return None,
        Err(why) => Check::fail("api_key", why.to_string(), "then start `mcpproxy serve` again"),
    })
}

/// Without the gateway there is no key.
#[cfg(not(feature = "serve"))]
pub(super) fn api_key(_dir: &DataDir) -> Option<Check> {
    None
}
