//! The program that an entry names: where it is, and what it is.
//!
//! One rule: looks at names and files only, and runs nothing.

use super::reason::Reason;
use crate::config::servers::{ServerEntry, Transport};
use mcpproxy_platform::programs::{DEFAULT_PATH, is_executable, is_of_this_machine, spellings};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Programs that run containers.
const ENGINES: [&str; 3] = ["docker", "podman", "nerdctl"];

/// Whether a command names a container engine.
pub fn is_engine(command: &str) -> bool {
    let name = Path::new(command).file_stem().and_then(OsStr::to_str);
    name.is_some_and(|name| ENGINES.contains(&name))
}

/// Where `program` may be, in the order in which the system looks: itself, if it is a path, else in every directory
/// of the `PATH` that it is started with.
pub fn places(program: &OsStr, env: &[(String, String)]) -> Vec<PathBuf> {
    let names = spellings(program);
    if Path::new(program).components().count() > 1 {
        return names.into_iter().map(PathBuf::from).collect();
    }
    let own = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.into());
    let path: OsString =
        own.or_else(|| std::env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path)
        .flat_map(|dir| names.iter().map(move |name| dir.join(name)).collect::<Vec<_>>())
        .collect()
}

/// The file of `program`, if there is one that may be run.
pub fn found(program: &OsStr, env: &[(String, String)]) -> Option<PathBuf> {
    places(program, env).into_iter().find(|place| is_executable(place))
}

/// Whether the file of `command` is none that this machine runs.
pub fn is_foreign(command: &str, env: &[(String, String)]) -> bool {
    found(command.as_ref(), env).is_some_and(|file| !is_of_this_machine(&file))
}

/// What is wrong with the program of an entry whose variables are expanded, as far as it shows without starting it.
pub fn trouble(transport: &Transport) -> Option<Reason> {
    let Transport::Stdio { command, env, cwd, .. } = transport else { return None };
    if cwd.as_ref().is_some_and(|dir| !dir.is_dir()) {
        return Some(Reason::NoDirectory);
    }
    let here = |place: PathBuf| match cwd {
        Some(cwd) => cwd.join(place),
        None => place,
    };
    let places: Vec<PathBuf> = places(command.as_ref(), env)
        .into_iter()
        .map(here)
        .filter(|place| place.exists())
        .collect();
    match places.iter().find(|place| is_executable(place)) {
        Some(file) if !is_of_this_machine(file) => Some(Reason::NotExecutable),
        Some(_) => None,
        None if !places.is_empty() => Some(Reason::NoPermission),
        None if is_engine(command) => Some(Reason::NoEngine),
        None => Some(Reason::NotFound { is_path: command.contains(std::path::is_separator) }),
    }
}

/// How often a program that cannot be started is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The files that decide whether a server can be started.
pub struct Program {
    files: Vec<PathBuf>,
    seen: Vec<Option<Seen>>,
}

/// What shows that a file is another one.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Option<SystemTime>,
    is_directory: bool,
    is_executable: bool,
}

fn look(file: &Path) -> Option<Seen> {
    let found = file.metadata().ok()?;
    Some(Seen {
        length: if found.is_dir() { 0 } else { found.len() },
        modified: found.modified().ok().filter(|_| !found.is_dir()),
        is_directory: found.is_dir(),
        is_executable: is_executable(file),
    })
}

impl Program {
    /// Those of an entry, as they are now.
    pub fn of(entry: &ServerEntry) -> Self {
        let mut files = Vec::new();
        if let Ok(Transport::Stdio { command, env, cwd, .. }) =
            entry.expanded(&|name| std::env::var(name).ok())
        {
            let places = places(command.as_ref(), &env);
            files.extend(places.into_iter().map(|place| match &cwd {
                Some(cwd) => cwd.join(place),
                None => place,
            }));
            files.extend(cwd);
        }
        let seen = files.iter().map(|file| look(file)).collect();
        Self { files, seen }
    }

    /// Waits until one of them is another one, or has come or gone.
    pub async fn changed(&self) {
        let is_same = |(file, seen): (&PathBuf, &Option<Seen>)| look(file) == *seen;
        while self.files.iter().zip(&self.seen).all(is_same) {
            tokio::time::sleep(LOOK).await;
        }
    }
}
