//! Everything the store holds, as plain values, and the pure functions that change it.

use super::{Days, Ending, Errors, HourlyWindow, LiveMark, Mark};
use crate::contract::{BuiltinToolCalls, MAX_CLIENTS, SurfaceRequests};

/// Estimated tokens that one tool definition costs a client.
pub const TOKENS_PER_TOOL: u64 = 150;

/// Everything the store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Monotonic flags and clients.
    pub funnel: Funnel,
    /// Discovery calls of the last 24 h.
    pub discovery_calls: HourlyWindow,
    /// Tokens saved in the last 24 h.
    pub tokens_saved: HourlyWindow,
    /// Counters since the last acknowledged heartbeat.
    pub counters: Counters,
    /// Days of the install.
    pub days: Days,
    /// Errors that were met.
    pub errors: Errors,
    /// When the next heartbeat is due and who sends it.
    pub sender: Sender,
    /// The bytes of a heartbeat whose acknowledgement has not been recorded.
    pub pending: Option<Pending>,
    /// Facts of the install.
    pub install: Install,
    /// Mark of the live `serve`, if any.
    pub live_serve: Option<LiveMark>,
    /// Mark of the live `tap` that wrote last, if any.
    pub live_tap: Option<LiveMark>,
    /// Whether this is what the store held, changed since.
    pub held: Held,
}

/// Whether a [`State`] is what the store held. One that was made anew is not: with it ends what later programs
/// keep in the store and this one does not know. It is no fact of the install, so all are equal.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(feature = "activation"), expect(dead_code, reason = "there is no store"))]
pub struct Held(pub(in crate::activation) bool);

impl PartialEq for Held {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// Monotonic flags and clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    /// A server ever answered.
    pub connected_server: bool,
    /// A client was ever seen.
    pub mcp_client: bool,
    /// A discovery tool was ever called.
    pub retrieve_tools_call: bool,
    /// An upstream tool ever returned a result.
    pub real_tool_call: bool,
    /// Canonical names, first in wins, at most 16.
    pub clients: Vec<String>,
    /// Flags that only later programs know, one for each bit: kept and merged like the others.
    pub later_flags: u64,
}

/// How many counters that it does not know a program keeps and subtracts.
pub const LATER: usize = 16;

/// Counters since the last acknowledged heartbeat; saturating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// By surface.
    pub surface_requests: SurfaceRequests,
    /// Our own tools.
    pub builtin_tool_calls: BuiltinToolCalls,
    /// Upstream tool calls.
    pub upstream_tool_calls: u64,
    /// Hosts that ended as they were meant to.
    pub ended_clean: u64,
    /// Hosts that crashed, or whose server did.
    pub ended_crashed: u64,
    /// Counters that only later programs know, in their order: kept and subtracted like the others, and
    /// reported by those programs only.
    pub later: [u64; LATER],
}

/// When the next heartbeat is due and who sends it. All times are seconds since 1970; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// When a host first started on this install.
    pub first_start: u64,
    /// Seconds from `first_start` to the first heartbeat, jitter included.
    pub initial_delay: u64,
    /// The last recorded acknowledgement.
    pub last_success: u64,
    /// The last attempt.
    pub last_attempt: u64,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// Seconds to wait after `last_attempt`.
    pub retry_after: u64,
    /// Nonce of the process that holds the lease; 0 is nobody.
    pub lease_owner: u64,
    /// When the lease ends.
    pub lease_until: u64,
    /// The `timestamp` of the acknowledged heartbeat from which the next one is counted.
    pub timestamp: u64,
    /// The `last_success` that goes with `timestamp`. A program that knows no `timestamp` moves `last_success`
    /// alone, and that is what counts then.
    pub timestamp_of: u64,
    /// When a host started last.
    pub last_start: u64,
    /// Whether a second heartbeat may come on the first day.
    pub second: Second,
    /// The versions of the product that the endpoint retired last.
    pub retired: [Retired; 2],
}

/// Where the one second heartbeat of an install's first day stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Second {
    /// None comes: no heartbeat was acknowledged yet, or it is over.
    #[default]
    None,
    /// The first heartbeat was acknowledged and reported no real tool call.
    Open,
    /// The pending bytes are the second heartbeat.
    Pending,
}

/// A version of the product that the endpoint wants no more heartbeats of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// A hash of the version; see `heartbeat::rhythm`.
    pub version: u64,
    /// When the endpoint said so; 0 is never.
    pub at: u64,
}

/// A heartbeat whose acknowledgement has not been recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// When they were assembled.
    pub made_at: u64,
    /// The id they carry.
    pub anonymous_id: String,
    /// When that id was made, as they carry it.
    pub anonymous_id_created_at: String,
    /// The version that assembled them.
    pub version: String,
    /// The previous version they carry.
    pub previous_version: String,
    /// The counters they report; subtracted on acknowledgement.
    pub counters: Counters,
    /// They say `installer`.
    pub installer: bool,
}

/// Facts of the install.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// The version that ran last.
    pub current_version: String,
    /// The version before it; empty when there was none.
    pub previous_version: String,
    /// When the first-run notice was shown; 0 is never.
    pub notice_shown_at: u64,
    /// Heartbeats say `installer` until one is acknowledged.
    pub installer_pending: bool,
    /// The install stamp that armed `installer_pending` last.
    pub installer_stamp: String,
    /// Payloads the gate refused.
    pub anonymity_violations: u64,
    /// The id that this store belongs to: another id in the config means a new install began.
    pub anonymous_id: String,
}

/// What a mark did to a [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Something is different now.
    pub changed: bool,
    /// A flag flipped or a client was added: worth syncing to disk.
    pub rare: bool,
}

impl State {
    /// Applies one mark.
    pub fn apply(&mut self, mark: &Mark<'_>, now: u64) -> Applied {
        if let Mark::Error(mark) = *mark {
            return self.errors.apply(mark, now);
        }
        let rare = self.funnel.apply(mark);
        if rare && *mark == Mark::UpstreamResult {
            self.days.real_tool_call_at = now;
        }
        let is_new_day = *mark == Mark::ClientActive && self.days.active.add(now);
        if let Mark::Discovery { indexed, returned } = *mark {
            self.discovery_calls.add(now, 1);
            self.tokens_saved.add(now, tokens_saved(indexed, returned));
        }
        let counted = self.counters.apply(mark);
        let moved = is_new_day || matches!(mark, Mark::Discovery { .. });
        Applied { changed: rare || counted || moved, rare }
    }
}

/// Tokens that one discovery call saved: `max(0, indexed - returned) * 150`, saturating; 0 when one of
/// the counts is not known.
pub fn tokens_saved(indexed: Option<u64>, returned: Option<u64>) -> u64 {
    match (indexed, returned) {
        (Some(indexed), Some(returned)) => {
            indexed.saturating_sub(returned).saturating_mul(TOKENS_PER_TOOL)
        }
        _ => 0,
    }
}

impl Funnel {
    /// Applies one mark; true when a flag flipped or a client was added.
    pub fn apply(&mut self, mark: &Mark<'_>) -> bool {
        match *mark {
            Mark::Client(name) => {
                let first = !std::mem::replace(&mut self.mcp_client, true);
                self.add_client(name) || first
            }
            Mark::ServerConnected => !std::mem::replace(&mut self.connected_server, true),
            Mark::Discovery { .. } => !std::mem::replace(&mut self.retrieve_tools_call, true),
            Mark::UpstreamResult => !std::mem::replace(&mut self.real_tool_call, true),
            Mark::UpstreamCall
            | Mark::ClientActive
            | Mark::Ended(_)
            | Mark::Request(_)
            | Mark::Builtin(_)
            | Mark::Error(_) => false,
        }
    }

    /// Takes over flags and clients that `other` has and this one has not; true when there were any.
    pub fn merge(&mut self, other: &Funnel) -> bool {
        let flags = |it: &Self| {
            let known = (it.connected_server, it.mcp_client, it.retrieve_tools_call);
            (known, it.real_tool_call, it.later_flags)
        };
        let before = flags(self);
        self.connected_server |= other.connected_server;
        self.mcp_client |= other.mcp_client;
        self.retrieve_tools_call |= other.retrieve_tools_call;
        self.real_tool_call |= other.real_tool_call;
        self.later_flags |= other.later_flags;
        let mut changed = before != flags(self);
        for client in &other.clients {
            changed |= self.add_client(client);
        }
        changed
    }

    fn add_client(&mut self, name: &str) -> bool {
        let is_new = self.clients.len() < MAX_CLIENTS && !self.clients.iter().any(|c| c == name);
        if is_new {
            self.clients.push(name.to_owned());
        }
        is_new
    }
}

impl Counters {
    /// Applies one mark; true when it counts here. A discovery call is no upstream call.
    pub fn apply(&mut self, mark: &Mark<'_>) -> bool {
        let Some(counter) = self.counter(mark) else { return false };
        let before = *counter;
        *counter = before.saturating_add(1);
        *counter != before
    }

    fn counter(&mut self, mark: &Mark<'_>) -> Option<&mut u64> {
        Some(match *mark {
            Mark::UpstreamCall => &mut self.upstream_tool_calls,
            Mark::Ended(Ending::Clean) => &mut self.ended_clean,
            Mark::Ended(Ending::Crash) => &mut self.ended_crashed,
            Mark::Request(surface) => self.surface_requests.of(surface),
            Mark::Builtin(tool) => self.builtin_tool_calls.of(tool),
            Mark::Client(_)
            | Mark::ServerConnected
            | Mark::Discovery { .. }
            | Mark::UpstreamResult
            | Mark::ClientActive
            | Mark::Error(_) => return None,
        })
    }

    /// How many counters this program knows.
    pub const COUNT: usize = 11;

    /// Every counter that this program knows, in a fixed order: a new one comes last.
    pub fn to_array(self) -> [u64; Self::COUNT] {
        let Self { surface_requests: r, builtin_tool_calls: b, upstream_tool_calls, .. } = self;
        let Self { ended_clean, ended_crashed, later: _, .. } = self;
        [
            r.mcp,
            r.cli,
            r.webui,
            r.tray,
            r.unknown,
            b.retrieve_tools,
            b.call_tool,
            b.telemetry_status,
            upstream_tool_calls,
            ended_clean,
            ended_crashed,
        ]
    }

    /// The inverse of [`Self::to_array`].
    pub fn from_array(all: [u64; Self::COUNT]) -> Self {
        let [mcp, cli, webui, tray, unknown, counts @ ..] = all;
        let [retrieve_tools, call_tool, telemetry_status, upstream, clean, crashed] = counts;
        Self {
            surface_requests: SurfaceRequests { mcp, cli, webui, tray, unknown },
            builtin_tool_calls: BuiltinToolCalls { retrieve_tools, call_tool, telemetry_status },
            upstream_tool_calls: upstream,
            ended_clean: clean,
            ended_crashed: crashed,
            later: [0; LATER],
        }
    }

    /// Those that this program knows, and so may report.
    #[must_use]
    pub fn known(self) -> Self {
        Self { later: [0; LATER], ..self }
    }

    /// The sum of both, counter by counter; saturating.
    #[must_use]
    pub fn plus(self, other: Counters) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What is left when `other` was reported, counter by counter; never below 0.
    #[must_use]
    pub fn minus(self, other: Counters) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn zip(self, other: Counters, combine: impl Fn(u64, u64) -> u64) -> Self {
        let (mut known, mut later) = (self.to_array(), self.later);
        for (ours, theirs) in known.iter_mut().zip(other.to_array()) {
            *ours = combine(*ours, theirs);
        }
        for (ours, theirs) in later.iter_mut().zip(other.later) {
            *ours = combine(*ours, theirs);
        }
        Self { later, ..Self::from_array(known) }
    }
}

#[cfg(test)]
mod tests;
