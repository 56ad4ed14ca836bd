//! Which product a command is about: `--product NAME`, and `--endpoint URL` where it has several.
//!
//! One rule: a name that no host ever said is an error that lists those that were.

use super::{Call, Failure};
use crate::consent::{self, Configs, Target};
use crate::contract::product::OWN_PRODUCT;
use crate::heartbeat::permission::Permission;
use crate::machine::Surroundings;
use crate::paths::{DataDir, Place};
use crate::products::{self, Listed, Subject};

/// A product, and where its state lies.
pub(super) struct About {
    pub(super) subject: Subject,
    /// The place that was chosen, whatever the configuration says about the next host.
    pub(super) place: Place,
    /// Nothing there says to which endpoint it belongs.
    pub(super) has_lost_endpoint: bool,
}

impl About {
    /// Our own product, which has one place for all endpoints.
    pub(super) fn own(dir: DataDir) -> Self {
        Self {
            place: dir.place(OWN_PRODUCT, ""),
            subject: Subject::own(dir),
            has_lost_endpoint: false,
        }
    }

    /// The product that `call` names, ours if it names none; of several endpoint hosts the newest, if it
    /// names none.
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let (dir, endpoint) = (call.dir()?, endpoint(call)?);
        match (call.product()?, endpoint) {
            (None, Some(_)) => Err(usage("--endpoint belongs to a product: add --product NAME")),
            (Some(name), Some(_)) if name == OWN_PRODUCT => {
                Err(usage("mcpproxy itself has one state for all endpoints: leave --endpoint away"))
            }
            (None, None) => Ok(Self::own(dir)),
            (Some(name), None) if name == OWN_PRODUCT => Ok(Self::own(dir)),
            (Some(name), endpoint) => Self::listed(&dir, &name, endpoint.as_ref()),
        }
    }

    fn listed(dir: &DataDir, name: &str, endpoint: Option<&Target>) -> Result<Self, Failure> {
        let all = products::list(dir);
        let mut its = all.iter().filter(|listed| listed.place.product() == name).peekable();
        if its.peek().is_none() {
            return Err(unknown(dir, name));
        }
        let found = match endpoint {
            None => its.next(),
            Some(target) => {
                let place = dir.place(name, &target.authority());
                its.clone().find(|listed| listed.place == place)
            }
        };
        let Some(found) = found else {
            let hosts: Vec<String> = its.map(host).collect();
            return Err(Failure::failed(format!(
                "{name} never had that endpoint here; it had: {}",
                hosts.join(", ")
            )));
        };
        let mut about = Self::from(found);
        if about.has_lost_endpoint
            && let Some(target) = endpoint
        {
            about.subject.endpoint = Some(target.endpoint().to_owned());
        }
        Ok(about)
    }

    /// As [`Self::of`], of the place that the next heartbeat is sent from: the configuration may lead to
    /// another endpoint than the last host had.
    pub(super) fn in_use(call: &Call, around: &Surroundings) -> Result<Self, Failure> {
        let about = Self::of(call)?;
        let permission = Permission::read(&about.subject, around);
        if about.has_lost_endpoint || permission.place == about.place {
            return Ok(about);
        }
        match call.value("endpoint") {
            None => Ok(Self { place: permission.place, ..about }),
            Some(_) => Err(Failure::failed(format!(
                "{} has its endpoint of the configuration, whatever --endpoint says: leave --endpoint away, or remove `telemetry.products.{0}.endpoint`",
                about.subject.product.name
            ))),
        }
    }
}

impl From<&Listed> for About {
    fn from(found: &Listed) -> Self {
        Self {
            subject: found.subject(),
            place: found.place.clone(),
            has_lost_endpoint: found.has_lost_endpoint(),
        }
    }
}

/// The endpoint that a call names.
fn endpoint(call: &Call) -> Result<Option<Target>, Failure> {
    let Some(text) = call.value("endpoint") else { return Ok(None) };
    let wrong = |error| usage(&format!("--endpoint: {error}"));
    Target::new(&text.to_string_lossy()).map(Some).map_err(wrong)
}

fn usage(text: &str) -> Failure {
    Failure { code: 2, ..Failure::failed(text) }
}

fn unknown(dir: &DataDir, name: &str) -> Failure {
    let known = known(dir).join(", ");
    let mut text = format!("no host of {name} ever started in this data directory; known: {known}");
    // Why none will leave anything here.
    let around = Surroundings::of_this_process();
    if let Some(first) = consent::objections(around, &Configs::read(dir), name).first() {
        text += &format!("; its telemetry is off ({}): {}", first.rule, first.detail);
    }
    Failure::failed(text)
}

/// The products that have state in `dir`, ours first.
pub(super) fn known(dir: &DataDir) -> Vec<String> {
    let mut names = vec![OWN_PRODUCT.to_owned()];
    names.extend(products::list(dir).into_iter().map(|listed| listed.place.product().to_owned()));
    names.dedup();
    names
}

/// The endpoint host of a place, for people.
pub(super) fn host(listed: &Listed) -> String {
    let endpoint = listed.file.as_ref().ok().and_then(|file| file.endpoint.as_deref());
    match endpoint.map(Target::new) {
        Some(Ok(target)) => target.authority(),
        _ => "none".to_owned(),
    }
}
