//! `mcpproxy upstream test`: connects to one server here and now, without a gateway, and says what came of it.

use super::running::near;
use super::{Failure, named};
use crate::cli::{Call, output};
use crate::config::{self, Which, servers};
use crate::machine;
use crate::serve::trial::{self, Trial};
use std::process::ExitCode;

pub(in crate::cli) fn test(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream test")?;
    let dir = call.dir()?;
    config::trust::check(&dir).map_err(|why| Failure::failed(why.in_words(Which::Given)))?;
    let all = servers::servers(&dir).map_err(|why| {
        Failure::failed(format!("{why}; repair it or move it away, then try again"))
    })?;
    let entry = all.into_iter().find(|server| server.name == name).ok_or_else(|| {
        let hint = match near(&dir, name) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "see `mcpproxy upstream list`".to_owned(),
        };
        Failure::failed(format!("there is no server of that name ({name:?}); {hint}"))
    })?;
    let trial = trial::run(&entry).map_err(|error| {
        Failure::failed(format!("the server could not be tried: {}", error.kind()))
    })?;
    match trial {
        Trial::Connected(found) => {
            let took = found.took.as_millis();
            let mut text = format!(
                "{name:?} connected in {took} ms; protocol {}, {} tools, {} prompts, {} resources.\n",
                found.version, found.tools, found.prompts, found.resources
            );
            for fault in &found.faults {
                text.push_str(&format!("Fault: {fault}.\n"));
            }
            output::print(&text)
        }
        Trial::Failed(failed) => {
            let (code, why) = (failed.code.as_str(), &failed.why);
            machine::complain(&format!(
                "mcpproxy upstream test: {name:?} is not connected ({code}): {why}"
            ));
            if !failed.lines.is_empty() {
                machine::complain(&"Its last lines on standard error:");
            }
            for line in &failed.lines {
                machine::complain(&format!("  {line}"));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
