//! Versions: which are in use, and how long an upgrade takes.
//!
//! One rule: of one product, in the order of semantic versions; what was published where and when is not known here,
//! only what installs report.

use super::day::{Day, IsoWeek, Now};
use super::delay::Delay;
use super::environment::{WEEKS, YEAR};
use super::record::Record;
use super::share::Share;
use super::who;
use std::cmp::Ordering;

/// One version in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its name.
    pub version: String,
    /// The first day on which one of these installs reported it; `None`: more than a year ago.
    pub first_day: Option<Day>,
    /// Installs that have it now, of those that were active in the last 28 complete days.
    pub share: Share,
}

/// How long installs took to a version or a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The version: a release.
    pub version: String,
    /// The first day on which one of these installs reported it.
    pub first_day: Day,
    /// Installs that had an older one and were heard of since, by the days since then, in the order of [`Delay::ALL`].
    pub counts: [u64; 6],
}

/// The installs of a version that were active in one week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InWeek {
    /// The week.
    pub week: IsoWeek,
    /// The version.
    pub version: String,
    /// Of all that were active.
    pub share: Share,
}

/// The versions of one product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Those in use, the newest first.
    pub adopted: Vec<Adopted>,
    /// Installs with the newest release that is in use.
    pub newest: Option<(String, Share)>,
    /// Releases that came up in the last year and that an install could upgrade to, the newest first.
    pub upgrades: Vec<Upgrade>,
    /// By week, the newest first.
    pub weeks: Vec<InWeek>,
}

/// The order of semantic versions; those that differ in their build only are ordered by it, so that none are equal.
pub fn order(one: &str, other: &str) -> Ordering {
    let parts = |version: &str| {
        let plain = version.split('+').next().unwrap_or_default().to_owned();
        let (core, pre) =
            plain.split_once('-').map_or((plain.as_str(), None), |(core, pre)| (core, Some(pre)));
        let core: Vec<u64> = core.split('.').map(|part| part.parse().unwrap_or(0)).collect();
        (core, pre.map(str::to_owned))
    };
    let ((core, pre), (other_core, other_pre)) = (parts(one), parts(other));
    let pre = match (pre, other_pre) {
        (None, None) => Ordering::Equal,
        // A release comes after everything that led to it.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(pre), Some(other)) => pre_release(&pre, &other),
    };
    core.cmp(&other_core).then(pre).then_with(|| one.cmp(other))
}

fn pre_release(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                // Numbers come before words.
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The versions of `records`, all of one product.
pub fn versions<'r, I: Iterator<Item = Record<'r>>>(records: impl Fn() -> I, now: Now) -> Versions {
    let mut in_use = InUse::until(now);
    records().for_each(|record| in_use.add(&record));
    let mut upgrading = in_use.end();
    records().for_each(|record| upgrading.add(&record));
    upgrading.end()
}

/// The versions of one product while its installs are read: all that needs no other number.
pub struct InUse<'r> {
    now: Now,
    words: &'r [String],
    uses: Vec<Use>,
    weekly: Weekly,
}

impl<'r> InUse<'r> {
    /// None yet.
    pub fn until(now: Now) -> Self {
        Self { now, words: &[], uses: Vec::new(), weekly: Weekly::until(now) }
    }

    /// Counts an install.
    pub fn add(&mut self, record: &Record<'r>) {
        self.words = record.words;
        if self.uses.len() < self.words.len() {
            self.uses.resize(self.words.len(), Use::default());
        }
        add_uses(&mut self.uses, record, self.now);
        self.weekly.add(record);
    }

    /// All of them, but for the upgrades: it is known now when each version came up.
    pub fn end(self) -> Upgrading<'r> {
        let Self { now, words, uses, weekly } = self;
        let adopted = adopted(words, &uses, now);
        let mut releases = adopted.iter().filter(|one| who::is_release(&one.version));
        let newest = releases.next().map(|one| (one.version.clone(), one.share));
        let weeks = weekly.end(words);
        Upgrading::of(Versions { newest, upgrades: Vec::new(), weeks, adopted }, words, &uses, now)
    }
}

/// What installs report of a word; nothing of one that is no version.
#[derive(Clone, Copy, Default)]
struct Use {
    /// The first day on which it was reported.
    first_day: Option<Day>,
    /// Active installs that have it now.
    now: u64,
}

fn add_uses(uses: &mut [Use], record: &Record<'_>, now: Now) {
    for (word, day) in record.versions {
        let first = &mut uses[*word as usize].first_day;
        *first = Some(first.map_or(Day(*day), |before| before.min(Day(*day))));
    }
    let yesterday = now.today().minus(1);
    if record.install.was_active(yesterday.minus(27), yesterday) {
        uses[record.version as usize].now += 1;
    }
}

fn adopted(words: &[String], uses: &[Use], now: Now) -> Vec<Adopted> {
    let of = uses.iter().map(|of| of.now).sum();
    let found = words.iter().zip(uses).filter(|(_, of)| of.now > 0);
    let mut adopted: Vec<Adopted> = found
        .map(|(version, found)| Adopted {
            version: version.clone(),
            first_day: found.first_day.filter(|day| is_recent(*day, now)),
            share: Share { count: found.now, of },
        })
        .collect();
    adopted.sort_by(|one, other| order(&other.version, &one.version));
    adopted
}

/// Whether a version came up in the last year: of an older one, installs that have expired may have been the first.
fn is_recent(first_day: Day, now: Now) -> bool {
    now.today().since(first_day) <= YEAR
}

/// A release that installs can upgrade to.
struct Target {
    rank: usize,
    first_day: Day,
    counts: [u64; 6],
}

/// The versions of one product, while the same installs are read for their upgrades.
pub struct Upgrading<'r> {
    versions: Versions,
    words: &'r [String],
    /// The places of words in the order of versions, and of each place where it stands in it.
    sorted: Vec<usize>,
    ranks: Vec<usize>,
    /// The earliest first.
    targets: Vec<Target>,
}

impl<'r> Upgrading<'r> {
    fn of(versions: Versions, words: &'r [String], uses: &[Use], now: Now) -> Self {
        // Each word by its place in the order of versions: numbers are compared sooner than texts.
        let mut sorted: Vec<usize> = (0..words.len()).collect();
        sorted.sort_by(|one, other| order(&words[*one], &words[*other]));
        let mut ranks = vec![0; words.len()];
        sorted.iter().enumerate().for_each(|(rank, word)| ranks[*word] = rank);
        let targets = sorted.iter().enumerate().filter_map(|(rank, word)| {
            let first_day = uses[*word].first_day?;
            let is_target = who::is_release(&words[*word]) && is_recent(first_day, now);
            is_target.then_some(Target { rank, first_day, counts: [0; 6] })
        });
        let mut targets: Vec<Target> = targets.collect();
        targets.sort_by_key(|target| target.first_day);
        Self { versions, words, sorted, ranks, targets }
    }

    /// Counts an install.
    pub fn add(&mut self, record: &Record<'_>) {
        // Those that came up in its life: half of all installs live for a day.
        let versions = record.versions;
        let Some((_, first)) = versions.first() else { return };
        let begin = self.targets.partition_point(|target| target.first_day.0 <= *first);
        // Both come in the order of their days.
        let mut before = 0;
        for target in &mut self.targets[begin..] {
            if target.first_day > record.install.last {
                break;
            }
            while versions.get(before).is_some_and(|(_, day)| *day < target.first_day.0) {
                before += 1;
            }
            let (had, since) = versions.split_at(before);
            if had_older(had, target, &self.ranks) {
                let after = upgraded_after(since, target, &self.ranks);
                target.counts[Delay::of(after) as usize] += 1;
            }
        }
    }

    /// All of them.
    pub fn end(self) -> Versions {
        let Self { versions, words, sorted, mut targets, .. } = self;
        targets.sort_by_key(|target| std::cmp::Reverse(target.rank));
        let some = targets.into_iter().filter(|target| target.counts != [0; 6]);
        let some = some.map(|Target { rank, first_day, counts }| Upgrade {
            version: words[sorted[rank]].clone(),
            first_day,
            counts,
        });
        Versions { upgrades: some.collect(), ..versions }
    }
}

/// Whether an install had an older version when this one came up: `before` are those that it had until then.
fn had_older(before: &[(u32, u32)], to: &Target, ranks: &[usize]) -> bool {
    before.last().is_some_and(|(word, _)| ranks[*word as usize] < to.rank)
}

/// Days from the first report of a version by anybody to that of an install, of it or a later one; `since` are those
/// that it had from then on.
fn upgraded_after(since: &[(u32, u32)], to: &Target, ranks: &[usize]) -> Option<u32> {
    let newer = since.iter().find(|(word, _)| ranks[*word as usize] >= to.rank);
    newer.map(|(_, day)| Day(*day).since(to.first_day))
}

/// The version of each active install at the end of each week of the last year.
pub fn weeks<'r>(records: impl Iterator<Item = Record<'r>>, now: Now) -> Vec<InWeek> {
    let mut words: &[String] = &[];
    let mut weekly = Weekly::until(now);
    for record in records {
        words = record.words;
        weekly.add(&record);
    }
    weekly.end(words)
}

/// Active installs of each week of the last year.
struct Weekly {
    yesterday: Day,
    first: IsoWeek,
    /// Of each version, by its place, and each week.
    counts: Vec<[u64; WEEKS as usize]>,
}

impl Weekly {
    fn until(now: Now) -> Self {
        let yesterday = now.today().minus(1);
        let first = IsoWeek(yesterday.week().0.saturating_sub(WEEKS - 1));
        Self { yesterday, first, counts: Vec::new() }
    }

    fn add(&mut self, record: &Record<'_>) {
        let Self { yesterday, first, counts } = self;
        // Weeks come in their order, and so do versions.
        let mut before = 0;
        for week in record.install.weeks_active(first.monday(), *yesterday) {
            let end = week.sunday().min(*yesterday);
            while record.versions.get(before).is_some_and(|(_, day)| *day <= end.0) {
                before += 1;
            }
            if let Some((place, _)) = record.versions[..before].last() {
                let place = *place as usize;
                // Clients have places too: those behind the last version take no room.
                if counts.len() <= place {
                    counts.resize(place + 1, [0; WEEKS as usize]);
                }
                counts[place][(week.0 - first.0) as usize] += 1;
            }
        }
    }

    fn end(self, words: &[String]) -> Vec<InWeek> {
        let mut all = Vec::new();
        for at in (0..WEEKS as usize).rev() {
            let week = IsoWeek(self.first.0 + u32::try_from(at).unwrap_or(WEEKS));
            let counts = self.counts.iter().map(|counts| counts[at]);
            let of = counts.clone().sum();
            let some = counts.zip(words).filter(|(count, _)| *count > 0);
            let mut versions: Vec<(u64, &String)> = some.collect();
            versions.sort_by(|(_, one), (_, other)| order(other, one));
            all.extend(versions.into_iter().map(|(count, version)| InWeek {
                week,
                version: version.clone(),
                share: Share { count, of },
            }));
        }
        all
    }
}
