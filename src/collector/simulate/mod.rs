//! A fleet of installs whose truth is known: people and machines with habits, the client's own code, a virtual clock.
//!
//! One rule: everything is decided by the seed. The same options give the same events, whatever collector
//! receives them. This is the one place of the collector that knows the client's stages; it is in no release.

mod client;
mod habit;
mod log;
mod machine;
mod plan;
mod random;
mod receiving;
mod watched;
mod wire;

pub use client::{Answer, Delivery};
pub use receiving::Receiving;
pub use watched::Watched;

use crate::gate::Refusal;
use client::Client;
use habit::{DAY, HOUR};
use log::{Log, json};
use plan::Plan;
use random::Random;
use std::fmt;
use std::io::{self, Write};

/// The product that is a gateway: its users configure servers.
pub const GATEWAY: &str = "mcpproxy";
/// The product that is a wrapped server.
pub const WRAPPED: &str = "notes-mcp";
/// A product that the collector does not receive.
pub const STRANGER: &str = "someone-elses-mcp";
/// The products that the collector must receive.
pub const PRODUCTS: [&str; 2] = [GATEWAY, WRAPPED];

/// 2025-12-03T00:00:00Z, a Wednesday before a new year that begins in the middle of an ISO week. The days of a fleet
/// of usual length have passed, so that its log can be imported.
const BEGIN: u64 = 1_764_720_000;
/// 2026-12-02T00:00:00Z, a Wednesday before a new year whose first days are of the last week of the old one.
const BEGIN_OF_THIRD: u64 = 1_796_169_600;
/// Heartbeats of so many seconds are given to the collector at once; no install sees the answer later for it.
const STEP: u64 = HOUR;

/// What goes wrong between a client and the collector: how often of a thousand times.
struct Network {
    requests_lost: u64,
    /// Of the lost ones, those that arrive after their sender has given up.
    delayed: u64,
    answers_lost: u64,
    killed: u64,
    copied: u64,
    /// Seconds after which a copy, or what is delayed, arrives.
    copied_after: &'static [u64],
}

const STRANGE_NETWORK: Network = Network {
    requests_lost: 20,
    delayed: 400,
    answers_lost: 30,
    killed: 10,
    copied: 60,
    copied_after: &[0, 60, 20 * HOUR, 30 * HOUR, 47 * HOUR],
};

/// How large a fleet, for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Installs.
    pub installs: u64,
    /// Days.
    pub days: u64,
    /// Another seed is another fleet.
    pub seed: u64,
}

impl Options {
    /// The first second.
    pub fn begin(&self) -> u64 {
        if self.seed.is_multiple_of(3) { BEGIN_OF_THIRD } else { BEGIN }
    }

    /// The second after the last.
    pub fn end(&self) -> u64 {
        self.begin() + self.days * DAY
    }
}

/// The client's own gate refused what the client assembled.
#[derive(Debug)]
pub struct SendError(Refusal);

/// Why a simulation ended early.
#[derive(Debug)]
pub enum SimulationError {
    /// The client's own gate refused what the client assembled: one of the two is wrong.
    Gate(Refusal),
    /// The log could not be written.
    Log(io::Error),
    /// The collector could not store.
    Collector(String),
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(refusal) => {
                write!(f, "the client's gate refused its own heartbeat: {refusal}")
            }
            Self::Log(error) => write!(f, "the event log could not be written: {error}"),
            Self::Collector(why) => write!(f, "the collector could not store: {why}"),
        }
    }
}

impl std::error::Error for SimulationError {}

impl From<SendError> for SimulationError {
    fn from(SendError(refusal): SendError) -> Self {
        Self::Gate(refusal)
    }
}

impl From<io::Error> for SimulationError {
    fn from(error: io::Error) -> Self {
        Self::Log(error)
    }
}

/// The other end: takes heartbeats with the time of their receipt, in order of time for each install.
pub trait Collect {
    /// One answer for each delivery.
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError>;

    /// All that was received before `at` has been given.
    fn passed(&mut self, at: u64) -> Result<(), SimulationError> {
        let _ = at;
        Ok(())
    }
}

/// Runs the fleet, and writes its event log.
pub fn run(
    options: &Options,
    collector: &mut dyn Collect,
    out: &mut dyn Write,
) -> Result<(), SimulationError> {
    let mut log = Log::default();
    let Options { installs, days, seed } = *options;
    let products = PRODUCTS.map(json).join(",");
    let (from, to) = (options.begin(), options.end());
    log.add(0, format_args!(
        r#""event":"fleet","seed":{seed},"installs":{installs},"days":{days},"from":{from},"to":{to},"products":[{products}]"#
    ));
    let mut clients: Vec<Client> = (0..installs)
        .map(|number| {
            let mut random = Random::new(seed, number);
            let plan = Plan::of(options, number, &mut random);
            Client::new(number, plan, random, &mut log)
        })
        .collect();
    let mut at = from;
    while at < to {
        at = (at + STEP).min(to);
        let mut awake: Vec<usize> = (0..clients.len()).collect();
        while !awake.is_empty() {
            let (mut batch, mut senders) = (Vec::new(), Vec::new());
            for number in awake {
                if let Some(delivery) = clients[number].advance(at, &mut log)? {
                    batch.push(delivery);
                    senders.push(number);
                }
            }
            if !batch.is_empty() {
                let answers = collector.receive(&batch)?;
                for ((number, delivery), answer) in senders.iter().zip(&batch).zip(answers) {
                    clients[*number].answered(delivery, answer, &mut log);
                }
            }
            awake = senders;
        }
        log.write(at, out)?;
        collector.passed(at)?;
    }
    log.write(u64::MAX, out)?;
    Ok(())
}

#[cfg(test)]
mod tests;
