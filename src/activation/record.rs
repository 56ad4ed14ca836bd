//! How [`State`] lies in the store: one record for each part that changes on its own.
//!
//! One rule: every part has a key and a checksum of its own, and a mark writes only what it changes. LMDB's
//! pages can be checked for structure only; the checksum is what notices a flipped bit in a value.

use super::codec::{Damaged, Reader, Writer};
use super::state::{Counters, Funnel, Install, LiveMark, Pending, Sender};
use super::{HourlyWindow, State};
use crate::contract::{
    EnvKind, EnvMarkers, LaunchSource, MAX_CLIENTS, RoutingMode, ServerProtocolCounts,
};

/// The parts of [`State`], each under a key of its own, and where the store comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// [`Origin`]
    Origin,
    /// [`State::funnel`]
    Funnel,
    /// [`Windows`]
    Windows,
    /// [`State::counters`]
    Counters,
    /// [`State::sender`]
    Sender,
    /// [`State::pending`]
    Pending,
    /// [`State::install`]
    Install,
    /// [`State::live_serve`]
    Serve,
    /// [`State::live_tap`]
    Tap,
}

impl Key {
    /// Every part of [`State`].
    pub const PARTS: [Key; 8] = [
        Key::Funnel,
        Key::Windows,
        Key::Counters,
        Key::Sender,
        Key::Pending,
        Key::Install,
        Key::Serve,
        Key::Tap,
    ];
    /// What a checkpoint holds: everything but the marks of live processes.
    pub const KEPT: &'static [Key] = Self::PARTS.split_at(6).0;

    /// The key in the file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Key::Origin => b"origin",
            Key::Funnel => b"funnel",
            Key::Windows => b"windows",
            Key::Counters => b"counters",
            Key::Sender => b"sender",
            Key::Pending => b"pending",
            Key::Install => b"install",
            Key::Serve => b"serve",
            Key::Tap => b"tap",
        }
    }
}

/// Where a store comes from: written once, when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Random: tells two stores of one directory apart.
    pub generation: u64,
    /// When it was made.
    pub made_at: u64,
    /// It began with what the checkpoint held.
    pub restored: bool,
    /// When its damaged predecessor was put aside; 0 when there was none.
    pub quarantined_at: u64,
}

impl Origin {
    /// The origin among `records`, if it is there and good.
    pub fn find<'a>(records: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let (_, value) = records.into_iter().find(|(key, _)| *key == Key::Origin.bytes())?;
        open(Key::Origin, value).ok()
    }
}

/// Both windows: a discovery call moves them together.
#[derive(Default)]
pub struct Windows {
    /// [`State::discovery_calls`]
    pub discovery_calls: HourlyWindow,
    /// [`State::tokens_saved`]
    pub tokens_saved: HourlyWindow,
}

/// Something that is a record of its own.
pub trait Part: Sized {
    /// Writes the body of its record.
    fn write(&self, body: &mut Writer);
    /// The inverse of [`Self::write`].
    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged>;
    /// As [`Self::read`], into a fresh part: a large one is then made in its place and not moved there.
    fn read_into(&mut self, body: &mut Reader<'_>) -> Result<(), Damaged> {
        *self = Self::read(body)?;
        Ok(())
    }
}

/// The value of a part.
pub fn seal(key: Key, part: &impl Part) -> Writer {
    let mut body = Writer::start();
    part.write(&mut body);
    body.seal(key.bytes());
    body
}

/// The part that a value holds.
pub fn open<P: Part>(key: Key, value: &[u8]) -> Result<P, Damaged> {
    let mut body = Reader::open(key.bytes(), value)?;
    let part = P::read(&mut body)?;
    body.end(part)
}

/// Puts what a value holds into `part`, which must be as in a fresh store; without one it stays so.
pub fn open_into<P: Part>(part: &mut P, key: Key, value: Option<&[u8]>) -> Result<(), Damaged> {
    let Some(value) = value else { return Ok(()) };
    let mut body = Reader::open(key.bytes(), value)?;
    part.read_into(&mut body)?;
    body.end(())
}

/// The part that a value holds; without one, as it is in a fresh store.
fn open_or_default<P: Part + Default>(key: Key, value: Option<&[u8]>) -> Result<P, Damaged> {
    let mut part = P::default();
    open_into(&mut part, key, value)?;
    Ok(part)
}

/// The value of one part of `state`; `None` when the part is not there.
pub fn encode(state: &State, key: Key) -> Option<Vec<u8>> {
    let sealed = match key {
        Key::Origin => return None,
        Key::Funnel => seal(key, &state.funnel),
        Key::Windows => seal(
            key,
            &Windows {
                discovery_calls: state.discovery_calls.clone(),
                tokens_saved: state.tokens_saved.clone(),
            },
        ),
        Key::Counters => seal(key, &state.counters),
        Key::Sender => seal(key, &state.sender),
        Key::Pending => seal(key, state.pending.as_ref()?),
        Key::Install => seal(key, &state.install),
        Key::Serve => seal(key, state.live_serve.as_ref()?),
        Key::Tap => seal(key, state.live_tap.as_ref()?),
    };
    Some(sealed.value().to_vec())
}

/// Puts the value of one part into `state`; without a value the part is as in a fresh store.
pub fn decode(state: &mut State, key: Key, value: Option<&[u8]>) -> Result<(), Damaged> {
    match key {
        Key::Origin => {}
        Key::Funnel => state.funnel = open_or_default(key, value)?,
        Key::Windows => {
            let windows: Windows = open_or_default(key, value)?;
            state.discovery_calls = windows.discovery_calls;
            state.tokens_saved = windows.tokens_saved;
        }
        Key::Counters => state.counters = open_or_default(key, value)?,
        Key::Sender => state.sender = open_or_default(key, value)?,
        Key::Pending => state.pending = value.map(|value| open(key, value)).transpose()?,
        Key::Install => state.install = open_or_default(key, value)?,
        Key::Serve => state.live_serve = value.map(|value| open(key, value)).transpose()?,
        Key::Tap => state.live_tap = value.map(|value| open(key, value)).transpose()?,
    }
    Ok(())
}

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

impl Part for Funnel {
    fn write(&self, body: &mut Writer) {
        body.flag(self.connected_server);
        body.flag(self.mcp_client);
        body.flag(self.retrieve_tools_call);
        body.number(self.clients.len() as u64);
        self.clients.iter().for_each(|client| body.text(client));
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [connected_server, mcp_client, retrieve_tools_call] =
            [body.flag()?, body.flag()?, body.flag()?];
        let count = body.number()?;
        if count > MAX_CLIENTS as u64 {
            return Err(Damaged);
        }
        let clients = (0..count).map(|_| body.text()).collect::<Result<_, _>>()?;
        Ok(Self { connected_server, mcp_client, retrieve_tools_call, clients })
    }
}

/// Behind the last bucket of a window: no hour is that late.
const END: u64 = u64::MAX;

impl Part for Windows {
    fn write(&self, body: &mut Writer) {
        for window in [&self.discovery_calls, &self.tokens_saved] {
            for (hour, count) in window.buckets() {
                body.numbers([hour, count]);
            }
            body.number(END);
        }
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let mut windows = Self::default();
        windows.read_into(body)?;
        Ok(windows)
    }

    fn read_into(&mut self, body: &mut Reader<'_>) -> Result<(), Damaged> {
        for window in [&mut self.discovery_calls, &mut self.tokens_saved] {
            loop {
                let hour = body.number()?;
                if hour == END {
                    break;
                }
                if !window.restore(hour, body.number()?) {
                    return Err(Damaged);
                }
            }
        }
        Ok(())
    }
}

impl Part for Counters {
    fn write(&self, body: &mut Writer) {
        body.numbers(self.to_array());
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        body.numbers().map(Self::from_array)
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
        body.numbers(self.counters.to_array());
        body.flag(self.installer);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            bytes: body.bytes()?.to_vec(),
            made_at: body.number()?,
            anonymous_id: body.text()?,
            anonymous_id_created_at: body.text()?,
            version: body.text()?,
            previous_version: body.text()?,
            counters: Counters::from_array(body.numbers()?),
            installer: body.flag()?,
        })
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
        body.numbers([self.nonce, self.at, self.started_at]);
        body.text(self.launch_source.as_str());
        body.option(self.autostart_enabled.map(u64::from));
        body.text(self.env_kind.as_str());
        let markers = self.env_markers;
        body.flag(markers.has_ci_env);
        body.flag(markers.has_cloud_ide_env);
        body.flag(markers.is_container);
        body.flag(markers.has_tty);
        body.flag(markers.has_display);
        body.text(self.routing_mode.as_str());
        body.option(self.server_count);
        body.option(self.connected_server_count);
        body.option(self.tool_count);
        body.flag(self.server_protocol_counts.is_some());
        if let Some(counts) = self.server_protocol_counts {
            let ServerProtocolCounts { stdio, http, sse, streamable_http, auto } = counts;
            body.numbers([stdio, http, sse, streamable_http, auto]);
        }
        body.number(self.configured_ide_count);
    }

    fn read(body: &mut Reader<'_>) -> Result<Self, Damaged> {
        let [nonce, at, started_at] = body.numbers()?;
        Ok(Self {
            nonce,
            at,
            started_at,
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
            routing_mode: body.term(RoutingMode::from_spelling)?,
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
        })
    }
}

#[cfg(test)]
mod tests;
