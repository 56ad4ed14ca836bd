//! What this process reads of its machine, seen from inside: each test runs itself again as a child with
//! chosen environments.

use mcpproxy::gate::{LeakKind, PrivateWords, scan};
use mcpproxy::machine::{self, Surroundings};
use mcpproxy::paths::DataDir;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Stdio};

const CHILD: &str = "MCPPROXY_TELEMETRY_TEST_CHILD";

/// Whether this is the child; the parent runs `test` again, below a shell with `outer` and with `own`
/// alone as its environment.
fn is_child(test: &str, outer: &[(&str, &str)], own: &[(&str, OsString)]) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let mut assignments: Vec<OsString> = vec![format!("{CHILD}=1").into()];
    for (name, value) in own {
        let mut assignment = OsString::from(format!("{name}="));
        assignment.push(value);
        assignments.push(assignment);
    }
    let output = Command::new("sh")
        .args(["-c", "env -i \"$@\"; exit $?", "sh"])
        .args(assignments)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .envs(outer.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    false
}

#[test]
fn ancestors_say_what_concerns_them_and_nothing_else_is_kept() {
    let outer = [
        ("DO_NOT_TRACK", "1"),
        ("MCPPROXY_TELEMETRY", "off"),
        ("MCPPROXY_HOME", "/outer"),
        ("MCPPROXY_LAUNCHED_BY", "tray"),
        ("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:1"),
        ("MY_SECRET", "hunter2"),
    ];
    let own = [
        ("MCPPROXY_HOME", "/own".into()),
        ("MCPPROXY_TELEMETRY", "".into()),
        ("MCPPROXY_TELEMETRY_INTERVAL", "5".into()),
        ("CI", OsString::from_vec(b"tr\xffue".to_vec())),
        ("PATH", std::env::var_os("PATH").unwrap()),
    ];
    if !is_child("ancestors_say_what_concerns_them_and_nothing_else_is_kept", &outer, &own) {
        return;
    }
    let around = Surroundings::of_this_process();
    assert!(around.ancestors_readable);
    assert_eq!(around.own("DO_NOT_TRACK"), None);
    assert_eq!(around.nearest("DO_NOT_TRACK"), Some("1"));
    assert_eq!(around.own("MCPPROXY_TELEMETRY"), Some(""), "set and empty is not unset");
    let telemetry: Vec<_> = around.all("MCPPROXY_TELEMETRY").map(|v| v.value.as_str()).collect();
    assert_eq!(telemetry[..2], ["", "off"]);
    assert_eq!(around.nearest("MCPPROXY_HOME"), Some("/own"));
    assert_eq!(around.nearest("CI"), Some("1"), "as much as the rule needs");
    assert_eq!(around.own("MCPPROXY_TELEMETRY_INTERVAL"), Some("5"));
    for one_process_only in ["MCPPROXY_LAUNCHED_BY", "MCPPROXY_TELEMETRY_ENDPOINT"] {
        assert_eq!(around.nearest(one_process_only), None, "{one_process_only}");
    }
    assert!(around.variables.iter().all(|v| v.name != "MY_SECRET" && v.name != "PATH"));
    assert!(around.variables.is_sorted_by_key(|v| v.origin));
    assert!(!format!("{around:?}").contains("/own"), "values are not printed");
}

#[test]
fn every_environment_value_is_a_private_word() {
    let outer = [("ANY_NAME", "zebra-quartz"), ("SHORT", "zq")];
    let own = [
        ("MINE", "falcon-opal".into()),
        ("USER", "tim".into()),
        ("HOME", "/h/ada-byron".into()),
        ("LOGNAME", "rosa.luxor".into()),
        ("SUDO_USER", "ec2-user".into()),
        ("GIT_AUTHOR_NAME", "Juno Verdigris".into()),
        ("EMAIL", "j.quill@mail.example".into()),
    ];
    if !is_child("every_environment_value_is_a_private_word", &outer, &own) {
        return;
    }
    let (names, values) = machine::private_words();
    let private = PrivateWords::new(names, values);
    for word in
        ["zebra-quartz", "falcon-opal", "x.falcon-opal.y", "tim-client", "ada"].into_iter().chain([
            "rosa-client",
            "luxor",
            "rosaluxor",
            "ec2-user",
            "byron",
            "verdigris",
            "juno",
            "quill",
            "jquill",
        ])
    {
        assert_eq!(scan(word, &private), Some(LeakKind::PrivateWord), "{word}");
    }
    for word in ["zq", "timestamp", "some-client", "user-client"] {
        assert_eq!(scan(word, &private), None, "{word}");
    }
}

#[test]
fn autostart_is_read_from_entry_and_sidecar() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config").into_os_string();
    let own = [
        ("XDG_CONFIG_HOME", config),
        ("XDG_CONFIG_DIRS", "/nowhere".into()),
        ("HOME", dir.path().into()),
        // Not a desktop session, wherever this test runs.
        ("GITHUB_ACTIONS", "true".into()),
    ];
    if !is_child("autostart_is_read_from_entry_and_sidecar", &[], &own) {
        return;
    }
    let home = std::env::var("HOME").unwrap();
    let data = DataDir::at(Path::new(&home).join("data"));
    std::fs::create_dir_all(data.root()).unwrap();
    assert_eq!(machine::autostart_enabled(&data.autostart_sidecar()), None);
    let sidecar = |enabled: bool| {
        let text = format!("{{\"enabled\":{enabled},\"updated_at\":\"2999-01-01T00:00:00Z\"}}");
        std::fs::write(data.autostart_sidecar(), text).unwrap();
    };
    sidecar(true);
    assert_eq!(
        machine::autostart_enabled(&data.autostart_sidecar()),
        Some(true),
        "a missing one is asked again"
    );
    sidecar(false);
    assert_eq!(
        machine::autostart_enabled(&data.autostart_sidecar()),
        Some(true),
        "a good read is kept"
    );
    let other = DataDir::at(Path::new(&home).join("other"));
    assert_eq!(
        machine::autostart_enabled(&other.autostart_sidecar()),
        None,
        "of one data directory"
    );
    assert_eq!(machine::autostart_enabled(&data.autostart_sidecar()), Some(false));

    let autostart = Path::new(&home).join("config/autostart");
    std::fs::create_dir_all(&autostart).unwrap();
    let entry = autostart.join("mcpproxy.desktop");
    std::fs::write(&entry, "[Desktop Entry]\nExec=mcpproxy serve\n").unwrap();
    assert_eq!(
        machine::autostart_enabled(&data.autostart_sidecar()),
        Some(true),
        "our entry comes first"
    );
    std::fs::write(&entry, "[Desktop Entry]\nExec=mcpproxy serve\nHidden=true\n").unwrap();
    assert_eq!(machine::autostart_enabled(&data.autostart_sidecar()), Some(false));
}
