//! The unit of the service manager, as systemd reads it.

use std::path::Path;
use std::process::Command;

#[test]
fn the_unit_is_one_that_systemd_takes_and_holds_the_collector_to_little() {
    let unit =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("platform/packaging/mcpproxy-collector.service");
    let unit = std::fs::read_to_string(unit).expect("the unit");
    assert_eq!(unit.matches("/usr/local/bin/mcpproxy collector").count(), 1);
    for line in ["DynamicUser=yes", "StateDirectory=mcpproxy-collector", "ProtectSystem=strict"] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
    // What it starts exists.
    let unit = unit.replace("/usr/local/bin/mcpproxy", env!("CARGO_BIN_EXE_mcpproxy"));
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("mcpproxy-collector.service");
    std::fs::write(&path, unit).expect("a copy");
    let analyze = |words: &[&str]| Command::new("systemd-analyze").args(words).arg(&path).output();
    let Ok(output) = analyze(&["verify", "--man=no"]) else {
        skipped!("the unit of the collector: systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let output = analyze(&["security", "--offline=true", "--threshold=20"]).expect("its analysis");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = String::from_utf8_lossy(&output.stderr).into_owned();
    if version.contains("unrecognized option") {
        skipped!("what the unit may do: systemd is older than 250");
        return;
    }
    assert!(output.status.success(), "{said}{version}");
}
