//! The rules of consent, as tables.

use super::*;
use crate::config::{self, ConfigError};
use crate::consent::PolicyError;
use crate::environment::Variable;
use crate::paths::DataDir;

const RELEASE: Build<'static> = Build {
    endpoint: Some("https://t.example"),
    product: None,
    release: true,
    sender: true,
    tls: true,
};

fn around(variables: &[(usize, &str, &str)]) -> Surroundings {
    let variables = variables
        .iter()
        .map(|&(origin, name, value)| Variable { origin, name: name.into(), value: value.into() })
        .collect();
    Surroundings { variables, ancestors_readable: true, terminal: None }
}

fn config(enabled: Option<bool>, endpoint: Option<&str>) -> ConfigState {
    ConfigState::Loaded(TelemetryConfig {
        enabled,
        endpoint: endpoint.map(str::to_owned),
        ..TelemetryConfig::default()
    })
}

/// About our own product, with one config.
fn decide(around: &Surroundings, config: &ConfigState, build: Build<'_>) -> Consent {
    let whose = Whose::OWN;
    super::decide(around, &Configs::from(config.clone()), whose, build)
}

fn rule(around: &Surroundings, config: &ConfigState, build: Build<'_>) -> (Effective, String) {
    let consent = decide(around, config, build);
    (consent.effective, consent.rule)
}

fn check(
    variables: &[(usize, &str, &str)],
    config: &ConfigState,
    build: Build<'_>,
    effective: Effective,
    expected: &str,
) {
    let found = rule(&around(variables), config, build);
    assert_eq!(found, (effective, expected.to_owned()), "{variables:?} {config:?} {build:?}");
}

#[test]
fn nothing_objects_by_default() {
    for config in [ConfigState::Missing, config(None, None), config(Some(true), None)] {
        check(&[], &config, RELEASE, Effective::On, "default");
    }
}

#[test]
fn every_spelling_of_do_not_track_counts_but_empty_zero_and_false() {
    for value in ["", "0", "false"] {
        let variables = [(0, "DO_NOT_TRACK", value), (3, "DO_NOT_TRACK", value)];
        check(&variables, &ConfigState::Missing, RELEASE, Effective::On, "default");
    }
    for value in ["1", "true", "TRUE", "yes", "no", "off", "FALSE", "False", " ", " 0", "00", "x"] {
        for (origin, expected) in [(0, "env:DO_NOT_TRACK"), (8, "ancestor-env:DO_NOT_TRACK")] {
            let variables = [(origin, "DO_NOT_TRACK", value)];
            check(&variables, &config(Some(true), None), RELEASE, Effective::Off, expected);
        }
    }
}

#[test]
fn every_spelling_of_mcpproxy_telemetry_counts_but_the_allowing_ones() {
    for value in ["", " ", "true", "TRUE", "1", " on ", "On", "yes", "\tYES\n"] {
        let variables = [(0, "MCPPROXY_TELEMETRY", value), (1, "MCPPROXY_TELEMETRY", value)];
        check(&variables, &ConfigState::Missing, RELEASE, Effective::On, "default");
    }
    for value in ["0", "false", "off", "no", "2", "enabled", "tru", "y", "\u{fffd}", "local"] {
        for (origin, expected) in
            [(0, "env:MCPPROXY_TELEMETRY"), (1, "ancestor-env:MCPPROXY_TELEMETRY")]
        {
            let variables = [(origin, "MCPPROXY_TELEMETRY", value)];
            check(&variables, &ConfigState::Missing, RELEASE, Effective::Off, expected);
        }
    }
}

#[test]
fn near_names_of_variables_object_whatever_they_say_but_no() {
    for name in ["MCPPROXY_TELEMETRY_DISABLED", "MCPPROXY_DO_NOT_TRACK"] {
        for value in ["", " ", "0", "false", "FALSE", "no", " No ", "off", "\toff\n"] {
            let variables = [(0, name, value), (2, name, value)];
            check(&variables, &ConfigState::Missing, RELEASE, Effective::On, "default");
        }
        for value in ["1", "true", " yes", "on", "2", "00", "nope", "\u{fffd}"] {
            for (origin, whose) in [(0, "env"), (3, "ancestor-env")] {
                let rule = format!("{whose}:{name}");
                let allowed = config(Some(true), None);
                check(&[(origin, name, value)], &allowed, RELEASE, Effective::Off, &rule);
            }
        }
    }
}

/// A section as it stands in a config.
fn loaded(section: &str) -> ConfigState {
    let home = tempfile::tempdir().expect("a directory");
    let dir = DataDir::at(home.path());
    let text = format!(r#"{{"telemetry":{section}}}"#);
    std::fs::write(dir.config(), text).expect("written");
    config::read(&dir)
}

#[test]
fn near_names_in_a_config_object_and_are_named() {
    for (section, effective, rule) in [
        (r#"{"disabled":true}"#, Effective::Off, "config:telemetry.disabled"),
        (r#"{"enabled":true,"disabled":true}"#, Effective::Off, "config:telemetry.disabled"),
        (r#"{"enabled":false,"disabled":false}"#, Effective::Off, "config:telemetry.enabled"),
        (r#"{"disabled":false}"#, Effective::On, "default"),
        (r#"{"disabled":"yes"}"#, Effective::Off, "config:unusable"),
    ] {
        check(&[], &loaded(section), RELEASE, effective, rule);
    }
}

const ON: &str = r#"{"enabled":true}"#;
const OFF: &str = r#"{"enabled":false}"#;
const NOTES_OFF: &str = r#"{"products":{"notes-mcp":{"enabled":false}}}"#;

#[test]
fn an_objection_in_either_config_stops_every_product_and_says_in_which() {
    let unusable = || ConfigState::Unusable(ConfigError::Empty);
    for (given, users, rule) in [
        (loaded(OFF), Some(loaded(ON)), "config:telemetry.enabled"),
        (loaded(ON), Some(loaded(OFF)), "user-config:telemetry.enabled"),
        (ConfigState::Missing, Some(loaded(OFF)), "user-config:telemetry.enabled"),
        (loaded(ON), Some(loaded(r#"{"disabled":true}"#)), "user-config:telemetry.disabled"),
        (loaded(OFF), Some(loaded(OFF)), "config:telemetry.enabled"),
        (loaded(ON), Some(unusable()), "user-config:unusable"),
        (unusable(), Some(loaded(ON)), "config:unusable"),
        (loaded(OFF), None, "config:telemetry.enabled"),
        (loaded(NOTES_OFF), Some(loaded(OFF)), "user-config:telemetry.enabled"),
    ] {
        let configs = Configs { given, users, policy: Policy::Silent };
        for product in [OWN_PRODUCT, "notes-mcp"] {
            let whose = Whose { product, endpoint: None };
            let found = super::decide(&around(&[]), &configs, whose, RELEASE);
            assert_eq!((found.effective, found.rule.as_str()), (Effective::Off, rule));
            let file = if rule.starts_with("user") { Which::Users } else { Which::Given };
            assert!(found.detail.contains(file.file()), "{}", found.detail);
        }
    }
    for users in [None, Some(ConfigState::Missing), Some(loaded(ON))] {
        let configs = Configs { given: ConfigState::Missing, users, policy: Policy::Silent };
        let whose = Whose { product: "notes-mcp", endpoint: None };
        let found = super::decide(&around(&[]), &configs, whose, RELEASE);
        assert_eq!(found.effective, Effective::On);
    }
}

#[test]
fn the_switch_of_a_product_stops_that_one_alone() {
    let decided = |configs: &Configs, product: &str| {
        let whose = Whose { product, endpoint: None };
        super::decide(&around(&[]), configs, whose, RELEASE)
    };
    let rules = [
        (loaded(NOTES_OFF), None, "config:telemetry.products.notes-mcp.enabled"),
        (loaded(ON), Some(loaded(NOTES_OFF)), "user-config:telemetry.products.notes-mcp.enabled"),
        (
            loaded(r#"{"enabled":true,"products":{"Notes-MCP":{"enabled":true,"disabled":true}}}"#),
            None,
            "config:telemetry.products.notes-mcp.disabled",
        ),
    ];
    for (given, users, rule) in rules {
        let configs = Configs { given, users, policy: Policy::Silent };
        let notes = decided(&configs, "notes-mcp");
        assert_eq!((notes.effective, notes.rule.as_str()), (Effective::Off, rule));
        assert!(notes.detail.contains("telemetry enable --product notes-mcp"));
        for other in [OWN_PRODUCT, "notes-mcp2", "files"] {
            assert_eq!(decided(&configs, other).effective, Effective::On, "{other}");
        }
    }
    let both =
        Configs { given: loaded(NOTES_OFF), users: Some(loaded(OFF)), policy: Policy::Silent };
    let all: Vec<_> =
        objections(&around(&[(0, "DO_NOT_TRACK", "1")]), &both, "notes-mcp").collect();
    let rules: Vec<_> = all.iter().map(|consent| consent.rule.as_str()).collect();
    assert_eq!(
        rules,
        [
            "env:DO_NOT_TRACK",
            "user-config:telemetry.enabled",
            "config:telemetry.products.notes-mcp.enabled"
        ]
    );
}

#[test]
fn a_products_endpoint_is_the_users_word_then_the_hosts_then_what_is_compiled_in() {
    let built = Build { endpoint: Some("https://compiled.example"), ..RELEASE };
    let host = |given: &str, variable: Option<&str>, product: &str, told| {
        let variables = variable.map(|value| (0, VARIABLE, value));
        let configs = Configs::from(loaded(given));
        let whose = Whose { product, endpoint: told };
        let around = around(variables.as_slice());
        let found = endpoint(&around, &configs, whose, built);
        found.map(|(_, target)| target.map(|target| target.host().to_owned()))
    };
    let general = r#"{"endpoint":"https://general.example"}"#;
    let own = r#"{"endpoint":"https://general.example",
        "products":{"notes-mcp":{"endpoint":"https://user.example"}}}"#;
    let (told, loopback) = (Some("https://told.example"), Some("http://127.0.0.1:9"));
    for (given, variable, product, told, expected) in [
        (own, None, "notes-mcp", told, "user.example"),
        (own, None, "files", told, "told.example"),
        // What is said to our own product is said to no other.
        (general, None, "notes-mcp", told, "told.example"),
        (general, None, "notes-mcp", None, "compiled.example"),
        (general, None, "notes-mcp", Some(" "), "compiled.example"),
        (general, None, OWN_PRODUCT, told, "general.example"),
        ("{}", None, OWN_PRODUCT, told, "told.example"),
        (own, loopback, "notes-mcp", told, "127.0.0.1"),
        (own, Some("https://env.example"), "notes-mcp", told, "user.example"),
        ("{}", Some("nonsense"), "notes-mcp", told, "told.example"),
        (general, Some("https://env.example"), OWN_PRODUCT, told, "env.example"),
    ] {
        let found = host(given, variable, product, told);
        assert_eq!(found, Some(Ok(expected.to_owned())), "{given} {variable:?} {product}");
    }
    let around = around(&[(0, VARIABLE, "https://env.example")]);
    assert!(ignores_variable(&around, "notes-mcp") && !ignores_variable(&around, OWN_PRODUCT));
}

#[test]
fn every_listed_variable_objects_and_none_does_while_it_is_empty() {
    for name in VARIABLES {
        check(
            &[(0, name, "x")],
            &ConfigState::Missing,
            RELEASE,
            Effective::Off,
            &format!("env:{name}"),
        );
        check(
            &[(8, name, "x")],
            &ConfigState::Missing,
            RELEASE,
            Effective::Off,
            &format!("ancestor-env:{name}"),
        );
        check(&[(0, name, "")], &ConfigState::Missing, RELEASE, Effective::On, "default");
    }
}

#[test]
fn an_allowing_value_never_overrides_an_objection() {
    for variables in [
        [(0, "DO_NOT_TRACK", "0"), (4, "DO_NOT_TRACK", "1")],
        [(0, "MCPPROXY_TELEMETRY", "true"), (4, "DO_NOT_TRACK", "1")],
        [(0, "MCPPROXY_TELEMETRY", "1"), (1, "MCPPROXY_TELEMETRY", "0")],
        [(0, "DO_NOT_TRACK", "1"), (0, "MCPPROXY_TELEMETRY", "1")],
    ] {
        let consent = decide(&around(&variables), &config(Some(true), None), RELEASE);
        assert_eq!(consent.effective, Effective::Off, "{variables:?}");
    }
    let allowed = [(0, "MCPPROXY_TELEMETRY", "1"), (0, "DO_NOT_TRACK", "0")];
    check(
        &allowed,
        &config(Some(false), None),
        RELEASE,
        Effective::Off,
        "config:telemetry.enabled",
    );
    let unusable = ConfigState::Unusable(ConfigError::Empty);
    check(&allowed, &unusable, RELEASE, Effective::Off, "config:unusable");
}

#[test]
fn the_nearest_objection_is_named() {
    let variables = [(2, "MCPPROXY_TELEMETRY", "0"), (5, "DO_NOT_TRACK", "1")];
    check(
        &variables,
        &config(Some(false), None),
        RELEASE,
        Effective::Off,
        "ancestor-env:MCPPROXY_TELEMETRY",
    );
}

#[test]
fn ci_and_other_products_variables_are_no_objection() {
    let variables = [(0, "CI", "true"), (1, "GITHUB_ACTIONS", "true"), (0, "NO_TELEMETRY", "1")];
    check(&variables, &ConfigState::Missing, RELEASE, Effective::On, "default");
}

#[test]
fn only_a_release_sends_beyond_loopback() {
    let dev = Build { release: false, ..RELEASE };
    check(&[], &ConfigState::Missing, dev, Effective::LocalOnly, "build:no-release-version");
    for endpoint in
        ["http://localhost:1", "http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]:8"]
    {
        check(&[], &config(None, Some(endpoint)), dev, Effective::On, "default");
        let own = [(0, "MCPPROXY_TELEMETRY_ENDPOINT", endpoint)];
        check(&own, &config(None, Some("nonsense")), dev, Effective::On, "default");
    }
    let none = Build { endpoint: None, ..RELEASE };
    check(&[], &ConfigState::Missing, none, Effective::LocalOnly, "endpoint:none");
    check(&[], &config(None, Some("https://mine.example")), none, Effective::On, "default");
    check(
        &[(0, "MCPPROXY_TELEMETRY_ENDPOINT", " ")],
        &ConfigState::Missing,
        RELEASE,
        Effective::On,
        "default",
    );
}

#[test]
fn an_ancestors_endpoint_is_not_ours() {
    let variables = [(1, "MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:1")];
    let none = Build { endpoint: None, ..RELEASE };
    check(&variables, &ConfigState::Missing, none, Effective::LocalOnly, "endpoint:none");
}

#[test]
fn an_endpoint_that_is_none_keeps_telemetry_local_and_its_text_secret() {
    for (endpoint, expected) in [
        ("t.example", "endpoint:scheme"),
        ("ftp://t.example", "endpoint:scheme"),
        ("https://", "endpoint:host"),
        ("https://name:s3cret@t.example", "endpoint:user-info"),
        ("https://t.example/?s3cret", "endpoint:path"),
        ("http://t.example/s3cret", "endpoint:plain-http"),
    ] {
        let config = config(Some(true), Some(endpoint));
        check(&[], &config, RELEASE, Effective::LocalOnly, expected);
        assert!(!decide(&around(&[]), &config, RELEASE).detail.contains("s3cret"));
    }
}

#[test]
fn a_build_that_cannot_send_does_not_say_it_does() {
    let no_sender = Build { sender: false, tls: false, ..RELEASE };
    check(&[], &ConfigState::Missing, no_sender, Effective::LocalOnly, "build:no-sender");
    let no_tls = Build { tls: false, ..RELEASE };
    check(&[], &ConfigState::Missing, no_tls, Effective::LocalOnly, "build:no-tls");
    check(&[], &config(None, Some("http://127.0.0.1:1")), no_tls, Effective::On, "default");
}

#[test]
fn a_policy_comes_first_and_only_says_no() {
    let allowing = config(Some(true), None);
    let objecting = around(&[(0, "DO_NOT_TRACK", "1")]);
    let decide = |policy: Policy, around: &Surroundings, config: &ConfigState| {
        let configs = Configs { policy, ..Configs::from(config.clone()) };
        super::decide(around, &configs, Whose::OWN, RELEASE)
    };
    let why = || Policy::Unusable(PolicyError::Unread("it is torn".to_owned()));
    for around in [&around(&[(0, "MCPPROXY_TELEMETRY", "1")]), &objecting] {
        let off = decide(Policy::Off, around, &allowing);
        assert_eq!((off.effective, &*off.rule), (Effective::Off, "policy:telemetry"));
        assert!(off.detail.contains("nothing overrides that"), "{}", off.detail);
        let torn = decide(why(), around, &allowing);
        assert_eq!((torn.effective, &*torn.rule), (Effective::Off, "policy:unusable"));
        assert!(torn.detail.contains("it is torn"), "{}", torn.detail);
    }
    assert_eq!(decide(Policy::Silent, &around(&[]), &allowing).effective, Effective::On);
    assert_eq!(decide(Policy::Silent, &objecting, &allowing).rule, "env:DO_NOT_TRACK");
    let configs = |policy| Configs { policy, ..Configs::from(allowing.clone()) };
    assert!(configs(Policy::Off).objects_to("notes-mcp") && configs(why()).objects_to("notes-mcp"));
}

/// What a maintainer compiled in is where his product sends, and no other.
#[test]
fn the_endpoint_of_a_build_for_one_product_is_that_products_alone() {
    let built = Build { product: Some("@Acme/Files"), ..RELEASE };
    let none = Configs::from(ConfigState::Missing);
    let decide =
        |product, endpoint| super::decide(&around(&[]), &none, Whose { product, endpoint }, built);
    assert_eq!(decide("acme.files", None).effective, Effective::On);
    for other in ["notes-mcp", OWN_PRODUCT] {
        assert_eq!(decide(other, None).rule, "endpoint:none", "{other}");
        assert_eq!(decide(other, Some("https://other.example")).effective, Effective::On);
    }
    let whose = Whose { product: "notes-mcp", endpoint: None };
    let for_all = super::decide(&around(&[]), &none, whose, RELEASE);
    assert_eq!(for_all.effective, Effective::On, "a build for no product is for every product");
}
