//! The rules of consent, in order: objections first, then what keeps a build local.

use super::{Build, Consent, Effective, EndpointError, Target, VARIABLES, Whose};
use crate::config::{ConfigState, DISPLAY_NAME};
use crate::contract::product::OWN_PRODUCT;
use crate::environment::Surroundings;

pub(super) fn decide(
    around: &Surroundings,
    config: &ConfigState,
    whose: Whose<'_>,
    build: Build<'_>,
) -> Consent {
    objection_of_environment(around)
        .or_else(|| objection_of_config(config))
        .or_else(|| local_only(around, config, whose, build))
        .unwrap_or_else(|| verdict(Effective::On, "default", "nothing objects"))
}

fn verdict(effective: Effective, rule: &str, detail: &str) -> Consent {
    Consent { effective, rule: rule.to_owned(), detail: detail.to_owned() }
}

/// The objection nearest to this process: that is the one its user can find.
fn objection_of_environment(around: &Surroundings) -> Option<Consent> {
    let found = around.variables.iter().filter(|v| objects(&v.name, &v.value));
    let nearest = found.min_by_key(|v| v.origin)?;
    let name = &nearest.name;
    let (rule, whose) = match nearest.origin {
        0 => (format!("env:{name}"), "this process"),
        _ => (format!("ancestor-env:{name}"), "a parent process"),
    };
    let detail = format!("{name} in the environment of {whose} objects; unset it there to allow");
    Some(Consent { effective: Effective::Off, rule, detail })
}

/// Whether a variable of this name and value is an objection.
fn objects(name: &str, value: &str) -> bool {
    VARIABLES.iter().zip(OBJECTS).any(|(known, objects)| *known == name && objects(value))
}

/// Which values object, for each of [`VARIABLES`] in turn: a variable without a rule does not build, nor does
/// a rule without a variable.
const OBJECTS: [fn(&str) -> bool; VARIABLES.len()] = [do_not_track, mcpproxy_telemetry];

/// To the letter, as the convention has it: `FALSE` or a blank is not "0" or "false".
fn do_not_track(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

/// A value that is none of those listed objects: on doubt, off.
fn mcpproxy_telemetry(value: &str) -> bool {
    let value = value.trim();
    let allowing = ["", "true", "1", "on", "yes"];
    !allowing.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn objection_of_config(config: &ConfigState) -> Option<Consent> {
    match config {
        ConfigState::Unusable(why) => Some(verdict(
            Effective::Off,
            "config:unusable",
            &format!("{DISPLAY_NAME} cannot be used, and it may hold an objection: {why}"),
        )),
        ConfigState::Loaded(telemetry) if telemetry.enabled == Some(false) => Some(verdict(
            Effective::Off,
            "config:telemetry.enabled",
            "`telemetry.enabled` is false in the configuration; `mcpproxy telemetry enable` changes it",
        )),
        _ => None,
    }
}

/// Why this build only records and shows.
fn local_only(
    around: &Surroundings,
    config: &ConfigState,
    whose: Whose<'_>,
    build: Build<'_>,
) -> Option<Consent> {
    let local = |rule: &str, detail: &str| Some(verdict(Effective::LocalOnly, rule, detail));
    let Some((source, target)) = endpoint(around, config, whose, build.endpoint) else {
        return local("endpoint:none", "no endpoint is compiled in or configured: nothing is sent");
    };
    let target = match target {
        Ok(target) => target,
        Err(why) => {
            return local(why.rule(), &format!("nothing is sent: {why} ({source})"));
        }
    };
    if !build.sender {
        return local("build:no-sender", "this build cannot send (feature `heartbeat`)");
    }
    if target.is_secure() && !build.tls {
        return local("build:no-tls", "this build cannot send over https (feature `tls`)");
    }
    if !build.release && !target.is_loopback() {
        return local(
            "build:no-release-version",
            "this build has no release version: it sends to loopback only",
        );
    }
    None
}

/// The endpoint and what names it. Our own product: the variable, else the config, else the build. Any other:
/// the user's word in the config, else its host, else the build; the variable, which is for tests, comes before
/// them and counts only where it leads to this machine.
pub(super) fn endpoint(
    around: &Surroundings,
    config: &ConfigState,
    whose: Whose<'_>,
    compiled_in: Option<&str>,
) -> Option<(&'static str, Result<Target, EndpointError>)> {
    let telemetry = config.telemetry();
    let variable = around.own("MCPPROXY_TELEMETRY_ENDPOINT");
    let stays_here = |value: &&str| Target::new(value).is_ok_and(|target| target.is_loopback());
    let sources = match whose.product {
        OWN_PRODUCT => [
            ("MCPPROXY_TELEMETRY_ENDPOINT", variable),
            (
                "`telemetry.endpoint` of the configuration",
                telemetry.and_then(|telemetry| telemetry.endpoint.as_deref()),
            ),
            ("--endpoint", whose.endpoint),
            ("compiled in", compiled_in),
        ],
        product => [
            ("MCPPROXY_TELEMETRY_ENDPOINT", variable.filter(stays_here)),
            (
                "`endpoint` of the product in the configuration",
                telemetry.and_then(|telemetry| telemetry.endpoint_of(product)),
            ),
            ("--endpoint", whose.endpoint),
            ("compiled in", compiled_in),
        ],
    };
    sources.into_iter().find_map(|(source, value)| {
        let value = value.map(str::trim).filter(|value| !value.is_empty())?;
        Some((source, Target::new(value)))
    })
}

impl EndpointError {
    /// The word of the rule that keeps such an endpoint local.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Scheme => "endpoint:scheme",
            Self::Host => "endpoint:host",
            Self::UserInfo => "endpoint:user-info",
            Self::Path => "endpoint:path",
            Self::PlainHttp => "endpoint:plain-http",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TelemetryConfig;
    use crate::environment::Variable;

    const RELEASE: Build<'static> =
        Build { endpoint: Some("https://t.example"), release: true, sender: true, tls: true };

    fn around(variables: &[(usize, &str, &str)]) -> Surroundings {
        let variables = variables
            .iter()
            .map(|&(origin, name, value)| Variable {
                origin,
                name: name.into(),
                value: value.into(),
            })
            .collect();
        Surroundings { variables, ancestors_readable: true }
    }

    fn config(enabled: Option<bool>, endpoint: Option<&str>) -> ConfigState {
        ConfigState::Loaded(TelemetryConfig {
            enabled,
            endpoint: endpoint.map(str::to_owned),
            ..TelemetryConfig::default()
        })
    }

    fn rule(around: &Surroundings, config: &ConfigState, build: Build<'_>) -> (Effective, String) {
        let consent = decide(around, config, Whose::OWN, build);
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
        for value in
            ["1", "true", "TRUE", "yes", "no", "off", "FALSE", "False", " ", " 0", "00", "x"]
        {
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
            let consent =
                decide(&around(&variables), &config(Some(true), None), Whose::OWN, RELEASE);
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
        let unusable = ConfigState::Unusable("why".into());
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
        let variables =
            [(0, "CI", "true"), (1, "GITHUB_ACTIONS", "true"), (0, "NO_TELEMETRY", "1")];
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
            assert!(!decide(&around(&[]), &config, Whose::OWN, RELEASE).detail.contains("s3cret"));
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
}
