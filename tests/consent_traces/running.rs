//! A host that runs while its config changes: what a corrupt config says is never yes.

use super::ways::CORRUPT;
use super::*;
use mcpproxy::activation::Recorded;
use mcpproxy::contract::RoutingMode;
use mcpproxy::{Event, Host, Telemetry};

const OFF: &str = r#"{"telemetry":{"enabled":false}}"#;
const ON: &str = r#"{"telemetry":{"enabled":true}}"#;

#[test]
fn a_corrupt_config_never_turns_telemetry_back_on_and_turns_it_off() {
    let home = Home::new();
    home.config(ON);
    let host = || Host {
        routing_mode: RoutingMode::Tap,
        data_dir: Some(home.data()),
        launched_by: None,
        product: None,
    };
    let telemetry = Telemetry::start(host());
    if !telemetry.is_on() {
        skipped!("an objection in the environment of this test");
        return;
    }
    // Another file each time, as an editor leaves it: a stamp alone might not change.
    let write = |bytes: &[u8]| {
        let (new, config) = (home.path("new"), home.data().join("mcp_config.json"));
        std::fs::write(&new, bytes).and_then(|()| std::fs::rename(new, config)).expect("written");
    };
    for (name, corrupt) in CORRUPT {
        write(ON.as_bytes());
        telemetry.look_again();
        assert_eq!(telemetry.record(Event::UpstreamCall), Recorded::Stored, "{name}");
        for bytes in [corrupt, OFF.as_bytes(), corrupt] {
            write(bytes);
            telemetry.look_again();
            assert_eq!(telemetry.record(Event::UpstreamCall), Recorded::NoStore, "{name}");
            assert!(!telemetry.is_on(), "{name}");
            assert!(!Telemetry::start(host()).is_on(), "{name}: a host that starts now");
        }
    }
}

/// Counting does not look at the config each time: an objection stops what comes a second after it.
#[test]
fn an_objection_stops_what_is_counted_a_second_later() {
    const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
    type Objection = (&'static str, fn(&Home));
    let objections: [Objection; 4] = [
        ("the config", |home| home.config(OFF)),
        ("`telemetry disable`", |home| {
            let mut disable = std::process::Command::new(MCPPROXY);
            // It writes into the user's own config too: never into that of whoever runs this test.
            disable.args(["telemetry", "disable", "--data-dir"]).arg(home.data());
            disable.env_clear().env("HOME", home.text());
            assert!(disable.output().expect("it runs").status.success());
        }),
        ("others may write the data directory", |home| {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(home.data(), open).expect("opened");
        }),
        ("the data directory is removed", |home| {
            // At once: the host may write into it meanwhile, and then it cannot be removed file by file.
            std::fs::rename(home.data(), home.path("gone")).expect("moved away");
        }),
    ];
    for (name, object) in objections {
        let home = Home::new();
        home.config(ON);
        let data_dir = Some(home.data());
        let host = Host {
            routing_mode: RoutingMode::RetrieveTools,
            data_dir,
            launched_by: None,
            product: None,
        };
        let telemetry = Telemetry::start(host);
        if !telemetry.is_on() {
            skipped!("an objection in the environment of this test");
            return;
        }
        // Looked at now, and so not with the next event.
        telemetry.look_again();
        let events = [
            Event::UpstreamCall,
            Event::Discovery { indexed: None, returned: None },
            Event::ClientSeen { name: "zed" },
            Event::ServerConnected,
        ];
        for event in events {
            assert_eq!(telemetry.record(event), Recorded::Stored, "{name}: {event:?}");
        }
        object(&home);
        std::thread::sleep(SECOND);
        for event in events {
            assert_eq!(telemetry.record(event), Recorded::NoStore, "{name}: {event:?}");
        }
    }
}

/// An opt-out that is cut off, or loses any one bit, is still one.
#[test]
fn no_damage_to_an_opt_out_is_a_yes() {
    use mcpproxy::config::{ConfigState, read};
    let home = Home::new();
    let dir = mcpproxy::paths::DataDir::at(home.data());
    let mut checked = 0;
    let mut check = |bytes: &[u8]| {
        home.config(bytes);
        checked += 1;
        match read(&dir) {
            ConfigState::Unusable(_) => {}
            ConfigState::Loaded(telemetry) if telemetry.enabled == Some(false) => {}
            other => panic!("{other:?} from {}", String::from_utf8_lossy(bytes)),
        }
    };
    (0..OFF.len()).for_each(|length| check(&OFF.as_bytes()[..length]));
    for bit in 0..OFF.len() * 8 {
        let mut bytes = OFF.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        check(&bytes);
    }
    for at in 0..OFF.len() {
        for byte in [0, b' ', b'x', b'"', b'\\', 0xff] {
            let mut bytes = OFF.as_bytes().to_vec();
            bytes[at] = byte;
            check(&bytes);
        }
    }
    println!("{checked} damages to an opt-out: off");
}
