//! Who is there, who came back, how far they came and how long they stayed, a second way.
//!
//! One rule: each install is asked about each of its days.

use super::paper::{Paper, monday};
use super::raw::RawFrozen;
use super::{GATEWAY, Numbers, Product, Question, WRAPPED, add};
use std::collections::BTreeMap;

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

/// By the last day on which installs were at risk: how many, and how many lapsed on it.
type Lives = BTreeMap<i64, (u64, u64)>;

/// The numbers of cohorts and funnels, of installs that are left and of those that expired.
pub(super) fn count(all: &mut Numbers, products: &[Product<'_>], question: Question<'_>) {
    // Cells of a cohort by Monday.
    let mut weeks: BTreeMap<i64, Numbers> = BTreeMap::new();
    let mut lives = Lives::new();
    for product in products {
        for paper in product.papers.iter().filter(|paper| question.asks(paper)) {
            count_one(all, &mut weeks, &mut lives, paper, product.first_day, question);
        }
        for row in product.frozen {
            match question.filter {
                None => count_frozen(all, &mut weeks, row, question),
                // A filter knows nothing of them.
                Some(_) if row.cell.ends_with("|installs") => add(all, "expired_left_out", row.n),
                Some(_) => {}
            }
        }
    }
    let mut at_risk: u64 = lives.values().map(|(left, _)| left).sum();
    for day in 0..=LAST_LAPSE {
        add(all, format!("at_risk.{day}"), at_risk);
        let (left, lapsed) = lives.get(&day).copied().unwrap_or_default();
        add(all, format!("lapsed.{day}"), lapsed);
        at_risk -= left;
    }
    finish(all, &weeks, question);
}

fn count_one(
    all: &mut Numbers,
    weeks: &mut BTreeMap<i64, Numbers>,
    lives: &mut Lives,
    paper: &Paper,
    first_day: i64,
    question: Question<'_>,
) {
    let yesterday = question.yesterday();
    let active = |days: i64| paper.was_active(days, yesterday);
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
        // At risk on every day until then: only the last is counted, and added up at the end.
        let last = lapse.min(LAST_LAPSE).min(yesterday - 28 - paper.day0);
        if last >= 0 {
            let (left, lapsed) = lives.entry(last).or_default();
            *left += 1;
            *lapsed += u64::from(last == lapse);
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

fn finish(all: &mut Numbers, weeks: &BTreeMap<i64, Numbers>, question: Question<'_>) {
    for (monday, cells) in weeks {
        let cell = |name: &str| cells.get(name).copied().unwrap_or(0);
        let of = cell("cohort");
        add(all, format!("week.{monday}.installs"), of);
        // The lapses of a week are those of expired installs: they were at risk until then.
        let mut at_risk = cell("expired");
        for day in 0..=LAST_LAPSE {
            if at_risk == 0 {
                break;
            }
            let lapsed = cell(&format!("lapsed.{day}"));
            add(all, format!("at_risk.{day}"), at_risk);
            add(all, format!("lapsed.{day}"), lapsed);
            at_risk -= lapsed.min(at_risk);
        }
        let measures = MEASURES.into_iter().map(|measure| (measure, of));
        // Installs that expired before there were such cells are in none of these.
        let rolling = ROLLING.into_iter().map(|measure| (measure, cell("measured")));
        for ((name, _, last), of) in measures.chain(rolling) {
            add(all, format!("week.{monday}.{name}"), cell(name));
            // Two days after the last of its days has ended for the Sunday of the week.
            let final_from = (monday + 6 + last + 1 + 2) * 86_400;
            if question.now >= final_from {
                add(all, format!("week.{monday}.{name}.final"), u64::from(of > 0));
                add(all, format!("pooled.{name}.count"), cell(name));
                add(all, format!("pooled.{name}.of"), of);
            }
        }
        let funnel = if question.is_gateway { "gateway" } else { "wrapped" };
        for step in question.steps() {
            add(all, format!("step.{step}.of"), of);
            for (delay, ..) in DELAYS {
                add(all, format!("step.{step}.{delay}"), cell(&format!("delay.{delay}.{step}")));
            }
            for form in ["reached", funnel, "within_7_days"] {
                let shown = if form == funnel { "with_all_before" } else { form };
                add(all, format!("step.{step}.{shown}"), cell(&format!("{form}.{step}")));
            }
            if *step != "active_in_a_second_week" {
                add(all, format!("step.{step}.old_enough"), cell("old_enough"));
            }
        }
    }
}
