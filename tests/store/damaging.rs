//! The kinds of damage.

use super::endure::Random;
use super::life::Era;
use super::*;

const PAGE: usize = 4096;
/// Where a meta page keeps the roots of its trees (64 bits): the free list's and the records'.
const FREE_ROOT: usize = 80;
const MAIN_ROOT: usize = 128;
/// Header and meta: what of a meta page is looked at.
const META: usize = 152;

/// What lies beside the damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointIs {
    Good,
    Older,
    Newer,
    Damaged,
    CutOff,
    Foreign,
    Missing,
}

impl CheckpointIs {
    pub const ALL: [Self; 10] = [
        Self::Good,
        Self::Good,
        Self::Good,
        Self::Good,
        Self::Older,
        Self::Newer,
        Self::Damaged,
        Self::CutOff,
        Self::Foreign,
        Self::Missing,
    ];

    /// Its bytes, and what it knows if it is good; `None` when there is none.
    pub fn of(
        self,
        random: &mut Random,
        era: &Era,
        eras: &[Era],
    ) -> Option<(Vec<u8>, Option<State>)> {
        let mut bytes = era.checkpoint.clone();
        let good = |era: &Era| Some((era.checkpoint.clone(), Some(era.state.clone())));
        match self {
            Self::Good => return good(era),
            Self::Older => return good(&eras[0]),
            Self::Newer => return good(&eras[eras.len() - 1]),
            Self::Damaged => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            Self::CutOff => bytes.truncate(random.below(bytes.len())),
            Self::Foreign => bytes = b"{\"not\": \"ours\"}".repeat(1 + random.below(30_000)),
            Self::Missing => return None,
        }
        Some((bytes, None))
    }
}

/// What became of the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    Usable,
    NoFile,
}

/// Nothing is read from the lock file, so nothing in it can hurt; only a thing of another kind can.
pub fn lock(random: &mut Random, case: &DataDir) -> Lock {
    let path = case.store_lock();
    match random.below(12) {
        0 => {
            let mut bytes = vec![0; random.below(10_000)];
            random.fill(&mut bytes);
            std::fs::write(path, bytes).expect("a lock file");
        }
        1 => std::os::unix::fs::symlink("elsewhere", path).expect("a link"),
        2 => {
            std::fs::create_dir(path).expect("a directory");
            return Lock::NoFile;
        }
        3 => {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo runs").success());
            return Lock::NoFile;
        }
        _ => {}
    }
    Lock::Usable
}

/// One kind of damage to a data file, and its name.
type Kind = (&'static str, fn(&mut Random, &mut Vec<u8>, &[Era]));

const KINDS: [Kind; 19] = [
    ("flipped bits", |random, data, _| {
        for _ in 0..=random.below(8) {
            let at = random.below(data.len());
            data[at] ^= 1 << random.below(8);
        }
    }),
    ("random bytes", |random, data, _| {
        for _ in 0..=random.below(64) {
            let at = random.below(data.len());
            data[at] = random.next() as u8;
        }
    }),
    ("a random page", |random, data, _| {
        let page = page(random, data);
        random.fill(&mut data[page..page + PAGE]);
    }),
    ("a random page header", |random, data, _| {
        let page = page(random, data);
        random.fill(&mut data[page..page + 16]);
    }),
    ("a page header", |random, data, _| {
        let at = page(random, data) + random.below(16);
        data[at] = *random.one_of(&[0, 1, 2, 4, 8, 0x20, 0x40, 0x80, 0xff]);
    }),
    ("page pointers", |random, data, _| {
        let page = page(random, data);
        for _ in 0..=random.below(4) {
            let at = page + 16 + 2 * random.below(12);
            let to = (random.below(PAGE + 64) as u16).to_le_bytes();
            data[at..at + 2].copy_from_slice(&to);
        }
    }),
    ("a node header", |random, data, _| {
        let page = page(random, data);
        let pointer = page + 16 + 2 * random.below(9);
        let node = usize::from(u16::from_le_bytes([data[pointer], data[pointer + 1]])) % PAGE;
        let at = (page + node + random.below(8)).min(data.len() - 1);
        data[at] ^= 1 << random.below(8);
    }),
    ("a meta page", |random, data, _| {
        let page = random.below(2) * PAGE;
        for _ in 0..=random.below(3) {
            let at = page + random.below(META);
            data[at] = random.next() as u8;
        }
    }),
    ("a word of a meta page", |random, data, _| {
        let at = random.below(2) * PAGE + 8 * random.below(META / 8);
        let word = *random.one_of(&[
            0,
            1,
            2,
            3,
            5,
            9,
            100,
            600,
            1022,
            1023,
            1 << 20,
            1 << 62,
            1 << 63,
            u64::MAX,
            u64::MAX - 1,
        ]);
        data[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }),
    ("metas exchanged", |_, data, _| {
        let (one, rest) = data.split_at_mut(PAGE);
        one.swap_with_slice(&mut rest[..PAGE]);
    }),
    ("metas of other times", |random, data, eras| {
        let other = &eras[random.below(eras.len())].data;
        let which = random.below(2) * PAGE;
        data[which..which + PAGE].copy_from_slice(&other[which..which + PAGE]);
    }),
    ("the free list", |random, data, _| damage_tree(random, data, FREE_ROOT)),
    ("the records", |random, data, _| damage_tree(random, data, MAIN_ROOT)),
    ("pages exchanged", |random, data, _| {
        let (one, two) = (page(random, data), page(random, data));
        for at in 0..PAGE {
            data.swap(one + at, two + at);
        }
    }),
    ("zeros", |random, data, _| {
        let from = random.below(data.len());
        let to = (from + 1 + random.below(3 * PAGE)).min(data.len());
        data[from..to].fill(0);
    }),
    ("appended garbage", |random, data, _| {
        let mut garbage = vec![0; *random.one_of(&[1, 100, PAGE, 3 * PAGE, 5 << 20])];
        random.fill(&mut garbage);
        data.extend(garbage);
    }),
    ("an older copy mixed with a newer one", |random, data, eras| {
        let other = &eras[random.below(eras.len())].data;
        for page in (0..data.len().min(other.len())).step_by(PAGE) {
            if random.below(2) == 0 {
                data[page..page + PAGE].copy_from_slice(&other[page..page + PAGE]);
            }
        }
    }),
    ("cut off", |random, data, _| data.truncate(random.below(data.len()))),
    ("a value", |random, data, _| {
        let keys = ["origin", "funnel", "windows", "counters", "sender", "pending", "install"];
        let key = random.one_of(&keys).as_bytes();
        let places: Vec<usize> =
            (0..data.len()).filter(|at| data[*at..].starts_with(key)).collect();
        // Every copy, old and new: one of them is in use.
        for at in places {
            let at = (at + key.len() + random.below(40)).min(data.len() - 1);
            data[at] ^= 1 << random.below(8);
        }
    }),
];

/// A copy of the era's file with one kind of damage, sometimes two.
pub fn data(random: &mut Random, era: &Era, eras: &[Era]) -> (String, Vec<u8>) {
    let mut data = era.data.clone();
    let (name, damage) = random.one_of(&KINDS);
    damage(random, &mut data, eras);
    if random.below(5) > 0 || data.len() < 2 * PAGE || !data.len().is_multiple_of(PAGE) {
        return ((*name).to_owned(), data);
    }
    let (second, damage) = random.one_of(&KINDS);
    damage(random, &mut data, eras);
    (format!("{name} and {second}"), data)
}

fn page(random: &mut Random, data: &[u8]) -> usize {
    random.below(data.len() / PAGE) * PAGE
}

/// Bytes of the page that is the root of one of the two trees.
fn damage_tree(random: &mut Random, data: &mut [u8], root_at: usize) {
    let word = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().expect("8 bytes"));
    let newest = if word(144) < word(PAGE + 144) { PAGE } else { 0 };
    let root = word(newest + root_at) as usize;
    let Some(page) = root.checked_mul(PAGE).filter(|page| page + PAGE <= data.len()) else {
        // There is none: say that there is.
        data[newest + root_at..newest + root_at + 8].copy_from_slice(&3_u64.to_le_bytes());
        return;
    };
    for _ in 0..=random.below(6) {
        let from = *random.one_of(&[0, PAGE - 256, PAGE - 1024]);
        let at = page + from + random.below(256);
        data[at] = random.next() as u8;
    }
}
