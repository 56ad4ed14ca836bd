//! The same numbers a second way: plain loops over rows as the database holds them.
//!
//! One rule: nothing of `definitions` and of the store's readers is used here. Two computations that share a mistake
//! prove nothing; what expires, and what `collector verify` compares, is computed by both.

use crate::contract::{CallBucket, EnvKind, LaunchSource, Shutdown};
use std::collections::BTreeMap;

/// Counts by name.
pub type Numbers = BTreeMap<String, u64>;

/// The columns of an install's row that numbers are made of.
#[derive(Clone, Debug, Default)]
pub struct RawInstall {
    /// Number of its product.
    pub product: i64,
    /// `day0`
    pub day0: i64,
    /// `last_day`
    pub last_day: i64,
    /// `days`
    pub days: Vec<u8>,
    /// `first_facts`
    pub first_facts: String,
    /// `now_facts`
    pub now_facts: String,
    /// The columns of the funnel.
    pub steps: [Option<i64>; 5],
    /// `versions`
    pub versions: String,
    /// `clients`
    pub clients: String,
    /// `carried_over`
    pub carried_over: bool,
    /// `days_since_install`
    pub days_since_install: Option<i64>,
    /// `install_day`
    pub install_day: Option<i64>,
    /// `flood`
    pub flood: bool,
}

/// A row of the aggregates of expired installs.
#[derive(Clone, Debug)]
pub struct RawFrozen {
    /// The first day of the week.
    pub monday: i64,
    /// Group and name.
    pub cell: String,
    /// How many.
    pub n: u64,
}

/// The names of the funnel's steps behind the first heartbeat.
const STEPS: [&str; 5] = [
    "server_configured",
    "server_connected",
    "client_seen",
    "tools_searched",
    "first_real_tool_call",
];
const GATEWAY: [&str; 6] = [
    "first_heartbeat",
    "server_configured",
    "server_connected",
    "client_seen",
    "tools_searched",
    "first_real_tool_call",
];
const WRAPPED: [&str; 4] = [
    "first_heartbeat",
    "first_real_tool_call",
    "active_on_a_second_day",
    "active_in_a_second_week",
];
const MEASURES: [(&str, i64, i64); 3] = [("day_1", 1, 1), ("week_1", 7, 13), ("week_4", 28, 34)];

const ROLLING: [(&str, i64, i64); 5] = [
    ("days_1_to_28", 1, 28),
    ("days_28_to_55", 28, 55),
    ("days_84_to_111", 84, 111),
    ("days_168_to_195", 168, 195),
    ("days_336_to_363", 336, 363),
];
const DELAYS: [(&str, i64, i64); 5] = [
    ("day_0", 0, 0),
    ("day_1", 1, 1),
    ("days_2_to_6", 2, 6),
    ("days_7_to_27", 7, 27),
    ("day_28_or_later", 28, i64::MAX),
];
/// The last day on which a lapse counts: 28 silent days later an id has lived for a year.
const LAST_LAPSE: i64 = 337;

/// One install, on paper.
#[derive(Clone, Debug)]
pub struct Paper {
    day0: i64,
    last_day: i64,
    days: [u8; 48],
    steps: [Option<i64>; 5],
    who: &'static str,
    is_release: bool,
    is_flood: bool,
    says_carried_over: bool,
    days_since_install: Option<i64>,
    install_day: Option<i64>,
}

/// The Monday of the week that holds a day: day 0 of 1970 was a Thursday.
pub fn monday(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

impl Paper {
    /// What a row says; `None` if it does not read.
    pub fn of(row: &RawInstall) -> Option<Self> {
        let mut words = row.first_facts.split(',');
        let kind = words.next()?;
        let agent = words.nth(1)?;
        let version = words.nth(5)?;
        let who = match (agent, kind) {
            ("-" | "none", "interactive" | "cloud_ide") => "person",
            ("-" | "none", "ci") => "ci",
            ("-" | "none", "container") => "container",
            ("-" | "none", "headless") => "headless",
            ("-" | "none", "unknown") => "unknown",
            ("-" | "none", _) => return None,
            _ => "agent",
        };
        Some(Self {
            day0: row.day0,
            last_day: row.last_day,
            days: row.days.as_slice().try_into().ok()?,
            steps: row.steps,
            who,
            is_release: !version.split('+').next()?.contains('-'),
            is_flood: row.flood,
            says_carried_over: row.carried_over,
            days_since_install: row.days_since_install,
            install_day: row.install_day,
        })
    }

    /// Its day 0.
    pub fn day0(&self) -> i64 {
        self.day0
    }

    /// Whether it was heard of on a UTC day.
    pub fn was_seen_on(&self, day: i64) -> bool {
        let n = day - self.day0;
        match usize::try_from(n) {
            Err(_) => false,
            Ok(n) if n < 384 => self.days[n / 8] & (1 << (n % 8)) != 0,
            Ok(_) => day == self.last_day,
        }
    }

    fn was_seen(&self, first: i64, last: i64) -> bool {
        (first..=last).any(|n| self.was_seen_on(self.day0 + n))
    }

    fn is_carried_over(&self, first_day: i64) -> bool {
        self.says_carried_over || self.install_day.is_some_and(|day| day < first_day)
    }

    fn is_late(&self, first_day: i64) -> bool {
        !self.is_carried_over(first_day) && self.days_since_install.unwrap_or(0) > 1
    }

    /// `person.release`, as the aggregates of expired rows name it.
    pub fn group(&self) -> String {
        let release = if self.is_release { "release" } else { "development" };
        let flood = if self.is_flood { ".flood" } else { "" };
        format!("{}.{release}{flood}", self.who)
    }

    fn reached(&self, step: &str) -> bool {
        self.reached_by(step, i64::MAX)
    }

    /// The days of the life on which it was heard of, counted from day 0.
    fn seen(&self) -> impl Iterator<Item = i64> {
        let life = self.last_day - self.day0;
        (0..=life.min(383))
            .chain((life > 383).then_some(life))
            .filter(|n| self.was_seen_on(self.day0 + n))
    }

    /// The first day of which 28 silent ones follow.
    fn lapse(&self) -> i64 {
        let seen: Vec<i64> = self.seen().collect();
        let is_silent =
            |day: &&i64| !seen.iter().any(|other| *other > **day && *other <= **day + 28);
        seen.iter().find(is_silent).copied().unwrap_or(0)
    }

    /// Days from day 0 to a step.
    fn delay(&self, step: &str) -> Option<i64> {
        match step {
            "first_heartbeat" => Some(0),
            "active_on_a_second_day" => self.seen().nth(1),
            "active_in_a_second_week" => self.seen().find(|day| *day >= 7),
            _ => {
                let at = STEPS.iter().position(|name| *name == step);
                at.and_then(|at| self.steps[at]).map(|day| day - self.day0)
            }
        }
    }

    /// Whether a step was reached on day 0 to `last`.
    fn reached_by(&self, step: &str, last: i64) -> bool {
        let age = self.last_day - self.day0;
        match step {
            "first_heartbeat" => true,
            "active_on_a_second_day" => self.was_seen(1, age.min(last)),
            "active_in_a_second_week" => self.was_seen(7, age.min(last)),
            _ => {
                let at = STEPS.iter().position(|name| *name == step);
                let day = at.and_then(|at| self.steps[at]);
                day.is_some_and(|day| day - self.day0 <= last)
            }
        }
    }
}

fn add(numbers: &mut Numbers, name: impl Into<String>, n: u64) {
    if n > 0 {
        *numbers.entry(name.into()).or_insert(0) += n;
    }
}

/// What stays of installs that expire, by Monday and cell.
pub fn frozen(papers: &[Paper], first_day: i64) -> BTreeMap<(i64, String), u64> {
    let mut cells = BTreeMap::new();
    for paper in papers {
        let mut names = vec!["installs".to_owned()];
        if paper.is_late(first_day) {
            names.push("late_starts".to_owned());
        }
        if paper.is_carried_over(first_day) {
            names.push("carried_over".to_owned());
        } else {
            names.extend(in_cohort(paper));
            if paper.lapse() <= LAST_LAPSE {
                names.push(format!("lapsed.{}", paper.lapse()));
            }
        }
        for name in names {
            let cell = format!("{}|{name}", paper.group());
            *cells.entry((monday(paper.day0), cell)).or_insert(0) += 1;
        }
    }
    cells
}

/// The cells that an install of a cohort is counted in.
fn in_cohort(paper: &Paper) -> Vec<String> {
    let mut names = vec!["cohort".to_owned(), "measured".to_owned()];
    for (name, first, last) in MEASURES.into_iter().chain(ROLLING) {
        if paper.was_seen(first, last) {
            names.push(name.to_owned());
        }
    }
    for (funnel, steps) in [("gateway", &GATEWAY[..]), ("wrapped", &WRAPPED[..])] {
        for (at, step) in steps.iter().enumerate() {
            if steps[..=at].iter().all(|step| paper.reached(step)) {
                names.push(format!("{funnel}.{step}"));
            }
        }
    }
    let both = GATEWAY.iter().chain(&WRAPPED[2..]);
    for step in both {
        if paper.reached(step) {
            names.push(format!("reached.{step}"));
        }
        for (delay, first, last) in DELAYS {
            if paper.delay(step).is_some_and(|day| first <= day && day <= last) {
                names.push(format!("delay.{delay}.{step}"));
            }
        }
        if *step != "active_in_a_second_week" && paper.reached_by(step, 6) {
            names.push(format!("within_7_days.{step}"));
        }
    }
    names
}

/// What is asked of the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// `people`, `machines` or `all`.
    pub show: &'q str,
    /// The Monday from which on cohorts count.
    pub since: Option<i64>,
    /// The funnel of the gateway, or of wrapped servers.
    pub is_gateway: bool,
    /// Seconds since 1970.
    pub now: i64,
}

impl Question<'_> {
    fn shows(&self, who: &str, is_release: bool, is_flood: bool) -> bool {
        match self.show {
            "all" => true,
            "people" => who == "person" && is_release && !is_flood,
            _ => who != "person" && is_release && !is_flood,
        }
    }

    fn is_recent(&self, monday: i64) -> bool {
        self.since.is_none_or(|since| monday >= since)
    }

    fn steps(&self) -> &'static [&'static str] {
        if self.is_gateway { &GATEWAY } else { &WRAPPED }
    }
}

/// All numbers of a view, of products that each have their papers, first day and expired installs.
pub fn numbers(products: &[(&[Paper], i64, &[RawFrozen])], question: Question<'_>) -> Numbers {
    let mut all = Numbers::new();
    // Cells of a cohort by Monday: of the installs that are left, and of those that expired.
    let mut weeks: BTreeMap<i64, Numbers> = BTreeMap::new();
    for (papers, first_day, frozen) in products {
        for paper in *papers {
            count(&mut all, &mut weeks, paper, *first_day, question);
        }
        for row in *frozen {
            count_frozen(&mut all, &mut weeks, row, question);
        }
    }
    finish(all, &weeks, question)
}

fn count(
    all: &mut Numbers,
    weeks: &mut BTreeMap<i64, Numbers>,
    paper: &Paper,
    first_day: i64,
    question: Question<'_>,
) {
    let yesterday = question.now.div_euclid(86_400) - 1;
    let active = |days: i64| (yesterday - days + 1..=yesterday).any(|day| paper.was_seen_on(day));
    if paper.is_release && !paper.is_flood && active(28) {
        add(all, "people.of", 1);
        add(all, "people.count", u64::from(paper.who == "person"));
    }
    if !question.shows(paper.who, paper.is_release, paper.is_flood) {
        add(all, left_out(paper.who, paper.is_release, paper.is_flood), 1);
        return;
    }
    add(all, "installs", 1);
    for (name, days) in [("yesterday", 1), ("last_7_days", 7), ("last_28_days", 28)] {
        add(all, name, u64::from(active(days)));
    }
    add(all, "carried_over", u64::from(paper.is_carried_over(first_day)));
    add(all, "late_starts", u64::from(paper.is_late(first_day)));
    add(all, "floods", u64::from(paper.is_flood));
    if !paper.is_carried_over(first_day) && question.is_recent(monday(paper.day0)) {
        let week = weeks.entry(monday(paper.day0)).or_default();
        let is_old_enough = yesterday - paper.day0 >= 6;
        for name in in_cohort(paper) {
            if is_old_enough || !name.starts_with("within_7_days") {
                add(week, name, 1);
            }
        }
        add(week, "old_enough", u64::from(is_old_enough));
        let lapse = paper.lapse();
        for day in 0..=lapse.min(LAST_LAPSE).min(yesterday - 28 - paper.day0) {
            add(all, format!("at_risk.{day}"), 1);
            add(all, format!("lapsed.{day}"), u64::from(day == lapse));
        }
    }
}

fn count_frozen(
    all: &mut Numbers,
    weeks: &mut BTreeMap<i64, Numbers>,
    row: &RawFrozen,
    question: Question<'_>,
) {
    let Some((group, name)) = row.cell.split_once('|') else { return };
    let words: Vec<&str> = group.split('.').collect();
    let (who, is_release) = (words[0], words.get(1) == Some(&"release"));
    let is_flood = words.contains(&"flood");
    if !question.shows(who, is_release, is_flood) {
        if name == "installs" {
            add(all, left_out(who, is_release, is_flood), row.n);
        }
        return;
    }
    if name == "installs" && is_flood {
        add(all, "floods", row.n);
    }
    match name {
        "installs" | "carried_over" | "late_starts" => add(all, name, row.n),
        _ if question.is_recent(row.monday) => {
            let week = weeks.entry(row.monday).or_default();
            add(week, name, row.n);
            if name == "cohort" {
                add(week, "old_enough", row.n);
            }
            if name == "measured" {
                add(week, "expired", row.n);
            }
        }
        _ => {}
    }
}

fn left_out(who: &str, is_release: bool, is_flood: bool) -> String {
    let reason = match who {
        _ if is_flood => "floods",
        _ if !is_release => "development",
        "person" => "people",
        "agent" => "agents",
        "container" => "containers",
        other => other,
    };
    format!("left_out.{reason}")
}

fn finish(mut all: Numbers, weeks: &BTreeMap<i64, Numbers>, question: Question<'_>) -> Numbers {
    for (monday, cells) in weeks {
        let cell = |name: &str| cells.get(name).copied().unwrap_or(0);
        let of = cell("cohort");
        add(&mut all, format!("week.{monday}.installs"), of);
        // The lapses of a week are those of expired installs: they were at risk until then.
        let mut at_risk = cell("expired");
        for day in 0..=LAST_LAPSE {
            if at_risk == 0 {
                break;
            }
            let lapsed = cell(&format!("lapsed.{day}"));
            add(&mut all, format!("at_risk.{day}"), at_risk);
            add(&mut all, format!("lapsed.{day}"), lapsed);
            at_risk -= lapsed.min(at_risk);
        }
        let measures = MEASURES.into_iter().map(|measure| (measure, of));
        // Installs that expired before there were such cells are in none of these.
        let rolling = ROLLING.into_iter().map(|measure| (measure, cell("measured")));
        for ((name, _, last), of) in measures.chain(rolling) {
            add(&mut all, format!("week.{monday}.{name}"), cell(name));
            // Two days after the last of its days has ended for the Sunday of the week.
            let final_from = (monday + 6 + last + 1 + 2) * 86_400;
            if question.now >= final_from {
                add(&mut all, format!("week.{monday}.{name}.final"), u64::from(of > 0));
                add(&mut all, format!("pooled.{name}.count"), cell(name));
                add(&mut all, format!("pooled.{name}.of"), of);
            }
        }
        let funnel = if question.is_gateway { "gateway" } else { "wrapped" };
        for step in question.steps() {
            add(&mut all, format!("step.{step}.of"), of);
            for (delay, ..) in DELAYS {
                add(
                    &mut all,
                    format!("step.{step}.{delay}"),
                    cell(&format!("delay.{delay}.{step}")),
                );
            }
            for form in ["reached", funnel, "within_7_days"] {
                let shown = if form == funnel { "with_all_before" } else { form };
                add(&mut all, format!("step.{step}.{shown}"), cell(&format!("{form}.{step}")));
            }
            if *step != "active_in_a_second_week" {
                add(&mut all, format!("step.{step}.old_enough"), cell("old_enough"));
            }
        }
    }
    all
}

/// What stays of one day row, whose bytes are read here a second time: form, sum, six codes, numbers of seven bits
/// a byte, and the version.
pub fn day(packed: &[u8]) -> Option<Vec<(String, u64)>> {
    let mut at = match packed.first()? {
        1 => 1,
        2 => 5,
        _ => return None,
    };
    let codes = packed.get(at..at + 6)?;
    at += 6;
    let mut numbers = [0_u64; 15];
    for number in &mut numbers {
        let mut bits = 0;
        loop {
            let byte = *packed.get(at)?;
            at += 1;
            *number += u64::from(byte % 128) << bits;
            bits += 7;
            if byte < 128 {
                break;
            }
            if bits > 56 {
                return None;
            }
        }
    }
    let version = String::from_utf8(packed[at..].to_vec()).ok()?;
    let kind = EnvKind::ALL.get(usize::from(codes[0]))?.as_str();
    let launch = LaunchSource::ALL.get(usize::from(codes[1]))?.as_str();
    let mut cells = vec![
        ("installs".to_owned(), 1),
        (format!("kind.{kind}"), 1),
        (format!("launch.{launch}"), 1),
        (format!("version.{version}"), 1),
    ];
    if codes[4] > 0 {
        let bucket = CallBucket::ALL.get(usize::from(codes[4]) - 1)?.as_str();
        cells.push((format!("calls.{bucket}"), 1));
    }
    if codes[5] > 0 {
        let how = Shutdown::ALL.get(usize::from(codes[5]) - 1)?.as_str();
        cells.push((format!("shutdown.{how}"), 1));
    }
    let surfaces = ["mcp", "cli", "webui", "tray", "unknown"];
    let tools = ["retrieve_tools", "call_tool", "telemetry_status"];
    for (name, n) in surfaces.iter().zip(&numbers[7..12]) {
        cells.push((format!("surface.{name}"), *n));
    }
    for (name, n) in tools.iter().zip(&numbers[12..15]) {
        cells.push((format!("tool.{name}"), *n));
    }
    cells.retain(|(_, n)| *n > 0);
    Some(cells)
}
