//! `mcpproxy connect` and `disconnect`: our entry in the configurations of MCP clients.
//!
//! One rule: of a client's file only names of servers are shown, and only to its user.

use super::output::Format;
use super::{Call, Failure, output};
use crate::connect::{
    self as wiring, CLIENTS, Change, Client, Entry, Found, IDS, Outcome, Places, Plan, Server,
    Trouble, unified,
};
use crate::node::Node;
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
    let change = match wrapped(call, place)? {
        Some(name) => Change::Wrap { name, through: through(call)? },
        None => Change::Add(entry(call)?),
    };
    let places = places()?;
    let create = call.has("create");
    let plan = wiring::connect(client, &places, config(call, place)?.as_deref(), &change, create);
    let (path, outcome, shown) = carry_out(call, client, &places, plan)?;
    let what = match &change {
        Change::Add(_) => format!("{} is connected", client.name),
        Change::Wrap { name, .. } => {
            format!("{name:?} of {} runs through `mcpproxy tap`", client.name)
        }
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
    let change = match wrapped(call, place)? {
        Some(name) => Change::Wrap { name, through: Vec::new() },
        None => Change::Add(Entry::Command(Vec::new())),
    };
    let places = places()?;
    let config = config(call, place)?;
    let plan = wiring::disconnect(client, &places, config.as_deref(), &change);
    let is_foreign = plan.as_ref().is_ok_and(Plan::is_foreign);
    let (path, outcome, shown) = carry_out(call, client, &places, plan)?;
    let left = wiring::look(client, &places, config.as_deref());
    let left = left.wrapped();
    let hint = match (&change, left.as_slice()) {
        (Change::Add(_), [_, ..]) => {
            format!(" Still wrapped: {}; see `mcpproxy disconnect --wrap NAME`.", left.join(", "))
        }
        _ => String::new(),
    };
    let what = match &change {
        Change::Add(_) => format!("{} is not connected", client.name),
        Change::Wrap { name, .. } => {
            format!("{name:?} of {} does not run through `mcpproxy tap`", client.name)
        }
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
    let failed = |path: &Path, trouble: &Trouble| {
        Failure::failed(format!("{}, {}: {trouble}", client.name, places.shown(path)))
    };
    let plan = plan.map_err(|(path, trouble)| failed(&path, &trouble))?;
    let path = plan.path.clone();
    let shown = places.shown(&path);
    if call.has("dry-run") {
        let (before, after) = plan.texts();
        let changes = plan.outcome() != Outcome::Nothing;
        let diff = changes.then(|| unified(&shown, before, after));
        return Ok((shown, Outcome::Nothing, diff));
    }
    let outcome = plan.carry_out().map_err(|trouble| failed(&path, &trouble))?;
    Ok((shown, outcome, None))
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
    let Some(name) = call.value("wrap") else { return Ok(None) };
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
    let mut words = vec![wiring::this_program().map_err(Failure::failed)?];
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
    let mut words = vec![wiring::this_program().map_err(Failure::failed)?, "tap".to_owned()];
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
    let found: Vec<(&Client, Found)> =
        asked.map(|client| (client, wiring::look(client, &places, config.as_deref()))).collect();
    output::print(&match format {
        Format::Table => table(&found, &places),
        Format::Json => node(&found).to_json(),
        #[cfg(feature = "cli")]
        Format::Yaml => output::yaml(&node(&found))?,
    })
}

fn servers(found: &Found) -> &[Server] {
    found.servers.as_ref().ok().and_then(Option::as_deref).unwrap_or_default()
}

fn node(found: &[(&Client, Found)]) -> Node {
    let client = |(client, found): &(&Client, Found)| {
        let names = |names: Vec<&str>| Node::List(names.into_iter().map(Node::from).collect());
        let others = servers(found).iter().filter(|s| !s.is_wrapped() && !s.is_gateway());
        Node::Object(vec![
            ("client", client.id.into()),
            ("name", client.name.into()),
            ("config", found.path.to_string_lossy().as_ref().into()),
            ("exists", (!matches!(found.servers, Ok(None))).into()),
            ("connected", found.has_entry().into()),
            ("wrapped", names(found.wrapped())),
            ("unwrapped", names(others.map(|server| server.name.as_str()).collect())),
            ("problem", found.servers.as_ref().err().map(Trouble::to_string).into()),
        ])
    };
    Node::Object(vec![("clients", Node::List(found.iter().map(client).collect()))])
}

fn table(found: &[(&Client, Found)], places: &Places) -> String {
    let head = ["CLIENT", "CONNECTED", "CONFIGURATION", "SERVERS"].map(str::to_owned);
    let row = |(client, found): &(&Client, Found)| {
        let (state, servers) = match &found.servers {
            Ok(None) => ("no file", String::new()),
            Ok(Some(_)) => (if found.has_entry() { "yes" } else { "no" }, named_servers(found)),
            Err(trouble) => ("unknown", format!("problem: {trouble}")),
        };
        [client.id.to_owned(), state.to_owned(), places.shown(&found.path), servers]
    };
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(found.iter().map(row)).collect();
    output::columns(&rows)
}

/// The client's own servers, and which of them are wrapped.
fn named_servers(found: &Found) -> String {
    let others = servers(found).iter().filter(|server| !server.is_gateway());
    let name = |server: &Server| match server.is_wrapped() {
        true => format!("{} (wrapped)", server.name),
        false => server.name.clone(),
    };
    others.map(name).collect::<Vec<_>>().join(", ")
}
