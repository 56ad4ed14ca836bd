//! The recorded errors, for people.
//!
//! One rule: they are those that a heartbeat would say.

use crate::contract::Diagnostics;
use std::collections::BTreeMap;

/// The rows of a table: a name and a value each.
pub(crate) fn rows(said: Option<&Diagnostics>) -> Vec<(&'static str, String)> {
    let Some(said) = said else { return vec![("Errors in 24 h", "none".to_owned())] };
    let mut rows = vec![
        ("Errors in 24 h", listed(&said.error_code_counts_24h)),
        ("  servers with now", listed(&said.current_error_codes)),
    ];
    if let Some(last) = &said.last_error_code {
        let ever = match said.unique_codes_ever {
            1 => "1 code".to_owned(),
            count => format!("{count} codes"),
        };
        rows.push(("  ever", format!("{ever}, last {last}")));
    }
    if said.fix_attempted_24h > 0 {
        let (tried, helped) = (said.fix_attempted_24h, said.fix_succeeded_24h);
        rows.push(("  fixes in 24 h", format!("{tried} tried, {helped} helped")));
    }
    rows
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let each: Vec<String> = counts.iter().map(|(code, count)| format!("{code} {count}")).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_words() {
        assert_eq!(rows(None), [("Errors in 24 h", "none".to_owned())]);
        let said = Diagnostics {
            error_code_counts_24h: [("MCPX_HTTP_DNS".to_owned(), 3)].into(),
            fix_attempted_24h: 2,
            fix_succeeded_24h: 1,
            unique_codes_ever: 2,
            last_error_code: Some("MCPX_HTTP_DNS".to_owned()),
            ..Diagnostics::default()
        };
        let expected = [
            ("Errors in 24 h", "MCPX_HTTP_DNS 3"),
            ("  servers with now", "none"),
            ("  ever", "2 codes, last MCPX_HTTP_DNS"),
            ("  fixes in 24 h", "2 tried, 1 helped"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(rows(Some(&said)), expected);
    }
}
