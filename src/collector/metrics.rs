//! What a running collector counts about itself, in the text format of Prometheus (0.0.4).
//!
//! One rule: numbers of this process since its start, and none about a product, an install or a sender.

use super::answer::names;
use super::snapshot::Made;
use crate::web::connections::Watch;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The type of its answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of the buckets of commits, in microseconds, as they are written in seconds.
const BUCKETS: [(u64, &str); 12] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
];

/// The counters.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By the names of answers.
    answers: [AtomicU64; names::ALL.len()],
    /// By bucket, each commit in one; the last is beyond all bounds.
    commits: [AtomicU64; BUCKETS.len() + 1],
    commit_micros: AtomicU64,
    database_errors: AtomicU64,
    queued: AtomicU64,
    connections: AtomicU64,
    given_away: AtomicU64,
}

/// What is measured when it is asked for.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Heartbeats can be stored.
    pub is_ready: bool,
    /// Of the numbers on the pages, in seconds.
    pub snapshot_age: u64,
    /// The reading that they are made of.
    pub snapshot: Made,
    /// Of the database and its log.
    pub database_bytes: u64,
    /// Seconds since 1970 at which the certificate ends.
    pub certificate_ends: Option<u64>,
}

impl Watch for Metrics {
    fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    fn gave_away(&self) {
        self.given_away.fetch_add(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&self, name: &str) {
        let at = names::ALL.iter().position(|one| *one == name).unwrap_or(names::ALL.len() - 1);
        self.answers[at].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a commit that took so long.
    pub fn committed(&self, took: Duration, has_worked: bool) {
        if !has_worked {
            self.database_errors.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|(bound, _)| micros <= *bound);
        self.commits[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        self.commit_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// One more waits for the writer.
    pub fn queue(&self) {
        self.queued.fetch_add(1, Ordering::Relaxed);
    }

    /// So many wait no more.
    pub fn take(&self, many: usize) {
        self.queued.fetch_sub(many as u64, Ordering::Relaxed);
    }

    /// All of it.
    pub fn text(&self, now: &Measured) -> String {
        let mut text = Text(String::with_capacity(4096));
        text.head("heartbeats_total", "counter", "Answers to heartbeats, by what they said.");
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let of = |name: &&str| !name.starts_with(names::RULE_OF);
        for (name, number) in names::ALL.iter().zip(&self.answers).filter(|(name, _)| of(name)) {
            text.line("heartbeats_total", format_args!("{{answer=\"{name}\"}}"), get(number));
        }
        text.head("refused_total", "counter", "Heartbeats that were refused, by rule.");
        for (name, number) in names::ALL.iter().zip(&self.answers) {
            if let Some(rule) = name.strip_prefix(names::RULE_OF) {
                text.line("refused_total", format_args!("{{rule=\"{rule}\"}}"), get(number));
            }
        }
        text.head("commit_seconds", "histogram", "Time that commits of the database took.");
        let mut sum = 0;
        for ((_, bound), number) in BUCKETS.iter().zip(&self.commits) {
            sum += get(number);
            text.line("commit_seconds_bucket", format_args!("{{le=\"{bound}\"}}"), sum);
        }
        sum += self.commits.last().map_or(0, get);
        text.line("commit_seconds_bucket", format_args!("{{le=\"+Inf\"}}"), sum);
        text.line("commit_seconds_sum", "", seconds(get(&self.commit_micros)));
        text.line("commit_seconds_count", "", sum);
        let Made { passes, took, worked, bytes, .. } = &now.snapshot;
        let help = "Time that the last reading of the rows took.";
        let of_processor = "Processor time of the last reading of the rows.";
        for (name, help, time) in [
            ("snapshot_pass_seconds", help, Some(took)),
            ("snapshot_pass_processor_seconds", of_processor, worked.as_ref()),
        ] {
            if let Some(time) = time {
                text.head(name, "gauge", help);
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                text.line(name, "", seconds(micros));
            }
        }
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            text.head(name, kind, help);
            text.line(name, "", value);
        };
        one("database_errors_total", "counter", "Commits that failed.", get(&self.database_errors));
        one("queue_length", "gauge", "Heartbeats that wait for a commit.", get(&self.queued));
        one("connections", "gauge", "Open connections.", get(&self.connections));
        let help = "Connections that were closed in favour of newcomers.";
        one("connections_given_away_total", "counter", help, get(&self.given_away));
        one("ready", "gauge", "1 while heartbeats can be stored.", now.is_ready.into());
        let help = "Age of the numbers on the pages.";
        one("snapshot_age_seconds", "gauge", help, now.snapshot_age);
        let help = "Readings of the rows that pages are made of.";
        one("snapshot_passes_total", "counter", help, *passes);
        let help = "Memory of the rows that were read, as columns.";
        one("snapshot_bytes", "gauge", help, *bytes as u64);
        let help = "Size of the database and its log.";
        one("database_bytes", "gauge", help, now.database_bytes);
        if let Some(ends) = now.certificate_ends {
            let help = "When the certificate of --tls-cert ends, in seconds since 1970.";
            one("certificate_end_timestamp_seconds", "gauge", help, ends);
        }
        text.0
    }
}

fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let name = format_args!("mcpproxy_collector_{name}");
        // A `String` takes everything.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: impl fmt::Display, value: impl fmt::Display) {
        let _ = writeln!(self.0, "mcpproxy_collector_{name}{labels} {value}");
    }
}
