//! Launch source and autostart: pure rules, row by row.

use mcpproxy::contract::LaunchSource::{self, Cli, Installer, LoginItem, Tray, Unknown};
use mcpproxy::environment::autostart::{self, Sidecar, SidecarCache, desktop_entry_is_enabled};
use mcpproxy::environment::launch_source::{LAUNCH_AGENT_LABEL, LoginJob, decide};

const DAY: u64 = 24 * 60 * 60;
/// 2026-11-22T14:46:00Z
const NOW: u64 = 1_795_358_760;

#[test]
fn the_first_matching_launch_rule_wins() {
    type Row = (Option<LaunchSource>, Option<&'static str>, bool, bool, LaunchSource);
    let rows: &[Row] = &[
        (Some(Tray), None, true, true, Tray),
        (None, Some("tray"), true, true, Tray),
        (Some(LoginItem), Some("tray"), false, false, Tray),
        (Some(Tray), Some("login_item"), false, false, Tray),
        (Some(LoginItem), None, false, true, LoginItem),
        (None, Some("login_item"), false, true, LoginItem),
        (None, None, true, true, LoginItem),
        (None, None, false, true, Cli),
        (None, None, false, false, Unknown),
        // Not told anything that counts.
        (Some(Cli), None, false, false, Unknown),
        (Some(Installer), None, false, false, Unknown),
        (Some(Unknown), None, false, true, Cli),
        (None, Some("installer"), false, true, Cli),
        (None, Some("cli"), false, false, Unknown),
        (None, Some(""), true, false, LoginItem),
        (None, Some("TRAY"), false, false, Unknown),
        (None, Some(" tray"), false, false, Unknown),
        (None, Some("login-item"), false, false, Unknown),
    ];
    for &(told, variable, login_job, terminal, expected) in rows {
        let found = decide(told, variable, || login_job, || terminal);
        assert_eq!(found, expected, "{told:?} {variable:?} {login_job} {terminal}");
    }
}

#[test]
fn the_system_is_not_asked_when_somebody_was_told() {
    let asked = || -> bool { panic!("asked") };
    assert_eq!(decide(Some(Tray), None, asked, asked), Tray);
    assert_eq!(decide(None, Some("login_item"), asked, asked), LoginItem);
    assert_eq!(decide(None, None, || true, asked), LoginItem);
}

#[test]
fn on_linux_our_unit_is_a_segment_of_our_cgroup() {
    let ours = |text: &str| LoginJob::Linux { cgroup: Some(text) }.is_ours();
    let app = "0::/user.slice/user-1000.slice/user@1000.service/app.slice";
    assert!(ours(&format!("{app}/mcpproxy.service\n")));
    assert!(ours(&format!("{app}/app-mcpproxy@autostart.service")));
    assert!(ours(&format!("1:name=systemd:/\n{app}/mcpproxy.service/child")));
    for other in ["xmcpproxy.service", "mcpproxy.service.d", "mcpproxy", "mcpproxy.slice"] {
        assert!(!ours(&format!("{app}/{other}\n")), "{other}");
    }
    assert!(!ours("mcpproxy.service"));
    assert!(!LoginJob::Linux { cgroup: None }.is_ours());
    assert!(!LoginJob::Unobserved.is_ours());
}

#[test]
fn on_macos_launchd_and_our_label_are_both_needed() {
    let ours = |parent, xpc_service_name| LoginJob::MacOs { parent, xpc_service_name }.is_ours();
    assert!(ours(Some("launchd"), Some(LAUNCH_AGENT_LABEL)));
    assert!(!ours(Some("launchd"), None));
    assert!(!ours(Some("launchd"), Some("0")));
    assert!(!ours(Some("zsh"), Some(LAUNCH_AGENT_LABEL)));
    assert!(!ours(None, Some(LAUNCH_AGENT_LABEL)));
}

#[test]
fn on_windows_explorer_our_entry_and_two_minutes_are_all_needed() {
    let ours = |parent, run_entry, seconds_after_parent| {
        LoginJob::Windows { parent, run_entry, seconds_after_parent }.is_ours()
    };
    assert!(ours(Some("explorer.exe"), true, Some(0)));
    assert!(ours(Some("Explorer.EXE"), true, Some(120)));
    assert!(!ours(Some("explorer.exe"), true, Some(121)));
    assert!(!ours(Some("explorer.exe"), true, None));
    assert!(!ours(Some("explorer.exe"), false, Some(1)));
    assert!(!ours(Some("cmd.exe"), true, Some(1)));
    assert!(!ours(None, true, Some(1)));
}

#[test]
fn entry_then_sidecar_then_session() {
    let asked = || -> Option<bool> { panic!("asked") };
    assert_eq!(autostart::decide(Some(true), asked, || panic!()), Some(true));
    assert_eq!(autostart::decide(Some(false), asked, || panic!()), Some(false));
    assert_eq!(autostart::decide(None, || Some(true), || panic!()), Some(true));
    assert_eq!(autostart::decide(None, || Some(false), || panic!()), Some(false));
    assert_eq!(autostart::decide(None, || None, || true), Some(false));
    assert_eq!(autostart::decide(None, || None, || false), None);
}

#[test]
fn a_desktop_entry_can_be_switched_off() {
    let on = "# ours\n[Desktop Entry]\nType=Application\nExec=mcpproxy serve\n";
    assert!(desktop_entry_is_enabled(on));
    for line in [
        "Hidden=false",
        "X-GNOME-Autostart-enabled=true",
        "#Hidden=true",
        "Hidden[de]=true",
        "NotHidden=true",
        "",
    ] {
        assert!(desktop_entry_is_enabled(&format!("{on}{line}\n")), "{line}");
    }
    for line in [
        "Hidden=true",
        "Hidden = true ",
        "Hidden=True",
        "Hidden=1",
        "X-GNOME-Autostart-enabled=false",
        "X-GNOME-Autostart-enabled = false\r",
    ] {
        assert!(!desktop_entry_is_enabled(&format!("{on}{line}\n")), "{line}");
    }
    let in_an_action = format!("{on}[Desktop Action x]\nHidden=true\n");
    assert!(desktop_entry_is_enabled(&in_an_action));
    for text in ["", "\n", "Exec=mcpproxy\n", "[Other]\nExec=x\n"] {
        assert!(!desktop_entry_is_enabled(text), "masks: {text:?}");
    }
}

fn sidecar(enabled: bool, updated_at: &str) -> Option<bool> {
    let text = format!("{{\"enabled\":{enabled},\"updated_at\":\"{updated_at}\"}}");
    Sidecar::parse(text.as_bytes())?.enabled(NOW)
}

#[test]
fn a_sidecar_counts_for_thirty_days() {
    for enabled in [true, false] {
        for fresh in [
            "2026-11-22T14:46:00Z",
            "2026-11-22T15:46:00.123456789+01:00",
            "2026-11-22t09:16:00-05:30",
            "2026-10-23T14:46:00Z",
            "2026-10-23T14:46:00.999z",
            // Not older than 30 days.
            "2026-11-23T14:46:00Z",
            "2099-01-01T00:00:00Z",
        ] {
            assert_eq!(sidecar(enabled, fresh), Some(enabled), "{fresh}");
        }
        for old in [
            "2026-10-23T14:45:59Z",
            "2026-10-23T15:45:59+01:00",
            "1970-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
        ] {
            assert_eq!(sidecar(enabled, old), None, "{old}");
        }
    }
}

#[test]
fn a_sidecar_is_as_old_as_its_date_says_to_the_second() {
    for (text, second) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-03-01T00:00:00Z", 5_097_600),
        ("2000-02-29T12:34:56Z", 951_827_696),
        ("2024-12-31T23:59:59Z", 1_735_689_599),
        ("2026-01-01T00:00:00+23:59", 1_767_139_260),
        ("2026-07-04T05:06:07-23:59", 1_783_227_907),
        ("2100-03-01T00:00:00+00:01", 4_107_542_340),
        ("2026-04-30T10:20:30-05:30", 1_777_564_230),
        ("2027-11-09T00:00:00+13:00", 1_825_671_600),
        ("2016-12-31T23:59:60Z", 1_483_228_800),
    ] {
        let line = format!("{{\"enabled\":true,\"updated_at\":\"{text}\"}}");
        let sidecar = Sidecar::parse(line.as_bytes()).expect(text);
        let last = second + autostart::SIDECAR_MAX_AGE;
        assert_eq!(sidecar.enabled(last), Some(true), "{text}");
        assert_eq!(sidecar.enabled(last + 1), None, "{text}");
    }
}

#[test]
fn a_date_that_is_none_makes_a_sidecar_malformed() {
    for text in [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T14:46Z",
        "2026-11-22T14:46:00",
        "2026-11-22 14:46:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T14:60:00Z",
        "2026-11-22T14:46:61Z",
        "2026-11-22T14:46:00.Z",
        "2026-11-22T14:46:00+0100",
        "2026-11-22T14:46:00+24:00",
        "2026-11-22T14:46:00-01:60",
        "2026-11-22T14:46:00+24:00",
        "2026-11-22T14:46:00Zx",
        "2026-11-22T14:46:00+01:00x",
        "+026-11-22T14:46:00Z",
        "1795358760",
        "2026-11-22T14:46:00\u{e9}",
    ] {
        let line = format!("{{\"enabled\":true,\"updated_at\":\"{text}\"}}");
        assert_eq!(Sidecar::parse(line.as_bytes()), None, "{text}");
    }
    let leap = br#"{"enabled":true,"updated_at":"2024-02-29T00:00:00Z"}"#;
    let leap = Sidecar::parse(leap).unwrap();
    assert_eq!(leap.enabled(1_709_164_800 + 30 * DAY), Some(true));
    assert_eq!(leap.enabled(1_709_164_801 + 30 * DAY), None);
}

#[test]
fn a_sidecar_has_exactly_these_types() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "{",
        r#"{"enabled":true}"#,
        r#"{"updated_at":"2026-11-22T14:46:00Z"}"#,
        r#"{"enabled":1,"updated_at":"2026-11-22T14:46:00Z"}"#,
        r#"{"enabled":"true","updated_at":"2026-11-22T14:46:00Z"}"#,
        r#"{"enabled":null,"updated_at":"2026-11-22T14:46:00Z"}"#,
        r#"{"enabled":true,"updated_at":1795358760}"#,
        r#"{"enabled":true,"enabled":false,"updated_at":"2026-11-22T14:46:00Z"}"#,
        r#"{"enabled":true,"updated_at":"2026-11-22T14:46:00Z"} x"#,
    ] {
        assert_eq!(Sidecar::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Sidecar::parse(b"\xff"), None);
    let more = br#"{"version":2,"enabled":true,"updated_at":"2026-11-22T14:46:00Z","by":"tray"}"#;
    assert!(Sidecar::parse(more).is_some());
}

const ON: &[u8] = br#"{"enabled":true,"updated_at":"2026-11-22T14:46:00Z"}"#;
const OFF: &[u8] = br#"{"enabled":false,"updated_at":"2026-11-22T14:46:00Z"}"#;

#[test]
fn a_good_read_is_kept_for_an_hour() {
    let mut cache = SidecarCache::default();
    assert_eq!(cache.enabled(NOW, || Some(ON.into())), Some(true));
    assert_eq!(cache.enabled(NOW + 3599, || panic!("read")), Some(true));
    assert_eq!(cache.enabled(NOW + 3600, || Some(OFF.into())), Some(false));
    // The clock was set back: the read is one of the future.
    assert_eq!(cache.enabled(NOW, || Some(ON.into())), Some(true));
}

#[test]
fn a_malformed_read_is_kept_as_well_and_counts_as_absent() {
    let mut cache = SidecarCache::default();
    assert_eq!(cache.enabled(NOW, || Some(b"{".into())), None);
    assert_eq!(cache.enabled(NOW + 3599, || panic!("read")), None);
    assert_eq!(cache.enabled(NOW + 3600, || Some(ON.into())), Some(true));
}

#[test]
fn a_missing_sidecar_is_asked_again_at_once() {
    let mut cache = SidecarCache::default();
    assert_eq!(cache.enabled(NOW, || None), None);
    assert_eq!(cache.enabled(NOW, || Some(ON.into())), Some(true));
    // Gone after an hour: what was read before does not come back.
    assert_eq!(cache.enabled(NOW + 3600, || None), None);
    assert_eq!(cache.enabled(NOW + 3601, || Some(OFF.into())), Some(false));
}

#[test]
fn a_kept_read_grows_too_old_within_the_hour() {
    let mut cache = SidecarCache::default();
    let end = NOW + 30 * DAY;
    assert_eq!(cache.enabled(end, || Some(ON.into())), Some(true));
    assert_eq!(cache.enabled(end + 1, || panic!("read")), None);
}
