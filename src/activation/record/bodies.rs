//! The body of each record, field by field.
//!
//! One rule: a layout never changes; a new field is the last line of `write` and of `read`, by `add` and `added`.
//! See "Change a record" in CONTRIBUTING.md.

use super::{Origin, Part, Windows};
use crate::activation::codec::{Damaged, Reader, Writer};
use crate::activation::state::{
    Counters, Funnel, Install, LATER, Pending, Retired, Second, Sender,
};
use crate::activation::{
    ActiveDays, Days, HourlyWindow, LiveCounts, LiveMark, LiveProcess, Standing, State,
};
use crate::contract::{
    AgentEnv, EnvKind, EnvMarkers, LaunchSource, MAX_CLIENTS, RoutingMode, ServerProtocolCounts,
};

impl Part for Origin {
    fn write(&self, body: &mut Writer) {
        body.number(self.generation);
        body.number(self.made_at);
        body.flag(self.restored);
        body.number(self.quarantined_at);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            generation: body.number()?,
            made_at: body.number()?,
            restored: body.flag()?,
            quarantined_at: body.number()?,
        })
    }
}

/// The bit of [`Funnel::real_tool_call`] among the flags behind the clients; the next one is the next flag's.
const REAL_TOOL_CALL: u64 = 1;

impl Part for Funnel {
    fn write(&self, body: &mut Writer) {
        body.flag(self.connected_server);
        body.flag(self.mcp_client);
        body.flag(self.retrieve_tools_call);
        body.number(self.clients.len() as u64);
        self.clients.iter().for_each(|client| body.text(client));
        let real_tool_call = if self.real_tool_call { REAL_TOOL_CALL } else { 0 };
        let flags = self.later_flags | real_tool_call;
        body.add(flags != 0, |body| body.number(flags));
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [connected_server, mcp_client, retrieve_tools_call] =
            [body.flag()?, body.flag()?, body.flag()?];
        let count = body.number()?;
        if count > MAX_CLIENTS as u64 {
            return Err(Damaged);
        }
        let clients = (0..count).map(|_| body.text()).collect::<Result<_, _>>()?;
        let flags = body.added(Reader::number)?;
        Ok(Self {
            connected_server,
            mcp_client,
            retrieve_tools_call,
            real_tool_call: flags & REAL_TOOL_CALL != 0,
            clients,
            later_flags: flags & !REAL_TOOL_CALL,
        })
    }
}

/// Behind the last bucket of a window: no hour is that late.
const END: u64 = u64::MAX;

impl Windows {
    /// Puts both where a state has them.
    pub fn put_into(self, state: &mut State) {
        state.discovery_calls = self.discovery_calls;
        state.tokens_saved = self.tokens_saved;
    }

    fn both(&mut self) -> [&mut HourlyWindow; 2] {
        [&mut self.discovery_calls, &mut self.tokens_saved]
    }

    /// Adds `counts` to the last bucket of each window in the body of their record; false when that is not the
    /// bucket of `now`, or an older one has to go.
    pub fn raise(body: &mut [u8], now: u64, counts: [u64; 2]) -> bool {
        let (numbers, rest) = body.as_chunks_mut::<8>();
        if !rest.is_empty() || numbers.last().is_none_or(|last| u64::from_le_bytes(*last) != END) {
            return false;
        }
        let mut numbers = numbers.iter_mut();
        counts.into_iter().all(|count| {
            let mut last = None;
            loop {
                match numbers.next().map(|hour| u64::from_le_bytes(*hour)) {
                    None => return false,
                    Some(END) => break,
                    Some(hour) => {
                        if !HourlyWindow::keeps(hour, now) {
                            return false;
                        }
                        last = numbers.next().map(|bucket| (hour, bucket));
                    }
                }
            }
            match last {
                _ if count == 0 => true,
                Some((hour, bucket)) if HourlyWindow::is_of(hour, now) => {
                    add(bucket, count);
                    true
                }
                _ => false,
            }
        })
    }
}

/// Adds to a number where it stands.
fn add(number: &mut [u8; 8], count: u64) {
    *number = u64::from_le_bytes(*number).saturating_add(count).to_le_bytes();
}

impl Part for Windows {
    /// The first commits kept each window in a record of its own.
    const FORMER: &'static [&'static [u8]] = &[b"calls", b"tokens"];

    fn write(&self, body: &mut Writer) {
        for window in [&self.discovery_calls, &self.tokens_saved] {
            write_window(window, body);
        }
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let mut windows = Self::default();
        windows.read_into(body)?;
        Ok(windows)
    }

    fn read_into(&mut self, body: &mut Reader<'_>) -> Result<(), Damaged> {
        if !body.ends_with(END) {
            return self
                .both()
                .into_iter()
                .try_for_each(|window| read_counted(window, body, false));
        }
        self.both().into_iter().try_for_each(|window| read_window(window, body))
    }

    fn take_over(&mut self, former: &[u8], value: &[u8]) -> Result<(), Damaged> {
        let mut body = Reader::open(former, value, Self::LAYOUT)?;
        let place = Self::FORMER.iter().position(|name| *name == former).ok_or(Damaged)?;
        let [calls, tokens] = self.both();
        read_counted(if place == 0 { calls } else { tokens }, &mut body, true)?;
        body.end().map(|_| ())
    }
}

/// The buckets of a window, and its end.
pub fn write_window(window: &HourlyWindow, body: &mut Writer) {
    for (hour, count) in window.buckets() {
        body.numbers([hour, count]);
    }
    body.number(END);
}

/// The inverse of [`write_window`], into an empty window.
pub fn read_window(window: &mut HourlyWindow, body: &mut Reader<'_>) -> Result<(), Damaged> {
    loop {
        let hour = body.number()?;
        if hour == END {
            return Ok(());
        }
        if !window.restore(hour, body.number()?) {
            return Err(Damaged);
        }
    }
}

/// A window as the first commits wrote it: how many buckets there are, then the buckets. `packed` ones were
/// stamped with the hours since the bucket before at first, and soon with their own hour: that one is large.
fn read_counted(
    window: &mut HourlyWindow,
    body: &mut Reader<'_>,
    packed: bool,
) -> Result<(), Damaged> {
    /// Later than any bucket comes after another, and long before the first of these programs ran.
    const FAR: u64 = 100_000;
    let mut before = 0_u64;
    for _ in 0..body.number()? {
        let [hour, count] = body.numbers()?;
        before = if packed && hour < FAR { before + hour } else { hour };
        if before >= END / 2 || !window.restore(before, count) {
            return Err(Damaged);
        }
    }
    Ok(())
}

/// Counters in layout 1. Those behind them are additions, of this program or a later one.
const FIRST: usize = 9;
const ADDED: usize = Counters::COUNT + LATER - FIRST;

/// Copies and no loops, here and below: an event is on the clock.
fn split(counters: &Counters) -> ([u64; FIRST], [u64; ADDED]) {
    let (mut first, mut added) = ([0; FIRST], [0; ADDED]);
    let known = counters.to_array();
    let (layout, ours) = known.split_at(FIRST);
    first.copy_from_slice(layout);
    let (place, rest) = added.split_at_mut(ours.len());
    place.copy_from_slice(ours);
    rest.copy_from_slice(&counters.later);
    (first, added)
}

fn join(first: [u64; FIRST], added: [u64; ADDED]) -> Counters {
    let (mut known, mut later) = ([0; Counters::COUNT], [0; LATER]);
    let (layout, ours) = known.split_at_mut(FIRST);
    layout.copy_from_slice(&first);
    let (place, rest) = added.split_at(ours.len());
    ours.copy_from_slice(place);
    later.copy_from_slice(rest);
    Counters { later, ..Counters::from_array(known) }
}

/// Those up to the last that has counted anything.
fn counting(added: &[u64; ADDED]) -> &[u64] {
    let end = added.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
    added.get(..end).unwrap_or_default()
}

impl Counters {
    /// Adds `more` to the body of the record; false when that holds no place for one of them.
    pub fn raise(body: &mut [u8], more: &Counters) -> bool {
        let (first, added) = split(more);
        if added != [0; ADDED] {
            return false;
        }
        let (numbers, rest) = body.as_chunks_mut::<8>();
        if numbers.len() != FIRST || !rest.is_empty() {
            return false;
        }
        for (number, count) in numbers.iter_mut().zip(first).filter(|(_, count)| *count != 0) {
            add(number, count);
        }
        true
    }
}

impl Part for Counters {
    fn write(&self, body: &mut Writer) {
        let (first, added) = split(self);
        body.numbers(first);
        if added != [0; ADDED] {
            counting(&added).iter().for_each(|count| body.add(true, |body| body.number(*count)));
        }
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let first = body.numbers()?;
        let mut added = [0; ADDED];
        if body.has_more() {
            for count in &mut added {
                *count = body.added(Reader::number)?;
            }
        }
        // More than could be subtracted: better left alone.
        if body.has_more() { Err(Damaged) } else { Ok(join(first, added)) }
    }
}

impl Part for Days {
    fn write(&self, body: &mut Writer) {
        let (newest, mask) = self.active.parts();
        body.numbers([newest, mask, self.first, self.real_tool_call_at]);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [newest, mask, first, real_tool_call_at] = body.numbers()?;
        Ok(Self { active: ActiveDays::of_parts(newest, mask), first, real_tool_call_at })
    }
}

impl Part for Sender {
    fn write(&self, body: &mut Writer) {
        body.numbers([
            self.first_start,
            self.initial_delay,
            self.last_success,
            self.last_attempt,
            u64::from(self.failures),
            self.retry_after,
            self.lease_owner,
            self.lease_until,
        ]);
        body.add(self.timestamp != 0, |body| body.number(self.timestamp));
        body.add(self.timestamp_of != 0, |body| body.number(self.timestamp_of));
        body.add(self.last_start != 0, |body| body.number(self.last_start));
        body.add(self.second != Second::None, |body| body.number(self.second as u64));
        let [newer, older] = self.retired;
        let retired = [newer.version, newer.at, older.version, older.at];
        body.add(retired != [0; 4], |body| body.numbers(retired));
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [
            first_start,
            initial_delay,
            last_success,
            last_attempt,
            failures,
            retry_after,
            lease_owner,
            lease_until,
        ] = body.numbers()?;
        Ok(Self {
            first_start,
            initial_delay,
            last_success,
            last_attempt,
            failures: u32::try_from(failures).map_err(|_| Damaged)?,
            retry_after,
            lease_owner,
            lease_until,
            timestamp: body.added(Reader::number)?,
            timestamp_of: body.added(Reader::number)?,
            last_start: body.added(Reader::number)?,
            second: match body.added(Reader::number)? {
                1 => Second::Open,
                2 => Second::Pending,
                _ => Second::None,
            },
            retired: body.added(|body| {
                let [version, at, older, before] = body.numbers()?;
                Ok([Retired { version, at }, Retired { version: older, at: before }])
            })?,
        })
    }
}

impl Part for Pending {
    fn write(&self, body: &mut Writer) {
        body.bytes(&self.bytes);
        body.number(self.made_at);
        body.text(&self.anonymous_id);
        body.text(&self.anonymous_id_created_at);
        body.text(&self.version);
        body.text(&self.previous_version);
        let (first, added) = split(&self.counters);
        body.numbers(first);
        body.flag(self.installer);
        let added = counting(&added);
        body.add(!added.is_empty(), |body| {
            body.number(added.len() as u64);
            added.iter().for_each(|count| body.number(*count));
        });
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let mut pending = Self {
            bytes: body.bytes()?.to_vec(),
            made_at: body.number()?,
            anonymous_id: body.text()?,
            anonymous_id_created_at: body.text()?,
            version: body.text()?,
            previous_version: body.text()?,
            ..Self::default()
        };
        let first = body.numbers()?;
        pending.installer = body.flag()?;
        let added = body.added(|field| {
            let (count, mut added) = (field.number()?, [0; ADDED]);
            for place in 0..count {
                let place = usize::try_from(place).ok().and_then(|place| added.get_mut(place));
                *place.ok_or(Damaged)? = field.number()?;
            }
            Ok(added)
        })?;
        pending.counters = join(first, added);
        Ok(pending)
    }
}

impl Part for Install {
    fn write(&self, body: &mut Writer) {
        body.text(&self.current_version);
        body.text(&self.previous_version);
        body.number(self.notice_shown_at);
        body.flag(self.installer_pending);
        body.text(&self.installer_stamp);
        body.number(self.anonymity_violations);
        body.text(&self.anonymous_id);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            current_version: body.text()?,
            previous_version: body.text()?,
            notice_shown_at: body.number()?,
            installer_pending: body.flag()?,
            installer_stamp: body.text()?,
            anonymity_violations: body.number()?,
            anonymous_id: body.text()?,
        })
    }
}

impl Part for LiveMark {
    fn write(&self, body: &mut Writer) {
        let Self { nonce, at, started_at, routing_mode, process, counts } = self;
        body.numbers([*nonce, *at, *started_at]);
        body.text(process.launch_source.as_str());
        body.option(process.autostart_enabled.map(u64::from));
        body.text(process.env_kind.as_str());
        let markers = process.env_markers;
        body.flag(markers.has_ci_env);
        body.flag(markers.has_cloud_ide_env);
        body.flag(markers.is_container);
        body.flag(markers.has_tty);
        body.flag(markers.has_display);
        body.text(routing_mode.as_str());
        body.option(counts.server_count);
        body.option(counts.connected_server_count);
        body.option(counts.tool_count);
        body.flag(counts.server_protocol_counts.is_some());
        if let Some(protocols) = counts.server_protocol_counts {
            let ServerProtocolCounts { stdio, http, sse, streamable_http, auto } = protocols;
            body.numbers([stdio, http, sse, streamable_http, auto]);
        }
        body.number(counts.configured_ide_count);
        let is_agents = process.agent_env != AgentEnv::None;
        body.add(is_agents, |body| body.text(process.agent_env.as_str()));
        #[cfg(feature = "serve")]
        counts.current_error_codes.add_to(body);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [nonce, at, started_at] = body.numbers()?;
        let mut process = LiveProcess {
            launch_source: body.term(LaunchSource::from_spelling)?,
            autostart_enabled: body.option()?.map(|enabled| enabled != 0),
            env_kind: body.term(EnvKind::from_spelling)?,
            env_markers: EnvMarkers {
                has_ci_env: body.flag()?,
                has_cloud_ide_env: body.flag()?,
                is_container: body.flag()?,
                has_tty: body.flag()?,
                has_display: body.flag()?,
            },
            agent_env: AgentEnv::None,
        };
        let routing_mode = body.term(RoutingMode::from_spelling)?;
        let counts = LiveCounts {
            server_count: body.option()?,
            connected_server_count: body.option()?,
            tool_count: body.option()?,
            server_protocol_counts: if body.flag()? {
                let [stdio, http, sse, streamable_http, auto] = body.numbers()?;
                Some(ServerProtocolCounts { stdio, http, sse, streamable_http, auto })
            } else {
                None
            },
            configured_ide_count: body.number()?,
            current_error_codes: Standing::default(),
        };
        // An environment that only a later program knows is as good as none: the mark does not outlive its process.
        let agent = AgentEnv::from_spelling(&body.added(Reader::text)?);
        process.agent_env = agent.unwrap_or(AgentEnv::None);
        #[cfg(feature = "serve")]
        let counts = LiveCounts { current_error_codes: Standing::added_to(body)?, ..counts };
        Ok(Self { nonce, at, started_at, routing_mode, process, counts })
    }
}
