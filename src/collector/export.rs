//! Exporting: every install of a product as one line of JSON, for a spreadsheet or a study.
//!
//! One rule: a line cannot be led back to an install. It has no id and no hash of one, no time finer than a day, and
//! of the names of clients only those of the public vocabulary.

use super::definitions::Day;
use super::row::{DAYS, Facts, InstallRow, Step};
use super::store::{Reader, StoreError};
use crate::contract::{AgentEnv, Edition, RoutingMode, client_name};
use crate::json::Node;
use std::io::{self, Write};

/// Why nothing, or not everything, was exported.
#[derive(Debug)]
pub enum ExportError {
    /// The database cannot be read.
    Store(StoreError),
    /// The lines cannot be written.
    Write(io::Error),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Writes every install of these products; how many they are.
pub fn write(
    reader: &Reader,
    products: &[String],
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let mut installs = 0;
    for product in products {
        reader.each_install(product, |_, row| {
            installs += 1;
            out.write_all(line(product, &row).as_bytes()).map_err(ExportError::from)
        })?;
    }
    out.flush()?;
    Ok(installs)
}

/// One install, with the line end.
fn line(product: &str, row: &InstallRow) -> String {
    let (known, others): (Vec<&String>, Vec<&String>) =
        row.clients.iter().partition(|name| client_name::is_known(name));
    let days = (0..DAYS).filter(|n| row.seen_on(row.day0 + n)).map(|n| Node::Count(u64::from(n)));
    let version = |(name, day): &(String, u32)| {
        Node::Object(vec![("version", name.as_str().into()), ("day", date(*day))])
    };
    let step = |step: Step| row.step(step).map_or(Node::Null, date);
    let mut text = Node::Object(vec![
        ("product", product.into()),
        ("day_0", date(row.day0)),
        ("last_day", date(row.last_day)),
        ("days", Node::List(days.collect())),
        (
            "steps",
            Node::Object(vec![
                ("server_configured", step(Step::ServerConfigured)),
                ("server_connected", step(Step::ServerConnected)),
                ("client_seen", step(Step::ClientSeen)),
                ("tools_searched", step(Step::ToolsSearched)),
                ("real_tool_call", step(Step::RealToolCall)),
            ]),
        ),
        ("first", facts(&row.first)),
        ("now", facts(&row.now)),
        ("versions", Node::List(row.versions.iter().map(version).collect())),
        ("clients", Node::List(known.into_iter().map(|name| name.as_str().into()).collect())),
        ("other_clients", Node::Count(others.len() as u64)),
        ("carried_over", Node::Bool(row.carried_over)),
        ("late_start", Node::Bool(row.late_start)),
        ("clock_wrong", Node::Count(u64::from(row.clock_wrong))),
        ("flood", Node::Bool(row.flood)),
    ])
    .to_compact();
    text.push('\n');
    text
}

fn date(day: u32) -> Node {
    Node::Text(Day(day).to_string())
}

fn facts(facts: &Facts) -> Node {
    let markers = facts.markers.map(|markers| {
        Node::Object(vec![
            ("has_ci_env", Node::Bool(markers.has_ci_env)),
            ("has_cloud_ide_env", Node::Bool(markers.has_cloud_ide_env)),
            ("is_container", Node::Bool(markers.is_container)),
            ("has_tty", Node::Bool(markers.has_tty)),
            ("has_display", Node::Bool(markers.has_display)),
        ])
    });
    let word = |word: Option<&'static str>| word.map_or(Node::Null, Node::from);
    Node::Object(vec![
        ("env_kind", facts.kind.as_str().into()),
        ("env_markers", markers.unwrap_or(Node::Null)),
        ("agent_env", word(facts.agent_env.map(AgentEnv::as_str))),
        ("launch_source", facts.launch_source.as_str().into()),
        ("os", facts.os.as_str().into()),
        ("arch", facts.arch.as_str().into()),
        ("edition", word(facts.edition.map(Edition::as_str))),
        ("routing_mode", word(facts.routing.map(RoutingMode::as_str))),
        ("version", facts.version.as_str().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::store::fleet;

    #[test]
    fn rows_are_written_as_they_are_read() {
        let place = fleet::copy();
        let file = rusqlite::Connection::open(place.path().join("collector.db")).expect("the file");
        let fault = "UPDATE installs SET days = 'none' WHERE install = \
                     (SELECT MAX(install) FROM installs WHERE product = \
                     (SELECT product FROM names WHERE name = 'notes-mcp'))";
        assert_eq!(file.execute(fault, []).expect("a change"), 1);
        let of = "SELECT COUNT(*) FROM installs JOIN names ON names.product = installs.product \
                  WHERE names.name = 'notes-mcp'";
        let all: usize = file.query_row(of, [], |row| row.get(0)).expect("a number");
        let reader = Reader::open(place.path()).expect("a reader");
        let mut out = Vec::new();
        let done = write(&reader, &["notes-mcp".to_owned()], &mut out);
        assert!(matches!(done, Err(ExportError::Store(StoreError::Damaged))), "{done:?}");
        let lines = out.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, all - 1, "all before the damaged one, which is the last");
    }
}
