//! The tables of each topic, as a tree.
//!
//! One rule: names and order are decided here, numbers are those of the view.

use super::errors;
use super::tree::{Column, Kind, Row, Table, Value};
use super::words::{NONE_FINAL, delay, measure, step};
use crate::collector::definitions::{Clients, Delay, Measure, Mix};
use crate::collector::view::{Environments, Topic, View};
use crate::contract::{AgentEnv, EnvKind, LaunchSource};

/// Days after day 0 that a terminal shows of a curve.
const MILESTONES: [u32; 10] = [0, 1, 6, 13, 27, 55, 83, 167, 251, 337];

/// In place of an agent's environment, of a heartbeat of schema 3.
pub const NOT_SAID: &str = "not_said";

/// Weeks that a terminal shows of a year.
const WEEKS: usize = 12;

/// The tables of `topic` that stand below its first one, if that has a form of its own.
pub fn tables(view: &View, topic: Topic) -> Vec<Table> {
    match topic {
        Topic::Overview => Vec::new(),
        Topic::Retention => vec![rolling(view), rolling_pooled(view), survival(view)],
        Topic::Activation => vec![delays(view)],
        Topic::Environments => view.environments.iter().flat_map(environments).collect(),
        Topic::Versions => {
            let mut all = vec![adoption(view), newest(view), upgrades(view), in_weeks(view)];
            all.extend(view.crashes.as_deref().map(errors::crashes));
            all.extend(view.codes.as_deref().map(errors::codes));
            all
        }
        Topic::Clients => {
            view.clients.iter().flat_map(|of| clients(of, view.selection.k.is_some())).collect()
        }
        Topic::Health => {
            let mut all = vec![answers(view), marks(view), database(view)];
            all.extend(view.codes.as_deref().map(errors::codes));
            all
        }
    }
}

fn rolling(view: &View) -> Table {
    let mut columns = vec![Column::week(), Column::plain("installs", "Installs")];
    columns.extend(Measure::ROLLING.map(|kind| Column {
        name: kind.name(),
        title: measure(kind),
        kind: Kind::Cell,
    }));
    let rows = view.rolling.cohorts.iter().rev().map(|cohort| {
        let mut values = vec![Value::Week(cohort.week), Value::Count(cohort.installs)];
        values.extend(cohort.cells.map(Value::Cell));
        Row::of(values)
    });
    Table {
        name: "rolling",
        title: "Rolling retention: on any of 28 days",
        columns,
        rows: rows.collect(),
        none: "no installs",
    }
}

fn rolling_pooled(view: &View) -> Table {
    let shares = Measure::ROLLING.into_iter().zip(view.rolling.pooled);
    let rows = shares.map(|(kind, share)| {
        let value = match share.of {
            0 => Value::None(NONE_FINAL),
            _ => Value::Share(share),
        };
        Row::of(vec![Value::Word(kind.name(), measure(kind)), value])
    });
    Table {
        name: "rolling_pooled",
        title: "Rolling retention: all final weeks",
        columns: vec![Column::plain("days", "Days"), Column::share("retained", "Retained")],
        rows: rows.collect(),
        none: NONE_FINAL,
    }
}

fn survival(view: &View) -> Table {
    let days = view.survival.days();
    let last = days.last().map(|day| day.day);
    let rows = days.iter().map(|day| Row {
        values: vec![
            Value::Count(u64::from(day.day)),
            Value::Count(day.at_risk),
            Value::Count(day.lapsed),
            Value::Estimate(day.survived, day.interval),
        ],
        is_brief: MILESTONES.contains(&day.day) || Some(day.day) == last,
    });
    Table {
        name: "survival",
        title: "Survival: without 28 silent days until then",
        columns: vec![
            Column::plain("day", "Day"),
            Column::plain("at_risk", "At risk"),
            Column::plain("lapsed", "Lapsed"),
            Column { name: "survived", title: "Still there", kind: Kind::Estimate },
        ],
        rows: rows.collect(),
        none: "none is 28 days old",
    }
}

fn delays(view: &View) -> Table {
    let mut columns = vec![Column::plain("step", "Step")];
    columns.extend(Delay::ALL.map(|one| Column::plain(one.name(), delay(one))));
    let rows = view.delays.iter().map(|row| {
        let mut values = vec![Value::Word(row.step.name(), step(row.step))];
        values.extend(row.counts.map(Value::Count));
        Row::of(values)
    });
    Table {
        name: "delays",
        title: "Days from day 0 to the first report of a step",
        columns,
        rows: rows.collect(),
        none: "no installs",
    }
}

fn environments(of: &Environments) -> Vec<Table> {
    let agents = [AgentEnv::SPELLINGS, &[NOT_SAID]].concat();
    vec![
        mix(of, "kinds", "Kinds of environment by week", EnvKind::SPELLINGS, |mix| &mix.kinds),
        mix(of, "agent_environments", "Agents' environments by week", &agents, |mix| &mix.agents),
        mix(of, "launch_sources", "Launch sources by week", LaunchSource::SPELLINGS, |mix| {
            &mix.launches
        }),
        transparency(of, EnvKind::SPELLINGS),
        once(of),
    ]
}

fn mix(
    of: &Environments,
    name: &'static str,
    title: &'static str,
    words: &[&'static str],
    counts: impl Fn(&Mix) -> &[u64],
) -> Table {
    let mut columns = vec![Column::week(), Column::plain("installs", "Active")];
    columns.extend(words.iter().map(|word| Column::plain(word, word)));
    let rows = of.weeks.iter().rev().enumerate().map(|(at, mix)| {
        let mut values = vec![Value::Week(mix.week), Value::Count(mix.installs)];
        values.extend(counts(mix).iter().copied().map(Value::Count));
        Row { values, is_brief: at < WEEKS }
    });
    Table { name, title, columns, rows: rows.collect(), none: "none was active" }
}

fn transparency(of: &Environments, kinds: &[&'static str]) -> Table {
    let mut columns = vec![Column::plain("declared", "Declared")];
    columns.extend(kinds.iter().map(|kind| Column::plain(kind, kind)));
    columns.push(Column::plain("no_markers", "no markers"));
    let rows = kinds.iter().enumerate().map(|(at, kind)| {
        let mut values = vec![Value::Word(kind, kind)];
        values.extend(of.transparency.cells[at].map(Value::Count));
        values.push(Value::Count(of.transparency.unmarked[at]));
        Row::of(values)
    });
    Table {
        name: "transparency",
        title: "Declared kinds (rows), and what the markers speak for (columns), active in the last 28 days",
        columns,
        rows: rows.collect(),
        none: "none was active",
    }
}

fn once(of: &Environments) -> Table {
    let rows = EnvKind::SPELLINGS.iter().zip(of.once).map(|(kind, share)| {
        let value = if share.of == 0 { Value::None("no installs") } else { Value::Share(share) };
        Row::of(vec![Value::Word(kind, kind), value])
    });
    Table {
        name: "once",
        title: "Heard of on one day only, by the kind of the first heartbeat",
        columns: vec![Column::plain("kind", "Kind"), Column::share("once", "Once")],
        rows: rows.collect(),
        none: "no installs",
    }
}

fn adoption(view: &View) -> Table {
    let rows = view.versions.iter().flat_map(|(product, of)| {
        of.adopted.iter().map(|one| {
            Row::of(vec![
                Value::Text(product.clone()),
                Value::Text(one.version.clone()),
                one.first_day.map_or(Value::None("more than a year ago"), Value::Day),
                Value::Share(one.share),
            ])
        })
    });
    Table {
        name: "adoption",
        title: "Versions of the installs that were active in the last 28 days",
        columns: vec![
            Column::plain("product", "Product"),
            Column::plain("version", "Version"),
            Column::plain("first_day", "First reported"),
            Column::share("active", "Active installs"),
        ],
        rows: rows.collect(),
        none: "none was active",
    }
}

fn newest(view: &View) -> Table {
    let rows = view.versions.iter().filter_map(|(product, of)| {
        let (version, share) = of.newest.clone()?;
        Some(Row::of(vec![Value::Text(product.clone()), Value::Text(version), Value::Share(share)]))
    });
    Table {
        name: "newest",
        title: "On the newest release",
        columns: vec![
            Column::plain("product", "Product"),
            Column::plain("version", "Version"),
            Column::share("active", "Active installs"),
        ],
        rows: rows.collect(),
        none: "none was active",
    }
}

fn upgrades(view: &View) -> Table {
    let mut columns = vec![
        Column::plain("product", "Product"),
        Column::plain("version", "Version"),
        Column::plain("first_day", "First reported"),
    ];
    columns.extend(Delay::ALL.map(|one| Column::plain(one.name(), delay(one))));
    let rows = view.versions.iter().flat_map(|(product, of)| {
        of.upgrades.iter().map(|one| {
            let mut values = vec![
                Value::Text(product.clone()),
                Value::Text(one.version.clone()),
                Value::Day(one.first_day),
            ];
            values.extend(one.counts.map(Value::Count));
            Row::of(values)
        })
    });
    Table {
        name: "upgrades",
        title: "Days to an upgrade, from the first report of a version by any of them",
        columns,
        rows: rows.collect(),
        none: "no release came up in the last year that an install could upgrade to",
    }
}

fn in_weeks(view: &View) -> Table {
    let rows = view.versions.iter().flat_map(|(product, of)| {
        let last = of.weeks.first().map(|one| one.week.0);
        of.weeks.iter().map(move |one| Row {
            values: vec![
                Value::Week(one.week),
                Value::Text(product.clone()),
                Value::Text(one.version.clone()),
                Value::Share(one.share),
            ],
            is_brief: last.is_some_and(|last| one.week.0 + 4 > last),
        })
    });
    Table {
        name: "by_week",
        title: "Versions at the end of each week",
        columns: vec![
            Column::week(),
            Column::plain("product", "Product"),
            Column::plain("version", "Version"),
            Column::share("active", "Active installs"),
        ],
        rows: rows.collect(),
        none: "none was active",
    }
}

fn clients(of: &Clients, is_lowered: bool) -> Vec<Table> {
    let names = of.names.iter();
    let rows =
        names.map(|(name, share)| Row::of(vec![Value::Text(name.clone()), Value::Share(*share)]));
    let numbers = [
        Row::of(vec![
            Value::Word("hidden_names", "Names that fewer have seen"),
            Value::Count(of.hidden),
        ]),
        Row::of(vec![
            Value::Word("installs_without", "Installs that have seen none"),
            Value::Count(of.without.count),
        ]),
        Row::of(vec![
            Value::Word("installs", "Installs that were asked"),
            Value::Count(of.without.of),
        ]),
    ];
    vec![
        Table {
            name: "names",
            title: match is_lowered {
                false => "Clients that at least 5 installs have seen",
                true => "Clients that the chosen number of installs have seen",
            },
            columns: vec![Column::plain("client", "Client"), Column::share("seen", "Seen by")],
            rows: rows.collect(),
            none: "no client was seen by as many installs that are two days old",
        },
        Table {
            name: "hidden",
            title: "What is not shown",
            columns: vec![Column::plain("number", "Number"), Column::plain("count", "Count")],
            rows: numbers.to_vec(),
            none: "",
        },
    ]
}

/// Beside each name that is counted: what it means.
const ANSWERS: [(&str, &str); 16] = [
    ("stored", "stored"),
    ("duplicate", "duplicates"),
    ("clock_wrong", "clocks wrong"),
    ("flood", "new installs marked as a flood"),
    ("proxied", "new installs through what may be a proxy"),
    ("projected", "of a later version of the contract"),
    ("projected.members", "members that are not known here"),
    ("unknown.values", "words that are not known here"),
    ("unknown.codes", "codes that are not known here"),
    ("capped", "sums that were cut"),
    ("too_many", "beyond the three of a day"),
    ("limited", "beyond the rate of a network"),
    ("erased", "of erased installs"),
    ("erasure", "erasures"),
    ("retired", "of retired versions"),
    ("opted_out", "opt-outs of mcpproxy-go"),
];

fn answers(view: &View) -> Table {
    let words = |name: &str| {
        let known = ANSWERS.iter().find(|(known, _)| *known == name);
        known
            .map_or_else(|| name.replace("refused.", "refused: "), |(_, words)| (*words).to_owned())
    };
    let rows = view.health.counts.iter().map(|(name, counts)| {
        let mut values = vec![Value::Named(name.clone(), words(name))];
        values.extend(counts.map(Value::Count));
        Row::of(values)
    });
    Table {
        name: "answers",
        title: "Heartbeats of all products by what became of them, by day of receipt",
        columns: vec![
            Column::plain("name", "Answer"),
            Column::plain("last_7_days", "7 days"),
            Column::plain("last_28_days", "28 days"),
            Column::plain("ever", "Ever"),
        ],
        rows: rows.collect(),
        none: "nothing was received",
    }
}

fn marks(view: &View) -> Table {
    let of = &view.activity;
    let rows = [
        ("installs", "Installs of the view", of.installs),
        ("carried_over", "Carried over: in no cohort and no funnel", of.carried_over),
        ("late_starts", "First heard of two days after the install or later", of.late_starts),
        ("floods", "Of floods", of.floods),
        ("floods_left_out", "Of floods, left out", view.left_out.floods),
    ];
    let rows =
        rows.map(|(name, words, n)| Row::of(vec![Value::Word(name, words), Value::Count(n)]));
    Table {
        name: "marks",
        title: "Installs with a mark",
        columns: vec![Column::plain("number", "Number"), Column::plain("count", "Count")],
        rows: rows.to_vec(),
        none: "",
    }
}

fn database(view: &View) -> Table {
    let health = &view.health;
    let growth = health.growth().map_or(Value::None("none stored"), Value::Count);
    let rows = [
        ("bytes", "Bytes", Value::Count(health.bytes)),
        ("installs", "Installs of all products", Value::Count(health.installs)),
        ("growth_28_days", "Bytes of the last 28 days, about", growth),
    ];
    let rows = rows.map(|(name, words, value)| Row::of(vec![Value::Word(name, words), value]));
    Table {
        name: "database",
        title: "The database",
        columns: vec![Column::plain("number", "Number"), Column::plain("count", "Count")],
        rows: rows.to_vec(),
        none: "",
    }
}
