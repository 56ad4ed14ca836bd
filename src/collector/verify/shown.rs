//! The numbers of a view, under the names of the second computation.
//!
//! One rule: what is 0 is not there.

use crate::collector::definitions::{Delay, Measure, State};
use crate::collector::plain::Numbers;
use crate::collector::report::NOT_SAID;
use crate::collector::snapshot::Health;
use crate::collector::view::{Environments, View};
use crate::contract::{AgentEnv, EnvKind, LaunchSource};

/// The numbers of a view, under the names of the second computation; none that is 0.
pub(super) fn shown(view: &View) -> Numbers {
    let mut all = Numbers::new();
    let mut add = |name: String, n: u64| {
        all.insert(name, n);
    };
    let activity = &view.activity;
    for (name, n) in [
        ("installs", activity.installs),
        ("yesterday", activity.yesterday),
        ("last_7_days", activity.last_7_days),
        ("last_28_days", activity.last_28_days),
        ("carried_over", activity.carried_over),
        ("late_starts", activity.late_starts),
        ("floods", activity.floods),
        ("people.of", view.people.of),
        ("people.count", view.people.count),
    ] {
        add(name.to_owned(), n);
    }
    for (name, n, ..) in view.left_out.reasons() {
        add(format!("left_out.{name}"), n);
    }
    for cohort in &view.retention.cohorts {
        let week = format!("week.{}", cohort.week.monday().0);
        add(format!("{week}.installs"), cohort.installs);
        for (measure, cell) in Measure::ALL.into_iter().zip(cohort.cells) {
            let name = measure.name();
            add(format!("{week}.{name}"), cell.share.count);
            add(format!("{week}.{name}.final"), u64::from(cell.state == State::Final));
        }
    }
    for (measure, pooled) in Measure::ALL.into_iter().zip(view.retention.pooled) {
        add(format!("pooled.{}.count", measure.name()), pooled.count);
        add(format!("pooled.{}.of", measure.name()), pooled.of);
    }
    for cohort in &view.rolling.cohorts {
        let week = format!("week.{}", cohort.week.monday().0);
        for (measure, cell) in Measure::ROLLING.into_iter().zip(cohort.cells) {
            let name = measure.name();
            add(format!("{week}.{name}"), cell.share.count);
            add(format!("{week}.{name}.final"), u64::from(cell.state == State::Final));
        }
    }
    for (measure, pooled) in Measure::ROLLING.into_iter().zip(view.rolling.pooled) {
        add(format!("pooled.{}.count", measure.name()), pooled.count);
        add(format!("pooled.{}.of", measure.name()), pooled.of);
    }
    for day in view.survival.days() {
        add(format!("at_risk.{}", day.day), day.at_risk);
        add(format!("lapsed.{}", day.day), day.lapsed);
    }
    for row in &view.delays {
        let delays = Delay::ALL.into_iter().filter(|delay| *delay != Delay::Never);
        for delay in delays {
            let name = format!("step.{}.{}", row.step.name(), delay.name());
            add(name, row.counts[delay as usize]);
        }
    }
    for row in &view.activation.steps {
        let step = format!("step.{}", row.step.name());
        add(format!("{step}.of"), row.reached.of);
        add(format!("{step}.reached"), row.reached.count);
        add(format!("{step}.with_all_before"), row.with_all_before.count);
        if let Some(fair) = row.within_7_days {
            add(format!("{step}.within_7_days"), fair.count);
            add(format!("{step}.old_enough"), fair.of);
        }
    }
    add("expired_left_out".to_owned(), view.expired_left_out);
    if let Some(environments) = &view.environments {
        of_environments(environments, &mut add);
    }
    of_versions(view, &mut add);
    if let Some(clients) = &view.clients {
        add("clients.asked".to_owned(), clients.without.of);
        add("clients.without".to_owned(), clients.without.count);
        add("clients.hidden".to_owned(), clients.hidden);
        for (name, share) in &clients.names {
            add(format!("clients.seen|{name}"), share.count);
        }
    }
    all.retain(|_, n| *n > 0);
    all
}

fn of_environments(of: &Environments, add: &mut impl FnMut(String, u64)) {
    let agents: Vec<&str> = AgentEnv::SPELLINGS.iter().copied().chain([NOT_SAID]).collect();
    for mix in &of.weeks {
        let week = format!("mix.{}", mix.week.monday().0);
        add(format!("{week}.installs"), mix.installs);
        for (form, words, counts) in [
            ("kind", EnvKind::SPELLINGS, &mix.kinds[..]),
            ("agent", &agents[..], &mix.agents[..]),
            ("launch", LaunchSource::SPELLINGS, &mix.launches[..]),
        ] {
            for (word, n) in words.iter().zip(counts) {
                add(format!("{week}.{form}.{word}"), *n);
            }
        }
    }
    let kinds = EnvKind::SPELLINGS.iter().zip(of.transparency.cells);
    for ((declared, cells), unmarked) in kinds.zip(of.transparency.unmarked) {
        add(format!("transparency.{declared}.no_markers"), unmarked);
        for (recomputed, n) in EnvKind::SPELLINGS.iter().zip(cells) {
            add(format!("transparency.{declared}.{recomputed}"), n);
        }
    }
    for (kind, share) in EnvKind::SPELLINGS.iter().zip(of.once) {
        add(format!("once.{kind}.of"), share.of);
        add(format!("once.{kind}.count"), share.count);
    }
}

fn of_versions(view: &View, add: &mut impl FnMut(String, u64)) {
    for (product, of) in &view.versions {
        let mut add = |what: String, n: u64| add(format!("versions.{product}.{what}"), n);
        for one in &of.adopted {
            let version = &one.version;
            add(format!("in_use|{version}"), one.share.count);
            add("active".to_owned(), one.share.of);
            add(format!("came_up|{version}"), one.first_day.map_or(0, |day| u64::from(day.0)));
        }
        if let Some((version, share)) = &of.newest {
            add(format!("newest|{version}"), share.count);
        }
        for one in &of.upgrades {
            for delay in Delay::ALL {
                let name = format!("upgrade|{}.{}", one.version, delay.name());
                add(name, one.counts[delay as usize]);
            }
        }
        for one in &of.weeks {
            let week = one.week.monday().0;
            add(format!("week.{week}|{}", one.version), one.share.count);
            add(format!("week.{week}.active"), one.share.of);
        }
    }
    for (product, of) in view.crashes.iter().flatten() {
        for one in of {
            let said = format!("versions.{product}.said");
            add(format!("{said}.version|{}", one.version), one.share.of);
            add(format!("{said}.crashed|{}", one.version), one.share.count);
        }
    }
    for (product, of) in view.codes.iter().flatten() {
        for one in of {
            let (version, code) = (&one.version, one.code.name());
            let said = format!("versions.{product}.said");
            // The same as of crashes.
            add(format!("{said}.version|{version}"), one.met.of);
            add(format!("{said}.met|{version} {code}"), one.met.count);
            add(format!("{said}.standing|{version} {code}"), one.standing.count);
        }
    }
}

/// The numbers of all heartbeats.
pub(super) fn health(of: &Health) -> Numbers {
    let mut all = Numbers::new();
    for (name, counts) in &of.counts {
        for (span, n) in ["7_days", "28_days", "ever"].into_iter().zip(counts) {
            all.insert(format!("answers.{name}.{span}"), *n);
        }
    }
    all.insert("growth".to_owned(), of.growth().unwrap_or(0));
    all.retain(|_, n| *n > 0);
    all
}
