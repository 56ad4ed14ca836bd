//! Wiring one client, and taking it back: from its places to a plan, from a plan to its file.
//!
//! One rule: a plan changes nothing; only [`Plan::carry_out`] writes.

use super::clients::Client;
use super::document::{self, Change, Entry, Server};
use super::file;
use super::places::Places;
use super::problem::Problem;
use super::record::{self, Record};
use super::undo;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is wrong with a client's file. Never holds a value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no file, and nothing tells that the client is installed.
    NoFile,
    /// The file could not be read or written.
    File(String),
    /// The file cannot be changed as asked.
    Problem(Problem),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str(
                "there is no such file and no such directory: is the client installed? --create makes both",
            ),
            Self::File(why) => f.write_str(why),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What a look at a client found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its file, or where it would be.
    pub path: PathBuf,
    /// Its servers; `None` when there is no file; else what is wrong with it.
    pub servers: Result<Option<Vec<Server>>, Trouble>,
}

impl Found {
    /// All servers of the file, those of single projects as well.
    pub fn servers(&self) -> &[Server] {
        self.servers.as_ref().ok().and_then(Option::as_deref).unwrap_or_default()
    }

    /// The servers that are for all projects.
    pub fn for_all(&self) -> impl Iterator<Item = &Server> + Clone {
        self.servers().iter().filter(|server| server.project.is_none())
    }

    /// Whether our entry is there.
    pub fn has_entry(&self) -> bool {
        self.for_all().any(Server::is_gateway)
    }

    /// Whether anything of ours is there.
    pub fn is_wired(&self) -> bool {
        self.has_entry() || self.taps().next().is_some()
    }

    /// Our entry, by its name if there are several that start us.
    pub fn entry(&self) -> Option<&Server> {
        let mut all = self.for_all().filter(|server| server.is_gateway());
        let first = all.clone().next();
        all.find(|server| server.name == document::ENTRY).or(first)
    }

    /// The servers that run through `tap`, for all projects or for one.
    pub fn taps(&self) -> impl Iterator<Item = &Server> {
        self.servers().iter().filter(|server| server.is_wrapped())
    }
}

/// Looks at a client's file: the one that holds something of ours, else the first that is there.
pub fn look(client: &Client, places: &Places, config: Option<&Path>) -> Found {
    let candidates = match config {
        Some(path) => vec![path.to_owned()],
        None => client.files(places),
    };
    let look = |path: PathBuf| {
        let servers = match file::read(&path, file::MAX_BYTES) {
            Ok(Some(bytes)) => document::servers(client, &bytes).map(Some).map_err(Trouble::from),
            Ok(None) => Ok(None),
            Err(why) => Err(Trouble::File(why)),
        };
        Found { path, servers }
    };
    let mut all: Vec<Found> = candidates.into_iter().map(look).collect();
    let is_known = |found: &Found| found.has_entry() && Record::of(&found.path).is_some();
    let is_there = |found: &Found| !matches!(found.servers, Ok(None));
    let first = |is: &dyn Fn(&Found) -> bool| all.iter().position(is);
    let at = first(&is_known)
        .or_else(|| first(&Found::is_wired))
        .or_else(|| first(&is_there))
        .unwrap_or(0);
    all.swap_remove(at)
}

/// A copy of an original of a client's file, if one lies beside it.
pub fn original(path: &Path) -> Option<PathBuf> {
    [file::backup_of(path), file::oldest_of(path)].into_iter().find(|path| is_file(path))
}

/// What lies beside a client's file of ours: the copies of its originals, and the record.
pub fn put_aside(path: &Path) -> Vec<PathBuf> {
    let all = [file::backup_of(path), file::oldest_of(path), record::place(path)];
    all.into_iter().filter(|path| is_file(path)).collect()
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// What is to become of the record of a file.
#[derive(Debug)]
enum Note {
    /// It stays.
    Keep,
    /// This one is written.
    Write(Record),
    /// There is nothing of ours any more.
    Forget,
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was so already.
    Nothing,
    /// The file was changed.
    Changed,
    /// There was no file, and one was made.
    Made,
    /// The file was ours alone, and is gone.
    Removed,
}

/// What is going to be done to a file.
#[derive(Debug)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    /// What is put aside first.
    original: Option<Vec<u8>>,
    /// The copy is of no use afterwards.
    forgets: bool,
    note: Note,
    /// There is an entry of our name that no record proves to be ours.
    is_foreign: bool,
}

impl Plan {
    /// The file before and after; empty when there is none.
    pub fn texts(&self) -> (&[u8], &[u8]) {
        (self.before.as_deref().unwrap_or_default(), self.after.as_deref().unwrap_or_default())
    }

    /// What carrying it out does.
    pub fn outcome(&self) -> Outcome {
        match (&self.before, &self.after) {
            (before, after) if before == after => Outcome::Nothing,
            (None, _) => Outcome::Made,
            (_, None) => Outcome::Removed,
            _ => Outcome::Changed,
        }
    }

    /// Whether the file holds an entry of our name that `connect` did not write.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Does it. An error changed nothing, and left nothing beside the file.
    pub fn carry_out(self) -> Result<Outcome, Trouble> {
        let outcome = self.outcome();
        if outcome != Outcome::Nothing {
            self.write(outcome).map_err(Trouble::File)?;
            if self.forgets {
                file::forget_original(&self.path);
            }
        }
        if let Note::Forget = self.note {
            record::forget(&self.path).map_err(Trouble::File)?;
        }
        Ok(outcome)
    }

    fn write(&self, outcome: Outcome) -> Result<(), file::Reason> {
        let mut prepared = file::Prepared::default();
        if let (Outcome::Made, Some(directory)) = (outcome, self.path.parent()) {
            prepared.directory(directory)?;
        }
        if let Some(original) = &self.original {
            let (copy, oldest) = (file::backup_of(&self.path), file::oldest_of(&self.path));
            let older = file::read(&copy, file::MAX_BYTES)?;
            // A copy is the only one of what stood there when it was made: the oldest is never replaced.
            if let Some(older) = older.filter(|older| older != original && !oldest.exists()) {
                prepared.write(oldest, &older, "its oldest original")?;
            }
            prepared.write(copy, original, "its original")?;
        }
        if let Note::Write(record) = &self.note {
            let place = record::place(&self.path);
            prepared.write(place, &record.to_bytes(), "what is written")?;
        }
        file::replace(&self.path, self.before.as_deref(), self.after.as_deref())?;
        prepared.keep();
        Ok(())
    }
}

/// Plans a change. A missing file is made where its directory is there, or else with `create`.
pub fn connect(
    client: &Client,
    places: &Places,
    config: Option<&Path>,
    change: &Change,
    create: bool,
) -> Result<Plan, (PathBuf, Trouble)> {
    let path = look(client, places, config).path;
    let plan = || {
        let before = file::read(&path, file::MAX_BYTES).map_err(Trouble::File)?;
        if before.is_none() {
            if matches!(change, Change::Wrap { .. }) {
                return Err(Problem::NoServer.into());
            }
            if !create && !is_installed(client, &path) {
                return Err(Trouble::NoFile);
            }
        }
        let text = before.clone().unwrap_or_default();
        let known = Record::of(&path);
        let is_ours = may_write(client, &text, change, known.as_ref())?;
        let after = document::apply(client, &text, change)?;
        // The file as it was before the first of our changes.
        let is_first = document::changes(client, &text)?.is_empty();
        let was_made = known.as_ref().is_some_and(|known| known.made);
        let is_copied =
            || file::backup_of(&path).exists() || (was_made && undo::is_ours_alone(client, &text));
        let original = before.clone().filter(|_| is_first || !is_copied());
        let note = match change {
            Change::Add(entry) if is_ours => {
                let members = client.entry(entry).ok_or(Problem::NoUrl)?;
                Note::Write(Record::new(before.is_none() || was_made, members))
            }
            _ => Note::Keep,
        };
        Ok((before, Some(after), original, note))
    };
    match plan() {
        Ok((before, after, original, note)) => {
            Ok(Plan { path, before, after, original, forgets: false, note, is_foreign: false })
        }
        Err(trouble) => Err((path, trouble)),
    }
}

/// Our entry takes the place of nothing but an entry of ours, or of one that says no more than ours. Whether what is
/// written is ours to take out again.
fn may_write(
    client: &Client,
    text: &[u8],
    change: &Change,
    known: Option<&Record>,
) -> Result<bool, Problem> {
    let Change::Add(entry) = change else { return Ok(false) };
    if !document::has_entry(client, text)? {
        return Ok(true);
    }
    let starts_us = matches!(entry, Entry::Command(_)) && document::starts_us_alone(client, text);
    match known {
        Some(known) if known.proves(client, text) => Ok(true),
        // What leads there already is not changed at all.
        _ if starts_us || document::leads_there(client, text, entry) => Ok(false),
        Some(_) => Err(Problem::Edited),
        None => Err(Problem::Taken),
    }
}

/// Whether the directory of a client's file is there; a home directory, which always is, says nothing.
fn is_installed(client: &Client, path: &Path) -> bool {
    let directory = path.parent().filter(|dir| dir.is_dir());
    match client.id {
        // Its own directory is beside the file.
        "claude-code" => directory.is_some_and(|dir| {
            dir.join(".claude").is_dir() || std::env::var_os("CLAUDE_CONFIG_DIR").is_some()
        }),
        _ => directory.is_some(),
    }
}

/// Plans to take a change back; of an [`Change::Add`] and a [`Change::Wrap`] only the kind, the project and the name
/// count. The plan does nothing where the change is not there, and where no record proves that an entry of our
/// name is ours.
pub fn disconnect(
    client: &Client,
    places: &Places,
    config: Option<&Path>,
    change: &Change,
) -> Result<Plan, (PathBuf, Trouble)> {
    let path = look(client, places, config).path;
    match taken_back(client, &path, change) {
        Ok(plan) => Ok(plan),
        Err(trouble) => Err((path, trouble)),
    }
}

fn taken_back(client: &Client, path: &Path, change: &Change) -> Result<Plan, Trouble> {
    let before = file::read(path, file::MAX_BYTES).map_err(Trouble::File)?;
    let nothing = |before: Option<Vec<u8>>, note, is_foreign| Plan {
        path: path.to_owned(),
        after: before.clone(),
        before,
        original: None,
        forgets: false,
        note,
        is_foreign,
    };
    let is_add = matches!(change, Change::Add(_));
    // What a record says of an entry that is gone must not count for one that is written by hand later.
    let forget = || if is_add { Note::Forget } else { Note::Keep };
    let Some(text) = before.clone() else { return Ok(nothing(None, forget(), false)) };
    let known = Record::of(path);
    match change {
        Change::Add(_) if !document::has_entry(client, &text)? => {
            return Ok(nothing(before, forget(), false));
        }
        Change::Add(_) => match &known {
            None => return Ok(nothing(before, Note::Keep, true)),
            Some(known) if !known.proves(client, &text) => return Err(Problem::Edited.into()),
            Some(_) => {}
        },
        Change::Wrap { project, name, .. } => {
            let servers = document::servers(client, &text)?;
            let server = servers.iter().find(|server| server.is(project.as_deref(), name));
            if !server.ok_or(Problem::NoServer)?.is_wrapped() {
                return Ok(nothing(before, Note::Keep, false));
            }
        }
    }
    let was_made = known.is_some_and(|known| known.made);
    let copy = file::read(&file::backup_of(path), file::MAX_BYTES).ok().flatten();
    let after = undo::undo(client, &text, change, copy.as_deref(), was_made)?;
    let forgets = copy.is_some() && after == copy;
    Ok(Plan { after, forgets, ..nothing(before, forget(), false) })
}
