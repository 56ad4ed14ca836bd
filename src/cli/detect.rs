//! `mcpproxy detect`: the classification of this machine, or of recorded ones.
//!
//! One rule: names, never values; reads, never writes.

use super::output::Format;
use super::{Call, Failure, output};
use crate::contract::LaunchSource;
use crate::environment::{Classification, RecordedEvidence, RecordingError, classify};
use crate::{json, machine, visible};
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::ExitCode;

/// A longer line of recorded evidence is answered with an error.
const MAX_LINE_BYTES: usize = 1024 * 1024;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let place = "detect";
    let format = Format::of(call, place)?;
    let told = call.value("launched-by").map(told).transpose()?;
    let Some(source) = call.value("evidence") else {
        return output::print(&this_machine(format, call.has("explain"), told)?);
    };
    if source.is_empty() {
        return Err(Failure::usage(place, "--evidence: the name of the file is empty"));
    }
    if call.value("output").is_some() && format != Format::Json {
        let how = "verdicts on --evidence are JSON lines: use -o json, or leave it out";
        return Err(Failure::usage(place, how));
    }
    let lines = open(source)
        .map_err(|error| Failure::failed(format!(
            "--evidence: cannot open the file: {error}; give a file of JSON lines, or - for standard input"
        )))?;
    let mut out = io::stdout().lock();
    match judge_lines(lines, &mut out).and_then(|clean| out.flush().map(|()| clean)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        // Whoever reads has seen enough (`| head -1`).
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// The value of `--launched-by`.
fn told(source: &OsStr) -> Result<LaunchSource, Failure> {
    match source.to_str().and_then(LaunchSource::from_spelling) {
        Some(source @ (LaunchSource::Tray | LaunchSource::LoginItem)) => Ok(source),
        _ => Err(Failure::usage("detect", "--launched-by must be tray or login_item")),
    }
}

fn open(source: &OsStr) -> io::Result<Box<dyn BufRead>> {
    if source == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(source)?)))
}

/// One verdict or error per line; lines of white space are passed over (but counted). Returns
/// whether every line was good.
fn judge_lines(mut lines: impl BufRead, out: &mut impl Write) -> io::Result<bool> {
    let mut clean = true;
    let mut line = Vec::new();
    for number in 1u64.. {
        let length = read_line(&mut lines, &mut line).map_err(|e| {
            io::Error::other(format!(
                "--evidence: cannot read: {e}; give a file of JSON lines, or - for standard input"
            ))
        });
        let Some(whole) = length? else { break };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut answer = String::with_capacity(256);
        match judge(&line, whole) {
            Ok(verdict) => write_verdict(&mut answer, &verdict),
            Err(error) => {
                clean = false;
                answer.push_str(&format!("{{\"line\":{number},\"error\":"));
                json::write_str(&mut answer, &error.to_string());
            }
        }
        answer.push_str("}\n");
        out.write_all(answer.as_bytes()).map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe => e,
            kind => io::Error::other(format!("cannot write the verdicts: {kind}")),
        })?;
    }
    Ok(clean)
}

/// Why a line has no verdict.
#[derive(Debug)]
enum LineError {
    /// It is longer than [`MAX_LINE_BYTES`].
    TooLong,
    /// It is no recorded evidence.
    Recording(RecordingError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {MAX_LINE_BYTES} bytes"),
            Self::Recording(error) => error.fmt(f),
        }
    }
}

fn judge(line: &[u8], whole: bool) -> Result<Classification, LineError> {
    if !whole {
        return Err(LineError::TooLong);
    }
    let recorded = RecordedEvidence::from_json(line).map_err(LineError::Recording)?;
    Ok(classify(&recorded))
}

/// Reads the next line without its end into `line`; `None` at the end. Keeps at most
/// [`MAX_LINE_BYTES`] of it and tells whether that is all of it.
fn read_line(lines: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut started, mut whole) = (false, true);
    loop {
        let chunk = match lines.fill_buf() {
            Ok(chunk) => chunk,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if chunk.is_empty() {
            return Ok(started.then_some(whole));
        }
        started = true;
        let end = memchr::memchr(b'\n', chunk);
        let content = &chunk[..end.unwrap_or(chunk.len())];
        let kept = content.len().min(MAX_LINE_BYTES - line.len());
        line.extend_from_slice(&content[..kept]);
        whole &= kept == content.len();
        let used = end.map_or(chunk.len(), |end| end + 1);
        lines.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

/// Writes a verdict without its closing brace.
fn write_verdict(out: &mut String, verdict: &Classification) {
    out.push_str(&format!("{{\"env_kind\":\"{}\",\"env_markers\":{{", verdict.env_kind));
    for (at, (name, value)) in markers(verdict).iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        out.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    let (agent_env, rule) = (verdict.agent_env, verdict.rule.as_str());
    out.push_str(&format!("}},\"agent_env\":\"{agent_env}\",\"rule\":\"{rule}\",\"evidence\":["));
    for (at, name) in verdict.evidence.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_str(out, name);
    }
    out.push(']');
}

fn markers(verdict: &Classification) -> [(&'static str, bool); 5] {
    let markers = &verdict.markers;
    [
        ("has_ci_env", markers.has_ci_env),
        ("has_cloud_ide_env", markers.has_cloud_ide_env),
        ("is_container", markers.is_container),
        ("has_tty", markers.has_tty),
        ("has_display", markers.has_display),
    ]
}

fn this_machine(
    format: Format,
    explain: bool,
    told: Option<LaunchSource>,
) -> Result<String, Failure> {
    let verdict = machine::classification();
    let source = machine::launch_source(told);
    let parent = if explain { machine::parent_name() } else { None };
    let mut out = String::with_capacity(512);
    if format != Format::Table {
        write_verdict(&mut out, verdict);
        out.push_str(&format!(",\"launch_source\":\"{source}\""));
        if explain {
            out.push_str(",\"parent\":");
            match &parent {
                Some(name) => json::write_str(&mut out, name),
                None => out.push_str("null"),
            }
        }
        out.push_str("}\n");
        #[cfg(feature = "cli")]
        if format == Format::Yaml {
            let value: serde_json::Value = serde_json::from_str(&out)
                .map_err(|e| Failure::failed(format!("cannot write YAML: {e}")))?;
            return output::yaml(&value);
        }
        return Ok(out);
    }
    let mut row = |name: &str, value: &str| out.push_str(&format!("{name:<19}{value}\n"));
    row("env_kind", verdict.env_kind.as_str());
    for (name, value) in markers(verdict) {
        row(name, if value { "true" } else { "false" });
    }
    row("agent_env", verdict.agent_env.as_str());
    row("launch_source", source.as_str());
    if explain {
        row("rule", verdict.rule.as_str());
        let found = verdict.evidence.join(" ");
        row("evidence", if found.is_empty() { "-" } else { &found });
        let parent = visible::line(parent.as_deref().unwrap_or("-"));
        row("parent", &parent);
    }
    Ok(out)
}
