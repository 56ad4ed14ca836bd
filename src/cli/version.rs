//! `mcpproxy --version [--verbose]`

use super::{Failure, output};
use crate::build_info;
use crate::environment::PROBES;
use std::process::ExitCode;

pub(super) fn run(verbose: bool) -> Result<ExitCode, Failure> {
    let version = build_info::VERSION;
    if !verbose {
        return output::print(&format!("mcpproxy {version}\n"));
    }
    let rows = [
        ("version", version.to_owned()),
        ("release", if build_info::RELEASE_VERSION.is_some() { "yes" } else { "no" }.to_owned()),
        ("commit", build_info::COMMIT.unwrap_or("unknown").to_owned()),
        ("target", build_info::TARGET.to_owned()),
        ("edition", build_info::EDITION.to_string()),
        ("endpoint", build_info::ENDPOINT.unwrap_or("none").to_owned()),
        ("product", product()),
        (
            "notice",
            if build_info::REQUIRE_VISIBLE_NOTICE { "must be visible" } else { "must be written" }
                .to_owned(),
        ),
        ("features", built(build_info::FEATURES)),
        ("probes", built(PROBES)),
        (
            "client names",
            if build_info::KNOWN_CLIENT_NAMES_ONLY { "known" } else { "all" }.to_owned(),
        ),
    ];
    let lines: String = rows.iter().map(|(name, value)| format!("{name:13} {value}\n")).collect();
    output::print(&format!("mcpproxy {version}\n{lines}"))
}

/// The product that a host counts for when it is told none.
fn product() -> String {
    match (build_info::PRODUCT, build_info::PRODUCT_VERSION) {
        (None, _) => "mcpproxy".to_owned(),
        (Some(name), None) => name.to_owned(),
        (Some(name), Some(version)) => format!("{name} {version}"),
    }
}

fn built(list: &[(&'static str, bool)]) -> String {
    let names: Vec<&str> = list.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}
