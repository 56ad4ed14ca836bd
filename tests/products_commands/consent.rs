//! One consent for all: the user's own config counts beside every other.

use super::*;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

const OFF: &str = r#"{"telemetry":{"enabled":false}}"#;
const ON: &str = r#"{"telemetry":{"enabled":true}}"#;
/// Towards here a development build may send.
const LOOPBACK: (&str, &str) = ("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9");

#[track_caller]
fn check(status: &Value, effective: &str, rule: &str) {
    assert_eq!((&status["effective"], &status["rule"]), (&effective.into(), &rule.into()));
}

/// The notice names `mcpproxy telemetry disable`; its user runs that where nothing says which data directory the
/// host has. It switched off another install, and four requests came after it.
#[test]
fn disable_in_a_plain_shell_stops_a_host_that_keeps_its_state_elsewhere() {
    for in_environment in [true, false] {
        let (home, receiver) = (Home::new(), Receiver::start([]));
        let mut command = home.command(&["tap"]);
        match in_environment {
            true => command.env("MCPPROXY_HOME", home.path("given")),
            false => command.arg("--data-dir").arg(home.path("given")),
        };
        let mut tap = Tap::start(&mut command, &receiver);
        tap.must_send(&receiver);
        succeeds(&home.run(&["telemetry", "disable"]));
        tap.must_fall_silent();
        let sent = receiver.connections();
        assert_eq!(home.status("mcpproxy", &[LOOPBACK])["rule"], "user-config:telemetry.enabled");
        // Switched on again, it goes on: so it was this that had stopped it.
        succeeds(&home.run(&["telemetry", "enable"]));
        assert_eq!(receiver.connections(), sent, "nothing was sent while it was off");
        tap.must_send(&receiver);
    }
}

#[test]
fn both_configs_are_written_and_both_are_taken_back() {
    let home = Home::new();
    write(&home.users_config(), "{\n  \"mine\": [1, 2]\n}\n");
    let disabled = succeeds(&home.run_given(&["telemetry", "disable"]));
    assert!(disabled.contains("for all products"), "{disabled}");
    for file in [home.users_config(), home.given_config()] {
        assert!(read(&file).contains("\"enabled\": false"), "{}", read(&file));
    }
    check(&home.status("mcpproxy", &[]), "off", "config:telemetry.enabled");
    let mut allowing = home.command(&["telemetry", "enable", "--data-dir"]);
    let enabled = allowing.arg(home.path("given")).envs([LOOPBACK]).output().expect("it starts");
    assert_eq!(succeeds(&enabled), "Telemetry is enabled.\n");
    check(&home.status("mcpproxy", &[LOOPBACK]), "on", "default");
    assert!(read(&home.users_config()).starts_with("{\n  \"mine\": [1, 2],\n"));
}

#[test]
fn where_nothing_objects_enable_makes_no_config_of_the_users_own() {
    let home = Home::new();
    succeeds(&home.run_given(&["telemetry", "enable"]));
    assert!(home.given_config().exists() && !home.users_config().exists());
    assert_eq!(home.status("mcpproxy", &[])["preference"], "enabled");
}

#[test]
fn enable_takes_a_near_name_back() {
    let home = Home::new();
    write(&home.users_config(), r#"{"telemetry":{"disabled":true,"x":1}}"#);
    check(&home.status("mcpproxy", &[LOOPBACK]), "off", "user-config:telemetry.disabled");
    assert_eq!(home.status("mcpproxy", &[])["preference"], "disabled");
    succeeds(&home.run(&["telemetry", "enable"]));
    check(&home.status("mcpproxy", &[LOOPBACK]), "on", "default");
    assert!(!read(&home.users_config()).contains("disabled"));
}

#[test]
fn an_objection_in_either_config_stops_and_the_status_says_in_which() {
    let broken = r#"{"telemetry":"#;
    for (given, users, rule, file) in [
        (Some(OFF), Some(ON), "config:telemetry.enabled", "<data dir>/mcp_config.json"),
        (Some(ON), Some(OFF), "user-config:telemetry.enabled", "~/.mcpproxy/mcp_config.json"),
        (None, Some(OFF), "user-config:telemetry.enabled", "~/.mcpproxy/mcp_config.json"),
        (Some(ON), Some(broken), "user-config:unusable", "~/.mcpproxy/mcp_config.json"),
        (Some(broken), Some(ON), "config:unusable", "<data dir>/mcp_config.json"),
    ] {
        let home = Home::new();
        given.into_iter().for_each(|text| write(&home.given_config(), text));
        users.into_iter().for_each(|text| write(&home.users_config(), text));
        let status = home.status("mcpproxy", &[LOOPBACK]);
        check(&status, "off", rule);
        assert!(status["detail"].as_str().is_some_and(|detail| detail.contains(file)), "{status}");
        // The host says nothing either, and makes nothing.
        let receiver = Receiver::start([]);
        let mut command = home.command(&["tap", "--data-dir"]);
        let mut tap = Tap::start(command.arg(home.path("given")), &receiver);
        tap.call();
        assert!(!tap.has_telemetry_thread());
        assert!(!home.path("given/telemetry").exists());
    }
}

#[test]
fn without_a_home_directory_the_given_config_counts_alone() {
    let home = Home::new();
    write(&home.users_config(), OFF);
    let words = ["telemetry", "status", "--product", "mcpproxy", "-o", "json", "--data-dir"];
    let mut command = home.command(&words);
    command.arg(home.path("given")).env_remove("HOME").envs([LOOPBACK]);
    check(&json(&command.output().expect("it starts")), "on", "default");
}

#[test]
fn a_file_that_is_both_is_read_and_written_once() {
    let home = Home::new();
    write(&home.given_config(), OFF);
    std::fs::create_dir_all(home.path("home")).expect("made");
    symlink(home.path("given"), home.path("home/.mcpproxy")).expect("a link");
    check(&home.status("mcpproxy", &[LOOPBACK]), "off", "config:telemetry.enabled");
    let enabled = home.run_given(&["telemetry", "enable"]);
    succeeds(&enabled);
    check(&home.status("mcpproxy", &[LOOPBACK]), "on", "default");
    // And where the link is the file.
    let home = Home::new();
    write(&home.given_config(), OFF);
    std::fs::create_dir_all(home.path("home/.mcpproxy")).expect("made");
    symlink(home.given_config(), home.users_config()).expect("a link");
    check(&home.status("mcpproxy", &[LOOPBACK]), "off", "config:telemetry.enabled");
}

#[test]
fn a_config_that_cannot_be_written_is_named_and_the_other_one_is_written() {
    // A directory in place of the lock is in anybody's way, root's too.
    let home = Home::new();
    std::fs::create_dir_all(home.path("home/.mcpproxy/config.lock")).expect("made");
    fails(
        &home.run_given(&["telemetry", "disable"]),
        &[
            "~/.mcpproxy/mcp_config.json was not changed",
            "~/.mcpproxy/config.lock cannot be used",
            &format!(
                "{} was changed, and that stops the hosts of this data directory only",
                home.given_config().display()
            ),
        ],
    );
    check(&home.status("mcpproxy", &[LOOPBACK]), "off", "config:telemetry.enabled");

    let home = Home::new();
    std::fs::create_dir_all(home.path("given/config.lock")).expect("made");
    fails(
        &home.run_given(&["telemetry", "disable"]),
        &[
            &format!("{} was not changed", home.given_config().display()),
            "~/.mcpproxy/mcp_config.json was changed, and that stops the hosts of every data directory",
        ],
    );
    check(&home.status("mcpproxy", &[LOOPBACK]), "off", "user-config:telemetry.enabled");

    let home = Home::new();
    for place in ["given/config.lock", "home/.mcpproxy/config.lock"] {
        std::fs::create_dir_all(home.path(place)).expect("made");
    }
    fails(
        &home.run_given(&["telemetry", "disable"]),
        &[
            "~/.mcpproxy/config.lock",
            &home.path("given/config.lock").to_string_lossy(),
            "MCPPROXY_TELEMETRY=0 stops it",
        ],
    );
}

/// As with `sudo` that keeps HOME.
#[test]
fn the_config_of_another_user_is_a_doubt_and_a_doubt_is_off() {
    let home = Home::new();
    write(&home.users_config(), ON);
    if chown(home.users_config(), Some(54_321), None).is_err() {
        skipped!("only root can give a file away");
        return;
    }
    let status = home.status("mcpproxy", &[LOOPBACK]);
    check(&status, "off", "user-config:unusable");
    let detail = status["detail"].as_str().expect("text");
    assert!(detail.contains("belongs to another user") && detail.contains("set HOME"), "{detail}");
    assert!(!detail.contains("--data-dir"), "that is not what helps: {detail}");
    let doctor = home.run_given(&["doctor"]);
    if cfg!(feature = "cli") {
        assert_eq!(doctor.status.code(), Some(1));
        assert!(said(&doctor).contains("user_config"), "{}", said(&doctor));
    }
    // A missing config objects to nothing, in the home directory of another user as well.
    std::fs::remove_file(home.users_config()).expect("removed");
    chown(home.path("home"), Some(54_321), None).expect("given away");
    check(&home.status("mcpproxy", &[LOOPBACK]), "on", "default");
}

#[test]
fn a_config_that_others_may_write_is_a_doubt() {
    let home = Home::new();
    write(&home.users_config(), ON);
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(home.users_config(), open).expect("opened");
    let status = home.status("mcpproxy", &[LOOPBACK]);
    check(&status, "off", "user-config:unusable");
    assert!(status["detail"].as_str().is_some_and(|detail| detail.contains("chmod go-w")));
}
