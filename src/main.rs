//! The `mcpproxy` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = mcpproxy::cli::run(std::env::args_os().skip(1).collect());
    mcpproxy_platform::files::abandon_unfinished();
    code
}
