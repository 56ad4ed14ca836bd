//! `mcpproxy collector doctor URL`: looks at a running collector from outside.
//!
//! One rule: a failure is in the exit code, a warning is not.

use super::collector_clock;
use super::output::{Format, Report};
use super::{Call, Failure, output};
use crate::collector::doctor::{self, Check, Dialer, Endpoint, Level};
use crate::collector::store;
use crate::json::Node;
use crate::machine;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector doctor";
    let usage = |words: &str| Failure::usage(place, words);
    let format = Format::of(call, place)?;
    let endpoint = call.operand().to_str().and_then(Endpoint::parse);
    let endpoint = endpoint.ok_or_else(|| {
        usage("URL is the endpoint of clients, such as https://t.example.org or http://127.0.0.1:8787/telemetry")
    })?;
    let product = match call.value("product") {
        None => None,
        Some(text) => {
            let text = text.to_str().ok_or_else(|| usage("the product name is not UTF-8"))?;
            Some(store::named(text).map_err(|error| usage(&error.to_string()))?)
        }
    };
    let roots = call.value("ca").map(|path| authority(Path::new(path))).transpose()?;
    // Tests move the clock of a collector that only this machine can reach, and look at it with the same.
    let offset = match endpoint.is_loopback() {
        true => collector_clock::offset((Ipv4Addr::LOCALHOST, 0).into())?,
        false => 0,
    };
    let now = machine::now().saturating_add_signed(offset);
    let dialer = Dialer::new(endpoint, roots.unwrap_or_default());
    let dialer = dialer.map_err(|error| Failure::failed(format!("--ca: {error}")))?;
    let checks = doctor::examine(&dialer, product.as_deref(), now);
    Report { node: || node(&checks), table: || table(&checks) }.print(format)?;
    let is_broken = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn authority(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = || {
        Failure::failed(format!(
            "{}: it holds no certificate in PEM; name the file of the private authority with --ca FILE",
            path.display()
        ))
    };
    let all = CertificateDer::pem_file_iter(path).map_err(|_| wrong())?;
    let all: Vec<_> = all.collect::<Result<_, _>>().map_err(|_| wrong())?;
    if all.is_empty() { Err(wrong()) } else { Ok(all) }
}

fn node(checks: &[Check]) -> Node {
    let failed = checks.iter().filter(|check| check.level == Level::Fail).count();
    Node::Object(vec![
        ("checks", Node::List(checks.iter().map(Check::to_node).collect())),
        ("failed", (failed as u64).into()),
    ])
}

fn table(checks: &[Check]) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for check in checks {
        let level = check.level.as_str().to_owned();
        rows.push([level, check.name.to_owned(), format!("{}.", check.found)]);
        let advice = check.advice.map(|advice| format!("To do: {advice}."));
        rows.extend(advice.map(|advice| [String::new(), String::new(), advice]));
    }
    output::columns(&rows)
}
