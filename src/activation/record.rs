//! How [`State`] lies in the store: one record for each part that changes on its own.
//!
//! One rule: every part has a key and a checksum of its own, and a mark writes only what it changes. LMDB's
//! pages can be checked for structure only; the checksum is what notices a flipped bit in a value.

use super::codec::{Damaged, Reader, Writer};
use super::state::{Counters, Install, LiveMark, Pending, Sender};
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
    /// [`State::discovery_calls`]
    Calls,
    /// [`State::tokens_saved`]
    Tokens,
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
    pub const PARTS: [Key; 9] = [
        Key::Funnel,
        Key::Calls,
        Key::Tokens,
        Key::Counters,
        Key::Sender,
        Key::Pending,
        Key::Install,
        Key::Serve,
        Key::Tap,
    ];
    /// What a checkpoint holds: everything but the marks of live processes.
    pub const KEPT: &'static [Key] = Self::PARTS.split_at(7).0;

    /// The key in the file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Key::Origin => b"origin",
            Key::Funnel => b"funnel",
            Key::Calls => b"calls",
            Key::Tokens => b"tokens",
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
    /// The value of [`Key::Origin`].
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Writer::start();
        body.number(self.generation);
        body.number(self.made_at);
        body.flag(self.restored);
        body.number(self.quarantined_at);
        body.seal(Key::Origin.bytes())
    }

    /// The inverse of [`Self::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Damaged> {
        let mut body = Reader::open(Key::Origin.bytes(), value)?;
        let origin = Self {
            generation: body.number()?,
            made_at: body.number()?,
            restored: body.flag()?,
            quarantined_at: body.number()?,
        };
        body.end(origin)
    }
}

/// The value of one part of `state`; `None` when the part is not there.
pub fn encode(state: &State, key: Key) -> Option<Vec<u8>> {
    let mut body = Writer::start();
    match key {
        Key::Origin => return None,
        Key::Funnel => {
            let funnel = &state.funnel;
            body.flag(funnel.connected_server);
            body.flag(funnel.mcp_client);
            body.flag(funnel.retrieve_tools_call);
            body.number(funnel.clients.len() as u64);
            funnel.clients.iter().for_each(|client| body.text(client));
        }
        Key::Calls => body.window(&state.discovery_calls),
        Key::Tokens => body.window(&state.tokens_saved),
        Key::Counters => body.numbers(&state.counters.to_array()),
        Key::Sender => body.sender(&state.sender),
        Key::Pending => body.pending(state.pending.as_ref()?),
        Key::Install => body.install(&state.install),
        Key::Serve => body.live_mark(state.live_serve.as_ref()?),
        Key::Tap => body.live_mark(state.live_tap.as_ref()?),
    }
    Some(body.seal(key.bytes()))
}

/// Puts the value of one part into `state`; without a value the part is as in a fresh store.
pub fn decode(state: &mut State, key: Key, value: Option<&[u8]>) -> Result<(), Damaged> {
    let Some(value) = value else {
        let fresh = State::default();
        match key {
            Key::Origin => {}
            Key::Funnel => state.funnel = fresh.funnel,
            Key::Calls => state.discovery_calls = fresh.discovery_calls,
            Key::Tokens => state.tokens_saved = fresh.tokens_saved,
            Key::Counters => state.counters = fresh.counters,
            Key::Sender => state.sender = fresh.sender,
            Key::Pending => state.pending = None,
            Key::Install => state.install = fresh.install,
            Key::Serve => state.live_serve = None,
            Key::Tap => state.live_tap = None,
        }
        return Ok(());
    };
    let mut body = Reader::open(key.bytes(), value)?;
    match key {
        Key::Origin => return Origin::decode(value).map(|_| ()),
        Key::Funnel => {
            let funnel = &mut state.funnel;
            funnel.connected_server = body.flag()?;
            funnel.mcp_client = body.flag()?;
            funnel.retrieve_tools_call = body.flag()?;
            let count = body.number()?;
            if count > MAX_CLIENTS as u64 {
                return Err(Damaged);
            }
            funnel.clients = (0..count).map(|_| body.text()).collect::<Result<_, _>>()?;
        }
        Key::Calls => state.discovery_calls = body.window()?,
        Key::Tokens => state.tokens_saved = body.window()?,
        Key::Counters => state.counters = Counters::from_array(body.numbers()?),
        Key::Sender => state.sender = body.sender()?,
        Key::Pending => state.pending = Some(body.pending()?),
        Key::Install => state.install = body.install()?,
        Key::Serve => state.live_serve = Some(body.live_mark()?),
        Key::Tap => state.live_tap = Some(body.live_mark()?),
    }
    body.end(())
}

impl Writer {
    fn window(&mut self, window: &HourlyWindow) {
        let buckets = window.buckets();
        self.number(buckets.len() as u64);
        let mut previous = 0;
        for (hour, count) in buckets {
            self.number(hour - previous);
            self.number(count);
            previous = hour;
        }
    }

    fn sender(&mut self, sender: &Sender) {
        self.numbers(&[
            sender.first_start,
            sender.initial_delay,
            sender.last_success,
            sender.last_attempt,
            u64::from(sender.failures),
            sender.retry_after,
            sender.lease_owner,
            sender.lease_until,
        ]);
    }

    fn pending(&mut self, pending: &Pending) {
        self.bytes(&pending.bytes);
        self.number(pending.made_at);
        self.text(&pending.anonymous_id);
        self.text(&pending.anonymous_id_created_at);
        self.text(&pending.version);
        self.text(&pending.previous_version);
        self.numbers(&pending.counters.to_array());
        self.flag(pending.installer);
    }

    fn install(&mut self, install: &Install) {
        self.text(&install.current_version);
        self.text(&install.previous_version);
        self.number(install.notice_shown_at);
        self.flag(install.installer_pending);
        self.text(&install.installer_stamp);
        self.number(install.anonymity_violations);
        self.text(&install.anonymous_id);
    }

    fn live_mark(&mut self, mark: &LiveMark) {
        self.numbers(&[mark.nonce, mark.at, mark.started_at]);
        self.text(mark.launch_source.as_str());
        self.option(mark.autostart_enabled.map(u64::from));
        self.text(mark.env_kind.as_str());
        let markers = mark.env_markers;
        self.flag(markers.has_ci_env);
        self.flag(markers.has_cloud_ide_env);
        self.flag(markers.is_container);
        self.flag(markers.has_tty);
        self.flag(markers.has_display);
        self.text(mark.routing_mode.as_str());
        self.option(mark.server_count);
        self.option(mark.connected_server_count);
        self.option(mark.tool_count);
        self.flag(mark.server_protocol_counts.is_some());
        if let Some(counts) = mark.server_protocol_counts {
            let ServerProtocolCounts { stdio, http, sse, streamable_http, auto } = counts;
            self.numbers(&[stdio, http, sse, streamable_http, auto]);
        }
        self.number(mark.configured_ide_count);
    }
}

impl Reader<'_> {
    fn window(&mut self) -> Result<HourlyWindow, Damaged> {
        let mut window = HourlyWindow::default();
        let mut hour = 0_u64;
        for _ in 0..self.number()? {
            hour = hour.checked_add(self.number()?).ok_or(Damaged)?;
            if !window.restore(hour, self.number()?) {
                return Err(Damaged);
            }
        }
        Ok(window)
    }

    fn sender(&mut self) -> Result<Sender, Damaged> {
        let [
            first_start,
            initial_delay,
            last_success,
            last_attempt,
            failures,
            retry_after,
            lease_owner,
            lease_until,
        ] = self.numbers()?;
        Ok(Sender {
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

    fn pending(&mut self) -> Result<Pending, Damaged> {
        Ok(Pending {
            bytes: self.bytes()?.to_vec(),
            made_at: self.number()?,
            anonymous_id: self.text()?,
            anonymous_id_created_at: self.text()?,
            version: self.text()?,
            previous_version: self.text()?,
            counters: Counters::from_array(self.numbers()?),
            installer: self.flag()?,
        })
    }

    fn install(&mut self) -> Result<Install, Damaged> {
        Ok(Install {
            current_version: self.text()?,
            previous_version: self.text()?,
            notice_shown_at: self.number()?,
            installer_pending: self.flag()?,
            installer_stamp: self.text()?,
            anonymity_violations: self.number()?,
            anonymous_id: self.text()?,
        })
    }

    fn live_mark(&mut self) -> Result<LiveMark, Damaged> {
        let [nonce, at, started_at] = self.numbers()?;
        Ok(LiveMark {
            nonce,
            at,
            started_at,
            launch_source: self.term(LaunchSource::from_spelling)?,
            autostart_enabled: self.option()?.map(|enabled| enabled != 0),
            env_kind: self.term(EnvKind::from_spelling)?,
            env_markers: EnvMarkers {
                has_ci_env: self.flag()?,
                has_cloud_ide_env: self.flag()?,
                is_container: self.flag()?,
                has_tty: self.flag()?,
                has_display: self.flag()?,
            },
            routing_mode: self.term(RoutingMode::from_spelling)?,
            server_count: self.option()?,
            connected_server_count: self.option()?,
            tool_count: self.option()?,
            server_protocol_counts: if self.flag()? {
                let [stdio, http, sse, streamable_http, auto] = self.numbers()?;
                Some(ServerProtocolCounts { stdio, http, sse, streamable_http, auto })
            } else {
                None
            },
            configured_ide_count: self.number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::{FORMAT, crc32};
    use super::*;
    use proptest::prelude::*;

    fn full() -> State {
        let mut state = State::default();
        state.funnel.connected_server = true;
        state.funnel.clients = vec!["claude-code".to_owned(), "unknown".to_owned()];
        for hour in 0..24 {
            state.discovery_calls.add(1_790_000_000 + hour * 3600, hour + 1);
        }
        state.tokens_saved.add(u64::MAX, u64::MAX);
        state.counters = Counters::from_array([1, 2, 3, 4, 5, 6, 7, 8, u64::MAX]);
        state.sender = Sender {
            first_start: 1,
            initial_delay: 300,
            last_success: 3,
            last_attempt: 4,
            failures: u32::MAX,
            retry_after: 6,
            lease_owner: u64::MAX,
            lease_until: 8,
        };
        state.pending = Some(Pending {
            bytes: vec![0xff; 8192],
            made_at: 9,
            anonymous_id: "id".to_owned(),
            anonymous_id_created_at: "created".to_owned(),
            version: "v1.2.3".to_owned(),
            previous_version: "v1.2.2".to_owned(),
            counters: Counters::from_array([9; 9]),
            installer: true,
        });
        state.install = Install {
            current_version: "v1.2.3".to_owned(),
            previous_version: String::new(),
            notice_shown_at: 10,
            installer_pending: true,
            installer_stamp: "stamp".to_owned(),
            anonymity_violations: 11,
            anonymous_id: "id".to_owned(),
        };
        let mark = LiveMark {
            nonce: 12,
            at: 13,
            started_at: 14,
            launch_source: LaunchSource::LoginItem,
            autostart_enabled: Some(false),
            env_kind: EnvKind::CloudIde,
            env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
            routing_mode: RoutingMode::RetrieveTools,
            server_count: Some(15),
            connected_server_count: None,
            tool_count: Some(u64::MAX),
            server_protocol_counts: Some(ServerProtocolCounts { auto: 5, ..Default::default() }),
            configured_ide_count: 16,
        };
        state.live_tap = Some(LiveMark {
            autostart_enabled: None,
            server_protocol_counts: None,
            ..mark.clone()
        });
        state.live_serve = Some(mark);
        state
    }

    #[test]
    fn every_part_survives_the_way_through_its_record() {
        for original in [State::default(), full()] {
            let mut state = full();
            for key in Key::PARTS {
                let value = encode(&original, key);
                decode(&mut state, key, value.as_deref()).unwrap();
            }
            assert_eq!(state, original);
        }
        let origin = Origin { generation: 1, made_at: 2, restored: true, quarantined_at: 3 };
        assert_eq!(Origin::decode(&origin.encode()), Ok(origin));
    }

    #[test]
    fn a_record_does_not_pass_under_another_key_or_version() {
        let mut state = State::default();
        let calls = encode(&full(), Key::Calls).unwrap();
        assert_eq!(decode(&mut state, Key::Tokens, Some(&calls)), Err(Damaged));
        let mut newer = calls;
        newer[0] = FORMAT + 1;
        assert_eq!(decode(&mut state, Key::Calls, Some(&newer)), Err(Damaged));
        assert_eq!(decode(&mut state, Key::Calls, Some(&[])), Err(Damaged));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_always_noticed(part in 0..9_usize, at in any::<usize>(), bit in 0..8) {
            let key = Key::PARTS[part];
            let mut value = encode(&full(), key).unwrap();
            let at = at % value.len();
            value[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(&mut State::default(), key, Some(&value)), Err(Damaged));
        }

        #[test]
        fn any_bytes_under_a_good_checksum_are_read_or_refused(
            part in 0..9_usize,
            body in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let key = Key::PARTS[part];
            let mut value = vec![FORMAT];
            value.extend_from_slice(&body);
            value.extend_from_slice(&crc32(&[key.bytes(), &value]).to_le_bytes());
            let mut state = State::default();
            if decode(&mut state, key, Some(&value)).is_ok() {
                let again = encode(&state, key).unwrap();
                let mut twice = State::default();
                decode(&mut twice, key, Some(&again)).unwrap();
                prop_assert_eq!(twice, state);
            }
        }
    }
}
