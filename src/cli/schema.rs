//! `mcpproxy telemetry schema`: the wire contract.

use super::{Call, Failure, output};
use crate::contract::{self, SCHEMA_VERSION};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let schema = match call.value("version") {
        None => contract::schema(SCHEMA_VERSION),
        Some(version) => version.to_str().and_then(|it| it.parse().ok()).and_then(contract::schema),
    };
    match schema {
        Some(schema) if schema.text.is_empty() => Err(Failure::failed(
            "this build holds the schema of version 4 only; the other one comes with the cargo feature `cli`",
        )),
        Some(schema) => output::print(schema.text),
        None => Err(Failure::usage("telemetry schema", "unknown version; use 3 or 4")),
    }
}
