//! Habits: what each kind of user and machine does with a product over the days.
//!
//! One rule: a plan is made before anything runs, and nothing that is sent or answered changes what people do.

use super::random::Random;

/// Seconds.
pub const MINUTE: u64 = 60;
/// Seconds.
pub const HOUR: u64 = 60 * MINUTE;
/// Seconds.
pub const DAY: u64 = 24 * HOUR;

/// Who runs an install, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Habit {
    /// Workdays, several hosts a day.
    Daily,
    /// An hour or three in the evening.
    Evenings,
    /// Saturdays and Sundays.
    Weekends,
    /// One sitting.
    Once,
    /// Less than five minutes; some come back after two days.
    Glance,
    /// Looks first, calls a tool days later.
    SlowStart,
    /// Calls a tool hours after the first heartbeat, and never comes back.
    SlowDay,
    /// A few days, then nothing for weeks, then again.
    Returns,
    /// One host from Monday to Friday on a laptop that sleeps at night.
    Laptop,
    /// A workspace in the cloud, on workdays.
    Workspace,
    /// A server without display that runs on and on.
    Server,
    /// Jobs of continuous integration, a new id for each.
    Ci,
    /// A container without a volume: a new id for each start.
    Container,
    /// A container whose data lie on a volume.
    Volume,
    /// Containers of one image that holds an id.
    Baked,
    /// Copies of one disk that holds an id, on machines that differ, with clocks of their own.
    Cloned,
    /// An agent's sandbox, new for each task.
    Agent,
    /// Somebody who makes new installs all day, from one network, to be counted.
    Flood,
}

impl Habit {
    /// How many of a thousand installs have it.
    pub const SHARES: &[(u64, Self)] = &[
        (230, Self::Daily),
        (160, Self::Evenings),
        (70, Self::Weekends),
        (120, Self::Once),
        (44, Self::Glance),
        (60, Self::SlowStart),
        (30, Self::SlowDay),
        (60, Self::Returns),
        (60, Self::Laptop),
        (30, Self::Workspace),
        (30, Self::Server),
        (12, Self::Ci),
        (14, Self::Container),
        (40, Self::Volume),
        (20, Self::Baked),
        (12, Self::Cloned),
        (20, Self::Agent),
        (6, Self::Flood),
    ];

    /// The name that the log uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Evenings => "evenings",
            Self::Weekends => "weekends",
            Self::Once => "once",
            Self::Glance => "glance",
            Self::SlowStart => "slow_start",
            Self::SlowDay => "slow_day",
            Self::Returns => "returns",
            Self::Laptop => "laptop",
            Self::Workspace => "workspace",
            Self::Server => "server",
            Self::Ci => "ci",
            Self::Container => "container",
            Self::Volume => "volume",
            Self::Baked => "baked",
            Self::Cloned => "cloned",
            Self::Agent => "agent",
            Self::Flood => "flood",
        }
    }

    /// Whether a person sits there.
    pub fn is_person(self) -> bool {
        use Habit::{Agent, Baked, Ci, Cloned, Container, Flood, Server, Volume};
        !matches!(self, Ci | Container | Volume | Baked | Cloned | Agent | Server | Flood)
    }

    /// The time for which the install is in use.
    pub fn sittings(self, born: u64, end: u64, zone: i64, random: &mut Random) -> Vec<Sitting> {
        let mut all = Vec::new();
        let lives = match self {
            Self::Once | Self::SlowDay | Self::Flood => 1,
            Self::Glance => random.pick(&[1, 3]),
            // Most who try something leave it within days or weeks.
            _ if random.chance(350) => random.between(1, 12),
            _ if random.chance(400) => random.between(12, 40),
            _ => 400,
        };
        let first_day = born / DAY;
        let gap = (random.between(3, 6), random.between(18, 38));
        for day in first_day..first_day + lives {
            let n = day - first_day;
            // 1970-01-01 was a Thursday.
            let is_weekend = matches!((day + 3) % 7, 5 | 6);
            let free = match self {
                Self::Daily | Self::Workspace => random.chance(if is_weekend { 850 } else { 100 }),
                Self::Evenings => random.chance(400),
                Self::Weekends => n > 0 && (!is_weekend || random.chance(300)),
                Self::SlowStart => (1..random.between(3, 9)).contains(&n) || random.chance(250),
                Self::Returns => (gap.0..gap.0 + gap.1).contains(&n) || random.chance(300),
                Self::Laptop => is_weekend,
                Self::Server => false,
                Self::Glance => n == 1,
                Self::Agent | Self::Container => random.chance(300),
                _ => false,
            };
            if free {
                continue;
            }
            let local =
                |seconds: u64| (day * DAY + seconds).saturating_add_signed(-zone * HOUR as i64);
            let of_day: Vec<(u64, u64)> = match self {
                Self::Daily | Self::Workspace => {
                    let from = local(random.between(7 * HOUR, 11 * HOUR));
                    vec![(from, from + random.between(5 * HOUR, 10 * HOUR))]
                }
                Self::Evenings => {
                    let from = local(random.between(18 * HOUR, 21 * HOUR));
                    vec![(from, from + random.between(20 * MINUTE, 3 * HOUR))]
                }
                Self::Laptop => {
                    let from = local(random.between(8 * HOUR, 10 * HOUR));
                    vec![(from, from + random.between(7 * HOUR, 11 * HOUR))]
                }
                Self::Server => vec![(day * DAY, (day + 1) * DAY)],
                Self::Glance if n == 0 => {
                    let from = local(random.between(8 * HOUR, 22 * HOUR));
                    vec![(from, from + random.between(20, 4 * MINUTE))]
                }
                Self::SlowDay => {
                    let from = local(random.between(8 * HOUR, 14 * HOUR));
                    vec![(from, from + random.between(3 * HOUR, 8 * HOUR))]
                }
                Self::Ci => (0..random.between(1, 4))
                    .map(|_| {
                        let from = day * DAY + random.between(0, 23 * HOUR);
                        (from, from + random.between(2 * MINUTE, 25 * MINUTE))
                    })
                    .collect(),
                // On either side of what a collector takes for people.
                Self::Flood => (0..random.between(40, 92))
                    .map(|nth| {
                        // The whole of the next day, which is one day in UTC.
                        let from = (day + 1) * DAY + nth * 15 * MINUTE + random.between(0, MINUTE);
                        (from, from + random.between(8 * MINUTE, 13 * MINUTE))
                    })
                    .collect(),
                // From its first hour on: most of a day fits.
                Self::Cloned => (0..random.between(3, 6))
                    .map(|nth| {
                        let from = (day + 1) * DAY + nth * 3 * HOUR + random.between(0, HOUR);
                        (from, from + random.between(10 * MINUTE, 90 * MINUTE))
                    })
                    .collect(),
                Self::Baked => (0..random.between(2, 6))
                    .map(|nth| {
                        let from = day * DAY + nth * 3 * HOUR + random.between(0, HOUR);
                        (from, from + random.between(10 * MINUTE, 90 * MINUTE))
                    })
                    .collect(),
                _ => {
                    let from = local(random.between(8 * HOUR, 21 * HOUR));
                    vec![(from, from + random.between(15 * MINUTE, 6 * HOUR))]
                }
            };
            for (from, to) in of_day {
                let from = from.max(born);
                if from < to && to < end {
                    all.push(Sitting { from, to, is_first: n == 0 });
                }
            }
        }
        all.sort_by_key(|sitting| sitting.from);
        all
    }
}

/// A time for which somebody or something uses the install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sitting {
    /// Seconds since 1970.
    pub from: u64,
    /// Seconds since 1970.
    pub to: u64,
    /// On the first day of the install.
    pub is_first: bool,
}
