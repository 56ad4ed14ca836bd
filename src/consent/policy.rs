//! The policy of this machine: what its administrator decided for every user of it.
//!
//! One rule: it can only say no, and one that cannot be read says it.

use crate::config;
use crate::json::{self, Value};
use mcpproxy_platform::{files, policy};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What the policy says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// There is none, or it allows: neither is a yes.
    #[default]
    Silent,
    /// Telemetry is off.
    Off,
    /// It cannot be used, and it may say no: why.
    Unusable(PolicyError),
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// It cannot be read, for this reason.
    Unread(String),
    /// It is not JSON.
    NotJson(json::Error),
    /// It does not say what `telemetry` is.
    Silent,
    /// `telemetry` is there, and neither true nor false.
    NotAFlag,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(why) => f.write_str(why),
            Self::NotJson(error) => write!(f, "it is not valid JSON: {error}"),
            Self::Silent => f.write_str("it does not say what `telemetry` is"),
            Self::NotAFlag => f.write_str("`telemetry` must be true or false"),
        }
    }
}

/// Where it stands, for people.
pub(super) const PLACE: &str = policy::PLACE;

/// Identifies one version of it.
pub(super) type Stamp = Option<(i128, u64, u64)>;

pub(super) fn stamp() -> Stamp {
    match policy::file() {
        Some(file) => config::file_stamp(file),
        None => {
            let mut hasher = DefaultHasher::new();
            policy::read().map_err(|error| error.kind()).hash(&mut hasher);
            Some((0, 0, hasher.finish()))
        }
    }
}

impl Policy {
    /// Reads it.
    pub fn read() -> Self {
        match policy::read() {
            Ok(None) => Self::Silent,
            Ok(Some(bytes)) => Self::parse(&bytes),
            Err(error) => Self::Unusable(PolicyError::Unread(files::reason(&error))),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        match json::parse(bytes) {
            Ok(root) => match root.get("telemetry").map(Value::as_bool) {
                Some(Some(true)) => Self::Silent,
                Some(Some(false)) => Self::Off,
                Some(None) => Self::Unusable(PolicyError::NotAFlag),
                None => Self::Unusable(PolicyError::Silent),
            },
            Err(error) => Self::Unusable(PolicyError::NotJson(error)),
        }
    }

    /// Whether it objects, or may.
    pub fn objects(&self) -> bool {
        *self != Self::Silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_is_no_objection() {
        assert_eq!(Policy::parse(br#"{"telemetry": true}"#), Policy::Silent);
        assert_eq!(Policy::parse(br#"{"note": "ours", "telemetry": true}"#), Policy::Silent);
        assert_eq!(Policy::parse(br#"{"telemetry": false, "x": 1}"#), Policy::Off);
        for text in [
            "",
            "{}",
            "[]",
            "false",
            "null",
            r#"{"telemetry": "false"}"#,
            r#"{"telemetry": null}"#,
            r#"{"telemetry": 1}"#,
            r#"{"Telemetry": true}"#,
            r#"{"telemetry": true"#,
            r#"{"telemetry": true} // off"#,
            r#"{"telemetry": true, "telemetry": false}"#,
        ] {
            assert!(matches!(Policy::parse(text.as_bytes()), Policy::Unusable(_)), "{text}");
        }
    }
}
