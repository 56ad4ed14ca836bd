//! `mcpproxy telemetry forget`: off, erased at the collector, and no install here.
//!
//! One rule: the switch is written before anything else, and the id is kept until the collector has said that it
//! erased what it had.

use super::about::About;
use super::output::{self, Format, Report};
use super::reset_id;
use super::send::span;
use super::switch;
use super::{Call, Failure};
use crate::config::Which;
use crate::consent::{self, Configs, EndpointError, Switch, Target, Whose};
use crate::contract::product::OWN_PRODUCT;
use crate::contract::table::Text;
use crate::heartbeat::erasure::{self, ErasureError};
use crate::heartbeat::permission::Permission;
use crate::heartbeat::sent;
use crate::identity::{self, IdentityError};
use crate::json::Node;
use crate::machine::Surroundings;
use crate::paths::DataDir;
use crate::products;
use std::fmt::Write as _;
use std::process::ExitCode;

/// One endpoint host of the product, and what became of the install that sent to it.
struct Forgotten {
    host: String,
    result: Result<Done, Failed>,
}

enum Done {
    Erased,
    /// It has no endpoint, so nothing ever left.
    LocalOnly,
    /// It has one, and nothing was ever sent there.
    NeverSent,
}

/// Why an install is kept, and after how many seconds its collector wants to be asked again.
struct Failed {
    why: String,
    after: Option<u64>,
}

impl Failed {
    fn new(why: impl ToString) -> Self {
        Self { why: why.to_string(), after: None }
    }
}

impl From<ErasureError> for Failed {
    fn from(error: ErasureError) -> Self {
        let after = if let ErasureError::Later(_, after) = error { after } else { None };
        Self { after, ..Self::new(error) }
    }
}

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let format = Format::of(call, "telemetry forget")?;
    let around = Surroundings::of_this_process();
    let dir = call.dir()?;
    let name = call.product()?.unwrap_or_else(|| OWN_PRODUCT.to_owned());
    let forgotten = each(&dir, &name, &installs(call, &dir, &name)?, around)?;
    let done =
        Report { node: || node(&name, &forgotten), table: || table(&dir, &name, &forgotten) }
            .print(format)?;
    failure(&name, &forgotten).map_or(Ok(done), Err)
}

/// Forgets every install of a product, and says so as the command does.
pub(super) fn everywhere(dir: &DataDir, name: &str) -> Result<(), Failure> {
    let around = Surroundings::of_this_process();
    let call = Call::default();
    let forgotten = each(dir, name, &installs(&call, dir, name)?, around)?;
    output::print(&table(dir, name, &forgotten))?;
    failure(name, &forgotten).map_or(Ok(()), Err)
}

/// Switches the product off, and then goes through its installs.
fn each(
    dir: &DataDir,
    name: &str,
    installs: &[About],
    around: &Surroundings,
) -> Result<Vec<Forgotten>, Failure> {
    let switched = consent::switch(dir, Switch::Product(name), false);
    // Hosts of this data directory follow the config in it: what could not be written elsewhere stops none here.
    if !switched.written.contains(&Which::Given) {
        let why = switch::errors(&switched);
        return Err(Failure::failed(format!("nothing was asked or changed: {why}")));
    }
    Ok(installs.iter().filter_map(|install| forget(install, around)).collect())
}

/// What is kept, and how to go on.
fn failure(name: &str, forgotten: &[Forgotten]) -> Option<Failure> {
    let mut text = String::new();
    let mut wait = None;
    for Forgotten { host, result } in forgotten {
        let Err(Failed { why, after }) = result else { continue };
        wait = wait.max(*after);
        let at = if host.is_empty() { String::new() } else { format!(" ({host})") };
        let _ = write!(text, "not erased{at}: {why}; ");
    }
    let again = wait.map_or_else(|| "later".to_owned(), |wait| format!("in {}", span(wait)));
    (!text.is_empty()).then(|| {
        Failure::failed(format!(
            "{text}{name} stays disabled and keeps its id: repeat this command {again}"
        ))
    })
}

/// Every install of the product: it has one towards each endpoint host.
fn installs(call: &Call, dir: &DataDir, name: &str) -> Result<Vec<About>, Failure> {
    if call.value("endpoint").is_some() {
        return Ok(vec![About::of(call)?]);
    }
    if name == OWN_PRODUCT {
        return Ok(vec![About::own(dir.clone())]);
    }
    let all = products::list(dir);
    let its = all.iter().filter(|listed| listed.place.product() == name);
    Ok(its.map(About::from).collect())
}

/// `None` when there is no id: nothing was sent that could be erased.
fn forget(about: &About, around: &Surroundings) -> Option<Forgotten> {
    let About { subject, place, has_lost_endpoint } = about;
    let permission = Permission::read_in(subject, Some(place), around);
    let whose = Whose { product: &subject.product.name, endpoint: subject.endpoint.as_deref() };
    let in_use = consent::endpoint(around, &Configs::read(&subject.dir), whose);
    let is_here = |target: &Target| subject.place(Some(target)) == *place;
    // The configuration may lead elsewhere by now: what was sent from here went where its last host sent to.
    let target = match in_use {
        Some(Ok(target)) if !is_here(&target) => subject.endpoint.as_deref().map(Target::new),
        Some(Err(_)) if !place.is_own() => subject.endpoint.as_deref().map(Target::new),
        found => found,
    };
    let host = target.as_ref().and_then(|target| target.as_ref().ok()).map(Target::authority);
    let kept = match &permission.kept {
        Ok(kept) => kept,
        Err(error) => {
            let result = Err(Failed::new(error));
            return Some(Forgotten { host: host.unwrap_or_default(), result });
        }
    };
    let mut ids = vec![kept.anonymous_id.clone()?];
    // What the id before the last yearly rotation sent is of this install.
    ids.extend(kept.rotated_from.clone());
    let result = match target {
        _ if !ids.iter().all(|id| Text::Uuid.matches(id)) => {
            Err(Failed::new(IdentityError::NotAUuid))
        }
        None if *has_lost_endpoint || sent::may_have_left(place) == Some(true) => {
            Err(ErasureError::NoEndpoint.into())
        }
        target => erase(about, target, &ids),
    };
    Some(Forgotten { host: host.unwrap_or_default(), result })
}

fn erase(
    about: &About,
    target: Option<Result<Target, EndpointError>>,
    ids: &[String],
) -> Result<Done, Failed> {
    erasure::quiet(&about.place)?;
    let done = match target {
        None => Done::LocalOnly,
        // The id need not be shown to a receiver that has never seen it.
        Some(_) if sent::may_have_left(&about.place) == Some(false) => Done::NeverSent,
        Some(Err(error)) => return Err(ErasureError::Endpoint(error).into()),
        Some(Ok(target)) => {
            for id in ids {
                erasure::ask(&target, &about.subject.product.name, id)?;
            }
            Done::Erased
        }
    };
    // The id last: until it is gone, a repetition goes through all of this again.
    reset_id::forget(&about.place).map_err(Failed::new)?;
    identity::forget(&about.place).map_err(Failed::new)?;
    Ok(done)
}

fn table(dir: &DataDir, name: &str, forgotten: &[Forgotten]) -> String {
    let mut out = format!("Telemetry of {name} is disabled.\n");
    for one in forgotten {
        let host = &one.host;
        let _ = match one.result {
            Ok(Done::Erased) => writeln!(
                out,
                "{host} erased what it received. The id, what was counted and the copies of what was sent are gone."
            ),
            Ok(Done::LocalOnly) => writeln!(
                out,
                "It has no endpoint and never sent: no request was made. The id and what was counted are gone."
            ),
            Ok(Done::NeverSent) => writeln!(
                out,
                "Nothing was ever sent to {host}: no request was made. The id and what was counted are gone."
            ),
            Err(_) => Ok(()),
        };
    }
    if forgotten.is_empty() {
        out.push_str("It has no id: there is nothing to forget.\n");
        out.push_str(&switch::stranger(dir, name).unwrap_or_default());
    }
    out
}

fn node(name: &str, forgotten: &[Forgotten]) -> Node {
    let one = |one: &Forgotten| {
        let (outcome, failed) = match &one.result {
            Ok(Done::Erased) => ("erased", None),
            Ok(Done::LocalOnly) => ("local_only", None),
            Ok(Done::NeverSent) => ("never_sent", None),
            Err(failed) => ("failed", Some(failed)),
        };
        let host = Some(one.host.as_str()).filter(|host| !host.is_empty());
        Node::Object(vec![
            ("endpoint_host", host.into()),
            ("outcome", outcome.into()),
            ("detail", failed.map(|failed| failed.why.clone()).into()),
            ("retry_after", failed.and_then(|failed| failed.after).into()),
        ])
    };
    Node::Object(vec![
        ("product", name.into()),
        ("disabled", true.into()),
        ("installs", Node::List(forgotten.iter().map(one).collect())),
    ])
}
