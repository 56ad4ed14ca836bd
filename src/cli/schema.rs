//! `mcpproxy telemetry schema`: the wire contract.

use super::{Call, Failure, output};
use crate::contract::SCHEMA;
use std::process::ExitCode;

pub(super) fn run(_call: &Call) -> Result<ExitCode, Failure> {
    output::print(SCHEMA)
}
