//! The rules of consent, in order: objections first, then what keeps a build local.

use super::policy::{self, Policy};
use super::{Build, Configs, Consent, Effective, EndpointError, Target, VARIABLES, Whose};
use crate::config::{ConfigState, ProductConfig, TelemetryConfig, Which};
use crate::contract::product::{self, OWN_PRODUCT};
use crate::environment::Surroundings;

pub(super) fn decide(
    around: &Surroundings,
    configs: &Configs,
    whose: Whose<'_>,
    build: Build<'_>,
) -> Consent {
    objections(around, configs, whose.product)
        .next()
        .or_else(|| local_only(around, configs, whose, build))
        .unwrap_or_else(|| verdict(Effective::On, "default", "nothing objects"))
}

/// Everything that objects: the policy first, then the environment, then what is for all products, then
/// what is for this one.
pub(super) fn objections<'a>(
    around: &Surroundings,
    configs: &'a Configs,
    product: &'a str,
) -> impl Iterator<Item = Consent> + 'a {
    let for_all = configs.each().filter_map(|(which, config)| objection_of_config(which, config));
    let for_one = configs.each().filter_map(move |(which, config)| {
        let mut said = config.telemetry()?.product(product);
        said.find_map(|said| objection_to_product(which, product, said))
    });
    let first = objection_of_policy(&configs.policy).into_iter();
    first.chain(objection_of_environment(around)).chain(for_all).chain(for_one)
}

fn verdict(effective: Effective, rule: &str, detail: &str) -> Consent {
    Consent { effective, rule: rule.to_owned(), detail: detail.to_owned() }
}

/// What the administrator decided.
fn objection_of_policy(policy: &Policy) -> Option<Consent> {
    let place = policy::PLACE;
    let (rule, detail) = match policy {
        Policy::Silent => return None,
        Policy::Off => (
            "policy:telemetry",
            format!(
                "the administrator of this machine says no in {place}, and nothing overrides that"
            ),
        ),
        Policy::Unusable(why) => (
            "policy:unusable",
            format!("{place} cannot be used, and the administrator may say no there: {why}"),
        ),
    };
    Some(verdict(Effective::Off, rule, &detail))
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
const OBJECTS: [fn(&str) -> bool; VARIABLES.len()] =
    [do_not_track, mcpproxy_telemetry, near_name, near_name];

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

/// A name that nothing documents, but whose meaning is plain: any value objects that does not say no.
fn near_name(value: &str) -> bool {
    let value = value.trim();
    let allowing = ["", "0", "false", "no", "off"];
    !allowing.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// How the rules name a config.
const fn word(which: Which) -> &'static str {
    match which {
        Which::Given => "config",
        Which::Users => "user-config",
    }
}

/// What a config says about every product.
fn objection_of_config(which: Which, config: &ConfigState) -> Option<Consent> {
    let file = which.file();
    match config {
        ConfigState::Unusable(why) => Some(verdict(
            Effective::Off,
            &format!("{}:unusable", word(which)),
            &format!("{file} cannot be used, and it may hold an objection: {why}"),
        )),
        ConfigState::Loaded(TelemetryConfig { enabled: Some(false), .. }) => {
            Some(switched_off(which, "telemetry.enabled", "false", ""))
        }
        ConfigState::Loaded(TelemetryConfig { disabled: Some(true), .. }) => {
            Some(switched_off(which, "telemetry.disabled", "true", ""))
        }
        _ => None,
    }
}

/// What a config says about one product.
fn objection_to_product(which: Which, name: &str, said: &ProductConfig) -> Option<Consent> {
    let (key, value) = match (said.enabled, said.disabled) {
        (Some(false), _) => ("enabled", "false"),
        (_, Some(true)) => ("disabled", "true"),
        _ => return None,
    };
    let key = format!("telemetry.products.{name}.{key}");
    Some(switched_off(which, &key, value, &format!(" --product {name}")))
}

fn switched_off(which: Which, key: &str, value: &str, option: &str) -> Consent {
    let rule = format!("{}:{key}", word(which));
    let file = which.file();
    let detail =
        format!("`{key}` is {value} in {file}; `mcpproxy telemetry enable{option}` changes it");
    Consent { effective: Effective::Off, rule, detail }
}

/// Why this build only records and shows.
fn local_only(
    around: &Surroundings,
    configs: &Configs,
    whose: Whose<'_>,
    build: Build<'_>,
) -> Option<Consent> {
    let local = |rule: &str, detail: &str| Some(verdict(Effective::LocalOnly, rule, detail));
    let Some((source, target)) = endpoint(around, configs, whose, build) else {
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

/// For tests, and for users of our own product.
const VARIABLE: &str = "MCPPROXY_TELEMETRY_ENDPOINT";

/// The endpoint and what names it.
pub(super) fn endpoint(
    around: &Surroundings,
    configs: &Configs,
    whose: Whose<'_>,
    build: Build<'_>,
) -> Option<(&'static str, Result<Target, EndpointError>)> {
    let own = configs.given.telemetry().filter(|_| whose.product == OWN_PRODUCT);
    let is_its = |name| product::name_from(name).is_ok_and(|name| name == whose.product);
    let compiled_in = build.endpoint.filter(|_| build.product.is_none_or(is_its));
    let variable = around.own(VARIABLE).filter(|_| !ignores_variable(around, whose.product));
    let sources = [
        (VARIABLE, variable),
        ("`telemetry.products` of the configuration", configs.endpoint_of(whose.product)),
        (
            "`telemetry.endpoint` of the configuration",
            own.and_then(|telemetry| telemetry.endpoint.as_deref()),
        ),
        ("--endpoint", whose.endpoint),
        ("compiled in", compiled_in),
    ];
    sources.into_iter().find_map(|(source, value)| Some((source, Target::new(named(value)?))))
}

/// An empty value names nothing.
fn named(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// Whether the variable names an endpoint that is none of this product's: a variable of our own product must not
/// lead away the heartbeats of every other.
pub(super) fn ignores_variable(around: &Surroundings, product: &str) -> bool {
    let is_loopback = |value: &str| Target::new(value).is_ok_and(|target| target.is_loopback());
    let value = named(around.own(VARIABLE));
    product != OWN_PRODUCT && value.is_some_and(|value| !is_loopback(value))
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
mod tests;
