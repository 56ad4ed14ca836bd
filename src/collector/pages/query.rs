//! The query of an address: which view it names.
//!
//! One rule: a filter that is not understood is an error, never left out: the numbers would be those of another view.

use crate::collector::definitions::{Audience, Day, FilterError, Filters, client::K};
use crate::collector::snapshot::Snapshot;
use crate::collector::view::{Selection, Topic};
use axum::http::{StatusCode, Uri};
use std::fmt;

/// The parameters, in the order of addresses.
pub const NAMES: [&str; 11] = [
    "show",
    "product",
    "since",
    "kind",
    "agent_env",
    "launch_source",
    "os",
    "edition",
    "version",
    "k",
    TABLE,
];
/// Chooses one table of a page.
const TABLE: &str = "table";

/// What an address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The view.
    pub selection: Selection,
    /// One of its tables; `None`: all of them.
    pub table: Option<String>,
}

/// Why an address names no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// `show` names no audience.
    Show,
    /// `since` is no day.
    Since,
    /// There is no such product.
    Product,
    /// The filter of this name has no such value.
    Filter(&'static str),
    /// `k` is no number of installs.
    K,
    /// The page has no such table.
    Table,
    /// The table has no chart.
    Chart,
    /// The parameter of this name is given twice.
    Twice(&'static str),
    /// A parameter that does not exist.
    Unknown,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Show => f.write_str("`show` is one of people, machines, all."),
            Self::Since => f.write_str("`since` is a day such as 2026-11-02."),
            Self::K => write!(f, "`k` is a number from 1 to {K}."),
            Self::Product => f.write_str("There is no product of this name."),
            Self::Filter(name) => match Filters::words(name) {
                [] => write!(f, "`{name}` is a version such as 1.4.0."),
                words => write!(f, "`{name}` is one of {}.", words.join(", ")),
            },
            Self::Table => f.write_str(
                "This page has no table of that name: each chart on it links to its own.",
            ),
            Self::Chart => f.write_str(
                "This table has no chart: leave out `.svg`, or ask for `.csv` or `.json`.",
            ),
            Self::Twice(name) => write!(f, "`{name}` is given twice: give it once."),
            Self::Unknown => {
                f.write_str("The parameters are ")?;
                for (at, name) in NAMES.iter().enumerate() {
                    write!(f, "{}`{name}`", if at > 0 { ", " } else { "" })?;
                }
                f.write_str(".")
            }
        }
    }
}

impl QueryError {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Product | Self::Table | Self::Chart => StatusCode::NOT_FOUND,
            Self::Show
            | Self::Since
            | Self::K
            | Self::Filter(_)
            | Self::Twice(_)
            | Self::Unknown => StatusCode::BAD_REQUEST,
        }
    }
}

/// What the query asks for.
pub fn asked(uri: &Uri, snapshot: &Snapshot) -> Result<Asked, QueryError> {
    select(pairs(uri.query().unwrap_or_default()), snapshot)
}

/// What a query asks for beside the key.
pub fn beside_key(query: &str, snapshot: &Snapshot) -> Result<Asked, QueryError> {
    select(pairs(query).filter(|(name, _)| name != "key"), snapshot)
}

fn select(
    pairs: impl Iterator<Item = (String, String)>,
    snapshot: &Snapshot,
) -> Result<Asked, QueryError> {
    let mut asked = Asked::default();
    let mut given = Vec::new();
    for (name, value) in pairs {
        let name = NAMES.into_iter().find(|known| *known == name).ok_or(QueryError::Unknown)?;
        if given.contains(&name) {
            return Err(QueryError::Twice(name));
        }
        given.push(name);
        let selection = &mut asked.selection;
        match name {
            // A form sends what was left empty.
            _ if value.is_empty() => {}
            TABLE => {
                let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
                let value = Some(value).filter(|value| value.bytes().all(is_name));
                asked.table = Some(value.ok_or(QueryError::Table)?);
            }
            "show" => {
                selection.audience = Audience::from_name(&value).ok_or(QueryError::Show)?;
            }
            "k" => {
                let k = value.parse().ok().filter(|k| (1..=K).contains(k));
                selection.k = Some(k.ok_or(QueryError::K)?);
            }
            "since" => selection.since = Some(Day::parse(&value).ok_or(QueryError::Since)?),
            "product" => {
                if !snapshot.names().any(|name| name == value) {
                    return Err(QueryError::Product);
                }
                selection.product = Some(value);
            }
            _ => selection.filters.put(name, &value).map_err(|error| match error {
                FilterError::Name => QueryError::Unknown,
                FilterError::Value => QueryError::Filter(name),
            })?,
        }
    }
    Ok(asked)
}

/// The key that the query or a form holds.
pub fn key(query: &str) -> Option<String> {
    pairs(query).find(|(name, _)| name == "key").map(|(_, value)| value)
}

/// The address of a topic with this selection, seen from any other page: all lie side by side, below whatever
/// path a proxy has put them. `ending` is empty, `.csv`, `.json` or `.svg`.
pub fn address(topic: Topic, ending: &str, selection: &Selection) -> String {
    address_of(topic, None, ending, selection)
}

/// The same of one table alone.
pub fn address_of(
    topic: Topic,
    table: Option<&str>,
    ending: &str,
    selection: &Selection,
) -> String {
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
    parts.extend(selection.k.map(|k| format!("k={k}")));
    parts.extend(table.map(|table| format!("{TABLE}={table}")));
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
    use crate::collector::definitions::Now;
    use crate::contract::{AgentEnv, Edition, EnvKind, LaunchSource, Os};

    fn of(query: &str) -> Result<Asked, QueryError> {
        let products = vec![("notes-mcp".to_owned(), Default::default())];
        let uri: Uri = format!("/retention{query}").parse().expect("an address");
        asked(&uri, &Snapshot::new(Now(0), products))
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
            k: Some(2),
        };
        let address = address_of(Topic::Retention, Some("survival"), ".csv", &selection);
        assert_eq!(
            address,
            "retention.csv?show=machines&product=notes-mcp&since=2026-11-02&kind=ci&agent_env=none&launch_source=cli\
             &os=linux&edition=personal&version=1.4.0-rc.1&k=2&table=survival"
        );
        let query = address.strip_prefix("retention.csv").expect("the query");
        let table = Some("survival".to_owned());
        assert_eq!(of(query), Ok(Asked { selection, table }));
        assert_eq!(super::address(Topic::Overview, "", &Selection::default()), "./");
    }

    #[test]
    fn a_filter_that_is_not_understood_is_an_error() {
        for (query, error) in [
            ("?show=robots", QueryError::Show),
            ("?since=yesterday", QueryError::Since),
            ("?product=other", QueryError::Product),
            ("?audience=all", QueryError::Unknown),
            ("?kind=robot", QueryError::Filter("kind")),
            ("?version=latest", QueryError::Filter("version")),
            ("?k=0", QueryError::K),
            ("?k=6", QueryError::K),
            ("?os=linux&os=linux", QueryError::Twice("os")),
            ("?show=all&show=people", QueryError::Twice("show")),
        ] {
            assert_eq!(of(query), Err(error), "{query}");
        }
        assert_eq!(of("?show=&product=&since="), Ok(Asked::default()));
        assert_eq!(of("?show=%61ll").map(|one| one.selection.audience), Ok(Audience::All));
        let with_key = "show=all&key=0123456789abcdef&product=notes-mcp";
        let none = Snapshot::new(Now(0), Vec::new());
        assert_eq!(beside_key(with_key, &none), Err(QueryError::Product));
        assert_eq!(key("a=b&key=0%2B1%zz+"), Some("0+1%zz ".to_owned()));
    }
}
