//! The `mcpproxy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    mcpproxy::cli::run(std::env::args_os().skip(1).collect())
}
