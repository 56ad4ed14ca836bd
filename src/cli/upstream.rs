//! `mcpproxy upstream`: the servers behind the gateway, in the configuration and as they run.
//!
//! One rule: what an entry holds can be secret. Names, command words and origins are shown, nothing else.

mod list;
mod logs;
mod restart;
pub(super) mod running;
mod test;

pub(super) use list::list;
pub(super) use logs::logs;
pub(super) use restart::restart;
#[cfg(feature = "cli")]
pub(super) use running::near;
pub(super) use test::test;

use super::{Call, Failure, output};
use crate::config::servers::relative::{is_dotted, is_relative, is_relative_command};
use crate::config::servers::{self, ChangeError, EntryError, Hint, ServerEntry};
use crate::config::{self, DISPLAY_NAME, EDIT_DEADLINE, Editing, NewValue};
use crate::machine;
use crate::paths::DataDir;
use mcpproxy_platform::files;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

type Members = Vec<(String, NewValue)>;

pub(super) fn add(call: &Call) -> Result<ExitCode, Failure> {
    let place = "upstream add";
    let usage =
        |error: AddError| Failure::usage(place, format!("{error}; see `mcpproxy {place} --help`"));
    let (name, members) = new_entry(call).map_err(usage)?;
    servers::check(&name, &members).map_err(|error| usage(error.into()))?;
    let replaced = edit(call, &name, |e| servers::add(e, &name, members, call.has("replace")))?;
    say_if_exposed(&call.dir()?, &name);
    if let Some(url) = call.value("url").and_then(OsStr::to_str)
        && servers::is_sse_address(url)
    {
        machine::complain(&format!(
            "mcpproxy: {name:?} may never be connected: {}",
            Hint::SseAddress
        ));
    }
    let done = if replaced { "Replaced" } else { "Added" };
    output::print(&format!("{done} {name:?} in {DISPLAY_NAME}.\n"))
}

/// Says so where others may read the configuration, and the entry has brought a secret into it.
fn say_if_exposed(dir: &DataDir, name: &str) {
    let Some(mode) = files::mode_for_others(&dir.config()) else { return };
    let Ok(servers) = servers::servers(dir) else { return };
    let secret = servers.iter().find(|server| server.name == name).and_then(ServerEntry::secret);
    if let Some(member) = secret {
        machine::complain(&format!(
            "mcpproxy: {DISPLAY_NAME} has mode {mode:04o}: others may read the `{member}` that is in it now; make it 0600 \
             (chmod 600), or write ${{NAME}} in place of a secret"
        ));
    }
}

pub(super) fn remove(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream remove")?;
    edit(call, name, |e| servers::remove(e, name))?;
    output::print(&format!("Removed {name:?} from {DISPLAY_NAME}.\n"))
}

pub(super) fn enable(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream enable")?;
    edit(call, name, |e| servers::set_enabled(e, name, true))?;
    output::print(&format!("{name:?} is enabled.\n"))
}

pub(super) fn disable(call: &Call) -> Result<ExitCode, Failure> {
    let name = named(call, "upstream disable")?;
    edit(call, name, |e| servers::set_enabled(e, name, false))?;
    output::print(&format!("{name:?} is disabled.\n"))
}

pub(super) fn set_command(call: &Call) -> Result<ExitCode, Failure> {
    let place = "upstream set-command";
    let name = named(call, place)?;
    let command = call.operands.get(1).map_or("", |command| command.to_str().unwrap_or_default());
    edit(call, name, |e| servers::set_command(e, name, command))?;
    output::print(&format!("The command of {name:?} is written to {DISPLAY_NAME}.\n"))
}

fn named<'c>(call: &'c Call, place: &str) -> Result<&'c str, Failure> {
    call.operand().to_str().ok_or_else(|| Failure::usage(place, "NAME is not UTF-8"))
}

/// Changes the servers under the config's lock.
fn edit<R>(
    call: &Call,
    name: &str,
    change: impl FnOnce(&mut Editing) -> Result<R, ChangeError>,
) -> Result<R, Failure> {
    config::edit(&call.dir()?, EDIT_DEADLINE, change).map_err(|error: ChangeError| {
        let hint = match error {
            ChangeError::Exists => {
                format!(" ({name:?}): use --replace, or `mcpproxy upstream remove` first")
            }
            ChangeError::NotFound => format!(" ({name:?}); see `mcpproxy upstream list`"),
            ChangeError::LooksAlike => format!(" ({name:?}); see `mcpproxy upstream list`"),
            ChangeError::Ambiguous
            | ChangeError::NoCommand
            | ChangeError::Unusable
            | ChangeError::Edit(_) => String::new(),
        };
        Failure::failed(format!("{error}{hint}"))
    })
}

/// Why a command line is no server.
#[derive(Debug)]
enum AddError {
    /// It has a URL and a command.
    Both,
    /// It has neither.
    Neither,
    /// It has headers for a command.
    HeaderOfCommand,
    /// Its command is a URL.
    UrlAsCommand,
    /// It has this option, which is for a command, and a URL.
    OptionOfCommand(&'static str),
    /// What stands here is not UTF-8.
    Utf8(&'static str),
    /// The value of this option has not this form.
    Form(&'static str, &'static str),
    /// This option has the same name twice.
    Twice(&'static str),
    /// There is no current directory.
    NoDirectory(io::ErrorKind),
    /// What it asks for is no entry.
    Entry(EntryError),
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both => f.write_str("there are both --url and a command; give one"),
            Self::Neither => f.write_str("there is no server; give a command, or --url URL"),
            Self::HeaderOfCommand => f.write_str("--header is for --url; a command has --env"),
            Self::UrlAsCommand => f.write_str("the command is a URL; write --url before it"),
            Self::OptionOfCommand(option) => {
                write!(f, "--{option} is for a command, not for --url")
            }
            Self::Utf8(what) => write!(f, "{what} is not UTF-8"),
            Self::Form(option, form) => write!(f, "--{option} must be {form}"),
            Self::Twice(option) => {
                write!(f, "--{option} is given twice with one name; give it once")
            }
            Self::NoDirectory(kind) => {
                write!(f, "--cwd is relative, and the current directory is gone: {kind}")
            }
            Self::Entry(error) => error.fmt(f),
        }
    }
}

impl From<EntryError> for AddError {
    fn from(error: EntryError) -> Self {
        Self::Entry(error)
    }
}

/// The name and the entry that a command line asks for.
fn new_entry(call: &Call) -> Result<(String, Members), AddError> {
    let name = text("NAME", call.operand())?;
    let command = call.operands.get(1..).unwrap_or_default();
    let words = command.iter().map(|word| text("COMMAND", word)).collect::<Result<Vec<_>, _>>()?;
    let mut members = match (words.split_first(), call.value("url")) {
        (Some(_), Some(_)) => return Err(AddError::Both),
        (None, None) => return Err(AddError::Neither),
        (Some((command, args)), None) => stdio(call, command, args)?,
        (None, Some(url)) => http(call, &text("--url", url)?)?,
    };
    if call.has("disabled") {
        members.push(("enabled".into(), NewValue::bool(false)));
    }
    Ok((name, members))
}

fn stdio(call: &Call, command: &str, args: &[String]) -> Result<Members, AddError> {
    if call.has("header") {
        return Err(AddError::HeaderOfCommand);
    }
    if command.starts_with("http://") || command.starts_with("https://") {
        return Err(AddError::UrlAsCommand);
    }
    let mut members = vec![("command".to_owned(), NewValue::text(command))];
    if !args.is_empty() {
        let args = args.iter().map(|arg| NewValue::text(arg)).collect();
        members.push(("args".into(), NewValue::List(args)));
    }
    let env = pairs(call, "env", '=', "NAME=VALUE")?;
    if !env.is_empty() {
        members.push(("env".into(), NewValue::Object(env)));
    }
    let cwd = match call.value("cwd") {
        Some(cwd) => Some(directory(text("--cwd", cwd)?)?),
        None if is_from_here(command, args) => Some(directory(".".into())?),
        None => None,
    };
    if let Some(cwd) = cwd {
        members.push(("cwd".into(), NewValue::text(&cwd)));
    }
    Ok(members)
}

/// Whether the command or an argument is a path that is relative to the current directory: a word that begins with
/// a dot and a slash, a command with a slash, or the name of a file or directory that is here.
fn is_from_here(command: &str, args: &[String]) -> bool {
    let is_here = |arg: &String| is_dotted(arg) || is_relative(arg) && Path::new(arg).exists();
    is_relative_command(command) || args.iter().any(is_here)
}

/// A relative directory is meant from here, not from wherever the gateway will run.
fn directory(text: String) -> Result<String, AddError> {
    if text.is_empty() || text.starts_with(['~', '$']) {
        return Ok(text);
    }
    let path = std::path::absolute(&text).map_err(|e| AddError::NoDirectory(e.kind()))?;
    path.into_os_string().into_string().map_err(|_| AddError::Utf8("--cwd"))
}

fn http(call: &Call, url: &str) -> Result<Members, AddError> {
    for option in ["env", "cwd"] {
        if call.has(option) {
            return Err(AddError::OptionOfCommand(option));
        }
    }
    let mut members = vec![("url".to_owned(), NewValue::text(url))];
    let headers = pairs(call, "header", ':', "'NAME: VALUE'")?;
    if !headers.is_empty() {
        members.push(("headers".into(), NewValue::Object(headers)));
    }
    Ok(members)
}

/// The values of a repeatable option, each split at the first `separator`.
fn pairs(
    call: &Call,
    long: &'static str,
    separator: char,
    form: &'static str,
) -> Result<Members, AddError> {
    let mut found: Members = Vec::new();
    for (_, value) in call.options.iter().filter(|(name, _)| *name == long) {
        let what = if long == "header" { "--header" } else { "--env" };
        let value = text(what, value.as_deref().unwrap_or_default())?;
        let Some((name, value)) = value.split_once(separator).filter(|(name, _)| !name.is_empty())
        else {
            return Err(AddError::Form(long, form));
        };
        // Blanks around a header's value are not part of it.
        let (name, value) =
            if long == "header" { (name.trim(), value.trim()) } else { (name, value) };
        if found.iter().any(|(other, _)| other == name) {
            return Err(AddError::Twice(long));
        }
        found.push((name.to_owned(), NewValue::text(value)));
    }
    Ok(found)
}

fn text(what: &'static str, value: &OsStr) -> Result<String, AddError> {
    value.to_str().map(str::to_owned).ok_or(AddError::Utf8(what))
}
