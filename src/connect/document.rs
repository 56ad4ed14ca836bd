//! A client's file as text, and what can be done to it.
//!
//! One rule: after every change the new text is read again, and it must say what was meant and nothing
//! else; otherwise nothing is changed.

use super::clients::{Client, Format};
use super::launch::{Launch, Word};
use super::problem::Problem;
use super::program::is_ours;
use super::{jsonc, toml};
use crate::config::NewValue;
use std::fmt;

/// The name of our entry.
pub const ENTRY: &str = "mcpproxy";

/// One server of a client's file.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// The directory that it is for, as the file spells it, where it is not for all.
    pub project: Option<String>,
    /// Its name.
    pub name: String,
    pub(super) launch: Option<Launch>,
    pub(super) url: Option<String>,
}

/// Without its words: they hold paths and secrets.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Server {
    /// Whether it is the one of that name, for all or for one project.
    pub(super) fn is(&self, project: Option<&str>, name: &str) -> bool {
        self.name == name && self.project.as_deref() == project
    }

    /// Whether it is our gateway: the program's `serve`, or the entry of our name at an `/mcp` of this machine.
    pub fn is_gateway(&self) -> bool {
        match (&self.launch, &self.url) {
            (Some(launch), _) => launch.runs("serve"),
            (None, Some(url)) => self.name == ENTRY && is_own_address(url),
            (None, None) => false,
        }
    }

    /// What it starts, when that is this program.
    pub fn program(&self) -> Option<&str> {
        let is_ours = self.is_gateway() || self.is_wrapped();
        let launch = self.launch.as_ref().filter(|_| is_ours)?;
        launch.words.first().map(|word| word.text.as_str())
    }

    /// The data directory that our program is started with, where its words name one.
    pub fn data_dir(&self) -> Option<&str> {
        let launch = self.launch.as_ref()?;
        let own = launch.words.len() - launch.inner().len();
        let mut words = launch.words.get(..own)?.iter().map(|word| word.text.as_str());
        loop {
            match words.next()? {
                "--data-dir" => return words.next(),
                word => {
                    if let Some(dir) = word.strip_prefix("--data-dir=") {
                        return Some(dir);
                    }
                }
            }
        }
    }

    /// Whether it runs through `mcpproxy tap`.
    pub fn is_wrapped(&self) -> bool {
        self.launch.as_ref().is_some_and(|launch| launch.runs("tap"))
    }
}

/// `http://HOST/mcp`; a gateway may listen elsewhere than on loopback.
fn is_own_address(url: &str) -> bool {
    url.starts_with("http") && url.trim_end_matches('/').ends_with("/mcp")
}

/// What our entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A command with its arguments.
    Command(Vec<String>),
    /// An address.
    Url(String),
}

/// One change of a client's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Our entry.
    Add(Entry),
    /// A server that runs through these words from now on.
    Wrap {
        /// The directory that the server is for, where it is not for all.
        project: Option<String>,
        /// The server.
        name: String,
        /// Our program, `tap`, its options, `--`.
        through: Vec<String>,
    },
}

/// The servers of a text.
pub(super) fn servers(client: &Client, bytes: &[u8]) -> Result<Vec<Server>, Problem> {
    match client.format {
        Format::Json => jsonc::servers(client, bytes),
        Format::Toml => toml::servers(client, bytes),
    }
}

/// Whether the text has an entry of our name.
pub(super) fn has_entry(client: &Client, bytes: &[u8]) -> Result<bool, Problem> {
    Ok(own_entry(&servers(client, bytes)?).is_some())
}

/// The entry of our name.
fn own_entry(servers: &[Server]) -> Option<&Server> {
    servers.iter().find(|server| server.is(None, ENTRY))
}

/// The directories that a text keeps something for.
pub(super) fn projects(client: &Client, bytes: &[u8]) -> Vec<String> {
    match client.format {
        Format::Json => jsonc::projects(client, bytes),
        Format::Toml => Vec::new(),
    }
}

/// Whether the entry of our name says what `entry` (a JSON object) says, and nothing else.
pub(super) fn is_entry(client: &Client, bytes: &[u8], entry: &str) -> bool {
    match client.format {
        Format::Json => jsonc::is_entry(client, bytes, entry),
        Format::Toml => toml::is_entry(client, bytes, entry),
    }
}

/// Whether the entry of our name leads where `entry` leads; what else it says does not count.
pub(super) fn leads_there(client: &Client, bytes: &[u8], entry: &Entry) -> bool {
    let servers = servers(client, bytes).unwrap_or_default();
    own_entry(&servers).and_then(entry_of).as_ref() == Some(entry)
}

/// Whether the entry of our name starts this program as a gateway, wherever the program is, and says nothing else:
/// writing it anew takes nothing from its user.
pub(super) fn starts_us_alone(client: &Client, bytes: &[u8]) -> bool {
    let servers = servers(client, bytes).unwrap_or_default();
    let Some(own) = own_entry(&servers).filter(|own| own.is_gateway()) else { return false };
    let words = own.words();
    let is_plain = match words.get(1..).unwrap_or_default() {
        [serve] => serve == "serve",
        [serve, stdio] => serve == "serve" && stdio == "--stdio",
        _ => false,
    };
    let members = client.entry(&Entry::Command(words)).map(NewValue::Object);
    is_plain && members.is_some_and(|members| is_entry(client, bytes, &members.to_json()))
}

/// The text with the change; the same text when it is there already. An entry of our name that starts this
/// program or leads to a gateway is replaced: the caller knows whether it is ours.
pub(super) fn apply(client: &Client, bytes: &[u8], change: &Change) -> Result<Vec<u8>, Problem> {
    let before = servers(client, bytes)?;
    let new = match change {
        Change::Add(entry) => match own_entry(&before) {
            Some(own) if entry_of(own).as_ref() == Some(entry) => return Ok(bytes.to_vec()),
            Some(own) if own.is_gateway() => {
                let cleared = remove(client, bytes)?;
                add(client, &cleared, entry)?
            }
            Some(_) => return Err(Problem::Taken),
            None => add(client, bytes, entry)?,
        },
        Change::Wrap { project, name, through } => {
            let server = before.iter().find(|server| server.is(project.as_deref(), name));
            let server = server.ok_or(Problem::NoServer)?;
            let launch = server.launch.as_ref().ok_or(Problem::NotStdio)?;
            if server.is_gateway() {
                return Err(Problem::OwnEntry);
            }
            if server.is_wrapped() {
                return Ok(bytes.to_vec());
            }
            patched(client, bytes, launch.wrap(client.format, through))?
        }
    };
    confirm(client, &before, &new, change)?;
    if same_rest(client, bytes, &new) { Ok(new) } else { Err(Problem::Form) }
}

/// The text without the change, taken out where it stands.
pub(super) fn take_out(client: &Client, bytes: &[u8], change: &Change) -> Result<Vec<u8>, Problem> {
    match change {
        Change::Add(_) => remove(client, bytes),
        Change::Wrap { project, name, .. } => {
            let before = servers(client, bytes)?;
            let project = project.as_deref();
            let server = before.iter().find(|server| server.is(project, name));
            let launch =
                server.and_then(|server| server.launch.as_ref()).ok_or(Problem::NoServer)?;
            let patches = launch.unwrap().ok_or(Problem::ForeignWrap)?;
            let new = patched(client, bytes, patches)?;
            let kept: Vec<_> = launch.inner().iter().map(|word| word.text.clone()).collect();
            let after = servers(client, &new)?;
            let is_it = |server: &Server| server.is(project, name) && server.words() == kept;
            let is_the_rest = same_rest(client, bytes, &new);
            match is_the_rest
                && same_besides(&before, &after, project, name)
                && after.iter().any(is_it)
            {
                true => Ok(new),
                false => Err(Problem::Form),
            }
        }
    }
}

/// The changes of ours that a text holds.
pub(super) fn changes(client: &Client, bytes: &[u8]) -> Result<Vec<Change>, Problem> {
    let mut found = Vec::new();
    for server in servers(client, bytes)? {
        if server.is_wrapped() {
            let through = server.launch.as_ref().map(Launch::outer).unwrap_or_default();
            found.push(Change::Wrap { project: server.project, name: server.name, through });
        } else if server.is(None, ENTRY)
            && server.is_gateway()
            && let Some(entry) = entry_of(&server)
        {
            found.push(Change::Add(entry));
        }
    }
    Ok(found)
}

impl Server {
    fn words(&self) -> Vec<String> {
        self.launch
            .iter()
            .flat_map(|launch| launch.words.iter().map(|word| word.text.clone()))
            .collect()
    }
}

fn entry_of(server: &Server) -> Option<Entry> {
    match (&server.launch, &server.url) {
        (Some(_), _) => Some(Entry::Command(server.words())),
        (None, Some(url)) => Some(Entry::Url(url.clone())),
        (None, None) => None,
    }
}

fn add(client: &Client, bytes: &[u8], entry: &Entry) -> Result<Vec<u8>, Problem> {
    let members = client.entry(entry).ok_or(Problem::NoUrl)?;
    match client.format {
        Format::Json => jsonc::add(client, bytes, members),
        Format::Toml => toml::add(client, bytes, &members),
    }
}

/// The text without our entry. The container stays, however empty.
fn remove(client: &Client, bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let before = servers(client, bytes)?;
    let new = match client.format {
        Format::Json => jsonc::remove(client, bytes, &[client.container, ENTRY])?,
        Format::Toml => toml::remove(client, bytes, ENTRY)?,
    };
    let after = servers(client, &new)?;
    let is_gone = own_entry(&after).is_none();
    match is_gone && same_besides(&before, &after, None, ENTRY) && same_rest(client, bytes, &new) {
        true => Ok(new),
        false => Err(Problem::Form),
    }
}

/// The text without the container that we made, if nothing is left in it.
pub(super) fn remove_container(client: &Client, bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
    match client.format {
        Format::Json
            if servers(client, &bytes)?.iter().all(|server| server.project.is_some())
                && jsonc::has(&bytes, client.container) =>
        {
            jsonc::remove(client, &bytes, &[client.container])
        }
        _ => Ok(bytes),
    }
}

/// Whether the text has a place for servers.
pub(super) fn has_container(client: &Client, bytes: &[u8]) -> bool {
    match client.format {
        Format::Json => jsonc::has(bytes, client.container),
        Format::Toml => true,
    }
}

fn patched(
    client: &Client,
    bytes: &[u8],
    patches: Vec<super::patch::Patch>,
) -> Result<Vec<u8>, Problem> {
    match client.format {
        Format::Json => jsonc::patched(bytes, patches),
        Format::Toml => toml::patched(bytes, patches),
    }
}

/// The new text says what was meant, and the rest says what it said.
fn confirm(client: &Client, before: &[Server], new: &[u8], change: &Change) -> Result<(), Problem> {
    // A text that nobody could read any more is not what was meant.
    let after = servers(client, new).map_err(|_| Problem::Form)?;
    let (project, name, is_meant) = match change {
        Change::Add(entry) => {
            (None, ENTRY, own_entry(&after).and_then(entry_of).as_ref() == Some(entry))
        }
        Change::Wrap { project, name, through } => {
            let project = project.as_deref();
            let words = |servers: &[Server]| {
                let server = servers.iter().find(|server| server.is(project, name));
                server.map(Server::words).unwrap_or_default()
            };
            (project, name.as_str(), words(&after) == [through.clone(), words(before)].concat())
        }
    };
    match is_meant && same_besides(before, &after, project, name) {
        true => Ok(()),
        false => Err(Problem::Form),
    }
}

/// Whether all servers but one are the same, wherever they stand now.
fn same_besides(before: &[Server], after: &[Server], project: Option<&str>, name: &str) -> bool {
    let is_other = |server: &&Server| !server.is(project, name);
    let is_same = |(one, other): (&Server, &Server)| {
        one.is(other.project.as_deref(), &other.name)
            && one.words() == other.words()
            && one.url == other.url
    };
    let (before, after) = (before.iter().filter(is_other), after.iter().filter(is_other));
    before.clone().count() == after.clone().count() && before.zip(after).all(is_same)
}

/// Whether everything but the servers is the same.
fn same_rest(client: &Client, before: &[u8], after: &[u8]) -> bool {
    match client.format {
        Format::Json => jsonc::same_besides(client, before, after),
        Format::Toml => toml::same_besides(before, after, client.container),
    }
}

/// Whether these words start this program, with `word` as what it is to do.
pub(super) fn runs(words: &[Word], word: &str) -> bool {
    matches!(words, [program, first, ..] if is_ours(&program.text) && first.text == word)
}
