//! Makes one fixture of a store: `scripts/store-fixture` compiles this against the commit that it is of.
//!
//! One rule: it calls only what every commit has, and says the same to each: `tests/store/fixtures.rs` looks
//! for exactly this.

use mcpproxy::activation::state::{Install, Pending, Sender};
use mcpproxy::activation::{LiveCounts, LiveMark, LiveProcess};
use mcpproxy::activation::{Mark, State, Store};
use mcpproxy::contract::{
    AgentEnv, EnvKind, EnvMarkers, LaunchSource, RoutingMode, ServerProtocolCounts,
};
use mcpproxy::contract::{BuiltinTool, Surface};
use mcpproxy::paths::DataDir;
use std::path::Path;

/// A moment in 2026.
pub const NOW: u64 = 1_790_000_000;
/// The install that it belongs to.
pub const ID: &str = "3b1f8a52-6c1e-4d57-9a0b-2f4e6d8c0a1b";

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let root = arguments.next().expect("the data directory to make");
    let packed = arguments.next().expect("the fixture to write");
    let dir = DataDir::at(&root);
    let store = Store::open(&dir, NOW).expect("a store");
    fill(&store);
    drop(store);
    let files = ["telemetry/data.mdb", "telemetry.checkpoint"];
    let bytes = files.iter().flat_map(|name| pack(name, &Path::new(&root).join(name))).collect();
    std::fs::write(packed, Vec::from_iter::<Vec<u8>>(bytes)).expect("the fixture");
}

/// Some of everything that a store holds.
pub fn fill(store: &Store) {
    let discovery = Mark::Discovery { indexed: Some(12), returned: Some(2) };
    store.record(Mark::ServerConnected, NOW);
    store.record(Mark::Client("claude-code"), NOW);
    store.record(Mark::Client("zed"), NOW);
    for hours in [2, 0, 1, 0] {
        // The clock goes back once.
        store.record(discovery, NOW - hours * 3600);
    }
    for mark in [
        Mark::UpstreamCall,
        Mark::UpstreamCall,
        Mark::UpstreamCall,
        Mark::Request(Surface::Mcp),
        Mark::Request(Surface::Mcp),
        Mark::Request(Surface::Cli),
        Mark::Builtin(BuiltinTool::RetrieveTools),
        Mark::Builtin(BuiltinTool::CallTool),
    ] {
        store.record(mark, NOW);
    }
    store.update(true, keep).expect("a durable change");
    // Only in the data file, not in the checkpoint.
    store.record(Mark::UpstreamCall, NOW);
}

fn keep(state: &mut State) {
    state.sender = Sender {
        first_start: NOW - 90_000,
        initial_delay: 300,
        last_success: NOW - 86_400,
        last_attempt: NOW - 60,
        failures: 2,
        retry_after: 120,
        lease_owner: 7,
        lease_until: NOW + 30,
        ..Sender::default()
    };
    state.install = Install {
        current_version: "v0.1.0".to_owned(),
        previous_version: "v0.0.9".to_owned(),
        notice_shown_at: NOW - 90_000,
        installer_pending: true,
        installer_stamp: "2026-09-21".to_owned(),
        anonymity_violations: 1,
        anonymous_id: ID.to_owned(),
    };
    state.pending = Some(Pending {
        bytes: (0..1200_u32).map(|at| (at % 251) as u8).collect(),
        made_at: NOW - 60,
        anonymous_id: ID.to_owned(),
        anonymous_id_created_at: "2026-09-20T12:00:00Z".to_owned(),
        version: "v0.1.0".to_owned(),
        previous_version: "v0.0.9".to_owned(),
        counters: state.counters,
        installer: true,
    });
    let mark = LiveMark {
        nonce: 11,
        at: NOW,
        started_at: NOW - 3600,
        routing_mode: RoutingMode::Tap,
        process: LiveProcess {
            launch_source: LaunchSource::Cli,
            autostart_enabled: Some(false),
            env_kind: EnvKind::Interactive,
            env_markers: EnvMarkers { has_tty: true, ..EnvMarkers::default() },
            agent_env: AgentEnv::None,
        },
        counts: LiveCounts {
            server_count: Some(1),
            tool_count: Some(12),
            server_protocol_counts: Some(ServerProtocolCounts { stdio: 1, ..Default::default() }),
            configured_ide_count: 2,
            ..LiveCounts::default()
        },
    };
    state.live_serve = Some(LiveMark { routing_mode: RoutingMode::Direct, ..mark.clone() });
    state.live_tap = Some(mark);
}

/// A file without its zeros: length of the name, name, length of the file, then place, length and bytes of
/// each stretch, and `u64::MAX`. Numbers have eight bytes, little-endian.
fn pack(name: &str, path: &Path) -> Vec<u8> {
    const BLOCK: usize = 64;
    let bytes = std::fs::read(path).expect(name);
    let number = |number: usize| (number as u64).to_le_bytes();
    let mut packed = [&number(name.len())[..], name.as_bytes(), &number(bytes.len())].concat();
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
    let has_some = |block: &&[u8]| block.iter().any(|byte| *byte != 0);
    let mut at = 0;
    for stretch in blocks.chunk_by(|one, two| has_some(one) == has_some(two)) {
        let length = stretch.iter().map(|block| block.len()).sum();
        if stretch.first().is_some_and(has_some) {
            packed.extend(number(at));
            packed.extend(number(length));
            packed.extend(&bytes[at..at + length]);
        }
        at += length;
    }
    packed.extend(u64::MAX.to_le_bytes());
    packed
}
