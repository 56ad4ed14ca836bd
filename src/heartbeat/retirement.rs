//! `{"retired":{"product":..,"version":..}}`: an endpoint wants no more heartbeats of one version.
//!
//! One rule: only what names exactly the product and the version that were sent counts. Any other answer of
//! the same status is no more than "gone".

use crate::contract::product::same_version;
use crate::json::{self, Value};

/// The version that `answer` retires, if it is the one that `sent` names.
pub fn version(answer: &[u8], sent: &[u8]) -> Option<String> {
    let (answer, sent) = (json::parse(answer).ok()?, json::parse(sent).ok()?);
    let retired = answer.get("retired")?;
    let (product, version) = (text(retired, "product")?, text(retired, "version")?);
    let own = sent.get("product")?;
    let (own_product, own_version) = (text(own, "name")?, text(own, "version")?);
    (product == own_product && same_version(version, own_version)).then(|| own_version.to_owned())
}

fn text<'a>(value: &'a Value<'_>, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] = br#"{"product":{"name":"notes-mcp","version":"1.4.0"},"version":"v0.1.0"}"#;

    #[test]
    fn only_the_product_and_version_that_were_sent_are_retired() {
        for version_said in ["1.4.0", "v1.4.0"] {
            let answer =
                format!(r#"{{"retired":{{"product":"notes-mcp","version":"{version_said}"}}}}"#);
            assert_eq!(version(answer.as_bytes(), SENT).as_deref(), Some("1.4.0"));
        }
        for other in [
            r#"{"retired":{"product":"notes-mcp","version":"1.4.1"}}"#,
            r#"{"retired":{"product":"mcpproxy","version":"1.4.0"}}"#,
            r#"{"retired":{"product":"notes-mcp"}}"#,
            r#"{"retired":"1.4.0"}"#,
            r#"{"retired":{"product":"notes-mcp","version":"1.4.0"}"#,
            "gone",
            "",
        ] {
            assert_eq!(version(other.as_bytes(), SENT), None, "{other}");
        }
    }
}
