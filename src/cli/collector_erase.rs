//! `mcpproxy collector forget|purge|retire|unretire`: installs that leave, and versions that are told to stop.
//!
//! One rule: each works beside a running collector, and what cannot be taken back is shown before it is done.

use super::collector::{failed, key, located, name};
use super::collector_clock::now;
use super::{Call, Failure, output};
use crate::collector::definitions::{Day, Now};
use crate::collector::report::words::{counted, grouped};
use crate::collector::store::{self, Meant, ProductError, Purge};
use crate::contract::table::Text;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

/// Bytes of standard input that are looked at for an id.
const MOST: u64 = 4_096;

pub(super) fn forget(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector forget";
    let id = id(call.operand(), place)?;
    let product = product(call, place)?;
    let erased = store::forget(&located(call)?, &key(call)?, product.as_deref(), &id, today()?.0);
    let erased = erased.map_err(|error| failed(place, &error))?;
    let after = "for 30 days nothing of it is stored again.";
    output::print(&match &erased[..] {
        [] => format!("No install has this id here; {after}\n"),
        products => format!("Erased: the install of {}; {after}\n", products.join(" and ")),
    })
}

/// The id that is meant. `-` is standard input: an argument stays in the history of the shell.
fn id(operand: &OsStr, place: &str) -> Result<String, Failure> {
    let wrong = || {
        let words = "the id must be one as heartbeats carry it, such as 1b4e28ba-2fa1-4d3b-883f-0016d3cca427; `-` \
                     reads it from standard input";
        Failure::usage(place, words)
    };
    let text = if operand == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(MOST).read_to_end(&mut bytes);
        read.map_err(|error| {
            Failure::failed(format!("standard input cannot be read: {}", error.kind()))
        })?;
        String::from_utf8(bytes).map_err(|_| wrong())?
    } else {
        operand.to_str().ok_or_else(wrong)?.to_owned()
    };
    let id = text.trim().to_ascii_lowercase();
    if Text::Uuid.matches(&id) { Ok(id) } else { Err(wrong()) }
}

pub(super) fn purge(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector purge";
    let usage = |words: &str| Failure::usage(place, words);
    let received = call.value("received").ok_or_else(|| {
        usage("--received is missing: name the days, such as 2026-11-01..2026-11-03")
    })?;
    let days = received.to_str().and_then(days);
    let (from, to) = days.ok_or_else(|| {
        usage(
            "--received needs one day or two, the first one first, such as 2026-11-01..2026-11-03",
        )
    })?;
    let only_floods = match call.value("reason") {
        None => false,
        Some(reason) if reason == "flood" => true,
        Some(_) => return Err(usage("--reason must be flood")),
    };
    let purge = Purge { from: from.0, to: to.0, only_floods, product: product(call, place)? };
    let dir = located(call)?;
    let meant = purge.look(&dir).map_err(|error| failed(place, &error))?;
    let all: u64 = meant.iter().map(|one| one.installs).sum();
    if all == 0 {
        return output::print("No install was first received on these days.\n");
    }
    output::print(&shown(&meant, from, to))?;
    if !call.has("yes") && !is_confirmed()? {
        return Err(Failure::failed("nothing was purged: say --yes to purge them"));
    }
    let purged = purge.run(&dir, today()?.0).map_err(|error| failed(place, &error))?;
    output::print(&format!("Purged {}.\n", counted(purged, "install", "installs")))
}

fn shown(meant: &[Meant], from: Day, to: Day) -> String {
    let days = if from == to { format!("on {from}") } else { format!("from {from} to {to}") };
    let mut text = format!("First received {days}:\n");
    for one in meant {
        let installs = counted(one.installs, "install", "installs");
        text.push_str(&format!(
            "  {}: {installs}, {} marked as a flood\n",
            one.product,
            grouped(one.floods)
        ));
    }
    text
}

/// Whether somebody at a terminal says yes.
fn is_confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(false);
    }
    output::print("Purge them? This cannot be taken back. [y/N] ")?;
    let _ = io::stdout().flush();
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.map_err(|error| {
        Failure::failed(format!("standard input cannot be read: {}", error.kind()))
    })?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// `2026-11-01..2026-11-03`, or one day.
fn days(text: &str) -> Option<(Day, Day)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (Day::parse(from)?, Day::parse(to)?);
    (from <= to).then_some((from, to))
}

pub(super) fn retire(call: &Call) -> Result<ExitCode, Failure> {
    let (product, version) = version(call, "collector retire")?;
    let is_new = store::retire(&located(call)?, &product, &version);
    let is_new = is_new.map_err(|error| of_version("collector retire", &error))?;
    output::print(&match is_new {
        true => format!(
            "{product} {version} is told to stop from now on (410); each install of it asks again after 28 days.\n"
        ),
        false => format!("{product} {version} is retired already.\n"),
    })
}

pub(super) fn unretire(call: &Call) -> Result<ExitCode, Failure> {
    let (product, version) = version(call, "collector unretire")?;
    let was_retired = store::unretire(&located(call)?, &product, &version);
    let was_retired = was_retired.map_err(|error| of_version("collector unretire", &error))?;
    output::print(&match was_retired {
        true => format!(
            "{product} {version} is received again. An install that was told to stop asks again 28 days after that.\n"
        ),
        false => format!("{product} {version} is not retired.\n"),
    })
}

/// Product and version of a call, the version without a leading `v`.
fn version(call: &Call, place: &str) -> Result<(String, String), Failure> {
    let product = name(call.operand()).map_err(|f| f.at(place))?;
    let version = call.operands.get(1).map(OsString::as_os_str).unwrap_or_default();
    let version = version.to_str().ok_or_else(|| of_version(place, &ProductError::Version))?;
    Ok((product, version.strip_prefix('v').unwrap_or(version).to_owned()))
}

fn of_version(place: &str, error: &ProductError) -> Failure {
    match error {
        ProductError::Version => Failure::usage(place, error.to_string()),
        _ => failed(place, error),
    }
}

/// The product of `--product`.
pub(super) fn product(call: &Call, place: &str) -> Result<Option<String>, Failure> {
    call.value("product").map(name).transpose().map_err(|f| f.at(place))
}

/// The UTC day of today.
fn today() -> Result<Day, Failure> {
    Ok(Now(now()?).today())
}
