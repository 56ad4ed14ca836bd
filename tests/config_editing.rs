//! Editing the config: foreign bytes stay, edits of many processes add up, trouble changes nothing.

use mcpproxy::config::{self, ConfigState, EDIT_DEADLINE, EditError, set_member};
use mcpproxy::identity::{self, IdentityError};
use mcpproxy::json;
use mcpproxy::paths::DataDir;
use proptest::prelude::*;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const BIN: &str = env!("CARGO_BIN_EXE_mcpproxy");
const NOW: u64 = 1_795_358_800;

fn run(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(BIN);
    command.args(words).arg("--data-dir").arg(dir).env_clear().output().expect("it starts")
}

fn write(dir: &Path, text: &str) {
    fs::write(dir.join("mcp_config.json"), text).expect("written");
}

fn read(dir: &Path) -> String {
    fs::read_to_string(dir.join("mcp_config.json")).expect("read")
}

fn enabled(dir: &Path) -> Option<bool> {
    match config::read(&DataDir::at(dir)) {
        ConfigState::Loaded(telemetry) => telemetry.enabled,
        other => panic!("{other:?}"),
    }
}

const EXISTING: &str = "{\r\n\t\"mcpServers\" : { \"a\": {\"command\":\"x\",\"args\":[ 1.50, -0, 1e5 ]} },\r\n\t\"telemetry\": {\r\n\t\t\"enabled\":true ,\r\n\t\t\"anonymous_id\": \"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\",\r\n\t\t\"theirs\": \"\\u00e4\\/\"\r\n\t},\r\n\t\"z\": null\r\n}\r\n\r\n";

#[test]
fn disable_and_enable_change_one_word_of_an_existing_config() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), EXISTING);
    let disabled = run(dir.path(), &["telemetry", "disable"]);
    assert!(disabled.status.success(), "{}", String::from_utf8_lossy(&disabled.stderr));
    assert!(String::from_utf8_lossy(&disabled.stdout).contains("disabled"));
    assert_eq!(read(dir.path()), EXISTING.replacen("\"enabled\":true", "\"enabled\":false", 1));
    assert!(run(dir.path(), &["telemetry", "enable"]).status.success());
    assert_eq!(read(dir.path()), EXISTING);
}

#[test]
fn disable_works_before_anything_exists() {
    let home = tempfile::tempdir().expect("dir");
    let dir = home.path().join("new/data");
    assert!(run(&dir, &["telemetry", "disable"]).status.success());
    assert_eq!(read(&dir), "{\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}\n");
    let mut names: Vec<_> =
        fs::read_dir(&dir).expect("read").map(|e| e.expect("entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.lock", "mcp_config.json"]);
}

#[test]
#[cfg(unix)]
fn what_is_made_is_private_and_what_exists_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("stat").permissions().mode() & 0o777;
    let home = tempfile::tempdir().expect("dir");
    let dir = home.path().join("data");
    assert!(run(&dir, &["telemetry", "disable"]).status.success());
    let config = dir.join("mcp_config.json");
    assert_eq!((mode(&dir), mode(&config), mode(&dir.join("config.lock"))), (0o700, 0o600, 0o600));
    fs::set_permissions(&config, fs::Permissions::from_mode(0o664)).expect("chmod");
    assert!(run(&dir, &["telemetry", "enable"]).status.success());
    assert_eq!(mode(&config), 0o664);
}

#[test]
#[cfg(unix)]
fn a_linked_config_stays_a_link_and_its_target_changes() {
    let home = tempfile::tempdir().expect("dir");
    let (dir, dotfiles) = (home.path().join("data"), home.path().join("dotfiles"));
    fs::create_dir(&dir).expect("made");
    fs::create_dir(&dotfiles).expect("made");
    fs::write(dotfiles.join("real.json"), "{\"a\": 1}").expect("written");
    std::os::unix::fs::symlink("../dotfiles/real.json", dotfiles.join("hop.json")).expect("linked");
    std::os::unix::fs::symlink("../dotfiles/hop.json", dir.join("mcp_config.json"))
        .expect("linked");
    assert!(run(&dir, &["telemetry", "disable"]).status.success());
    assert!(fs::symlink_metadata(dir.join("mcp_config.json")).expect("stat").is_symlink());
    let real = dotfiles.join("real.json");
    assert!(fs::symlink_metadata(&real).expect("stat").is_file());
    let text = fs::read_to_string(real).expect("read");
    assert_eq!(text, "{\"a\": 1, \"telemetry\": {\"enabled\": false}}");
}

#[test]
fn a_corrupt_config_is_refused_and_untouched() {
    for text in [
        "",
        "{\"telemetry\":{\"enabled\":false}",
        "{} // c",
        "{\"telemetry\":[]}",
        "{\"a\":1,\"a\":1}",
    ] {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), text);
        for command in ["disable", "enable", "reset-id"] {
            let output = run(dir.path(), &["telemetry", command]);
            assert_eq!(output.status.code(), Some(1), "{command} {text}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let file = dir.path().join("mcp_config.json");
            assert!(said.contains(&format!("{} was not changed", file.display())), "{said}");
            assert_eq!((said.lines().count(), output.stdout.len()), (1, 0), "{said}");
            assert_eq!(read(dir.path()), text);
        }
    }
}

#[test]
fn a_data_directory_that_cannot_be_made_is_one_clear_line() {
    let home = tempfile::tempdir().expect("dir");
    fs::write(home.path().join("file"), "").expect("written");
    let output = run(&home.path().join("file/data"), &["telemetry", "disable"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("--data-dir") && !said.contains("file/data"), "{said}");
}

#[test]
fn an_edit_waits_for_another_one_no_longer_than_it_was_told() {
    let dir = tempfile::tempdir().expect("dir");
    let dir = DataDir::at(dir.path());
    let held = config::lock(&dir, EDIT_DEADLINE).expect("free");
    let edit = || config::edit(&dir, Duration::from_millis(20), |e| e.set_bool("enabled", false));
    assert_eq!(edit(), Err(EditError::Busy));
    assert_eq!(config::read(&dir), ConfigState::Missing);
    drop(held);
    assert_eq!(edit(), Ok(()));
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), "{\"telemetry\":{\"enabled\":false}}");
    let dir = DataDir::at(dir.path());
    let before = config::stamp(&dir);
    let same: Result<(), EditError> =
        config::edit(&dir, EDIT_DEADLINE, |e| e.set_bool("enabled", false));
    assert_eq!((same, config::stamp(&dir)), (Ok(()), before));
    let other: Result<(), EditError> =
        config::edit(&dir, EDIT_DEADLINE, |e| e.set_bool("enabled", true));
    assert!(other.is_ok() && config::stamp(&dir) != before);
}

/// Runs this test's own binary as a child that does what `task` says.
fn child(task: &str, dir: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "the_child", "--nocapture", "--test-threads=1"])
        .env("CONFIG_EDITING_TASK", task)
        .env("CONFIG_EDITING_DIR", dir)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Not a test of its own: what [`child`] runs.
#[test]
fn the_child() {
    let Some(dir) = std::env::var_os("CONFIG_EDITING_DIR") else { return };
    let dir = DataDir::at(dir);
    match std::env::var("CONFIG_EDITING_TASK").expect("a task").as_str() {
        "ensure" => println!("id={}", identity::ensure(&dir, NOW).expect("an id").anonymous_id),
        "edit" => {
            for round in 0..20 {
                let key = format!("k{}-{round}", std::process::id());
                // On a slow disk the others may hold the lock for longer than one edit waits.
                patiently(|| {
                    config::edit(&dir, EDIT_DEADLINE, |editing| {
                        editing.set(&["foreign", &key], "1")
                    })
                });
            }
        }
        other => panic!("{other}"),
    }
}

/// Edits, again while the lock is not had in time.
fn patiently(edit: impl Fn() -> Result<(), EditError>) {
    let mut outcome = edit();
    for _ in 0..50 {
        match outcome {
            Err(EditError::Busy) => outcome = edit(),
            _ => break,
        }
    }
    outcome.expect("edited");
}

#[test]
fn eight_first_starts_at_once_agree_on_one_id() {
    for _ in 0..4 {
        let home = tempfile::tempdir().expect("dir");
        let dir = home.path().join("data");
        let children: Vec<_> = (0..8).map(|_| child("ensure", &dir)).collect();
        let mut ids = HashSet::new();
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let id =
                text.lines().find_map(|line| line.split_once("id=")).expect("an id").1.to_owned();
            ids.insert(id);
        }
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert!(ids.iter().all(|id| read(&dir).contains(id)));
    }
}

#[test]
fn edits_of_many_processes_at_once_never_lose_the_objection() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), "{}");
    let children: Vec<_> = (0..6).map(|_| child("edit", dir.path())).collect();
    let disabled = || run(dir.path(), &["telemetry", "disable"]).status.success();
    assert!((0..50).any(|_| disabled()), "the lock was never had");
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
        assert_eq!(enabled(dir.path()), Some(false));
    }
    let text = read(dir.path());
    let root = json::parse(text.as_bytes()).expect("JSON");
    let foreign = root.get("foreign").and_then(|f| f.members()).expect("an object").len();
    assert_eq!(foreign, 6 * 20);
}

#[test]
fn no_id_is_made_while_the_config_objects() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), "{\"telemetry\":{\"enabled\":false}}");
    assert_eq!(identity::ensure(&DataDir::at(dir.path()), NOW), Err(IdentityError::Off));
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1);
}

#[test]
fn an_existing_id_is_kept_byte_for_byte_and_gets_a_date() {
    let dir = tempfile::tempdir().expect("dir");
    write(dir.path(), EXISTING);
    let data = DataDir::at(dir.path());
    let identity = identity::ensure(&data, NOW).expect("an id");
    assert_eq!(identity.anonymous_id, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11");
    let dated = EXISTING.replacen(
        "\"\\u00e4\\/\"",
        &format!("\"\\u00e4\\/\",\r\n\t\t\"anonymous_id_created_at\": \"{}\"", identity.created_at),
        1,
    );
    assert_eq!(read(dir.path()), dated);
    assert_eq!(identity::ensure(&data, NOW + 86_400), Ok(identity));
    assert_eq!(read(dir.path()), dated);
}

#[test]
fn an_id_rotates_after_a_year_and_names_the_one_before_it() {
    let dir = tempfile::tempdir().expect("dir");
    let data = DataDir::at(dir.path());
    let first = identity::ensure(&data, NOW).expect("an id");
    let year = NOW + identity::LIFETIME;
    assert_eq!(identity::ensure(&data, year - 1), Ok(first.clone()));
    let second = identity::ensure(&data, year).expect("an id");
    assert_ne!(second.anonymous_id, first.anonymous_id);
    assert_eq!(second.rotated_from, Some(first.anonymous_id));
    assert_eq!(identity::ensure(&data, year + 1), Ok(second));
    let reset = identity::reset_id(&data, year + 2).expect("an id");
    assert_eq!(reset.rotated_from, None, "a reset links to nothing");
}

/// A JSON text in any layout, objects at the root.
fn document() -> impl Strategy<Value = String> {
    let space = "[ \t]{0,2}|\n[ ]{0,4}|\r\n\t{0,2}";
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.50e+3".to_owned()),
        Just("\"\\u00e4 \u{1f600} \\\" }{,:\"".to_owned()),
        Just("[ 1 ,2]".to_owned()),
        Just("{}".to_owned()),
    ];
    let value = scalar.prop_recursive(3, 12, 4, move |inner| object(inner, space));
    let keys = prop::sample::subsequence(vec!["a", "telemetry", "enabled", "\\u007a", ""], 0..5);
    let telemetry = prop_oneof![object(value.clone().boxed(), space), Just("{ }".to_owned())];
    (keys, prop::collection::vec((value, space, space, space, space), 5), telemetry, space, space)
        .prop_map(|(keys, parts, telemetry, outside, inside)| {
            let members: Vec<String> = keys
                .iter()
                .zip(parts)
                .map(|(key, (value, a, b, c, d))| {
                    let value = if *key == "telemetry" { telemetry.clone() } else { value };
                    format!("{a}\"{key}\"{b}:{c}{value}{d}")
                })
                .collect();
            let inside = if members.is_empty() { inside } else { String::new() };
            format!("{outside}{{{}{inside}}}{outside}", members.join(","))
        })
}

fn object(
    value: impl Strategy<Value = String> + Clone + 'static,
    space: &'static str,
) -> BoxedStrategy<String> {
    let keys = prop::sample::subsequence(vec!["x", "enabled", "y", "anonymous_id"], 1..4);
    (keys, prop::collection::vec((value, space, space, space), 4))
        .prop_map(|(keys, parts)| {
            let members: Vec<String> = keys
                .iter()
                .zip(parts)
                .map(|(key, (value, a, b, c))| format!("{a}\"{key}\"{b}:{c}{value}{c}"))
                .collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

proptest! {
    #[test]
    fn one_member_changes_and_every_other_byte_stays(
        text in document(),
        bom in any::<bool>(),
        key in "enabled|new|x",
    ) {
        let text = format!("{}{text}", if bom { "\u{feff}" } else { "" });
        let new = set_member(text.as_bytes(), &["telemetry", &key], "\"VALUE\"").expect("it is JSON");
        let new = String::from_utf8(new).expect("UTF-8");
        let plain = |text: &str| -> serde_json::Value {
            serde_json::from_str(text.trim_start_matches('\u{feff}')).expect("JSON")
        };
        let (before, mut expected) = (plain(&text), plain(&text));
        expected["telemetry"][&key] = "VALUE".into();
        prop_assert_eq!(plain(&new), expected);
        // What differs is one stretch: the old value, or blanks of an empty object, or nothing.
        let start = text.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        let rest = (&text.as_bytes()[start..], &new.as_bytes()[start..]);
        let end = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(a, b)| a == b).count();
        let lost = &text[start..text.len() - end];
        if before["telemetry"].get(&key).is_none() {
            prop_assert!(lost.trim().is_empty(), "{lost:?} was lost");
            if text.replace([' ', '\t', '\r', '\n'], "").contains("{}") {
                return Ok(());
            }
            prop_assert_eq!(lost, "");
        }
    }
}

/// An editor knows nothing of our lock; what it saves while an edit is on its way to the disk stays.
#[test]
fn an_objection_saved_during_an_edit_is_not_overwritten() {
    for there_before in [true, false] {
        let dir = tempfile::tempdir().expect("dir");
        if there_before {
            write(dir.path(), r#"{"telemetry":{"enabled":true}}"#);
        }
        let edited = config::edit(&DataDir::at(dir.path()), EDIT_DEADLINE, |editing| {
            write(dir.path(), r#"{"telemetry":{"enabled":false}}"#);
            editing.set_str("anonymous_id", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")
        });
        assert_eq!(edited, Err(EditError::Changed));
        assert_eq!(read(dir.path()), r#"{"telemetry":{"enabled":false}}"#);
        assert_eq!(
            fs::read_dir(dir.path()).expect("read").count(),
            2,
            "no half of an edit is left"
        );
    }
}
