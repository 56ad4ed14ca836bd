//! A data directory or configuration in the hands of others is used by no host, and `doctor` says what to do.
#![cfg(all(unix, feature = "full"))]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use mcpproxy::config;
use mcpproxy::paths::DataDir;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");
/// Users and groups that no system has.
const OTHER: u32 = 54_321;

struct Home(tempfile::TempDir);

impl Home {
    /// With a data directory and a config in it.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir(home.data()).expect("made");
        fs::write(home.config(), "{\"mcpServers\": {}}").expect("written");
        set(&home.data(), 0o700);
        set(&home.config(), 0o600);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn config(&self) -> PathBuf {
        self.path("data/mcp_config.json")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(MCPPROXY);
        command.args(words).env_clear().env("HOME", self.0.path()).env("PATH", "/usr/bin:/bin");
        command.env("MCPPROXY_HOME", self.data()).stdin(Stdio::null());
        command.output().expect("it starts")
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_slice(&self.run(words).stdout).expect("JSON")
    }

    fn effective(&self) -> String {
        let status = self.json(&["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
        status["effective"].as_str().expect("a word").to_owned()
    }

    /// Names below the data directory.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data()).expect("read").flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// No host uses it, each says why, and none makes anything in it.
    #[track_caller]
    fn is_refused(&self, check: &str, part: &str) {
        let names = self.names();
        let status = self.json(&["telemetry", "status", "--product", "mcpproxy", "-o", "json"]);
        assert_eq!(status["effective"], "off", "{status}");
        let text = self.run(&["telemetry", "status"]).stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.contains(part), "{part} is not in {text}");
        // The client of a wrapped server notices nothing.
        let tap = self.run(&["tap", "--", "echo", "hello"]);
        assert_eq!((tap.status.code(), tap.stdout.as_slice()), (Some(0), &b"hello\n"[..]));
        let serve = self.run(&["serve", "--stdio"]);
        let said = String::from_utf8_lossy(&serve.stderr).into_owned();
        assert_eq!(serve.status.code(), Some(1), "{said}");
        assert!(said.lines().count() == 1 && said.contains(part), "{said}");
        let edit = self.run(&["telemetry", "enable"]);
        assert!(!edit.status.success() && String::from_utf8_lossy(&edit.stderr).contains(part));
        let doctor = self.json(&["doctor", "-o", "json"]);
        let checks = doctor["checks"].as_array().expect("checks");
        let found = checks.iter().find(|found| found["name"] == check && found["level"] == "fail");
        let found = found.unwrap_or_else(|| panic!("{check} does not fail: {doctor}"));
        assert!(found["found"].as_str().is_some_and(|found| found.contains(part)), "{found}");
        assert!(found["advice"].as_str().is_some_and(|advice| advice.contains("ch")), "{found}");
        assert_eq!(self.names(), names, "something was made");
    }

    #[track_caller]
    fn is_used(&self) {
        assert_ne!(self.effective(), "off");
        assert!(self.run(&["tap", "--", "true"]).status.success());
        assert!(self.names().len() > 1, "no host used it: {:?}", self.names());
        assert!(self.run(&["serve", "--stdio"]).status.success());
    }
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

/// Whether this process may give files away.
fn may_give_away(home: &Home) -> bool {
    let may = chown(home.path(""), Some(0), Some(0)).is_ok()
        && fs::metadata(home.path("")).is_ok_and(|found| found.uid() == 0);
    if !may {
        skipped!("not root; nothing was given to another user");
    }
    may
}

#[test]
fn what_is_ours_alone_is_used() {
    let home = Home::new();
    home.is_used();
}

#[test]
fn what_others_may_write_is_refused() {
    for (mode, is_fine) in [(0o702, false), (0o777, false), (0o1777, false), (0o755, true)] {
        let home = Home::new();
        set(&home.data(), mode);
        match is_fine {
            true => home.is_used(),
            false => home.is_refused("data_dir", "others may write the data directory"),
        }
    }
    let home = Home::new();
    set(&home.config(), 0o602);
    home.is_refused("config", "others may write the configuration");
    set(&home.config(), 0o644);
    home.is_used();
    // A directory on the way: one with the sticky bit, as `/tmp` is, protects what is in it.
    let home = Home::new();
    set(&home.path(""), 0o777);
    home.is_refused("data_dir", "others may write a directory or link on the way");
    set(&home.path(""), 0o1777);
    home.is_used();
}

/// Running hosts look at the stamp again and again.
#[test]
fn a_change_of_rights_is_told_like_a_change_of_the_configuration() {
    let home = Home::new();
    let dir = DataDir::at(home.data());
    let ours = config::stamp(&dir);
    let all = [(home.data(), 0o777, 0o700), (home.config(), 0o666, 0o600)];
    for (path, open, closed) in all.into_iter().chain([(home.path("."), 0o777, 0o700)]) {
        set(&path, open);
        assert_ne!(config::stamp(&dir), ours);
        set(&path, closed);
        assert_eq!(config::stamp(&dir), ours);
    }
}

#[test]
fn a_configuration_that_is_a_link_is_used_when_the_whole_way_is_ours() {
    let home = Home::new();
    for directory in ["dotfiles", "dotfiles/mcp"] {
        fs::create_dir(home.path(directory)).expect("made");
    }
    fs::rename(home.config(), home.path("dotfiles/mcp/config.json")).expect("moved");
    symlink("../dotfiles/mcp/config.json", home.config()).expect("linked");
    home.is_used();
    set(&home.path("dotfiles"), 0o777);
    home.is_refused("config", "others may write a directory or link on the way");
    set(&home.path("dotfiles"), 0o755);
    set(&home.path("dotfiles/mcp/config.json"), 0o666);
    home.is_refused("config", "others may write the configuration");
    set(&home.path("dotfiles/mcp/config.json"), 0o644);
    // The data directory as a link, relative and absolute.
    for target in [PathBuf::from("real"), home.path("dotfiles/../real")] {
        if !home.path("real").exists() {
            fs::rename(home.data(), home.path("real")).expect("moved");
        }
        let _ = fs::remove_file(home.data());
        symlink(target, home.data()).expect("linked");
        assert_ne!(home.effective(), "off");
        set(&home.path("real"), 0o777);
        home.is_refused("data_dir", "others may write the data directory");
        set(&home.path("real"), 0o700);
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let home = Home::new();
    if !may_give_away(&home) {
        return;
    }
    let give = |name: &str, uid| lchown(home.path(name), Some(uid), None).expect("given");
    for (name, check, part) in [
        ("data", "data_dir", "the data directory belongs to another user"),
        ("", "data_dir", "on the way to the data directory belongs to another user"),
        ("data/mcp_config.json", "config", "the configuration belongs to another user"),
    ] {
        give(name, OTHER);
        home.is_refused(check, part);
        give(name, 0);
        assert_ne!(home.effective(), "off", "{name}");
    }
    // A link that another user made, to a file that is ours.
    fs::rename(home.config(), home.path("config.json")).expect("moved");
    symlink("../config.json", home.config()).expect("linked");
    give("data/mcp_config.json", OTHER);
    home.is_refused("config", "belongs to another user");
    give("data/mcp_config.json", 0);
    fs::rename(home.data(), home.path("real")).expect("moved");
    symlink("real", home.data()).expect("linked");
    give("data", OTHER);
    home.is_refused("data_dir", "link on the way to the data directory belongs to another user");
    give("data", 0);
    home.is_used();
}

#[test]
fn a_group_may_write_where_it_is_the_users_own() {
    let home = Home::new();
    if !may_give_away(&home) {
        return;
    }
    let group = |gid| chown(home.data(), None, Some(gid)).expect("given");
    group(OTHER);
    set(&home.data(), 0o770);
    home.is_refused("data_dir", "others may write the data directory");
    group(0);
    assert_ne!(home.effective(), "off");

    // A user with a group of the same number, as most systems give one, and umask 002.
    let home = Home::new();
    set(&home.config(), 0o664);
    for name in ["", "data", "data/mcp_config.json"] {
        chown(home.path(name), Some(OTHER), Some(OTHER)).expect("given");
    }
    for name in ["", "data"] {
        set(&home.path(name), 0o775);
    }
    let status = |uid: u32, gid: u32| {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(MCPPROXY);
        command
            .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
            .env_clear()
            .uid(uid)
            .gid(gid);
        command.env("HOME", home.path("")).env("MCPPROXY_HOME", home.data()).current_dir("/");
        let output = command.stdin(Stdio::null()).output().ok()?;
        serde_json::from_slice::<Value>(&output.stdout).ok()
    };
    let Some(own) = status(OTHER, OTHER) else {
        skipped!("another user cannot run this program");
        return;
    };
    assert_ne!(own["effective"], "off", "{own}");
    // One who runs it with another group, or as another user, is told.
    for (uid, gid) in [(OTHER, 100), (OTHER + 1, OTHER)] {
        let other = status(uid, gid).expect("it runs");
        assert_eq!(other["effective"], "off", "{other}");
    }
}

#[test]
fn an_id_and_a_heartbeat_are_refused_like_everything_else() {
    let home = Home::new();
    set(&home.data(), 0o777);
    let before = fs::read(home.config()).expect("read");
    for words in [
        &["telemetry", "send"][..],
        &["telemetry", "reset-id"],
        &["telemetry", "enable"],
        &["upstream", "add", "a", "x"],
        &["upstream", "list"],
    ] {
        let output = home.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        let path = OsStr::new(&said).to_string_lossy().into_owned();
        assert!(!path.contains(&home.path("").display().to_string()), "{said}");
    }
    assert_eq!(fs::read(home.config()).expect("read"), before);
    assert_eq!(home.names(), ["mcp_config.json"]);
}
