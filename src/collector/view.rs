//! A view: what is asked, and the numbers that answer it.
//!
//! One rule: page, export and `report` are made of the same view, so they can not say different things.

mod tally;

use super::definitions::client::K;
use super::definitions::{
    self, Activation, Activity, Audience, Clients, Codes, Crashes, Day, DelayRow, Filters, Frozen,
    LeftOut, Mix, NewInstalls, Now, Retention, Share, Step, StepRow, Survival, Transparency,
    Versions, code, crash, version,
};
use super::snapshot::{Health, Snapshot};
use super::store::Note;
use crate::contract::EnvKind;
use std::sync::Arc;
use tally::{COHORTS, CURVES, DELAYED, FUNNEL, Tally};

/// The product whose users set servers up; all others are wrapped servers.
pub const GATEWAY: &str = "mcpproxy";

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Active and new installs, and one line of each other page.
    Overview,
    /// Who came back, by week.
    Retention,
    /// How far they came.
    Activation,
    /// Where they run.
    Environments,
    /// Which versions they have.
    Versions,
    /// Which clients they have seen.
    Clients,
    /// What became of heartbeats.
    Health,
}

/// Which installs it is shown for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// People, machines or all.
    pub audience: Audience,
    /// One product; `None` for all.
    pub product: Option<String>,
    /// Installs of the ISO week that holds this day, and later ones.
    pub since: Option<Day>,
    /// Those whose first heartbeat said this.
    pub filters: Filters,
    /// Names of clients that so many installs have seen, in place of [`K`].
    pub k: Option<u64>,
}

/// Where installs run.
#[derive(Clone, Debug, Default)]
pub struct Environments {
    /// By week.
    pub weeks: Vec<Mix>,
    /// What they say against what they see.
    pub transparency: Transparency,
    /// Those that were heard of once, by kind.
    pub once: [Share; EnvKind::ALL.len()],
}

/// The numbers of a selection.
#[derive(Clone, Debug)]
pub struct View {
    /// What was asked.
    pub selection: Selection,
    /// When the installs were read.
    pub as_of: Now,
    /// Active installs.
    pub activity: Activity,
    /// New installs by week.
    pub new: Vec<NewInstalls>,
    /// People among all installs active in the last 28 days, whatever the audience.
    pub people: Share,
    /// Who came back.
    pub retention: Retention,
    /// Who came back within four weeks, from several days on.
    pub rolling: Retention<5>,
    /// How long they stayed.
    pub survival: Survival,
    /// How far they came.
    pub activation: Activation,
    /// How long they took to each step.
    pub delays: Vec<DelayRow>,
    /// Where they run; `None`: not asked for.
    pub environments: Option<Environments>,
    /// The versions of each product; none if they are not asked for.
    pub versions: Vec<(String, Versions)>,
    /// The crashes of each product; `None`: the days were not read.
    pub crashes: Option<Vec<(String, Vec<Crashes>)>>,
    /// The error codes of each product; `None`: the days were not read.
    pub codes: Option<Vec<(String, Vec<Codes>)>>,
    /// The clients that they have seen; `None`: not asked for.
    pub clients: Option<Clients>,
    /// What became of all heartbeats, of whichever product.
    pub health: Arc<Health>,
    /// What the audience leaves out.
    pub left_out: LeftOut,
    /// Installs that have expired, of which the filters know nothing: they are left out as well.
    pub expired_left_out: u64,
    /// Old rows are kept, because the last expiry has stopped.
    pub expiry_stopped: bool,
    /// Everybody seems to come through a proxy that is not trusted.
    pub wants_a_proxy: bool,
    /// The operator's notes, by day.
    pub notes: Arc<[Note]>,
}

impl Topic {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Retention,
        Self::Activation,
        Self::Environments,
        Self::Versions,
        Self::Clients,
        Self::Health,
    ];

    /// The name that addresses and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Retention => "retention",
            Self::Activation => "activation",
            Self::Environments => "environments",
            Self::Versions => "versions",
            Self::Clients => "clients",
            Self::Health => "health",
        }
    }

    /// The topic of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

impl View {
    /// The view of `selection`, at the moment of the snapshot: what has happened since is not in it.
    pub fn of(snapshot: &Snapshot, selection: Selection) -> Self {
        Self::with(snapshot, selection, &Topic::ALL)
    }

    /// The same, with what `topics` show beside the numbers that every page has; the others are empty.
    pub fn with(snapshot: &Snapshot, selection: Selection, topics: &[Topic]) -> Self {
        let now = snapshot.made_at;
        let since = selection.since.map(Day::week);
        let product = selection.product.as_deref();
        let filters = &selection.filters;
        let audience = selection.audience;
        let is_gateway = is_gateway(snapshot, product);
        let mut tally = Tally::of(topics, &selection, now, is_gateway);
        let wants_products = [Topic::Versions, Topic::Health].iter().any(|of| topics.contains(of));
        let wants_versions = topics.contains(&Topic::Versions);
        let (mut versions, mut crashes, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        let wanted = |name: &&str| product.is_none_or(|product| product == *name);
        for name in snapshot.names().filter(wanted) {
            let mut reported = code::Reported::default();
            let (mut told, mut in_use) = (crash::Told::default(), version::InUse::until(now));
            // One reading for all that needs no other number: of a million installs each is felt.
            snapshot.each_record(Some(name), |record| {
                let is_shown = filters.hold(record) && tally.add(record);
                if is_shown && wants_products {
                    reported.add(record);
                }
                if is_shown && wants_versions {
                    told.add(record);
                    in_use.add(record);
                }
            });
            if wants_products {
                codes.push((name.to_owned(), reported.end()));
            }
            if wants_versions {
                let mut upgrading = in_use.end();
                snapshot.each_record(Some(name), |record| {
                    if filters.hold(record) && record.install.is_shown_to(audience) {
                        upgrading.add(record);
                    }
                });
                crashes.push((name.to_owned(), told.end()));
                versions.push((name.to_owned(), upgrading.end()));
            }
        }
        let Tally { mut activity, mut left_out, people, .. } = tally;
        let Tally { cohorts, rolling, mut survival, mut activation, mut delays, .. } = tally;
        let crashes = snapshot.has_days.then_some(crashes);
        let codes = snapshot.has_days.then_some(codes);
        let environments = topics.contains(&Topic::Environments).then(|| {
            let mut weeks = tally.mixes.end();
            weeks.retain(|mix| since.is_none_or(|since| mix.week >= since));
            Environments { weeks, transparency: tally.transparency, once: tally.once }
        });
        let clients = topics.contains(&Topic::Clients);
        let clients = clients.then(|| tally.clients.end(selection.k.unwrap_or(K)));

        let expired = || snapshot.frozen(product);
        let frozen = || expired().filter(|_| filters.is_empty());
        let counts = move |one: &&Frozen| one.group.is_shown_to(audience);
        let frozen_recent = |wanted: &[Topic]| {
            let is_recent = move |one: &&Frozen| since.is_none_or(|since| one.week >= since);
            let asks = wanted.iter().any(|topic| topics.contains(topic));
            let some = asks.then(|| frozen().filter(counts).filter(is_recent));
            some.into_iter().flatten()
        };
        let retention = cohorts.end(now).with_frozen(frozen_recent(&COHORTS), now);
        let rolling = rolling.end(now).with_frozen(frozen_recent(&CURVES), now);
        frozen_recent(&CURVES).for_each(|one| survival.add_frozen(one));
        frozen().filter(counts).for_each(|one| activity.add_frozen(one));
        frozen_recent(&FUNNEL).for_each(|one| activation.add_frozen(one));
        let late = frozen_recent(&DELAYED);
        late.for_each(|one| delays.iter_mut().for_each(|row| row.add_frozen(one)));
        for one in frozen().filter(|one| !counts(one)) {
            left_out.add(one.group, one.installs());
        }
        let left = expired().filter(|_| !filters.is_empty());
        let expired_left_out = left.map(Frozen::installs).sum();
        Self {
            as_of: now,
            activity,
            new: definitions::new_installs(&retention, now),
            people,
            rolling,
            survival,
            activation,
            delays,
            environments,
            versions,
            crashes,
            codes,
            clients,
            health: snapshot.health.clone(),
            expired_left_out,
            left_out,
            expiry_stopped: snapshot.expiry_stopped,
            wants_a_proxy: snapshot.wants_a_proxy,
            retention,
            notes: snapshot.notes.clone(),
            selection,
        }
    }

    /// The step that matters most: the first real tool call.
    pub fn first_call(&self) -> Option<&StepRow> {
        self.activation.steps.iter().find(|row| row.step == Step::FirstRealToolCall)
    }

    /// The new installs of the last week that is final.
    pub fn last_full_week(&self) -> Option<&NewInstalls> {
        self.new.iter().rev().find(|week| week.is_final)
    }
}

/// Whether only the gateway's own users are looked at. For several products the funnel holds the steps that are
/// true of each.
fn is_gateway(snapshot: &Snapshot, product: Option<&str>) -> bool {
    match product {
        Some(product) => product == GATEWAY,
        None => matches!(snapshot.names().collect::<Vec<_>>()[..], [GATEWAY]),
    }
}
