//! Servers that a client keeps for single projects: in its own file, or in a file of the project.
//!
//! One rule: only directories that the client's own file names, the user names or stands in are looked at.

use super::clients::Client;
use super::document::{self, Server};
use super::file;
use super::places::Places;
use super::problem::Problem;
use super::wiring::{self, Found, Trouble};
use std::path::{Path, PathBuf};

/// Directories that are looked at.
const MOST: usize = 1000;

/// One project of a client.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its directory, as the client's file spells it.
    pub directory: String,
    /// The servers for it in the client's own file.
    pub own: Vec<Server>,
    /// Its own file, if there is one.
    pub file: Option<Found>,
}

/// Where a server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file, where it is not the client's own.
    pub config: Option<PathBuf>,
    /// The directory that it is for, where its file keeps it apart.
    pub project: Option<String>,
}

/// The projects with servers of their own: those that the client's file names, and the current directory. With
/// another file than the client's own (`config`), those in that file.
pub fn projects(client: &Client, places: &Places, config: Option<&Path>) -> Vec<Project> {
    let Some(kind) = client.projects else { return Vec::new() };
    let found = wiring::look(client, places, config);
    let mut directories = named_in(client, &found.path);
    if let (None, Ok(here)) = (config, std::env::current_dir())
        && let Some(here) = here.to_str()
        && !directories.iter().any(|known| is_same(known, Path::new(here)))
    {
        directories.push(here.to_owned());
    }
    let project = |directory: String| {
        let is_own = |server: &&Server| server.project.as_ref() == Some(&directory);
        let own: Vec<Server> = found.servers().iter().filter(is_own).cloned().collect();
        let file = config.is_none().then(|| file_of(&directory, kind.file)).flatten();
        let file = file.map(|path| wiring::look(client, places, Some(&path)));
        let file = file.filter(|file| !matches!(&file.servers, Ok(None)));
        Project { directory, own, file }
    };
    let all = directories.into_iter().map(project);
    all.filter(|project| !project.own.is_empty() || project.file.is_some()).collect()
}

/// The directories that the client's own file names.
fn named_in(client: &Client, path: &Path) -> Vec<String> {
    let bytes = file::read(path, file::MAX_BYTES).ok().flatten().unwrap_or_default();
    let mut directories = document::projects(client, &bytes);
    directories.truncate(MOST);
    directories
}

/// A project's own file; of a directory that is not named in full there is none.
fn file_of(directory: &str, file: &str) -> Option<PathBuf> {
    let directory = Path::new(directory);
    directory.is_absolute().then(|| directory.join(file))
}

fn is_same(directory: &str, other: &Path) -> bool {
    let directory = Path::new(directory);
    directory == other
        || directory
            .canonicalize()
            .is_ok_and(|it| other.canonicalize().is_ok_and(|other| it == other))
}

/// The client's own files, and those of the projects that they name as far as they are there or a copy of their
/// original is.
pub fn files(client: &Client, places: &Places) -> Vec<PathBuf> {
    let mut all = client.files(places);
    if let Some(kind) = client.projects {
        let directories = all.iter().flat_map(|path| named_in(client, path)).collect::<Vec<_>>();
        let of = directories.iter().filter_map(|directory| file_of(directory, kind.file));
        all.extend(of.filter(|path| path.is_file() || wiring::original(path).is_some()));
    }
    all
}

/// Where the server of that name stands that is to be wrapped, or with `is_undone` no longer: among those for all
/// projects, else in the only project that has one of that name, or in `project`. There the client's own file comes
/// before that of the project, as the client reads them.
pub fn spot(
    client: &Client,
    places: &Places,
    config: Option<&Path>,
    (name, project): (&str, Option<&Path>),
    is_undone: bool,
) -> Result<Spot, (PathBuf, Trouble)> {
    let own = Spot { config: config.map(Path::to_owned), project: None };
    let found = wiring::look(client, places, config);
    let failed = |problem: Problem| Err((found.path.clone(), problem.into()));
    let Some(kind) = client.projects else {
        return if project.is_some() { failed(Problem::NoProjects) } else { Ok(own) };
    };
    let mut all = projects(client, places, config);
    if let Some(project) = project {
        all.retain(|it| is_same(&it.directory, project));
        let file = project.join(kind.file);
        if all.is_empty() && config.is_none() && file.is_file() {
            let file = Some(wiring::look(client, places, Some(&file)));
            let directory = project.to_string_lossy().into_owned();
            all.push(Project { directory, own: Vec::new(), file });
        }
    }
    let mut spots: Vec<(Option<&str>, Spot, &Server)> = Vec::new();
    if project.is_none() {
        spots.extend(found.for_all().map(|server| (None, own.clone(), server)));
    }
    for Project { directory, own: servers, file } in &all {
        let inside = Spot { project: Some(directory.clone()), ..own.clone() };
        spots.extend(servers.iter().map(|server| (Some(&**directory), inside.clone(), server)));
        if let Some(file) = file {
            let beside = Spot { config: Some(file.path.clone()), project: None };
            spots.extend(file.for_all().map(|it| (Some(&**directory), beside.clone(), it)));
        }
    }
    spots.retain(|(_, _, server)| server.name == name);
    if is_undone && spots.iter().any(|(_, _, server)| server.is_wrapped()) {
        spots.retain(|(_, _, server)| server.is_wrapped());
    }
    let Some((directory, spot, _)) = spots.first() else {
        if project.is_none() {
            return Ok(own);
        }
        let broken = all
            .iter()
            .filter_map(|it| it.file.as_ref())
            .find_map(|file| Some((file.path.clone(), file.servers.as_ref().err()?.clone())));
        return broken.map_or_else(|| failed(Problem::NoServer), Err);
    };
    let mut directories: Vec<&str> =
        spots.iter().filter_map(|(directory, ..)| *directory).collect();
    directories.dedup();
    if directory.is_some() && directories.len() > 1 {
        let shown = directories.iter().map(|it| places.shown(Path::new(it))).collect();
        return failed(Problem::Projects(shown));
    }
    Ok(spot.clone())
}
