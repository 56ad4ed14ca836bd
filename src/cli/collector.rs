//! `mcpproxy collector`: the maintainer's end, and the products that it receives.
//!
//! One rule: the world comes in here. The collector itself is told its directory, its key and the time.

use super::output::{Format, Report};
use super::{Call, Failure, collector_clock, collector_demo, output};
use crate::collector::demo;
use crate::collector::mcpproxy_go;
use crate::collector::origin::{Network, NetworkError};
use crate::collector::pages::privacy;
use crate::collector::row::{Product, Standing};
use crate::collector::service::{self, Announced, CollectorError, DEFAULT_LISTEN, Options};
use crate::collector::store::{
    self, Environment, Keep, KeySource, Location, ProductError, Reader, Server, ServerError,
    StoreError, StoreOptions,
};
use crate::collector::tls::TlsFiles;
use crate::contract::timestamp;
use crate::json::Node;
use crate::paths::{DataDir, HOME_VARIABLE};
use crate::web::{listen, log};
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};

/// Characters of `--contact`.
const MOST_CONTACT: usize = 200;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let log_format = match call.value("log-format") {
        None => log::Format::default(),
        Some(name) => name
            .to_str()
            .and_then(log::Format::from_name)
            .ok_or_else(|| usage("--log-format must be text or json"))?,
    };
    // Its directory is removed when this function ends.
    let place = collector_demo::Place::of(call)?;
    let listen = address(call)?;
    let products = call.options.iter().filter(|(name, _)| *name == "product");
    let products = products.map(|(_, value)| name(value.as_deref().unwrap_or_default()));
    let mut products = products.collect::<Result<Vec<_>, _>>().map_err(|f| f.at("collector"))?;
    let mcpproxy_go = match call.value("accept").map(OsStr::to_str) {
        None => false,
        Some(Some(mcpproxy_go::NAME)) => true,
        Some(_) => {
            return Err(usage("--accept knows one program beside ours: mcpproxy-go"));
        }
    };
    products.extend(mcpproxy_go.then(|| mcpproxy_go::NAME.to_owned()));
    let trusted_proxies = trusted_proxies(call)?;
    let any_product = call.has("any-product");
    let at = if place.is_some() { Location::default() } else { located(call)? };
    let store = match &place {
        Some(place) => StoreOptions {
            dir: place.path().to_owned(),
            products: demo::PRODUCTS.map(str::to_owned).to_vec(),
            ephemeral: true,
            ..StoreOptions::default()
        },
        None => StoreOptions {
            key: key(call)?,
            products,
            any_product,
            mcpproxy_go,
            ephemeral: call.has("ephemeral"),
            dir: at.dir,
            server: at.server,
        },
    };
    let base_path = base_path(call)?;
    let password_file = match call.value("password-file") {
        Some(file) if file.is_empty() => {
            return Err(usage("--password-file is empty: name a file"));
        }
        file => file.map(PathBuf::from),
    };
    let keep = keep(call)?;
    let tls = tls(call)?;
    let privacy = privacy::Settings {
        contact: contact(call)?,
        days: keep.days,
        months: keep.months,
        is_public: call.has("public"),
    };
    let (clock, pace) = collector_clock::of(listen)?;
    log::begin(log_format, LevelFilter::INFO);
    let base = base_path.clone();
    let options = Options {
        store,
        keep,
        listen,
        base_path: base,
        password_file,
        tls,
        trusted_proxies,
        privacy,
        is_demo: place.is_some(),
        clock,
        pace,
    };
    let told = |announced: &Announced| {
        announce(announced, &base_path, log_format);
        if announced.products == 0 && !any_product {
            warn!(
                "there are no products, so every heartbeat is refused: `mcpproxy collector product add NAME` adds one"
            );
        }
    };
    match service::run(options, told) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ CollectorError::Product(ProductError::Name(_))) => {
            Err(usage(error.to_string()))
        }
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn announce(announced: &Announced, base_path: &str, log_format: log::Format) {
    let scheme = if announced.is_secure { "https" } else { "http" };
    let base = format!("{scheme}://{}{base_path}", announced.address);
    let url = format!("{base}/heartbeat");
    let public =
        announced.public.map(|path| format!("Publishing rounded numbers at {base}{path}\n"));
    let public = public.unwrap_or_default();
    let is_logged = log_format == log::Format::Json || std::env::var_os("JOURNAL_STREAM").is_some();
    if announced.is_demo && is_logged {
        info!(url = base, "showing a demo, which receives no heartbeats");
    } else if announced.is_demo {
        let pages = format!("{base}{}", announced.pages);
        let _ = output::print(&format!(
            "A demo: a simulated fleet in a database of its own, which is removed when this ends. It receives no \
             heartbeats.\n{public}Showing it at {pages}\n"
        ));
    } else if is_logged {
        // A log is read by others: the key of the pages stays in its file.
        info!(url, products = announced.products, "receiving heartbeats");
    } else {
        // A closed pipe is no reason to stop.
        let pages = format!("{base}{}", announced.pages);
        let _ = output::print(&format!(
            "Receiving heartbeats at {url}\n{public}Showing them at {pages}\n"
        ));
    }
    if announced.key_is_exposed {
        warn!("others on this machine may read the key: its file is not 0600");
    }
    if announced.tls_key_is_exposed {
        warn!("others on this machine may read the file of --tls-key: make it 0600");
    }
}

pub(super) fn add(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector product add";
    let name = name(call.operand()).map_err(|f| f.at(place))?;
    let is_new = store::add(&located(call)?, call.has("ephemeral"), &name);
    let is_new = is_new.map_err(|error| failed(place, &error))?;
    output::print(&match is_new {
        true => format!("{name} is received from now on.\n"),
        false => format!("{name} is received already.\n"),
    })
}

pub(super) fn rename(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector product rename";
    let from = existing(call.operand()).map_err(|f| f.at(place))?;
    let to = name(call.operands.get(1).map(OsString::as_os_str).unwrap_or_default());
    let to = to.map_err(|f| f.at(place))?;
    store::rename(&located(call)?, &from, &to).map_err(|error| failed(place, &error))?;
    output::print(&format!(
        "{from} is {to} from now on; heartbeats under both names are its own.\n"
    ))
}

pub(super) fn remove(call: &Call) -> Result<ExitCode, Failure> {
    let place = "collector product remove";
    let name = existing(call.operand()).map_err(|f| f.at(place))?;
    store::remove(&located(call)?, &name).map_err(|error| failed(place, &error))?;
    output::print(&format!(
        "{name} is refused from now on. Its installs stay; `mcpproxy collector product add {name}` brings them \
         back.\n"
    ))
}

pub(super) fn list(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "collector product list")?;
    let at = located(call)?;
    let read = || Ok((Reader::open(&at)?.products()?, store::retired(&at)?));
    let (products, retired) = match read() {
        Ok(read) => read,
        Err(StoreError::Missing) => (Vec::new(), Vec::new()),
        Err(error) => return Err(Failure::failed(error.to_string())),
    };
    let listed: Vec<Listed<'_>> = products
        .iter()
        .map(|product| {
            let own = retired.iter().filter(|(name, _)| *name == product.name);
            Listed { product, retired: own.map(|(_, version)| version.as_str()).collect() }
        })
        .collect();
    Report { node: || node(&listed), table: || table(&listed) }.print(format)
}

/// A product, and those of its versions that are told to stop.
struct Listed<'p> {
    product: &'p Product,
    retired: Vec<&'p str>,
}

/// What a product's heartbeats meet, in one word.
fn standing(product: &Product) -> &'static str {
    match product.standing {
        Standing::Added => "received",
        Standing::Hidden => "hidden",
        Standing::Removed => "refused",
    }
}

fn first_day(product: &Product) -> Option<String> {
    let day = timestamp::format(u64::from(product.first_day?) * 86_400);
    day.get(..10).map(str::to_owned)
}

fn node(products: &[Listed<'_>]) -> Node {
    let product = |Listed { product, retired }: &Listed<'_>| {
        let mut members = vec![
            ("name", product.name.as_str().into()),
            ("standing", standing(product).into()),
            ("installs", product.installs.into()),
            ("first_day", first_day(product).into()),
        ];
        if !retired.is_empty() {
            let versions = retired.iter().map(|version| (*version).into()).collect();
            members.push(("retired", Node::List(versions)));
        }
        Node::Object(members)
    };
    Node::Object(vec![("products", Node::List(products.iter().map(product).collect()))])
}

fn table(products: &[Listed<'_>]) -> String {
    if products.is_empty() {
        return "No products; `mcpproxy collector product add NAME` adds one.\n".to_owned();
    }
    let head = ["PRODUCT", "HEARTBEATS", "INSTALLS", "FIRST DAY", "RETIRED"].map(str::to_owned);
    let row = |Listed { product, retired }: &Listed<'_>| {
        let installs = product.installs.to_string();
        let first_day = first_day(product).unwrap_or_else(|| "-".to_owned());
        let retired = if retired.is_empty() { "-".to_owned() } else { retired.join(", ") };
        [product.name.clone(), standing(product).to_owned(), installs, first_day, retired]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(products.iter().map(row)).collect();
    output::columns(&rows)
}

/// A usage error of a value, before its command is known.
pub(super) struct Wrong(String);

impl Wrong {
    pub(super) fn at(self, place: &str) -> Failure {
        Failure::usage(place, self.0)
    }
}

pub(super) fn name(text: &OsStr) -> Result<String, Wrong> {
    store::named(utf8(text)?).map_err(|error| Wrong(error.to_string()))
}

/// The name of a product that there is.
fn existing(text: &OsStr) -> Result<String, Wrong> {
    store::name_of_existing(utf8(text)?).map_err(|error| Wrong(error.to_string()))
}

fn utf8(text: &OsStr) -> Result<&str, Wrong> {
    text.to_str().ok_or_else(|| Wrong("the product name is not UTF-8".to_owned()))
}

pub(super) fn failed(place: &str, error: &ProductError) -> Failure {
    match error {
        ProductError::Name(_) => Failure::usage(place, error.to_string()),
        _ => Failure::failed(error.to_string()),
    }
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::usage("collector", words)
}

/// The data directory: `--data-dir`, else `MCPPROXY_COLLECTOR_HOME`, else `~/.mcpproxy-collector`. Never that of
/// an install: who runs a collector may be a user of the product as well.
pub(super) fn dir(call: &Call) -> Result<PathBuf, Failure> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = match call.data_dir.as_deref() {
        Some(flag) if flag.is_empty() => {
            return Err(usage("--data-dir is empty: name a directory"));
        }
        Some(flag) => PathBuf::from(flag),
        None => match variable("MCPPROXY_COLLECTOR_HOME").map(PathBuf::from) {
            Some(path) => path,
            // The home directory is not ours to make, nor is a store in whatever directory this is.
            None => match variable(HOME_VARIABLE).map(PathBuf::from) {
                Some(home) if home.is_absolute() && home.is_dir() => {
                    home.join(".mcpproxy-collector")
                }
                _ => {
                    return Err(Failure::failed(format!(
                        "no data directory: {HOME_VARIABLE} is not set, is relative, or names no directory; set it, or \
                         MCPPROXY_COLLECTOR_HOME, or pass --data-dir DIR"
                    )));
                }
            },
        },
    };
    let path = std::path::absolute(path).map_err(|_| {
        Failure::failed("the data directory is relative and the current directory is gone: use an absolute path")
    })?;
    let installs = DataDir::at(&path);
    let theirs = [installs.config(), installs.install(), installs.store(), installs.products()];
    match theirs.iter().find(|theirs| theirs.exists()) {
        Some(theirs) => Err(Failure::failed(format!(
            "{} belongs to an install: a collector has a directory of its own; name it with --data-dir DIR",
            theirs.display()
        ))),
        None => Ok(path),
    }
}

/// Where the data are: the directory, and the server of `--database`, else of `MCPPROXY_COLLECTOR_DATABASE`.
pub(super) fn located(call: &Call) -> Result<Location, Failure> {
    let dir = dir(call)?;
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let given = call.value("database").map(OsStr::to_owned);
    let Some(address) = given.or_else(|| variable("MCPPROXY_COLLECTOR_DATABASE")) else {
        return Ok(Location { dir, server: None });
    };
    let home = || variable(HOME_VARIABLE).map(|home| PathBuf::from(home).join(".pgpass"));
    let environment = Environment {
        password: variable("PGPASSWORD").and_then(|text| text.into_string().ok()),
        password_file: variable("PGPASSFILE").map(PathBuf::from).or_else(home),
    };
    let server = address.to_str().ok_or(ServerError::Address);
    let server = server.and_then(|address| Server::read(address, &environment));
    let server = server.map_err(|error| usage(error.to_string()))?;
    Ok(Location { dir, server: Some(server) })
}

pub(super) fn key(call: &Call) -> Result<KeySource, Failure> {
    if let Some(file) = call.value("key-file") {
        return match file.is_empty() {
            true => Err(usage("--key-file is empty: name a file")),
            false => Ok(KeySource::File(PathBuf::from(file))),
        };
    }
    let text = std::env::var_os("MCPPROXY_COLLECTOR_KEY").filter(|value| !value.is_empty());
    // Bytes that are not UTF-8 are no key: the collector says so, as for any other wrong one.
    let text = text.map(|value: OsString| value.to_string_lossy().into_owned());
    Ok(text.map_or(KeySource::Own, KeySource::Variable))
}

/// How long rows are kept. A cohort's cells are final six weeks after its last install began: nothing may expire
/// before.
fn keep(call: &Call) -> Result<Keep, Failure> {
    let number = |name: &str, least: u32, most: u32, usual: u32| {
        let Some(text) = call.value(name) else { return Ok(usual) };
        let number = text.to_str().and_then(|text| text.parse().ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| usage(format!("--{name} must be a number from {least} to {most}")))
    };
    let usual = Keep::default();
    Ok(Keep {
        days: number("keep-days", 7, 3_650, usual.days)?,
        months: number("keep-installs", 3, 120, usual.months)?,
    })
}

/// One line that the privacy page shows as it is.
fn contact(call: &Call) -> Result<Option<String>, Failure> {
    let Some(value) = call.value("contact") else { return Ok(None) };
    let text = value.to_str().map(str::trim).filter(|text| {
        !text.is_empty() && text.chars().count() <= MOST_CONTACT && !text.contains(char::is_control)
    });
    let wrong =
        || usage("--contact needs one line, such as privacy@example.org (at most 200 characters)");
    text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
}

/// Both files of a certificate, or none.
fn tls(call: &Call) -> Result<Option<TlsFiles>, Failure> {
    let file = |name: &str| call.value(name).filter(|file| !file.is_empty()).map(PathBuf::from);
    match (file("tls-cert"), file("tls-key")) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) if !call.has("tls-cert") && !call.has("tls-key") => Ok(None),
        _ => Err(usage("--tls-cert FILE and --tls-key FILE belong together: name both files")),
    }
}

fn trusted_proxies(call: &Call) -> Result<Vec<Network>, Failure> {
    let networks = call.options.iter().filter(|(name, _)| *name == "trusted-proxy");
    let network = |value: &Option<OsString>| {
        let text = value.as_deref().and_then(OsStr::to_str).unwrap_or_default();
        text.parse().map_err(|error: NetworkError| usage(format!("--trusted-proxy {error}")))
    };
    networks.map(|(_, value)| network(value)).collect()
}

fn base_path(call: &Call) -> Result<String, Failure> {
    let Some(value) = call.value("base-path") else { return Ok(String::new()) };
    let wrong =
        || usage("--base-path must be a path such as /telemetry, of letters, digits and - . _ ~");
    let text = value.to_str().ok_or_else(wrong)?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    match text.strip_prefix('/') {
        None if text.is_empty() => Ok(String::new()),
        Some(rest) if rest.split('/').all(is_part) => Ok(text.to_owned()),
        _ => Err(wrong()),
    }
}

fn address(call: &Call) -> Result<SocketAddr, Failure> {
    let text = call.value("listen").map_or(Some(DEFAULT_LISTEN), OsStr::to_str).unwrap_or_default();
    listen::address(text).ok_or_else(|| {
        usage(format!(
            "--listen needs an address of this machine and a port, such as {DEFAULT_LISTEN}"
        ))
    })
}
