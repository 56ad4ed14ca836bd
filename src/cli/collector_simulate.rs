//! `mcpproxy collector simulate`: a fleet whose truth is known, received by a collector of its own.
//!
//! One rule: it writes the files that it is told to, which must not exist, and none of an install or a collector.

use super::{Call, Failure, output};
use crate::collector::simulate::{self, Options, Receiving, SimulationError, Watched};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is simulated unless something else is asked for: installs, days, the seed.
const USUAL: [(&str, u64, u64); 3] =
    [("installs", 2_000, 1_000_000), ("days", 60, 360), ("seed", 1, u64::MAX)];

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let mut numbers = [0; 3];
    for (number, (name, usual, most)) in numbers.iter_mut().zip(USUAL) {
        *number = match call.value(name) {
            None => usual,
            Some(text) => {
                let given = text.to_str().and_then(|text| text.parse().ok());
                given.filter(|given| (1..=most).contains(given)).ok_or_else(|| {
                    usage(format!("--{name} needs a whole number from 1 to {most}"))
                })?
            }
        };
    }
    let [installs, days, seed] = numbers;
    let keep = call.value("keep").map(PathBuf::from);
    let dir = match &keep {
        Some(dir) if dir.exists() => {
            return Err(usage("--keep needs the name of a directory that does not exist yet"));
        }
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("mcpproxy-fleet-{}", std::process::id())),
    };
    let done = simulate(&Options { installs, days, seed }, &dir, call);
    if keep.is_none() {
        // What is left of it is the system's to clean up.
        let _ = std::fs::remove_dir_all(&dir);
    }
    done.map(|()| ExitCode::SUCCESS)
}

fn simulate(options: &Options, dir: &Path, call: &Call) -> Result<(), Failure> {
    let failed = |error: SimulationError| Failure::failed(error.to_string());
    let (out, pages) = (call.value("out"), call.value("pages"));
    if out.is_none() && pages.is_some() {
        return Err(usage(
            "--pages needs --out: what is shown is compared with the truth of the log",
        ));
    }
    let mut collector = Receiving::open(dir).map_err(failed)?;
    let Some(file) = out else {
        let stdout = io::stdout().lock();
        return simulate::run(options, &mut collector, &mut BufWriter::new(stdout)).map_err(failed);
    };
    let mut log = BufWriter::new(create(file)?);
    match pages.map(create).transpose()? {
        None => simulate::run(options, &mut collector, &mut log).map_err(failed)?,
        Some(file) => {
            let mut collector = Watched::new(collector, options);
            simulate::run(options, &mut collector, &mut log).map_err(failed)?;
            write_pages(file, &collector).map_err(|error| failed(SimulationError::Log(error)))?;
        }
    }
    log.flush().map_err(|error| failed(SimulationError::Log(error)))?;
    output::print(&format!(
        "{} installs over {} days: scripts/truth.py computes the tables from the log.\n",
        options.installs, options.days
    ))?;
    Ok(())
}

fn create(file: &OsStr) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(file);
    file.map_err(|error| Failure::failed(SimulationError::Log(error).to_string()))
}

/// One object: when the pages were looked at, the first day of some of them, and what they showed.
fn write_pages(file: File, collector: &Watched) -> io::Result<()> {
    let moments: Vec<String> = collector.moments().iter().map(u64::to_string).collect();
    let (moments, since) = (moments.join(","), collector.since());
    let mut file = BufWriter::new(file);
    write!(file, r#"{{"moments":[{moments}],"since":"{since}","pages":["#)?;
    file.write_all(collector.pages().join(",").as_bytes())?;
    file.write_all(b"]}\n")?;
    file.flush()
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::usage("collector simulate", words)
}
