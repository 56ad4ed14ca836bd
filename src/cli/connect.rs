//! `mcpproxy connect` and `disconnect`: our entry in the configurations of MCP clients.
//!
//! One rule: of a client's file only names of servers and directories of projects are shown, and only to its user.

use super::output::{Format, Report};
use super::{Call, Failure, output};
use crate::connect::{
    self as wiring, CLIENTS, Change, Client, Entry, Found, IDS, Outcome, Places, Plan, Project,
    Server, Spot, Trouble, unified,
};
use crate::json::Node;
use crate::paths::HOME_VARIABLE;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where `mcpproxy serve` listens by default.
const GATEWAY: &str = "http://127.0.0.1:8080/mcp";

pub(super) fn connect(call: &Call) -> Result<ExitCode, Failure> {
    let place = "connect";
    if call.has("list") {
        return list(call);
    }
    let Some(client) = call.operands.first() else {
        let text = format!(
            "CLIENT is missing: {}; or --list; see `mcpproxy connect --help`",
            IDS.join(", ")
        );
        return Err(Failure::usage(place, text));
    };
    let client = named(client, place)?;
    if call.has("output") {
        return Err(Failure::usage(place, "--output is for --list"));
    }
    let places = places()?;
    let create = call.has("create");
    let (config, change) = match wrapped(call, place)? {
        Some(name) => {
            let spot = spot(call, client, &places, &name, false)?;
            (spot.config, Change::Wrap { project: spot.project, name, through: through(call)? })
        }
        None => (config(call, place)?, Change::Add(entry(call)?)),
    };
    let plan = wiring::connect(client, &places, config.as_deref(), &change, create);
    let (path, outcome, shown) = carry_out(call, client, &places, plan)?;
    let what = match &change {
        Change::Add(_) => format!("{} is connected", client.name),
        Change::Wrap { name, project, .. } => format!(
            "{name:?} of {}{} runs through `mcpproxy tap`",
            client.name,
            for_project(&places, project.as_deref())
        ),
    };
    output::print(&match (shown, outcome) {
        (Some(diff), _) => diff,
        (None, Outcome::Nothing) => format!("{what} already.\n"),
        (None, Outcome::Made) => {
            format!("{what}: {path} is new. Restart {} to use it.\n", client.name)
        }
        (None, _) => format!(
            "{what}: {path}, whose original is in its .mcpproxy-backup. Restart {} to use it.\n",
            client.name
        ),
    })
}

pub(super) fn disconnect(call: &Call) -> Result<ExitCode, Failure> {
    let place = "disconnect";
    let client = named(call.operand(), place)?;
    let places = places()?;
    let (config, change) = match wrapped(call, place)? {
        Some(name) => {
            let spot = spot(call, client, &places, &name, true)?;
            let project = spot.project;
            (spot.config, Change::Wrap { project, name, through: Vec::new() })
        }
        None => (config(call, place)?, Change::Add(Entry::Command(Vec::new()))),
    };
    let plan = wiring::disconnect(client, &places, config.as_deref(), &change);
    let is_foreign = plan.as_ref().is_ok_and(Plan::is_foreign);
    let (path, outcome, shown) = carry_out(call, client, &places, plan)?;
    let left = wiring::look(client, &places, config.as_deref());
    let left: Vec<&str> = left.taps().map(|server| server.name.as_str()).collect();
    let hint = match (&change, left.as_slice()) {
        (Change::Add(_), [_, ..]) => {
            format!(" Still wrapped: {}; see `mcpproxy disconnect --wrap NAME`.", left.join(", "))
        }
        _ => String::new(),
    };
    let what = match &change {
        Change::Add(_) => format!("{} is not connected", client.name),
        Change::Wrap { name, project, .. } => format!(
            "{name:?} of {}{} does not run through `mcpproxy tap`",
            client.name,
            for_project(&places, project.as_deref())
        ),
    };
    output::print(&match (shown, outcome) {
        (Some(diff), _) => diff,
        (None, Outcome::Nothing) if is_foreign => format!(
            "`connect` has no record of writing the entry `mcpproxy` of {}: nothing is changed. To remove it, edit {path} by hand.{hint}\n",
            client.name
        ),
        (None, Outcome::Nothing) => format!("{what}; nothing to do.{hint}\n"),
        (None, Outcome::Removed) => {
            format!("{what} any more: {path} held nothing else, and is gone.\n")
        }
        (None, _) => format!("{what} any more: {path}.{hint}\n"),
    })
}

/// Shows a plan, or does it. The path as it is shown, what became of it, and the plan if it is only shown.
fn carry_out(
    call: &Call,
    client: &Client,
    places: &Places,
    plan: Result<Plan, (PathBuf, Trouble)>,
) -> Result<(String, Outcome, Option<String>), Failure> {
    let plan = plan.map_err(|(path, trouble)| failed(client, places, &path, &trouble))?;
    let path = plan.path.clone();
    let shown = places.shown(&path);
    if call.has("dry-run") {
        let (before, after) = plan.texts();
        let changes = plan.outcome() != Outcome::Nothing;
        let diff = changes.then(|| unified(&shown, before, after));
        return Ok((shown, Outcome::Nothing, diff));
    }
    let outcome = plan.carry_out().map_err(|trouble| failed(client, places, &path, &trouble))?;
    Ok((shown, outcome, None))
}

/// Where the server stands that `--wrap` names.
fn spot(
    call: &Call,
    client: &Client,
    places: &Places,
    name: &str,
    is_undone: bool,
) -> Result<Spot, Failure> {
    let place = if is_undone { "disconnect" } else { "connect" };
    let project = call.value("project").map(std::path::absolute).transpose();
    let project = project.map_err(|_| Failure::usage(place, "--project needs a directory"))?;
    let config = config(call, place)?;
    let what = (name, project.as_deref());
    wiring::spot(client, places, config.as_deref(), what, is_undone)
        .map_err(|(path, trouble)| failed(client, places, &path, &trouble))
}

/// The project, as words that follow the client's name.
fn for_project(places: &Places, project: Option<&str>) -> String {
    project.map(|it| format!(" for {}", places.shown(Path::new(it)))).unwrap_or_default()
}

fn failed(client: &Client, places: &Places, path: &Path, trouble: &Trouble) -> Failure {
    Failure::failed(format!("{}, {}: {trouble}", client.name, places.shown(path)))
}

fn named(id: &OsStr, place: &str) -> Result<&'static Client, Failure> {
    id.to_str().and_then(wiring::client).ok_or_else(|| {
        let hint = match super::commands::nearest(&id.to_string_lossy(), IDS) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", IDS.join(", ")),
        };
        Failure::usage(place, format!("unknown client {id:?}; {hint}"))
    })
}

fn places() -> Result<Places, Failure> {
    Places::here().ok_or_else(|| {
        Failure::failed(format!("no home directory: {HOME_VARIABLE} is not set, is relative, or names no directory; set it"))
    })
}

/// The value of `--wrap`.
fn wrapped(call: &Call, place: &str) -> Result<Option<String>, Failure> {
    let Some(name) = call.value("wrap") else {
        return match call.has("project") {
            true => Err(Failure::usage(place, "--project is for --wrap")),
            false => Ok(None),
        };
    };
    if call.has("http") || call.has("url") {
        return Err(Failure::usage(
            place,
            "--wrap is for a server of the client; leave out --http and --url",
        ));
    }
    match name.to_str() {
        Some(name) if !name.is_empty() => Ok(Some(name.to_owned())),
        _ => Err(Failure::usage(place, "--wrap needs the name of a server")),
    }
}

/// The value of `--config`, absolute.
fn config(call: &Call, place: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = call.value("config") else { return Ok(None) };
    std::path::absolute(path).map(Some).map_err(|_| Failure::usage(place, "--config needs a file"))
}

/// `--data-dir`, if it was given, so that the client's process uses the same one.
fn data_dir(call: &Call) -> Result<Vec<String>, Failure> {
    if call.data_dir.is_none() {
        return Ok(Vec::new());
    }
    let dir = call.dir()?.root().to_owned().into_os_string();
    let dir = dir.into_string().map_err(|_| Failure::failed("the data directory is not UTF-8"))?;
    Ok(vec!["--data-dir".to_owned(), dir])
}

/// What our entry is to say.
fn entry(call: &Call) -> Result<Entry, Failure> {
    if let Some(url) = call.value("url") {
        let url = url.to_str().filter(|url| is_gateway_url(url));
        let url = url.ok_or_else(|| {
            Failure::usage(
                "connect",
                format!("--url needs the address of a gateway, such as {GATEWAY}"),
            )
        })?;
        return Ok(Entry::Url(url.to_owned()));
    }
    if call.has("http") {
        return Ok(Entry::Url(GATEWAY.to_owned()));
    }
    if !cfg!(feature = "serve") {
        return Err(Failure::failed(
            "this build has no gateway (cargo feature `serve`); use --wrap, or --url URL",
        ));
    }
    let mut words =
        vec![wiring::this_program().map_err(|error| Failure::failed(error.to_string()))?];
    words.extend(["serve", "--stdio"].map(str::to_owned));
    words.extend(data_dir(call)?);
    Ok(Entry::Command(words))
}

fn is_gateway_url(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    rest.is_some_and(|rest| rest.ends_with("/mcp") && !rest.starts_with('/'))
        && !url.chars().any(|c| c.is_whitespace() || c.is_control() || "?#@".contains(c))
}

/// What a wrapped server runs through.
fn through(call: &Call) -> Result<Vec<String>, Failure> {
    if !cfg!(feature = "tap") {
        return Err(Failure::failed("this build has no `tap` (cargo feature `tap`)"));
    }
    let mut words = vec![
        wiring::this_program().map_err(|error| Failure::failed(error.to_string()))?,
        "tap".to_owned(),
    ];
    words.extend(data_dir(call)?);
    words.push("--".to_owned());
    Ok(words)
}

fn list(call: &Call) -> Result<ExitCode, Failure> {
    let place = "connect";
    let format = Format::of(call, place)?;
    let places = places()?;
    let only = call.operands.first().map(|id| named(id, place)).transpose()?;
    let config = config(call, place)?;
    if config.is_some() && only.is_none() {
        return Err(Failure::usage(place, "--config is the file of one client; name the client"));
    }
    let asked = CLIENTS.iter().filter(|client| only.is_none_or(|only| only.id == client.id));
    let found = asked.map(|client| Listed {
        client,
        found: wiring::look(client, &places, config.as_deref()),
        projects: wiring::projects(client, &places, config.as_deref()),
    });
    let found: Vec<Listed> = found.collect();
    Report { node: || node(&found), table: || table(&found, &places) }.print(format)
}

/// A client, and what was found of it.
struct Listed {
    client: &'static Client,
    found: Found,
    projects: Vec<Project>,
}

impl Listed {
    /// Of each project, its servers in each file.
    fn in_projects(&self) -> impl Iterator<Item = InProject<'_>> {
        self.projects.iter().flat_map(|project| {
            let own = (!project.own.is_empty()).then(|| InProject {
                directory: &project.directory,
                path: &self.found.path,
                servers: Ok(project.own.iter().collect()),
            });
            let beside = project.file.as_ref().map(|file| InProject {
                directory: &project.directory,
                path: &file.path,
                servers: file.servers.as_ref().map(|_| file.for_all().collect()),
            });
            own.into_iter().chain(beside)
        })
    }
}

/// The servers of one project in one file.
struct InProject<'a> {
    directory: &'a str,
    path: &'a Path,
    servers: Result<Vec<&'a Server>, &'a Trouble>,
}

/// The names of those that run through `tap`, and of the others that are not our gateway.
fn names<'a>(servers: impl Iterator<Item = &'a Server> + Clone) -> [(&'static str, Node); 2] {
    let names = |is_wrapped: bool| {
        let of_kind = servers.clone().filter(|server| {
            server.is_wrapped() == is_wrapped && (is_wrapped || !server.is_gateway())
        });
        Node::List(of_kind.map(|server| server.name.as_str().into()).collect())
    };
    [("wrapped", names(true)), ("unwrapped", names(false))]
}

fn node(found: &[Listed]) -> Node {
    let client = |listed: &Listed| {
        let Listed { client, found, .. } = listed;
        let [wrapped, unwrapped] = names(found.for_all());
        Node::Object(vec![
            ("client", client.id.into()),
            ("name", client.name.into()),
            ("config", found.path.to_string_lossy().as_ref().into()),
            ("exists", (!matches!(found.servers, Ok(None))).into()),
            ("connected", found.has_entry().into()),
            wrapped,
            unwrapped,
            ("problem", found.servers.as_ref().err().map(Trouble::to_string).into()),
            ("projects", Node::List(listed.in_projects().map(project_node).collect())),
        ])
    };
    Node::Object(vec![("clients", Node::List(found.iter().map(client).collect()))])
}

fn project_node(project: InProject<'_>) -> Node {
    let servers = project.servers.as_deref().unwrap_or_default();
    let [wrapped, unwrapped] = names(servers.iter().copied());
    Node::Object(vec![
        ("directory", project.directory.into()),
        ("config", project.path.to_string_lossy().as_ref().into()),
        wrapped,
        unwrapped,
        ("problem", project.servers.as_ref().err().map(|why| why.to_string()).into()),
    ])
}

fn table(found: &[Listed], places: &Places) -> String {
    let mut rows = vec![["CLIENT", "CONNECTED", "CONFIGURATION", "SERVERS"].map(str::to_owned)];
    for listed in found {
        let Listed { client, found, .. } = listed;
        let (state, servers) = match &found.servers {
            Ok(None) => ("no file", String::new()),
            Ok(Some(_)) => {
                (if found.has_entry() { "yes" } else { "no" }, named_servers(found.for_all()))
            }
            Err(trouble) => ("unknown", format!("problem: {trouble}")),
        };
        rows.push([client.id.to_owned(), state.to_owned(), places.shown(&found.path), servers]);
        rows.extend(listed.in_projects().map(|project| {
            let directory = places.shown(Path::new(project.directory));
            let place = match project.path == found.path {
                true => format!("{} for {directory}", places.shown(project.path)),
                false => places.shown(project.path),
            };
            let servers = match project.servers {
                Ok(servers) => named_servers(servers.into_iter()),
                Err(trouble) => format!("problem: {trouble}"),
            };
            [client.id.to_owned(), "project".to_owned(), place, servers]
        }));
    }
    output::columns(&rows)
}

/// The client's own servers, and which of them are wrapped.
fn named_servers<'a>(servers: impl Iterator<Item = &'a Server>) -> String {
    let name = |server: &Server| match server.is_wrapped() {
        true => format!("{} (wrapped)", server.name),
        false => server.name.clone(),
    };
    let others = servers.filter(|server| !server.is_gateway());
    others.map(name).collect::<Vec<_>>().join(", ")
}
