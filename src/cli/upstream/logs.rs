//! `mcpproxy upstream logs`: what a server wrote on standard error, from the gateway that runs it.

use super::running::{Running, in_path};
use super::{Failure, named};
use crate::cli::{Call, output};
use crate::machine;
use serde_json::Value;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// How often new lines are asked for.
const LOOK: Duration = Duration::from_millis(500);

pub(in crate::cli) fn logs(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream logs")?;
    let gateway = Running::of(call, "upstream logs")?;
    let ask = |from: u64| {
        gateway.ask("GET", &format!("/api/v1/servers/{}/logs?from={from}", in_path(name)))
    };
    let first = ask(0).map_err(|error| gateway.failure(error, name))?;
    let mut shown = Shown::default();
    output::print(&shown.text(&first))?;
    if shown.is_empty() {
        machine::complain(&match first["protocol"].as_str() {
            Some("stdio") => format!("mcpproxy: {name:?} wrote nothing on standard error yet"),
            _ => format!("mcpproxy: {name:?} is reached over HTTP: its own log is where it runs"),
        });
    }
    while call.has("follow") {
        thread::sleep(LOOK);
        match ask(shown.next) {
            Ok(more) => {
                output::print(&shown.text(&more))?;
            }
            Err(error) => return Err(gateway.failure(error, name)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How far the lines were shown.
#[derive(Default)]
struct Shown {
    next: u64,
    run: Option<u64>,
}

impl Shown {
    fn is_empty(&self) -> bool {
        self.run.is_none()
    }

    /// The lines of an answer that are new, each with its time.
    fn text(&mut self, answer: &Value) -> String {
        let mut out = String::new();
        let next = answer["next"].as_u64().unwrap_or_default();
        if next < self.next {
            // Its entry changed: it is another server now, whose lines begin anew.
            *self = Self::default();
            return out;
        }
        for line in answer["lines"].as_array().into_iter().flatten() {
            let number = line["number"].as_u64().unwrap_or_default();
            let run = line["run"].as_u64();
            if self.run.is_some() && number > self.next {
                out.push_str(&format!("-- {} lines are not kept --\n", number - self.next));
            }
            if self.run.is_some() && run != self.run {
                out.push_str("-- started again --\n");
            }
            let member = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            out.push_str(&format!("{} {}\n", member("at"), member("text")));
            (self.next, self.run) = (number + 1, run);
        }
        self.next = next;
        out
    }
}
