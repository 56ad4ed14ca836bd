//! `mcpproxy uninstall`: shows what is ours on this machine, then removes it.
//!
//! One rule: nothing is removed that was not shown before, nothing while a host runs, and no opt-out unless that is
//! asked for.

mod data;
mod wiring;

use super::{Call, Failure, output};
use crate::activation::StoreError;
use crate::config::EditError;
#[cfg(feature = "connect")]
use crate::connect::Trouble;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::sent;
use crate::machine::{self, Surroundings};
use crate::paths::{DataDir, Place};
use crate::products::Subject;
use crate::visible;
use data::Data;
use std::fmt::{self, Write as _};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use wiring::Owner;

/// Why something stays. Names files of this user, to this user.
#[derive(Debug)]
enum UninstallError {
    /// A host of this product wrote its mark within the last two minutes.
    Running(String),
    /// The store could not be read or removed.
    Store(StoreError),
    /// The configuration could not be edited.
    Config(EditError),
    /// A file could not be removed.
    File(PathBuf, io::ErrorKind),
    /// The entry in a client's file stays; `None` when it is not ours.
    #[cfg(feature = "connect")]
    Client(String, Option<Trouble>),
    /// The original of a client's file that is gone: it may be the last copy of what stood there.
    #[cfg(feature = "connect")]
    Original(String),
    /// An entry that starts it at login is none of ours.
    #[cfg(feature = "autostart")]
    Login,
    /// The entry that starts it at login stays.
    #[cfg(feature = "autostart")]
    Autostart(crate::autostart::AutostartError),
}

impl fmt::Display for UninstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(name) => write!(
                f,
                "a host of {name} is running, and would count on: end it (close the MCP clients that start it) and try again; one that was killed counts as running for two minutes"
            ),
            Self::Store(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::File(path, kind) => write!(f, "{} cannot be removed: {kind}", path.display()),
            #[cfg(feature = "connect")]
            Self::Client(path, None) => write!(
                f,
                "{path}: no record says that `connect` wrote the entry `mcpproxy`; edit it by hand"
            ),
            #[cfg(feature = "connect")]
            Self::Client(path, Some(why)) => write!(f, "{path}: {why}"),
            #[cfg(feature = "connect")]
            Self::Original(path) => write!(
                f,
                "{path}: the file that it is the original of is gone; move it back, or remove it"
            ),
            #[cfg(feature = "autostart")]
            Self::Login => f.write_str(
                "an entry starts it at login that `mcpproxy autostart enable` did not write; remove it the way it came",
            ),
            #[cfg(feature = "autostart")]
            Self::Autostart(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UninstallError {}

impl From<StoreError> for UninstallError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<EditError> for UninstallError {
    fn from(error: EditError) -> Self {
        Self::Config(error)
    }
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let (dir, product) = (call.dir()?, call.product()?);
    let data = Data::of(&dir, product.as_deref(), call.has("with-opt-out"));
    let owner = Owner::new(&dir, call.data_dir.is_some());
    let wired = product.is_none().then_some(owner);
    let (is_empty, mut shown) = shown(&data, wired);
    if is_empty {
        return output::print(&shown);
    }
    let can_answer = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !call.has("with-opt-out") {
        shown.push_str("An opt-out stays; --with-opt-out removes it as well.\n");
    }
    let senders = senders(&data);
    if !call.has("forget") && !senders.is_empty() {
        let _ = writeln!(
            shown,
            "Collectors keep what they received of {}: --forget asks them to erase it first, which needs the ids that are removed here.",
            senders.join(", ")
        );
    }
    let failed = |error: UninstallError| Failure::failed(format!("nothing was removed: {error}"));
    let running = data.host(machine::now());
    if !call.has("yes") && !can_answer {
        if let Err(running) = &running {
            let _ = writeln!(shown, "Before that: {running}.");
        }
        shown.push_str("Nothing was removed: `mcpproxy uninstall --yes` does it.\n");
    }
    let done = output::print(&shown)?;
    let mut forgets = call.has("forget");
    if !call.has("yes") {
        if !can_answer {
            return Ok(done);
        }
        running.map_err(failed)?;
        forgets = forgets || !senders.is_empty() && asked("Ask them to erase it first?");
        if !asked("Remove all of this?") {
            return output::print("Nothing was removed.\n");
        }
    }
    // One may have started while it was asked.
    data.host(machine::now()).map_err(failed)?;
    if forgets {
        for name in &senders {
            forget(&dir, name)?;
        }
    }
    let mut left = data.remove();
    left.extend(wired.map(wiring::remove).into_iter().flatten());
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(UninstallError::to_string).collect();
        return Err(Failure::failed(format!("not all of it was removed: {}", left.join("; "))));
    }
    output::print(if product.is_none() {
        "Removed. The program itself goes the way it came: your package manager, or its file.\n"
    } else {
        "Removed.\n"
    })
}

/// What goes and what stays, in words; and whether nothing goes.
fn shown(data: &Data<'_>, wired: Option<Owner<'_>>) -> (bool, String) {
    let wiring = wired.map(wiring::found).unwrap_or_default();
    let mut goes = String::new();
    for (path, what) in data.found() {
        let _ = writeln!(goes, "  {}: {what}", path.display());
    }
    for found in &wiring.goes {
        let _ = writeln!(goes, "  {found}");
    }
    let is_empty = goes.is_empty();
    let mut shown = match is_empty {
        true => "There is nothing of mcpproxy to remove here.\n".to_owned(),
        false => format!("To be removed:\n{goes}"),
    };
    let stays = data.stays().into_iter().chain(wiring.stays).map(|stays| stays.to_string());
    let mut stays = stays.chain(wiring.others).peekable();
    if stays.peek().is_some() {
        shown.push_str("What stays:\n");
    }
    for stays in stays {
        let _ = writeln!(shown, "  {stays}");
    }
    (is_empty, shown)
}

/// The products that may have sent something, and have the id under which they did.
fn senders(data: &Data<'_>) -> Vec<String> {
    if !cfg!(feature = "heartbeat") {
        return Vec::new();
    }
    let around = Surroundings::of_this_process();
    let has_sent = |place: &&Place| {
        let subject = Subject::own(place.data_dir());
        let permission = Permission::read_in(&subject, Some(place), around);
        // What cannot be read is asked for as well, so that `forget` says why it cannot be erased.
        let has_id = permission.kept.map_or(true, |kept| kept.anonymous_id.is_some());
        has_id && sent::may_have_left(place).unwrap_or(true)
    };
    let mut names: Vec<String> =
        data.places.iter().filter(has_sent).map(|place| place.product().to_owned()).collect();
    names.dedup();
    names
}

#[cfg(feature = "heartbeat")]
fn forget(dir: &DataDir, name: &str) -> Result<(), Failure> {
    super::forget::everywhere(dir, name).map_err(|failure| Failure {
        text: format!("stopped before the rest was removed: {}", failure.text),
        ..failure
    })
}

#[cfg(not(feature = "heartbeat"))]
fn forget(_: &DataDir, _: &str) -> Result<(), Failure> {
    Ok(())
}

/// What is no clear yes is a no.
fn asked(question: &str) -> bool {
    let mut out = io::stdout().lock();
    let question = visible::lines(question);
    if write!(out, "{question} [y/N] ").and_then(|()| out.flush()).is_err() {
        return false;
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).is_ok()
        && ["y", "yes"].iter().any(|word| line.trim().eq_ignore_ascii_case(word))
}
