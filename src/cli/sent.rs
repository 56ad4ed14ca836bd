//! `telemetry sent`: the heartbeats that were acknowledged.
//!
//! One rule: the copies themselves, as they lie on disk; nothing is sent or changed.

use super::about::About;
use super::output::{self, Format, Report};
use super::{Call, Failure};
use crate::heartbeat::sent;
use crate::json::{self, Node};
use crate::machine::{self, Surroundings};
use crate::paths::Place;
use crate::status::list::List;
use std::path::PathBuf;
use std::process::ExitCode;

/// One acknowledged heartbeat.
struct Sent {
    product: String,
    file: PathBuf,
    bytes: Vec<u8>,
    timestamp: String,
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "telemetry sent")?;
    let dir = call.dir()?;
    let places: Vec<Place> = match call.value("product").or(call.value("endpoint")) {
        Some(_) => vec![About::of(call)?.place],
        None => {
            let list = List::read(&dir, Surroundings::of_this_process(), machine::now());
            list.rows.into_iter().map(|row| row.place).collect()
        }
    };
    let mut all: Vec<Sent> = places.iter().flat_map(of).collect();
    // A file is named after its time.
    all.sort_by(|a, b| b.file.file_name().cmp(&a.file.file_name()));
    Report { node: || node(&all), table: || table(&all) }.print(format)
}

/// Those of one product. A copy that was edited since is shown as it is; one that cannot be read is left out.
fn of(place: &Place) -> Vec<Sent> {
    let read = |file: PathBuf| {
        let bytes = std::fs::read(&file).ok()?;
        let timestamp = json::parse(&bytes)
            .ok()
            .and_then(|payload| Some(payload.get("timestamp")?.as_str()?.to_owned()));
        let timestamp = timestamp.unwrap_or_else(|| "-".to_owned());
        Some(Sent { product: place.product().to_owned(), file, bytes, timestamp })
    };
    sent::copies(place).into_iter().filter_map(read).collect()
}

fn node(all: &[Sent]) -> Node {
    let one = |sent: &Sent| {
        let is_json = json::parse(&sent.bytes).is_ok();
        let text = String::from_utf8_lossy(&sent.bytes).into_owned();
        Node::Object(vec![
            ("timestamp", sent.timestamp.as_str().into()),
            ("product", sent.product.as_str().into()),
            ("file", sent.file.to_string_lossy().as_ref().into()),
            ("payload", if is_json { Node::Raw(text) } else { Node::Text(text) }),
        ])
    };
    Node::Object(vec![("sent", Node::List(all.iter().map(one).collect()))])
}

fn table(all: &[Sent]) -> String {
    if all.is_empty() {
        return "No heartbeat was acknowledged yet; `mcpproxy telemetry show-payload` shows the next one.\n"
            .to_owned();
    }
    let head = ["SENT", "PRODUCT", "BYTES", "FILE"].map(str::to_owned);
    let row = |sent: &Sent| {
        let file = sent.file.to_string_lossy().into_owned();
        [sent.timestamp.clone(), sent.product.clone(), sent.bytes.len().to_string(), file]
    };
    output::columns(&std::iter::once(head).chain(all.iter().map(row)).collect::<Vec<_>>())
}
