//! The query of an address: which view it names.
//!
//! One rule: a filter that is not understood is an error, never left out: the numbers would be those of another view.

use crate::collector::definitions::{Audience, Day, FilterError};
use crate::collector::snapshot::Snapshot;
use crate::collector::view::{Selection, Topic};
use axum::http::{StatusCode, Uri};
use std::collections::BTreeSet;
use std::fmt;

/// Why an address names no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// `show` names no audience.
    Show,
    /// `since` is no day.
    Since,
    /// There is no such product.
    Product,
    /// A filter has no such value.
    Filter,
    /// A parameter that does not exist.
    Unknown,
    /// A parameter that is there twice, with two values.
    Twice,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Show => "`show` is one of people, machines, all.",
            Self::Since => "`since` is a day such as 2026-11-02.",
            Self::Product => "There is no product of this name.",
            Self::Filter => "A filter has no such value: `kind`, `agent_env`, `launch_source`, `os` and `edition` take the \
                             words of the heartbeat, `version` one such as 1.4.0.",
            Self::Unknown => "The parameters are `show`, `product`, `since`, `kind`, `agent_env`, `launch_source`, `os`, \
                              `version` and `edition`.",
            Self::Twice => "A parameter is there twice: give each of them once.",
        })
    }
}

impl QueryError {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Product => StatusCode::NOT_FOUND,
            Self::Show | Self::Since | Self::Filter | Self::Unknown | Self::Twice => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// The selection that the query names.
pub fn selection(uri: &Uri, snapshot: &Snapshot) -> Result<Selection, QueryError> {
    select(pairs(uri.query().unwrap_or_default()), snapshot)
}

/// The selection that a query names beside the key.
pub fn beside_key(query: &str, snapshot: &Snapshot) -> Result<Selection, QueryError> {
    select(pairs(query).filter(|(name, _)| name != "key"), snapshot)
}

fn select(
    pairs: impl Iterator<Item = (String, String)>,
    snapshot: &Snapshot,
) -> Result<Selection, QueryError> {
    let mut selection = Selection::default();
    let mut given = BTreeSet::new();
    for (name, value) in pairs {
        match name.as_str() {
            // A form sends what was left empty.
            _ if value.is_empty() => {}
            _ if !given.insert(name.clone()) => return Err(QueryError::Twice),
            "show" => {
                selection.audience = Audience::from_name(&value).ok_or(QueryError::Show)?;
            }
            "since" => selection.since = Some(Day::parse(&value).ok_or(QueryError::Since)?),
            "product" => {
                if !snapshot.names().any(|name| name == value) {
                    return Err(QueryError::Product);
                }
                selection.product = Some(value);
            }
            _ => selection.filters.put(&name, &value).map_err(|error| match error {
                FilterError::Name => QueryError::Unknown,
                FilterError::Value => QueryError::Filter,
            })?,
        }
    }
    Ok(selection)
}

/// The key that the query or a form holds.
pub fn key(query: &str) -> Option<String> {
    pairs(query).find(|(name, _)| name == "key").map(|(_, value)| value)
}

/// The address of a topic with this selection, seen from any other page: all lie side by side, below whatever
/// path a proxy has put them. `ending` is empty, `.csv` or `.json`.
pub fn address(topic: Topic, ending: &str, selection: &Selection) -> String {
    let mut parts = Vec::new();
    if selection.audience != Audience::default() {
        parts.push(format!("show={}", selection.audience.name()));
    }
    // The contract's form of a name and of a day needs no escape.
    parts.extend(selection.product.iter().map(|product| format!("product={product}")));
    parts.extend(selection.since.map(|since| format!("since={since}")));
    // Words of the contract need none either; a version may hold a `+`.
    let filters = selection.filters.set();
    parts.extend(
        filters.iter().map(|(name, value)| format!("{name}={}", value.replace('+', "%2B"))),
    );
    let path = match topic {
        Topic::Overview if ending.is_empty() => "./".to_owned(),
        topic => format!("{}{ending}", topic.name()),
    };
    if parts.is_empty() { path } else { format!("{path}?{}", parts.join("&")) }
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Without `+` and `%41`; what is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let digits = digits.filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        if let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::definitions::{Filters, Now};
    use crate::contract::{AgentEnv, Edition, EnvKind, LaunchSource, Os};

    fn of(query: &str) -> Result<Selection, QueryError> {
        let products = vec![("notes-mcp".to_owned(), Default::default())];
        let uri: Uri = format!("/retention{query}").parse().expect("an address");
        selection(&uri, &Snapshot::new(Now(0), products))
    }

    #[test]
    fn an_address_leads_back_to_its_selection() {
        let selection = Selection {
            audience: Audience::Machines,
            product: Some("notes-mcp".to_owned()),
            since: Day::parse("2026-11-02"),
            filters: Filters {
                kind: Some(EnvKind::Ci),
                agent: Some(AgentEnv::None),
                launch: Some(LaunchSource::Cli),
                os: Some(Os::Linux),
                edition: Some(Edition::Personal),
                version: Some("1.4.0-rc.1".to_owned()),
            },
        };
        let address = address(Topic::Retention, ".csv", &selection);
        assert_eq!(
            address,
            "retention.csv?show=machines&product=notes-mcp&since=2026-11-02&kind=ci&agent_env=none&launch_source=cli\
             &os=linux&edition=personal&version=1.4.0-rc.1"
        );
        let query = address.strip_prefix("retention.csv").expect("the query");
        assert_eq!(of(query), Ok(selection));
        assert_eq!(super::address(Topic::Overview, "", &Selection::default()), "./");
    }

    #[test]
    fn a_filter_that_is_not_understood_is_an_error() {
        for (query, error) in [
            ("?show=robots", QueryError::Show),
            ("?since=yesterday", QueryError::Since),
            ("?product=other", QueryError::Product),
            ("?audience=all", QueryError::Unknown),
            ("?kind=robot", QueryError::Filter),
            ("?version=latest", QueryError::Filter),
            ("?kind=ci&kind=container", QueryError::Twice),
            ("?show=all&show=all", QueryError::Twice),
        ] {
            assert_eq!(of(query), Err(error), "{query}");
        }
        assert_eq!(of("?show=&product=&since="), Ok(Selection::default()));
        assert_eq!(of("?show=%61ll").map(|one| one.audience), Ok(Audience::All));
        let with_key = "show=all&key=0123456789abcdef&product=notes-mcp";
        let none = Snapshot::new(Now(0), Vec::new());
        assert_eq!(beside_key(with_key, &none), Err(QueryError::Product));
        assert_eq!(key("a=b&key=0%2B1%zz+"), Some("0+1%zz ".to_owned()));
    }
}
