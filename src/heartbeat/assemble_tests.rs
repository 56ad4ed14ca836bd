//! Tests of `assemble`.

use super::*;
use crate::activation::{DAY, Ending, LiveCounts, LiveMark, LiveProcess, Mark};
use crate::contract::{
    AgentEnv, BuiltinToolCalls, EnvKind, EnvMarkers, RoutingMode, SurfaceRequests,
};
use crate::heartbeat::live::live_host;
use crate::heartbeat::timing::LIVE_FOR;

const NOW: u64 = 1_800_000_000;

fn identity() -> Identity {
    Identity {
        anonymous_id: "A1B2c3d4-0000-1000-8000-00805F9B34FB".into(),
        created_at: "2026-11-22T14:46:00Z".into(),
        rotated_from: None,
        carried_over: false,
    }
}

fn notes() -> Product {
    Product { name: "notes-mcp".into(), version: "1.4.0".into() }
}

fn mark(at: u64, routing_mode: RoutingMode) -> LiveMark {
    LiveMark {
        nonce: 1,
        at,
        started_at: NOW - 2 * 3600 - 3599,
        routing_mode,
        process: LiveProcess {
            launch_source: LaunchSource::Cli,
            autostart_enabled: None,
            env_kind: EnvKind::Interactive,
            env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
            agent_env: AgentEnv::Sandbox,
        },
        counts: LiveCounts {
            server_count: Some(4),
            connected_server_count: Some(3),
            configured_ide_count: 2,
            ..LiveCounts::default()
        },
    }
}

fn live() -> Live {
    Live::from(&mark(NOW, RoutingMode::Direct))
}

fn policy(values: &[&str], known_only: bool) -> ClientPolicy {
    ClientPolicy { private: PrivateWords::new(values, &[] as &[&str]), known_only }
}

fn with_clients(names: &[&str]) -> State {
    let mut state = State::default();
    state.funnel.clients = names.iter().map(|name| (*name).to_owned()).collect();
    state
}

fn of(state: &State) -> Payload {
    assemble(&notes(), state, &identity(), &live(), &policy(&[], false), NOW)
}

#[test]
fn a_payload_carries_identity_state_and_live_fields() {
    let mut state = with_clients(&["claude-code"]);
    state.funnel.mcp_client = true;
    state.counters = Counters {
        surface_requests: SurfaceRequests { mcp: 9, ..SurfaceRequests::default() },
        builtin_tool_calls: BuiltinToolCalls { call_tool: 3, ..BuiltinToolCalls::default() },
        upstream_tool_calls: 11,
        ..Counters::default()
    };
    state.discovery_calls.add(NOW - 25 * 3600, 5);
    state.discovery_calls.add(NOW - 3600, 2);
    state.tokens_saved.add(NOW, 101);
    let payload = of(&state);
    assert_eq!(payload.anonymous_id, identity().anonymous_id);
    assert_eq!(payload.anonymous_id_created_at, "2026-11-22T00:00:00Z", "its day only");
    assert_eq!(payload.product, notes());
    assert_eq!(payload.agent_env, AgentEnv::Sandbox, "of the live host");
    assert_eq!(payload.timestamp, "2027-01-15T08:00:00Z");
    assert_eq!(payload.uptime_hours, Some(2));
    assert_eq!(payload.surface_requests.map(|requests| requests.mcp), Some(9));
    assert_eq!(payload.upstream_tool_call_count_bucket, Some(CallBucket::UpTo100));
    assert_eq!((payload.server_count, payload.tool_count), (Some(4), None));
    let activation = payload.activation;
    assert!(activation.first_mcp_client_ever && !activation.first_connected_server_ever);
    assert_eq!(activation.retrieve_tools_calls_24h, 2);
    assert_eq!(activation.estimated_tokens_saved_24h_bucket, TokensBucket::UpTo1k);
    assert_eq!(activation.configured_ide_count, 2);
}

#[test]
fn installer_lies_over_the_launch_source_until_it_is_cleared() {
    let mut state = State::default();
    assert_eq!(of(&state).launch_source, LaunchSource::Cli);
    state.install.installer_pending = true;
    assert_eq!(of(&state).launch_source, LaunchSource::Installer);
    let stored = pending(&notes(), &state, &identity(), &live(), &policy(&[], false), NOW);
    assert!(stored.installer);
}

#[test]
fn a_name_that_became_private_does_not_silence_the_install() {
    let state = with_clients(&["claude-code", "tims-own-client", "acme-client"]);
    let names = |policy: &ClientPolicy| {
        assemble(&notes(), &state, &identity(), &live(), policy, NOW)
            .activation
            .mcp_clients_seen_ever
    };
    assert_eq!(names(&policy(&[], false)), ["claude-code", "tims-own-client", "acme-client"]);
    assert_eq!(names(&policy(&["acme"], false)), ["claude-code", "tims-own-client", "unknown"]);
    assert_eq!(names(&policy(&[], true)), ["claude-code", "unknown"]);
}

#[test]
fn what_is_assembled_passes_the_gate() {
    let mut state = with_clients(&["claude-code", "unknown", "acme-client"]);
    state.install.current_version = "v0.0.9".into();
    let policy = policy(&["acme", "linux", "2027"], false);
    let stored = pending(&notes(), &state, &identity(), &live(), &policy, NOW);
    // Bytes that wait are of the version that ran when they were made.
    let newer = Product { version: "1.4.1".into(), ..notes() };
    let own = own(&stored, &newer, &identity());
    assert_eq!(own.product, notes());
    let other = Product { name: "mail-mcp".into(), ..notes() };
    let others = super::own(&stored, &other, &identity());
    assert!(gate::check(&stored.bytes, Some(&others), &policy.private).is_err());
    assert_eq!(gate::check(&stored.bytes, Some(&own), &policy.private), Ok(()));
    assert_eq!(own.previous_version.as_deref(), Some("v0.0.9"));
    let other = Own { timestamp: timestamp::format(NOW + 1), ..own };
    assert!(gate::check(&stored.bytes, Some(&other), &policy.private).is_err());
    assert_eq!(stored.anonymous_id_created_at, identity().created_at, "the store keeps its second");
}

/// Every code at once, standing and met: still a heartbeat that is sent.
#[cfg(feature = "serve")]
#[test]
fn errors_that_are_assembled_pass_the_gate() {
    use crate::activation::ErrorMark;
    use crate::contract::MAX_PAYLOAD_BYTES;
    use crate::diagnostics::Code;
    let names: Vec<String> = (0..16).map(|n| format!("{n:02}{}", "c".repeat(62))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut state, mut live) = (with_clients(&names), live());
    assert_eq!(of(&state).diagnostics, None);
    for code in Code::ALL {
        state.apply(&Mark::Error(ErrorMark::Met(code)), NOW);
    }
    state.apply(&Mark::Error(ErrorMark::FixAttempted), NOW);
    live.counts.current_error_codes = Code::ALL.map(|code| (code, u32::MAX)).to_vec().into();
    let policy = policy(&[], false);
    let stored = pending(&notes(), &state, &identity(), &live, &policy, NOW);
    let own = own(&stored, &notes(), &identity());
    assert_eq!(gate::check(&stored.bytes, Some(&own), &policy.private), Ok(()));
    assert!(stored.bytes.len() < MAX_PAYLOAD_BYTES, "{}", stored.bytes.len());
    let payload = Payload::decode(&stored.bytes).expect("a payload");
    let said = payload.diagnostics.expect("its errors");
    assert_eq!((said.error_code_counts_24h.len(), said.current_error_codes.len()), (20, 20));
    assert_eq!((said.unique_codes_ever, said.fix_attempted_24h), (Code::ALL.len() as u64, 1));
    assert_eq!(said.last_error_code.as_deref(), Some("MCPX_UNKNOWN"));
}

#[test]
fn a_gateway_speaks_for_the_install_while_it_is_alive() {
    let mut state = State { live_tap: Some(mark(NOW, RoutingMode::Tap)), ..State::default() };
    let routing = |state: &State| live_host(state, NOW).map(|mark| mark.routing_mode);
    assert_eq!(routing(&state), Some(RoutingMode::Tap));
    state.live_serve = Some(mark(NOW - LIVE_FOR + 1, RoutingMode::Direct));
    assert_eq!(routing(&state), Some(RoutingMode::Direct));
    state.live_serve = Some(mark(NOW - LIVE_FOR, RoutingMode::Direct));
    assert_eq!(routing(&state), Some(RoutingMode::Tap));
    state.live_tap = None;
    assert_eq!(routing(&state), None);
}

#[test]
fn versions_are_those_the_install_will_have_after_this_build_ran() {
    let install = |current: &str, previous: &str| Install {
        current_version: current.into(),
        previous_version: previous.into(),
        ..Install::default()
    };
    let this = build_info::VERSION;
    assert_eq!(versions(&install("", "")), (this, ""));
    assert_eq!(versions(&install(this, "v0.0.1")), (this, "v0.0.1"));
    assert_eq!(versions(&install("v0.0.2", "v0.0.1")), (this, "v0.0.2"));
}

#[test]
fn the_days_of_the_install_are_those_of_its_store() {
    let mut state = State::default();
    let payload = of(&state);
    assert_eq!(
        (payload.days_since_install, payload.active_days_30d),
        (0, 0),
        "before any host ran"
    );
    assert!(!payload.activation.first_real_tool_call_ever && !payload.carried_over);
    lifetime::begin(&mut state, &identity(), NOW - 40 * DAY);
    for days_ago in [31, 30, 29, 1, 1, 0] {
        state.apply(&Mark::ClientActive, NOW - days_ago * DAY);
    }
    state.apply(&Mark::UpstreamResult, NOW);
    let payload = of(&state);
    assert_eq!((payload.days_since_install, payload.active_days_30d), (40, 3));
    assert!(payload.activation.first_real_tool_call_ever);
}

#[test]
fn an_id_that_took_the_place_of_another_is_carried_over_and_begins_its_own_days() {
    let mut state = State::default();
    let id = identity();
    let made = timestamp::parse(&id.created_at).unwrap();
    state.install.anonymous_id = "the id before".to_owned();
    lifetime::begin(&mut state, &id, made - 400 * DAY);
    state.apply(&Mark::UpstreamResult, made - DAY);
    let id = Identity { rotated_from: Some("the id before".to_owned()), carried_over: true, ..id };
    crate::heartbeat::schedule::adopt(&mut state, &id);
    let payload = assemble(&notes(), &state, &id, &live(), &policy(&[], false), NOW);
    assert!(payload.carried_over && payload.activation.first_real_tool_call_ever);
    assert_eq!(payload.days_since_install, NOW / DAY - made / DAY);
}

#[test]
fn one_crash_is_not_hidden_by_ends_that_were_clean() {
    let mut state = State::default();
    assert_eq!(of(&state).previous_shutdown, Shutdown::Unknown);
    for (ending, said) in [
        (Ending::Clean, Shutdown::Clean),
        (Ending::Crash, Shutdown::Crash),
        (Ending::Clean, Shutdown::Crash),
    ] {
        state.apply(&Mark::Ended(ending), NOW);
        assert_eq!(of(&state).previous_shutdown, said);
    }
}

/// What ended while a heartbeat was under way is the next one's to tell.
#[test]
fn an_end_between_assembling_and_acknowledgement_is_not_lost() {
    for (before, meanwhile, said) in [
        (Ending::Crash, None, Shutdown::Unknown),
        (Ending::Crash, Some(Ending::Clean), Shutdown::Clean),
        (Ending::Clean, Some(Ending::Crash), Shutdown::Crash),
        (Ending::Crash, Some(Ending::Crash), Shutdown::Crash),
    ] {
        let mut state = State::default();
        state.apply(&Mark::Ended(before), NOW);
        let sent = pending(&notes(), &state, &identity(), &live(), &policy(&[], false), NOW);
        let bytes = sent.bytes.clone();
        state.pending = Some(sent);
        if let Some(ending) = meanwhile {
            state.apply(&Mark::Ended(ending), NOW);
        }
        assert!(crate::heartbeat::schedule::acknowledge(&mut state, NOW, 1, &bytes));
        assert_eq!(of(&state).previous_shutdown, said, "{before:?}, then {meanwhile:?}");
    }
}
