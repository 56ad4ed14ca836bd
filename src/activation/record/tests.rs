//! Records come back as they went in, or not at all.

use super::*;
use crate::activation::codec::{FORMAT, checksum};
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
    state.live_tap =
        Some(LiveMark { autostart_enabled: None, server_protocol_counts: None, ..mark.clone() });
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
    assert_eq!(open(Key::Origin, seal(Key::Origin, &origin).value()), Ok(origin));
}

#[test]
fn a_record_does_not_pass_under_another_key_or_version() {
    let mut state = State::default();
    let serve = encode(&full(), Key::Serve).unwrap();
    assert_eq!(decode(&mut state, Key::Tap, Some(&serve)), Err(Damaged));
    let mut newer = serve;
    newer[0] = FORMAT + 1;
    assert_eq!(decode(&mut state, Key::Serve, Some(&newer)), Err(Damaged));
    assert_eq!(decode(&mut state, Key::Serve, Some(&[])), Err(Damaged));
}

proptest! {
    #[test]
    fn a_flipped_bit_is_always_noticed(part in 0..8_usize, at in any::<usize>(), bit in 0..8) {
        let key = Key::PARTS[part];
        let mut value = encode(&full(), key).unwrap();
        let at = at % value.len();
        value[at] ^= 1_u8 << bit;
        prop_assert_eq!(decode(&mut State::default(), key, Some(&value)), Err(Damaged));
    }

    #[test]
    fn any_bytes_under_a_good_checksum_are_read_or_refused(
        part in 0..8_usize,
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let key = Key::PARTS[part];
        let mut value = vec![FORMAT];
        value.extend_from_slice(&body);
        value.extend_from_slice(&checksum(key.bytes(), &value).to_le_bytes());
        let mut state = State::default();
        if decode(&mut state, key, Some(&value)).is_ok() {
            let again = encode(&state, key).unwrap();
            let mut twice = State::default();
            decode(&mut twice, key, Some(&again)).unwrap();
            prop_assert_eq!(twice, state);
        }
    }
}
