//! Sending: from the look whether a heartbeat is due to the recorded answer, as the client does it.
//!
//! One rule: the order of the steps is that of the client's own attempt.

use super::{Answer, Client, Delivery, Process, USUAL};
use crate::activation::{LiveCounts, LiveProcess};
use crate::collector::simulate::log::Log;
use crate::collector::simulate::machine::Machine;
use crate::collector::simulate::plan::Plan;
use crate::collector::simulate::{GATEWAY, STRANGE_NETWORK as FATE, SendError, wire};
use crate::contract::{Product, RoutingMode};
use crate::environment::Classification;
use crate::gate::{self, PrivateWords};
use crate::heartbeat::assemble::{self, ClientPolicy};
use crate::heartbeat::live::Live;
use crate::heartbeat::schedule::{self, Begin, Failure, Turn};

/// Seconds from a request to its end.
const REQUEST: u64 = 3;

impl Client {
    /// Takes the answer to a delivery.
    pub fn answered(&mut self, delivery: &Delivery, answer: Answer, log: &mut Log) {
        self.log_sent(delivery, Some(delivery.received), Some(answer.status), log);
        if delivery.nonce == 0 {
            return;
        }
        self.is_waiting = false;
        let at = delivery.sent + REQUEST;
        if self.processes.iter().all(|process| process.nonce != delivery.nonce) {
            // Killed meanwhile: the answer is not recorded.
            return self.plan_look(at);
        }
        let answer = if delivery.is_deaf { None } else { Some(answer) };
        self.conclude(at, delivery, answer);
    }

    /// As the client records what the endpoint said; `None`: the network failed.
    fn conclude(&mut self, at: u64, delivery: &Delivery, answer: Option<Answer>) {
        let now = self.clock(at);
        let (nonce, bytes) = (delivery.nonce, &delivery.bytes);
        let failure = match answer {
            Some(Answer { status: 200..=299, .. }) => {
                let sent = self.pending_of(bytes);
                schedule::acknowledge(&mut self.state, now, nonce, &sent);
                return self.plan_look(at);
            }
            Some(Answer { status: 408 | 429 | 500..=599, retry_after }) => {
                Failure::Transient(retry_after)
            }
            Some(_) => Failure::UntilTomorrow,
            None => Failure::Transient(None),
        };
        let sent = self.pending_of(bytes);
        schedule::fail(&mut self.state, now, nonce, failure, &self.timing, &sent);
        self.plan_look(at);
    }

    /// The stored bytes that were sent as `bytes`: older clients are played by younger ones.
    fn pending_of(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.state.pending {
            Some(pending) if self.wire == bytes => pending.bytes.clone(),
            _ => bytes.to_vec(),
        }
    }

    /// A process looks, and sends if a heartbeat is due.
    pub(super) fn look(&mut self, at: u64, log: &mut Log) -> Result<(), SendError> {
        let now = self.clock(at);
        for index in 0..self.processes.len() {
            let process = &self.processes[index];
            if at < process.settled || at < process.looks {
                continue;
            }
            let turn = Turn {
                nonce: process.nonce,
                timing: &USUAL,
                asked_at: None,
                running_since: Some(process.since),
                version: process.version,
            };
            match schedule::would_begin(&self.state, now, &turn) {
                Begin::Go | Begin::ClockReset(_) => {}
                other => {
                    self.processes[index].looks = at + wait(other);
                    continue;
                }
            }
            self.settle_identity(at, log);
            match self.claim(index, at, &turn)? {
                Ok(()) => {
                    self.send(at, turn.nonce, log);
                    return Ok(());
                }
                Err(other) => self.processes[index].looks = at + wait(other),
            }
        }
        self.plan_look(at);
        Ok(())
    }

    /// As the client claims the lease and stores the bytes, and checks them.
    fn claim(
        &mut self,
        index: usize,
        at: u64,
        turn: &Turn<'static>,
    ) -> Result<Result<(), Begin>, SendError> {
        let now = self.clock(at);
        let (state, identity) = (&mut self.state, &self.identity);
        schedule::adopt(state, identity);
        if state.install.notice_shown_at == 0 {
            state.install.notice_shown_at = now;
        }
        let (id, made) = (&identity.anonymous_id, &identity.created_at);
        let is_valid = |pending: &_| schedule::pending_is_valid(pending, now, id, made);
        if !state.pending.as_ref().is_some_and(is_valid) {
            schedule::discard(state);
        }
        match schedule::begin(state, now, turn) {
            Begin::Go => {}
            other => return Ok(Err(other)),
        }
        let policy = ClientPolicy::default();
        let (name, version) = (self.plan.product.to_owned(), turn.version.to_owned());
        let product = Product { name, version };
        if state.pending.is_none() {
            schedule::assembling(state, now, turn);
            let place = (&self.machine, &self.environment);
            let live = live(&self.plan, place, self.servers, &self.processes[index]);
            state.pending = Some(assemble::pending(&product, state, identity, &live, &policy, now));
            if let Some(pending) = &state.pending {
                let system = self.machine.system();
                self.wire = wire::of(&pending.bytes, &self.plan, turn.version, at, system);
            }
        }
        let Some(pending) = &state.pending else { return Ok(Err(Begin::NotDue(1))) };
        let own = assemble::own(pending, &product, identity);
        gate::check(&pending.bytes, Some(&own), &PrivateWords::default()).map_err(SendError)?;
        Ok(Ok(()))
    }

    /// The bytes leave: they arrive or not, once or more often, and the answer comes back or not.
    fn send(&mut self, at: u64, nonce: u64, log: &mut Log) {
        let bytes = self.wire.clone();
        let is_offline = self.plan.offline.iter().any(|(from, to)| (*from..*to).contains(&at));
        let received = at + self.random.between(0, 2);
        let is_deaf = self.random.chance(FATE.answers_lost);
        let network = self.number;
        let delivery = Delivery { bytes, received, network, sent: at, nonce, is_deaf };
        if self.random.chance(FATE.killed) {
            self.processes.retain(|process| process.nonce != nonce);
        }
        if is_offline || self.random.chance(FATE.requests_lost) {
            self.log_sent(&delivery, None, None, log);
            if !is_offline && self.random.chance(FATE.delayed) {
                self.arrives_later(&delivery);
            }
            return self.conclude(at, &delivery, None);
        }
        if self.random.chance(FATE.copied) {
            self.arrives_later(&delivery);
        }
        self.on_the_way.push(delivery);
        self.is_waiting = true;
    }

    /// The network delivers it when nobody waits for the answer any more.
    fn arrives_later(&mut self, delivery: &Delivery) {
        let later = self.random.pick(FATE.copied_after) + self.random.between(0, 600);
        let received = delivery.received + later;
        self.on_the_way.push(Delivery { received, nonce: 0, ..delivery.clone() });
    }

    fn log_sent(
        &self,
        delivery: &Delivery,
        received: Option<u64>,
        answer: Option<u16>,
        log: &mut Log,
    ) {
        let or_null = |it: Option<u64>| it.map_or("null".to_owned(), |it| it.to_string());
        let more = format!(
            r#","sent":{},"received":{},"network":{},"copy":{},"answer":{},"answer_lost":{},"body":{}"#,
            delivery.sent,
            or_null(received),
            delivery.network,
            delivery.nonce == 0,
            or_null(answer.map(u64::from)),
            delivery.is_deaf,
            String::from_utf8_lossy(&delivery.bytes),
        );
        self.log(received.unwrap_or(delivery.sent), "sent", &more, log);
    }
}

/// Seconds until a process looks again.
fn wait(begin: Begin) -> u64 {
    match begin {
        Begin::NotDue(wait)
        | Begin::LeasedByOther(wait)
        | Begin::BackingOff(wait)
        | Begin::Retired(wait)
        | Begin::GatewayAlive(wait)
        | Begin::ClockReset(wait)
        | Begin::ClockUnset(wait) => wait.max(1),
        Begin::Go => 1,
    }
}

/// What a process says about itself.
fn live(
    plan: &Plan,
    (machine, environment): (&Machine, &Classification),
    servers: u64,
    process: &Process,
) -> Live {
    let is_tap = plan.product != GATEWAY;
    Live {
        process: LiveProcess {
            launch_source: machine.launch(),
            autostart_enabled: None,
            env_kind: environment.env_kind,
            env_markers: environment.markers,
            agent_env: environment.agent_env,
        },
        routing_mode: Some(if is_tap { RoutingMode::Tap } else { RoutingMode::RetrieveTools }),
        started_at: Some(process.since),
        counts: LiveCounts {
            server_count: Some(servers),
            connected_server_count: Some(servers),
            ..LiveCounts::default()
        },
    }
}
