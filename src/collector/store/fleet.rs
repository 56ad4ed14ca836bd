//! A fleet over thirty months, for the tests of what expires and of what is verified.
//!
//! One rule: made once through the store's own door, with habits from a fixed seed, and copied for each test.

use super::{Counts, Expiry, Incoming, Keep, Outcome, Store, StoreOptions};
use crate::collector::code::{Code, Met};
use crate::collector::definitions::Now;
use crate::collector::heartbeat::Heartbeat;
use crate::collector::testing::heartbeat;
use crate::contract::{AgentEnv, EnvKind, EnvMarkers, LaunchSource, Os, Shutdown};
use rusqlite::Connection;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

const DAY: u64 = 86_400;
/// 2024-05-28, thirty months before 2026-11-28.
pub const FIRST: u32 = 19_871;
/// 2026-11-28.
pub const TODAY: u32 = 20_785;
const INSTALLS: u32 = 140;

struct Random(u64);

impl Random {
    fn below(&mut self, most: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % most
    }
}

/// The database of `dir`, to write it.
pub fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        dir: dir.to_owned(),
        products: vec!["mcpproxy".to_owned(), "notes-mcp".to_owned()],
        ephemeral: true,
        ..StoreOptions::default()
    }
}

/// Noon of [`TODAY`].
pub fn now() -> Now {
    Now(u64::from(TODAY) * DAY + 12 * 3600)
}

/// Commits heartbeats, each received when it was made.
pub fn apply(store: &mut Store, beats: &[Heartbeat]) -> Vec<Outcome> {
    let batch: Vec<_> = beats.iter().map(|beat| Incoming::new(beat, beat.claimed)).collect();
    store.apply(&batch, &Counts::new()).expect("a commit")
}

/// The heartbeats of one install, by habits of its own.
fn life(number: u32, random: &mut Random) -> Vec<Heartbeat> {
    let begin = if number < 4 { FIRST } else { FIRST + random.below(TODAY - FIRST) };
    let length = [1, 2, 9, 40, 200, 400, 700][random.below(7) as usize];
    let pause = 1 + random.below(20);
    let (kind, agent) = [
        (EnvKind::Interactive, None),
        (EnvKind::Interactive, Some(AgentEnv::None)),
        (EnvKind::CloudIde, None),
        (EnvKind::Interactive, Some(AgentEnv::Sandbox)),
        (EnvKind::Ci, None),
        (EnvKind::Container, None),
        (EnvKind::Headless, Some(AgentEnv::None)),
    ][random.below(7) as usize];
    let version = ["1.4.0", "1.4.0", "1.5.0-dev"][random.below(3) as usize];
    let since = [Some(0), Some(0), Some(5), Some(300), None][random.below(5) as usize];
    let carried_over = random.below(12) == 0;
    let mut beside = Random(u64::from(number));
    let mut beats = Vec::new();
    let mut day = begin;
    while day < TODAY && day <= begin + length {
        let mut beat = heartbeat(u64::from(day) * DAY + 40_000);
        beat.id = format!("install-{number}");
        beat.product = Some(["mcpproxy", "notes-mcp"][(number % 2) as usize].to_owned());
        beat.facts.kind = kind;
        beat.facts.agent_env = agent;
        beat.facts.version =
            if day > begin + 100 { "1.6.0".to_owned() } else { version.to_owned() };
        beat.steps = std::array::from_fn(|step| random.below(9) > step as u32 + 2);
        beat.carried_over = carried_over;
        beat.days_since_install = since.map(|days| days + (day - begin) as u16 % 60);
        beat.gauges.shutdown = Some(random.below(Shutdown::ALL.len() as u32) as u8);
        beat.deltas[1] = u64::from(random.below(100_000));
        said_beside(&mut beat, &mut beside, day - begin);
        beats.push(beat);
        day += 1 + random.below(pause);
    }
    beats
}

/// What heartbeats say of their surroundings, of clients and of errors, so many days after the first.
fn said_beside(beat: &mut Heartbeat, random: &mut Random, age: u32) {
    let one_of = |random: &mut Random, most: u32| random.below(most) == 0;
    beat.facts.launch_source = LaunchSource::ALL[random.below(3) as usize];
    beat.facts.os = [Os::Linux, Os::Darwin, Os::Other][random.below(3) as usize];
    beat.facts.markers = (!one_of(random, 9)).then(|| EnvMarkers {
        has_ci_env: one_of(random, 3),
        has_cloud_ide_env: one_of(random, 4),
        is_container: one_of(random, 3),
        has_tty: one_of(random, 3),
        has_display: one_of(random, 3),
    });
    if age > 20 && one_of(random, 4) {
        beat.facts.kind = EnvKind::Container;
    }
    if age > 0 && one_of(random, 3) {
        beat.facts.version =
            ["1.5.0-rc.2", "1.5.0-rc.10", "1.10.0"][random.below(3) as usize].to_owned();
    }
    // A release that came up in the last year.
    if beat.claimed / DAY > u64::from(TODAY) - 200 && one_of(random, 3) {
        beat.facts.version = "1.11.0".to_owned();
    }
    for client in ["claude-code", "cursor", "vscode", "zed"] {
        if one_of(random, 5) {
            beat.clients.push(client.to_owned());
        }
    }
    if one_of(random, 90) {
        beat.clients.push("zz-rare-client".to_owned());
    }
    for number in [0, 3, 17, 51] {
        if one_of(random, 6) {
            let code = Code::numbered(number).expect("a code");
            let (changes, servers) = (u64::from(random.below(3)), 1 + u64::from(random.below(2)));
            beat.codes.push(Met { code, changes, servers });
        }
    }
}

fn build(dir: &Path) {
    let mut store = Store::open(&options(dir)).expect("a database");
    let mut random = Random(7);
    let mut beats: Vec<Heartbeat> =
        (0..INSTALLS).flat_map(|number| life(number, &mut random)).collect();
    beats.sort_by_key(|beat| beat.claimed);
    for batch in beats.chunks(512) {
        let outcomes = apply(&mut store, batch);
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
    }
    drop(store);
    // An eighth came in floods.
    let file = Connection::open(dir.join("collector.db")).expect("the file");
    let floods = "UPDATE installs SET flood = 1, checked = NULL WHERE install < X'20'";
    assert!(file.execute(floods, []).expect("a change") > 0);
}

/// A copy of the fleet's database.
pub fn copy() -> TempDir {
    static FLEET: OnceLock<TempDir> = OnceLock::new();
    let fleet = FLEET.get_or_init(|| {
        let place = tempfile::tempdir().expect("a directory");
        build(place.path());
        place
    });
    copy_of(fleet.path())
}

/// A copy of a database that is not in use.
pub fn copy_of(from: &Path) -> TempDir {
    let place = tempfile::tempdir().expect("a directory");
    for file in std::fs::read_dir(from).expect("files") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), place.path().join(file.file_name())).expect("a copy");
    }
    place
}

/// An expiry of it.
pub fn expiry(dir: &Path) -> Expiry {
    Expiry::begin(dir, Keep::default(), now()).expect("an expiry")
}
