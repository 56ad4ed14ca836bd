//! The client of one install: its own stages, run on a clock that the simulation moves.
//!
//! One rule: what decides is the client's code. Here are only the clock, the memory instead of a store, and a
//! network that loses things.

mod sending;

use super::log::{Log, json};
use super::machine::Machine;
use super::plan::{Act, Plan};
use super::random::Random;
use super::{GATEWAY, SendError};
use crate::activation::{Ending, Mark, State};
use crate::build_info;
use crate::contract::timestamp;
use crate::contract::{BuiltinTool, Surface};
use crate::environment::{self, Classification};
use crate::heartbeat::schedule::{self, HostStart};
use crate::heartbeat::timing::{SETTLE, Timing};
use crate::identity::{FIRST_PLAUSIBLE_TIME, Identity, LIFETIME};

const USUAL: Timing = Timing { initial_delay: None, interval: None };

/// A heartbeat on its way to the collector.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// When it is received.
    pub received: u64,
    /// The network that it comes from.
    pub network: u64,
    sent: u64,
    /// The process that waits for the answer; 0 for a copy that the network made.
    nonce: u64,
    /// The answer never comes.
    is_deaf: bool,
}

/// What the collector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

/// A host process.
#[derive(Clone, Debug)]
struct Process {
    host: u32,
    nonce: u64,
    version: &'static str,
    /// By the clock of the machine.
    since: u64,
    /// From here on it may send: a server has answered, or a minute has passed.
    settled: u64,
    /// It looks again at this time.
    looks: u64,
    /// When it looks within a minute.
    phase: u64,
}

/// One install.
#[derive(Debug)]
pub struct Client {
    number: u64,
    plan: Plan,
    done: usize,
    random: Random,
    machine: Machine,
    environment: Classification,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    is_asleep: bool,
    state: State,
    identity: Identity,
    image: Option<(State, Identity, Vec<u8>)>,
    processes: Vec<Process>,
    servers: u64,
    /// Sent and not received yet, or copied by the network.
    on_the_way: Vec<Delivery>,
    /// A process waits for the answer.
    is_waiting: bool,
    wakes: Option<u64>,
    /// The pending bytes, as they are sent.
    wire: Vec<u8>,
    timing: Timing,
}

impl Client {
    /// The install that this plan is about.
    pub fn new(number: u64, plan: Plan, mut random: Random, log: &mut Log) -> Self {
        let machine = Machine::of(plan.habit, &mut random);
        let environment = environment::classify(&machine);
        let at = plan.acts.first().map_or(0, |(at, _)| *at);
        log.add(at, format_args!(
            r#""event":"install","install":{number},"product":{},"person":{},"habit":{},"zone":{}"#,
            json(plan.product), plan.habit.is_person(), json(plan.habit.name()), plan.zone
        ));
        Self {
            number,
            plan,
            done: 0,
            random,
            machine,
            environment,
            ahead: 0,
            is_asleep: false,
            state: State::default(),
            identity: Identity::default(),
            image: None,
            processes: Vec::new(),
            servers: 0,
            on_the_way: Vec::new(),
            is_waiting: false,
            wakes: None,
            wire: Vec::new(),
            timing: Timing::default(),
        }
    }

    /// Lives until something is received, or until `end`.
    pub fn advance(&mut self, end: u64, log: &mut Log) -> Result<Option<Delivery>, SendError> {
        loop {
            let act = self.plan.acts.get(self.done).map_or(u64::MAX, |(at, _)| *at);
            let wakes = self.wakes.filter(|_| !self.is_waiting).unwrap_or(u64::MAX);
            let arrival = self.on_the_way.iter().map(|one| one.received).min().unwrap_or(u64::MAX);
            let next = act.min(wakes).min(arrival);
            if next >= end {
                return Ok(None);
            }
            if arrival == next {
                let at = self.on_the_way.iter().position(|one| one.received == arrival);
                return Ok(at.map(|at| self.on_the_way.remove(at)));
            }
            if act == next {
                let (at, act) = self.plan.acts[self.done];
                self.done += 1;
                self.act(at, act, log);
            } else {
                self.look(next, log)?;
            }
        }
    }

    fn clock(&self, at: u64) -> u64 {
        at.saturating_add_signed(self.ahead)
    }

    /// Something happens.
    fn act(&mut self, at: u64, act: Act, log: &mut Log) {
        let now = self.clock(at);
        match act {
            Act::Fresh => {
                (self.state, self.identity) = (State::default(), Identity::default());
                self.processes.clear();
                self.log(at, "fresh", "", log);
            }
            Act::KeepImage => {
                self.image = Some((self.state.clone(), self.identity.clone(), self.wire.clone()));
            }
            Act::FromImage => {
                if let Some(image) = &self.image {
                    (self.state, self.identity, self.wire) = image.clone();
                }
                self.processes.clear();
                self.log(at, "fresh", "", log);
            }
            Act::Configured(servers) => self.servers = servers,
            Act::Start(host, version) => self.start(at, host, version, log),
            Act::ServerAnswers(host) => {
                if let Some(process) = self.processes.iter_mut().find(|it| it.host == host)
                    && self.servers > 0
                {
                    process.settled = at;
                    self.mark(&Mark::ServerConnected, now);
                    self.log(at, "server_connected", "", log);
                }
            }
            Act::Hello(_) | Act::Search | Act::Call(_) if self.processes.is_empty() => {}
            Act::Hello(client) => {
                self.mark(&Mark::Client(client), now);
                self.mark(&Mark::ClientActive, now);
                self.log(at, "client", &format!(r#","client":{}"#, json(client)), log);
            }
            Act::Search => {
                self.mark(&Mark::Discovery { indexed: Some(40), returned: Some(5) }, now);
                self.mark(&Mark::Request(Surface::Mcp), now);
                if self.plan.product == GATEWAY {
                    self.mark(&Mark::Builtin(BuiltinTool::RetrieveTools), now);
                }
                self.log(at, "search", "", log);
            }
            Act::Call(is_ok) if self.servers > 0 => {
                self.mark(&Mark::ClientActive, now);
                self.mark(&Mark::Request(Surface::Mcp), now);
                self.mark(&Mark::UpstreamCall, now);
                if is_ok {
                    self.mark(&Mark::UpstreamResult, now);
                }
                self.log(at, "call", &format!(r#","ok":{is_ok}"#), log);
            }
            Act::Call(_) => {}
            Act::End(host, is_crash) => {
                let ending = if is_crash { Ending::Crash } else { Ending::Clean };
                if self.processes.iter().any(|it| it.host == host) {
                    self.mark(&Mark::Ended(ending), now);
                }
                self.end(at, host, if is_crash { "crash" } else { "clean" }, log);
            }
            Act::Kill(host) => self.end(at, host, "killed", log),
            Act::Sleep => self.is_asleep = true,
            Act::Wake => self.is_asleep = false,
            Act::Clock(ahead) => self.ahead = ahead,
            Act::Moves => {
                self.machine = Machine::of(self.plan.habit, &mut self.random);
                self.environment = environment::classify(&self.machine);
            }
        }
        for process in &mut self.processes {
            process.looks = 0;
        }
        self.plan_look(at);
    }

    fn mark(&mut self, mark: &Mark<'_>, now: u64) {
        self.state.apply(mark, now);
    }

    fn start(&mut self, at: u64, host: u32, version: &'static str, log: &mut Log) {
        let now = self.clock(at);
        self.settle_identity(at, log);
        let nonce = self.random.next() | 1;
        let start = HostStart {
            identity: &self.identity,
            version: build_info::VERSION,
            installer_stamp: None,
            initial_delay: self.timing.initial_delay(nonce),
            started_at: now,
        };
        schedule::host_started(&mut self.state, &start, now);
        if self.state.install.notice_shown_at == 0 {
            self.state.install.notice_shown_at = now;
        }
        let phase = self.random.between(1, 60);
        let settled = at + SETTLE;
        self.processes.push(Process { host, nonce, version, since: now, settled, looks: 0, phase });
        let more = format!(r#","host":{host},"clock":{now},"version":{}"#, json(version));
        self.log(at, "host_started", &more, log);
    }

    fn end(&mut self, at: u64, host: u32, how: &str, log: &mut Log) {
        if let Some(gone) = self.processes.iter().position(|it| it.host == host) {
            self.processes.remove(gone);
            self.log(at, "host_ended", &format!(r#","host":{host},"how":{}"#, json(how)), log);
        }
    }

    /// As the client's identity settles: made, dated or replaced after a year.
    fn settle_identity(&mut self, at: u64, log: &mut Log) {
        let now = self.clock(at);
        let made = timestamp::parse(&self.identity.created_at);
        let why = match made {
            None => "first",
            Some(_) if now < FIRST_PLAUSIBLE_TIME => return,
            Some(made) if made > now => {
                self.identity.created_at = timestamp::format(now);
                return;
            }
            Some(made) if now - made >= LIFETIME => "rotated",
            Some(_) => return,
        };
        let before = std::mem::take(&mut self.identity);
        let age = if why == "first" { std::mem::take(&mut self.plan.id_age) } else { 0 };
        self.identity = Identity {
            anonymous_id: self.random.id(),
            created_at: timestamp::format(now.saturating_sub(age)),
            rotated_from: (why == "rotated").then_some(before.anonymous_id),
            carried_over: why == "rotated",
        };
        let more = format!(r#","id":{},"why":{}"#, json(&self.identity.anonymous_id), json(why));
        self.log(at, "id", &more, log);
    }

    /// When a process looks next whether a heartbeat is due.
    fn plan_look(&mut self, at: u64) {
        let now = self.clock(at);
        let mut wakes: Option<u64> = None;
        for process in self.processes.iter().filter(|_| !self.is_asleep) {
            let due = schedule::next_attempt(&self.state, &self.timing, Some(process.since), now);
            let wait = due.unwrap_or(now).saturating_sub(now);
            // What another process did is found out within a minute.
            let soonest = (at + process.phase).max(process.settled).max(process.looks);
            let next = at.saturating_add(wait).max(soonest);
            wakes = Some(wakes.map_or(next, |before| before.min(next)));
        }
        self.wakes = wakes;
    }

    fn log(&self, at: u64, event: &str, more: &str, log: &mut Log) {
        let number = self.number;
        log.add(at, format_args!(r#""event":"{event}","install":{number}{more}"#));
    }
}
