//! The plan of one install: everything that happens to it, with its time, whatever its client sends.
//!
//! One rule: people and machines act, and nothing here knows that heartbeats exist.

use super::habit::{DAY, HOUR, Habit, MINUTE, Sitting};
use super::random::Random;
use super::{GATEWAY, Options, STRANGER, WRAPPED};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// All data of the product are gone: `reset-id`, a new container, a new job.
    Fresh,
    /// The data so far become part of an image.
    KeepImage,
    /// A container begins with what its image holds.
    FromImage,
    /// So many servers are configured from now on.
    Configured(u64),
    /// A host starts with this version.
    Start(u32, &'static str),
    /// A server of the host answers for the first time.
    ServerAnswers(u32),
    /// A client says its name to a host.
    Hello(&'static str),
    /// A client asks for tools.
    Search,
    /// A client calls a tool, which returns a result or an error.
    Call(bool),
    /// A host ends: as it was meant to, or by a crash.
    End(u32, bool),
    /// A host is killed and says nothing more.
    Kill(u32),
    /// The machine sleeps.
    Sleep,
    /// The machine wakes up.
    Wake,
    /// The clock of the machine is so many seconds ahead from now on.
    Clock(i64),
    /// The data move to another machine.
    Moves,
}

/// Everything that happens to one install.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The product that it runs.
    pub product: &'static str,
    /// Who runs it.
    pub habit: Habit,
    /// What happens, in order of time.
    pub acts: Vec<(u64, Act)>,
    /// Times without a network.
    pub offline: Vec<(u64, u64)>,
    /// How old the id is when the install begins.
    pub id_age: u64,
    /// Hours that its people are ahead of UTC.
    pub zone: i64,
    /// A client of the first version until this time: it sends heartbeats of schema 3.
    pub schema_3_until: u64,
}

/// Releases, with the day of the simulation on which they come.
const RELEASES: &[(u64, &str)] = &[(0, "1.8.0"), (11, "1.9.0"), (26, "1.10.0"), (41, "2.0.0")];
/// What those run who try a release before it is one.
const EARLY: &[&str] = &["1.10.0-rc.2", "1.10.0-rc.10", "2.0.0-beta.2", "1.8.1-dev"];
const CLIENTS: &[&str] =
    &["claude-code", "cursor", "claude-desktop", "vscode", "codex", "cline", "gemini-cli"];
/// Seconds by which clocks are wrong: around what a collector believes, and far from it.
const WRONG_CLOCKS: &[i64] = &[
    -40 * 86_400,
    -3 * 86_400,
    -27 * 3_600,
    -26 * 3_600,
    -25 * 3_600,
    -7_200,
    300,
    590,
    640,
    10_800,
    2 * 86_400,
    400 * 86_400,
];

/// The same for copies of one disk, which run every three hours: each is so many hours further behind. With four,
/// what is sent later says that it is earlier.
fn clock_of_copy(from: u64, hours_behind: u64) -> i64 {
    let before = (from % DAY / (3 * HOUR)).saturating_sub(1);
    -(hours_behind * HOUR * before).cast_signed()
}

impl Plan {
    /// The plan of install number `number`.
    pub fn of(options: &Options, number: u64, random: &mut Random) -> Self {
        let (begin, end) = (options.begin(), options.end());
        let habit = random.weighted(Habit::SHARES);
        let product = random.weighted(&[(560, WRAPPED), (410, GATEWAY), (30, STRANGER)]);
        let zone = random.between(0, 20) as i64 - 8;
        // Some were there before the collector was.
        let was_there = random.chance(120);
        let born = if was_there {
            begin - random.between(1, 20 * DAY)
        } else {
            // No install is new in the last week: a week without new installs has to be shown as well.
            begin + random.between(0, options.days.saturating_sub(7).max(1) * DAY - 1)
        };
        let mut plan = Self {
            product,
            habit,
            acts: Vec::new(),
            offline: Vec::new(),
            id_age: 0,
            zone,
            schema_3_until: 0,
        };
        if was_there {
            plan.offline.push((0, begin));
            plan.id_age = random.between(0, 360 * DAY);
        } else if random.chance(20) {
            plan.id_age = random.between(330 * DAY, 364 * DAY);
        }
        if product == GATEWAY && random.chance(if was_there { 700 } else { 200 }) {
            plan.schema_3_until = begin + random.between(10 * DAY, 50 * DAY);
        }
        // Replaced by a client of the first version, an id says only after the upgrade that it follows another.
        if product == GATEWAY && !was_there && random.chance(120) {
            plan.id_age = random.between(345 * DAY, 364 * DAY);
            plan.schema_3_until = born + random.between(15 * DAY, 40 * DAY);
        }
        plan.hosts(habit.sittings(born, end, zone, random), options, random);
        plan.mishaps(born, end, random);
        plan.acts.sort_by_key(|(at, _)| *at);
        // A machine whose clock is wrong has it wrong from the start.
        // Servers run across midnight, where minutes decide the day, and evenings end near it.
        let (chance, usual) = match habit {
            Habit::Server => (600, Some(590)),
            Habit::Evenings => (150, Some((3 * HOUR).cast_signed())),
            _ => (60, None),
        };
        if random.chance(chance) {
            let wrong = match usual {
                Some(wrong) => wrong,
                None if number.is_multiple_of(9) => -(born as i64) + 60,
                None => random.pick(WRONG_CLOCKS),
            };
            plan.acts.insert(0, (born.min(plan.first()), Act::Clock(wrong)));
            if random.chance(400) {
                let right_again = born + random.between(DAY, 20 * DAY);
                let at = plan.acts.partition_point(|(at, _)| *at <= right_again);
                plan.acts.insert(at, (right_again, Act::Clock(0)));
            }
        }
        plan
    }

    fn first(&self) -> u64 {
        self.acts.first().map_or(u64::MAX, |(at, _)| *at)
    }

    /// Starts and ends of hosts, and what clients do with them.
    fn hosts(&mut self, sittings: Vec<Sitting>, options: &Options, random: &mut Random) {
        let user = User::of(self.habit, options, random);
        let mut servers = if self.product == WRAPPED || random.chance(600) { 1 } else { 0 };
        if let Some(first) = sittings.first() {
            self.acts.push((first.from.saturating_sub(1), Act::Configured(servers)));
        }
        let mut next = 0;
        let hours_behind = random.pick(&[0, 4]);
        let mut runs_on: Option<u32> = None;
        for (nth, sitting) in sittings.iter().enumerate() {
            if servers == 0 && nth > 0 && random.chance(300) {
                servers = random.between(1, 4);
                self.acts.push((sitting.from.saturating_sub(1), Act::Configured(servers)));
            }
            let version = user.version(options, sitting.from);
            match self.habit {
                Habit::Ci | Habit::Container | Habit::Agent | Habit::Flood => {
                    self.acts.push((sitting.from.saturating_sub(1), Act::Fresh));
                }
                Habit::Baked | Habit::Cloned if nth == 0 => {
                    // The image is made of a machine that has run once, and not for long enough.
                    self.host(next, sitting.from, sitting.from + MINUTE, version, random);
                    self.acts.push((sitting.from + MINUTE + 1, Act::KeepImage));
                    next += 1;
                    continue;
                }
                Habit::Baked => self.acts.push((sitting.from.saturating_sub(1), Act::FromImage)),
                Habit::Cloned => {
                    let before = sitting.from.saturating_sub(1);
                    let clock = clock_of_copy(sitting.from, hours_behind);
                    self.acts.push((before, Act::Clock(clock)));
                    self.acts.extend([(before, Act::Moves), (before, Act::FromImage)]);
                }
                _ => {}
            }
            if matches!(self.habit, Habit::Laptop | Habit::Server) {
                let last = sittings.get(nth + 1).is_none_or(|next| next.from - sitting.to > DAY);
                let restarts = self.habit == Habit::Server && random.chance(70);
                if runs_on.is_none() {
                    self.start(next, sitting.from, version, random);
                    runs_on = Some(next);
                    next += 1;
                } else if self.habit == Habit::Laptop {
                    self.acts.push((sitting.from, Act::Wake));
                }
                if let Some(host) = runs_on
                    && (last || restarts)
                {
                    self.acts.push((sitting.to - 1, Act::End(host, false)));
                    runs_on = None;
                } else if self.habit == Habit::Laptop {
                    self.acts.push((sitting.to, Act::Sleep));
                }
            } else {
                // Every window of an editor starts a host, and a gateway is one.
                let most = if self.product == GATEWAY || !self.habit.is_person() { 1 } else { 4 };
                for nth in 0..random.between(1, most) {
                    let span = sitting.to - sitting.from;
                    let from = if nth == 0 {
                        sitting.from
                    } else {
                        sitting.from + random.between(0, span / 2)
                    };
                    let to = if random.chance(500) {
                        sitting.to
                    } else {
                        random.between(from + 1, sitting.to)
                    };
                    self.host(next, from, to, version, random);
                    next += 1;
                }
            }
            self.use_it(&user, sitting, random);
        }
    }

    /// A host from its start to its end.
    fn host(&mut self, host: u32, from: u64, to: u64, version: &'static str, random: &mut Random) {
        self.start(host, from, version, random);
        let end = match random.between(0, 99) {
            0..5 => Act::Kill(host),
            5..9 => Act::End(host, true),
            _ => Act::End(host, false),
        };
        self.acts.push((to, end));
    }

    fn start(&mut self, host: u32, from: u64, version: &'static str, random: &mut Random) {
        self.acts.push((from, Act::Start(host, version)));
        if random.chance(970) {
            self.acts.push((from + random.between(1, 20), Act::ServerAnswers(host)));
        }
    }

    /// What a client does in a sitting.
    fn use_it(&mut self, user: &User, sitting: &Sitting, random: &mut Random) {
        let quick = |random: &mut Random| sitting.from + random.between(2, 40);
        let says_hello = match self.habit {
            Habit::Baked => 60,
            habit if habit.is_person() => 960,
            _ => 500,
        };
        if random.chance(says_hello) {
            let at = quick(random);
            self.acts.push((at, Act::Hello(random.pick(&user.clients))));
            if random.chance(700) {
                self.acts.push((at + 1, Act::Search));
            }
        }
        let is_idle = self.habit == Habit::SlowStart && sitting.is_first;
        // Of many containers with one id, it is the third or the fourth of a day that calls a tool.
        let is_early = sitting.from % DAY < 6 * HOUR;
        let is_rare = self.habit == Habit::Baked && (is_early || random.chance(700));
        if !user.calls || is_idle || is_rare {
            return;
        }
        let from = match self.habit {
            // After the first heartbeat, on its day.
            Habit::SlowDay => sitting.from + random.between(20 * MINUTE, 2 * HOUR),
            _ => sitting.from + random.between(30, 20 * MINUTE),
        };
        for _ in 0..random.between(0, 8) {
            let at = random.between(from.min(sitting.to), sitting.to);
            self.acts.push((at, Act::Call(random.chance(900))));
        }
    }

    /// Weeks without a network, lost data.
    fn mishaps(&mut self, born: u64, end: u64, random: &mut Random) {
        if random.chance(120) {
            let from = random.between(born, end);
            self.offline.push((from, from + random.between(4 * HOUR, 12 * DAY)));
        }
        if random.chance(120) {
            self.acts.push((born + random.between(HOUR, 9 * DAY), Act::Moves));
        }
        if random.chance(40) && self.habit.is_person() {
            self.acts.push((random.between(born, end), Act::Fresh));
        }
    }
}

/// What stays the same about the user of an install.
struct User {
    clients: Vec<&'static str>,
    calls: bool,
    early: Option<&'static str>,
    early_until: u64,
    lag: u64,
}

impl User {
    fn of(habit: Habit, options: &Options, random: &mut Random) -> Self {
        let clients = (0..random.between(1, 3)).map(|_| random.pick(CLIENTS)).collect();
        let calls =
            random.chance(if habit.is_person() || habit == Habit::Baked { 780 } else { 400 });
        let early = random.chance(50).then(|| random.pick(EARLY));
        let early_until = options.begin() + random.between(0, 90 * DAY);
        Self { clients, calls, early, early_until, lag: random.between(0, 18) * DAY }
    }

    /// The version that a host of this time runs.
    fn version(&self, options: &Options, at: u64) -> &'static str {
        let released = |day: u64| options.begin() + day * DAY + self.lag <= at;
        let newest = RELEASES.iter().rev().find(|(day, _)| released(*day));
        let usual = newest.map_or(RELEASES[0].1, |(_, version)| *version);
        // Some who try a release before it is one go back to the usual ones.
        self.early.filter(|_| at < self.early_until).unwrap_or(usual)
    }
}
