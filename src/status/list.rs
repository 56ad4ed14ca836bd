//! Every product of a data directory, each endpoint host of it in a line.
//!
//! One rule: what is shown of a product here is what [`super::Status`] shows of it in full.

use super::unseen::Unseen;
use crate::activation::Store;
use crate::activation::state::Sender;
use crate::consent::{self, Consent, Effective, Target};
use crate::contract::timestamp;
use crate::heartbeat::permission::Permission;
use crate::heartbeat::rhythm;
use crate::json::Node;
use crate::machine::Surroundings;
use crate::paths::{DataDir, Place};
use crate::products::{self, Listed, Subject};

/// One product towards one endpoint host.
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) place: Place,
    pub(crate) consent: Consent,
    /// Empty without an endpoint.
    pub(crate) host: String,
    /// Its next host sends from here: else the configuration leads it to another endpoint.
    pub(crate) is_in_use: bool,
    /// When the last heartbeat was acknowledged; 0 is never.
    pub(crate) last_success: u64,
    /// Until when the endpoint wants no heartbeat of this version, if it said so.
    pub(crate) retired_until: Option<u64>,
}

/// All products, ours first.
pub(crate) struct List {
    pub(crate) dir: DataDir,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<&'static str>,
}

impl List {
    /// Reads the configs and peeks into the stores of `dir`, at `now`.
    pub(crate) fn read(dir: &DataDir, around: &Surroundings, now: u64) -> Self {
        let listed = products::list(dir);
        let own = Row::own(dir, around, now);
        let others = listed.iter().map(|listed| Row::of(listed, around, now));
        let ignored = listed
            .iter()
            .find_map(|listed| consent::ignored_endpoint(around, listed.place.product()));
        let notes = ignored.into_iter().chain(consent::reach_of_shell_exports(around)).collect();
        let dir = dir.clone();
        Self { dir, rows: std::iter::once(own).chain(others).collect(), notes }
    }

    /// The notices that no person could see yet.
    pub(crate) fn unseen(&self, around: &Surroundings, now: u64) -> Vec<Unseen> {
        let in_use = self.rows.iter().filter(|row| row.is_in_use);
        let find = |row: &Row| {
            Unseen::find(&row.subject, &row.place, &row.consent, &row.host, around, now)
        };
        in_use.filter_map(find).collect()
    }

    /// As `telemetry status -o json` shows it.
    pub(crate) fn to_node(&self) -> Node {
        let notes = self.notes.iter().map(|note| (*note).into()).collect();
        Node::Object(vec![
            ("data_dir", self.dir.root().to_string_lossy().as_ref().into()),
            ("products", Node::List(self.rows.iter().map(Row::to_node).collect())),
            ("notes", Node::List(notes)),
        ])
    }
}

impl Row {
    fn own(dir: &DataDir, around: &Surroundings, now: u64) -> Self {
        let subject = Subject::own(dir.clone());
        let permission = Permission::read(&subject, around);
        let sender = sender(&permission.place, now);
        Self {
            host: permission.host(),
            is_in_use: true,
            last_success: sender.last_success,
            retired_until: rhythm::retired_until(&sender, &subject.product.version, now),
            consent: permission.consent,
            place: permission.place,
            subject,
        }
    }

    fn of(listed: &Listed, around: &Surroundings, now: u64) -> Self {
        let subject = listed.subject();
        let permission = Permission::read(&subject, around);
        // Only its next host can tell where to a place without an endpoint belongs.
        let is_in_use = listed.has_lost_endpoint() || permission.place == listed.place;
        let its_own = subject.endpoint.as_deref().and_then(|endpoint| Target::new(endpoint).ok());
        let host = its_own.map(|target| target.authority()).unwrap_or_default();
        let consent = match &listed.file {
            Ok(_) => permission.consent,
            // Nothing is sent under an id that cannot be read.
            Err(error) => {
                let (rule, detail) = ("product:unreadable".to_owned(), error.to_string());
                Consent { effective: Effective::Off, rule, detail }
            }
        };
        let (place, sender) = (listed.place.clone(), sender(&listed.place, now));
        let retired_until = rhythm::retired_until(&sender, &subject.product.version, now);
        let last_success = sender.last_success;
        Self { subject, place, consent, host, is_in_use, last_success, retired_until }
    }

    fn to_node(&self) -> Node {
        let host = Some(self.host.as_str()).filter(|host| !host.is_empty());
        let last = Some(self.last_success).filter(|at| *at != 0);
        Node::Object(vec![
            ("name", self.subject.product.name.as_str().into()),
            ("version", self.subject.product.version.as_str().into()),
            ("effective", self.consent.effective.as_str().into()),
            ("rule", self.consent.rule.as_str().into()),
            ("detail", self.consent.detail.as_str().into()),
            ("endpoint_host", host.into()),
            ("in_use", self.is_in_use.into()),
            ("last_success", last.map(timestamp::format).into()),
            ("retired_until", self.retired_until.map(timestamp::format).into()),
        ])
    }
}

fn sender(place: &Place, now: u64) -> Sender {
    let state = Store::peek(place, now).ok().flatten().or_else(|| Store::remembered(place));
    state.unwrap_or_default().sender
}
