//! The store check: no damage to a data file hurts the process that opens it.
//!
//! Input: which sound file, and what is done to it. What the check accepts is mapped, read, changed
//! and read again through the same code as in the product; a signal ends the run.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mcpproxy::activation::{Mark, Recorded, Store, StoreError};
use mcpproxy::paths::DataDir;
use mcpproxy_fuzz::Numbers;
use mcpproxy_platform::lmdb::pages;
use mcpproxy_platform::lmdb::{Environment, Failure, MAP_SIZE, Ready, Session};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(5);
const NOW: u64 = 1_790_000_000;
const PAGE: usize = 4096;

#[derive(Arbitrary, Debug)]
struct Input {
    file: u8,
    damages: Vec<Damage>,
    churn: u32,
}

/// Places are taken modulo what there is.
#[derive(Arbitrary, Debug)]
enum Damage {
    Byte {
        at: u32,
        value: u8,
    },
    /// In the header of a page and among its node pointers.
    Header {
        page: u8,
        at: u8,
        value: u16,
    },
    /// A page number, count or size, small or near the end of all numbers.
    Word {
        page: u8,
        at: u16,
        value: i8,
    },
    /// In the header of a node.
    Node {
        page: u8,
        node: u8,
        at: u8,
        value: u16,
    },
    /// In one of the two meta pages.
    Meta {
        page: bool,
        at: u8,
        value: i8,
    },
    Copy {
        from: u8,
        to: u8,
    },
    Zeros {
        page: u8,
    },
    Truncate {
        length: u32,
    },
    Extend {
        pages: u8,
    },
    SwapNodes {
        page: u8,
        one: u8,
        two: u8,
    },
}

/// Where files go: memory, if there is a place for that.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

struct Bench {
    root: TempDir,
    environment: Environment,
}

impl Bench {
    fn new() -> Self {
        let root = scratch();
        let (env, lock) = (root.path().join("env"), root.path().join("lock"));
        let environment = Environment::at(&env, &lock).expect("an environment");
        Self { root, environment }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("env/data.mdb")
    }
}

/// Files as LMDB writes them: a store, one page, a tree with large values, a larger one.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files = vec![store()];
    for (keys, rounds) in [(3, 20), (12, 40), (40, 60)] {
        let mut bench = Bench::new();
        let mut session = bench.environment.lock(WAIT).expect("the lock");
        session.create(&Vec::new()).expect("a new file");
        let mut numbers = Numbers::of(&[keys as u8]);
        for _ in 0..rounds {
            churn(&mut session, &mut numbers, keys).expect("a sound file");
        }
        drop(session);
        files.push(std::fs::read(bench.data()).expect("the file"));
    }
    files
});

/// The file of an activation store that has seen a little.
fn store() -> Vec<u8> {
    let root = scratch();
    let dir = DataDir::at(root.path().join("data"));
    let store = Store::open(&dir, NOW).expect("a store");
    let discovery = Mark::Discovery { indexed: Some(12), returned: Some(2) };
    for mark in [Mark::ServerConnected, Mark::Client("claude-code"), discovery, Mark::UpstreamCall]
    {
        assert_eq!(store.record(mark, NOW), Recorded::Stored);
    }
    drop(store);
    std::fs::read(dir.store().join("data.mdb")).expect("the file")
}

/// Keys and values of all sizes come and go: the tree splits, merges and spills.
fn churn(session: &mut Session<'_>, numbers: &mut Numbers, keys: usize) -> Result<(), Failure> {
    session.write(|transaction| {
        for _ in 0..=numbers.below(4) {
            let width = 1 + numbers.below(2) * 200;
            let key = format!("{:0width$}", numbers.below(keys));
            let size = [20, 300, 1900, 2100, 9000][numbers.below(5)] + numbers.below(90);
            match numbers.below(3) {
                0 => transaction.delete(key.as_bytes())?,
                _ => transaction.put(key.as_bytes(), &vec![b'v'; size])?,
            }
        }
        Ok::<_, Failure>(())
    })
}

fn put_short(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
}

fn short(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |two| usize::from(u16::from_ne_bytes([two[0], two[1]])))
}

fn put_word(bytes: &mut [u8], at: usize, value: i8) {
    if let Some(place) = bytes.get_mut(at..at + 8) {
        place.copy_from_slice(&i64::from(value).to_ne_bytes());
    }
}

fn damage(bytes: &mut Vec<u8>, damage: &Damage) {
    let pages = bytes.len() / PAGE;
    if pages == 0 {
        return;
    }
    let start = |page: u8| usize::from(page) % pages * PAGE;
    match *damage {
        Damage::Byte { at, value } => {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        Damage::Header { page, at, value } => {
            put_short(bytes, start(page) + usize::from(at % 48) * 2, value);
        }
        Damage::Word { page, at, value } => {
            put_word(bytes, start(page) + usize::from(at) % PAGE, value);
        }
        Damage::Node { page, node, at, value } => {
            let node = short(bytes, start(page) + 16 + 2 * usize::from(node % 64));
            put_short(bytes, start(page) + node % PAGE + usize::from(at % 8) * 2, value);
        }
        Damage::Meta { page, at, value } => {
            put_word(bytes, start(u8::from(page)) + usize::from(at % 152), value);
        }
        Damage::Copy { from, to } => bytes.copy_within(start(from)..start(from) + PAGE, start(to)),
        Damage::Zeros { page } => bytes[start(page)..start(page) + PAGE].fill(0),
        Damage::Truncate { length } => bytes.truncate(length as usize % (bytes.len() + 1)),
        Damage::Extend { pages } => bytes.resize(bytes.len() + usize::from(pages % 8) * PAGE, 0),
        Damage::SwapNodes { page, one, two } => {
            let place = |node: u8| start(page) + 16 + 2 * usize::from(node % 64);
            let (first, second) = (short(bytes, place(one)), short(bytes, place(two)));
            put_short(bytes, place(one), second as u16);
            put_short(bytes, place(two), first as u16);
        }
    }
}

fuzz_target!(|input: Input| {
    let file = usize::from(input.file) % FILES.len();
    let mut bytes = FILES[file].clone();
    input.damages.iter().take(24).for_each(|change| damage(&mut bytes, change));
    let accepted = pages::read(&bytes, MAP_SIZE).ok();
    if let Some(snapshot) = &accepted {
        let records: Vec<_> =
            snapshot.records.iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
        mapped(&bytes, &records, input.churn);
    }
    if file == 0 {
        stored(&bytes, accepted.is_some());
    }
});

/// What the check accepts: LMDB must see the same records, and survive changes of them.
fn mapped(bytes: &[u8], records: &[(Vec<u8>, Vec<u8>)], seed: u32) {
    // One for all runs: making and removing directories takes longer than everything else.
    static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::new()));
    let mut bench = BENCH.lock().expect("no run before this one failed");
    let data = bench.data();
    std::fs::create_dir_all(bench.root.path().join("env")).expect("a directory");
    bench.environment.lock(WAIT).expect("the lock").close();
    std::fs::write(&data, bytes).expect("the file");
    let mut session = bench.environment.lock(WAIT).expect("the lock");
    match session.ready() {
        Ok(Ready::Opened(found)) => assert_eq!(found, records),
        other => panic!("what the check accepts is opened: {other:?}"),
    }
    let read: Result<(), Failure> = session.write(|transaction| {
        for (key, value) in records {
            assert_eq!(transaction.get(key)?, Some(value.as_slice()), "LMDB sees the same");
        }
        Ok(())
    });
    read.expect("a sound file is read");
    let mut numbers = Numbers::of(&seed.to_le_bytes());
    for _ in 0..4 {
        // A full map is an error and no harm.
        if churn(&mut session, &mut numbers, 60).is_err() {
            break;
        }
    }
    let written = std::fs::read(&data).expect("the file");
    pages::read(&written, MAP_SIZE).expect("what LMDB made of a sound file is sound");
}

/// The same through the store: a look repairs nothing, a host always ends up with a store.
fn stored(bytes: &[u8], accepted: bool) {
    let root = scratch();
    let dir = DataDir::at(root.path().join("data"));
    std::fs::create_dir_all(dir.store()).expect("a directory");
    let data = dir.store().join("data.mdb");
    std::fs::write(&data, bytes).expect("the file");
    match Store::peek(&dir, NOW) {
        Ok(Some(_)) => assert!(accepted, "what is damaged is not read"),
        Err(StoreError::Damaged(_)) => {}
        other => panic!("{other:?}"),
    }
    assert!(std::fs::read(&data).is_ok_and(|now| now == bytes), "a look changes nothing");
    let store = Store::open(&dir, NOW).expect("a store");
    store.read().expect("its state");
    assert_eq!(store.record(Mark::UpstreamCall, NOW), Recorded::Stored);
    assert_eq!(store.record(Mark::Client("zed"), NOW), Recorded::Stored);
    drop(store);
    let state = Store::peek(&dir, NOW).expect("a sound store").expect("a store");
    assert!(state.funnel.mcp_client);
}
