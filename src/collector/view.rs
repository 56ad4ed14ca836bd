//! A view: what is asked, and the numbers that answer it.
//!
//! One rule: page, export and `report` are made of the same view, so they can not say different things.

use super::definitions::{
    self, Activation, Activity, Audience, Day, Frozen, Install, LeftOut, NewInstalls, Now,
    Retention, Share, Step, StepRow,
};
use super::snapshot::Snapshot;
use super::store::Note;
use std::sync::Arc;

/// The product whose users set servers up; all others are wrapped servers.
const GATEWAY: &str = "mcpproxy";

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Active and new installs, and one line of each other page.
    Overview,
    /// Who came back, by week.
    Retention,
    /// How far they came.
    Activation,
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
    /// How far they came.
    pub activation: Activation,
    /// What the audience leaves out.
    pub left_out: LeftOut,
    /// Old rows are kept, because the last expiry has stopped.
    pub expiry_stopped: bool,
    /// Everybody seems to come through a proxy that is not trusted.
    pub wants_a_proxy: bool,
    /// The operator's notes, by day.
    pub notes: Arc<[Note]>,
}

impl Topic {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 3] = [Self::Overview, Self::Retention, Self::Activation];

    /// The name that addresses and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Retention => "retention",
            Self::Activation => "activation",
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
        let now = snapshot.made_at;
        let since = selection.since.map(Day::week);
        let is_recent = move |one: &Install| since.is_none_or(|since| one.day0.week() >= since);
        let all = || snapshot.installs(selection.product.as_deref());
        let audience = selection.audience;
        let shown = || all().filter(move |one| one.is_shown_to(audience));
        let frozen = || snapshot.frozen(selection.product.as_deref());
        let counts = move |one: &&Frozen| one.group.is_shown_to(audience);
        let frozen_recent = || {
            let is_recent = move |one: &&Frozen| since.is_none_or(|since| one.week >= since);
            frozen().filter(counts).filter(is_recent)
        };
        let retention = definitions::retention(shown().filter(is_recent), now)
            .with_frozen(frozen_recent(), now);
        let steps = if is_gateway(snapshot, selection.product.as_deref()) {
            Step::GATEWAY
        } else {
            Step::WRAPPED
        };
        let mut activity = definitions::activity(shown(), now);
        frozen().filter(counts).for_each(|one| activity.add_frozen(one));
        let mut activation = definitions::activation(shown().filter(is_recent), steps, now);
        frozen_recent().for_each(|one| activation.add_frozen(one));
        let mut left_out = definitions::left_out(all(), audience);
        for one in frozen().filter(|one| !counts(one)) {
            left_out.add(one.group, one.installs());
        }
        Self {
            as_of: now,
            activity,
            new: definitions::new_installs(&retention, now),
            people: definitions::share_of_people(all(), now),
            activation,
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
