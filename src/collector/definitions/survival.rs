//! Survival: of the installs that were still there, how many left, day by day.
//!
//! One rule: an install lapses on the last day before 28 silent ones, once, and counts on a day only if these 28 are
//! over. What has not been looked at so long is at risk until then and leaves the curve, as a survivor.

use super::day::{Day, Now};
use super::frozen::Frozen;
use super::install::Install;
use super::share::Z;

/// Silent days that make a lapse.
pub const SILENT: u32 = 28;
/// The last day after day 0 that is asked: day 365 is the last of its silent days, and ids are replaced then.
pub const LAST: u32 = 337;

/// One day of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SurvivalDay {
    /// Days after day 0.
    pub day: u32,
    /// Installs that had not lapsed before, and whose silent days are over.
    pub at_risk: u64,
    /// Of them, those that lapsed.
    pub lapsed: u64,
    /// The part of all installs that has not lapsed until the end of the day (Kaplan and Meier).
    pub survived: f64,
    /// Its 95 % interval; `None` at 0 and at 1, where the variance says nothing.
    pub interval: Option<(f64, f64)>,
}

/// Installs by the day on which they leave the curve.
#[derive(Clone, Debug)]
pub struct Survival {
    /// Those at risk on this day and not on the next, whether they lapsed or not.
    left: [u64; LAST as usize + 1],
    /// Those that lapsed on this day.
    lapsed: [u64; LAST as usize + 1],
}

/// The day after day 0 on which an install lapses first: seen on it, and on none of the silent days behind it.
pub fn lapse(install: &Install) -> u32 {
    let mut seen = 0;
    while let Some(next) = install.first_seen_from(seen + 1) {
        if next > seen + SILENT {
            break;
        }
        seen = next;
    }
    seen
}

/// Whether the silent days behind a day of an install are complete.
fn is_over(day0: Day, day: u32, last_complete: Day) -> bool {
    day0.plus(day + SILENT) <= last_complete
}

/// The survival of `installs`, of which those that were carried over are not asked.
pub fn survival(installs: impl Iterator<Item = Install>, now: Now) -> Survival {
    let mut all = Survival::default();
    installs.for_each(|install| all.add(&install, now));
    all
}

impl Default for Survival {
    fn default() -> Self {
        Self { left: [0; LAST as usize + 1], lapsed: [0; LAST as usize + 1] }
    }
}

impl Survival {
    /// Counts an install.
    pub fn add(&mut self, install: &Install, now: Now) {
        let yesterday = now.today().minus(1);
        let is_asked = !install.is_carried_over && is_over(install.day0, 0, yesterday);
        if !is_asked {
            return;
        }
        let lapses = install.lapses.min(LAST + 1);
        if lapses <= LAST && is_over(install.day0, lapses, yesterday) {
            self.lapsed[lapses as usize] += 1;
            self.left[lapses as usize] += 1;
        } else {
            let last = yesterday.since(install.day0.plus(SILENT)).min(LAST);
            self.left[last as usize] += 1;
        }
    }

    /// Takes expired installs in. Each was looked at until its lapse, or for a year.
    pub fn add_frozen(&mut self, frozen: &Frozen) {
        let mut rest = frozen.measured();
        for (day, n) in frozen.lapses() {
            let day = day.min(LAST) as usize;
            self.left[day] += n;
            self.lapsed[day] += n;
            rest = rest.saturating_sub(n);
        }
        self.left[LAST as usize] += rest;
    }

    /// Lapses by the day after day 0.
    pub fn lapses(&self) -> impl Iterator<Item = (u32, u64)> {
        (0..).zip(self.lapsed).filter(|(_, n)| *n > 0)
    }

    /// The curve: every day on which an install was at risk.
    #[allow(clippy::cast_precision_loss, reason = "counts of installs are far below 2^53")]
    pub fn days(&self) -> Vec<SurvivalDay> {
        let mut at_risk: u64 = self.left.iter().sum();
        let (mut survived, mut sum) = (1.0_f64, 0.0_f64);
        let mut days = Vec::new();
        for (day, (left, lapsed)) in (0..).zip(self.left.iter().zip(self.lapsed)) {
            if at_risk == 0 {
                break;
            }
            let (n, d) = (at_risk as f64, lapsed as f64);
            survived *= 1.0 - d / n;
            // Greenwood.
            sum += d / (n * (n - d));
            days.push(SurvivalDay {
                day,
                at_risk,
                lapsed,
                survived,
                interval: interval(survived, sum),
            });
            at_risk -= left;
        }
        days
    }
}

/// The interval of log(-log S), which stays between 0 and 1; `sum` is Greenwood's.
fn interval(survived: f64, sum: f64) -> Option<(f64, f64)> {
    if survived <= 0.0 || survived >= 1.0 {
        return None;
    }
    let spread = Z * sum.sqrt() / survived.ln().abs();
    Some((survived.powf(spread.exp()), survived.powf((-spread).exp())))
}
