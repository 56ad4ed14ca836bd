//! What LMDB writes is accepted, what would hurt it is not.

use super::*;

const WAIT: Duration = Duration::from_secs(5);

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

fn environment(root: &Path) -> Environment {
    Environment::at(&root.join("env"), &root.join("lock")).unwrap()
}

fn put(session: &mut Session<'_>, key: &[u8], value: &[u8]) -> Result<(), Failure> {
    session.write(|transaction| transaction.put(key, value))
}

/// Random keys and values of all sizes come and go: the tree splits, merges and spills.
fn churn(session: &mut Session<'_>, numbers: &mut Numbers, keys: usize) -> Result<(), Failure> {
    session.write(|transaction| {
        for _ in 0..=numbers.next(4) {
            let key = format!("{:0width$}", numbers.next(keys), width = 1 + numbers.next(2) * 200);
            let size = [20, 300, 1900, 2100, 9000][numbers.next(5)] + numbers.next(90);
            match numbers.next(3) {
                0 => transaction.delete(key.as_bytes())?,
                _ => transaction.put(key.as_bytes(), &vec![b'v'; size])?,
            }
        }
        Ok::<_, Failure>(())
    })
}

#[test]
fn whatever_lmdb_writes_is_accepted() {
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    session.create(&Vec::new()).unwrap();
    let data = data_file(&root.path().join("env"));
    let mut numbers = Numbers(7);
    let mut depths = 0;
    for round in 0..1500 {
        churn(&mut session, &mut numbers, if round < 700 { 8 } else { 120 }).unwrap();
        let bytes = std::fs::read(&data).unwrap();
        let snapshot = pages::read(&bytes, MAP_SIZE);
        let snapshot = snapshot.unwrap_or_else(|damage| panic!("round {round}: {damage}"));
        depths = depths.max(snapshot.records.len());
    }
    assert!(depths > 60, "the tree never grew: {depths}");
    session.close();
    let Ready::Opened(records) = session.ready().unwrap() else { panic!("it was closed") };
    let from_lmdb: Records = session
        .write(|transaction| {
            let mut all = Records::new();
            for (key, _) in &records {
                all.push((key.clone(), transaction.get(key)?.unwrap().to_vec()));
            }
            Ok::<_, Failure>(all)
        })
        .unwrap();
    assert_eq!(records, from_lmdb);
}

#[test]
fn a_mutated_file_is_refused_or_harmless() {
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let data = data_file(&root.path().join("env"));
    let mut numbers = Numbers(11);
    let mut originals = Vec::new();
    for keys in [3, 10, 60] {
        let mut session = environment.lock(WAIT).unwrap();
        session.create(&Vec::new()).unwrap();
        for _ in 0..60 {
            churn(&mut session, &mut numbers, keys).unwrap();
        }
        originals.push(std::fs::read(&data).unwrap());
    }
    let (mut refused, mut harmless) = (0, 0);
    for round in 0..3000 {
        let mut bytes = originals[round % originals.len()].clone();
        mutate(&mut bytes, &mut numbers);
        environment.lock(WAIT).unwrap().close();
        std::fs::write(&data, &bytes).unwrap();
        let mut session = environment.lock(WAIT).unwrap();
        match session.ready() {
            Ok(_) => harmless += 1,
            Err(Failure::Damaged(_)) => {
                refused += 1;
                continue;
            }
            Err(other) => panic!("round {round}: {other:?}"),
        }
        for _ in 0..5 {
            // What LMDB makes of it may be an error; a signal would end this test.
            let _ = churn(&mut session, &mut numbers, 60);
            if session.ready().is_err() {
                break;
            }
        }
    }
    assert!(refused > 300 && harmless > 300, "{refused} refused, {harmless} harmless");
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let page = numbers.next(bytes.len() / 4096) * 4096;
    match numbers.next(6) {
        0 => bytes.truncate(numbers.next(bytes.len())),
        1 => bytes[page..page + 4096].fill_with(|| numbers.next(256) as u8),
        2 => bytes[page..page + 24].fill_with(|| numbers.next(256) as u8),
        3 => bytes[page..page + 4096].fill(0),
        4 => {
            let other = numbers.next(bytes.len() / 4096) * 4096;
            bytes.copy_within(other..other + 4096, page);
        }
        _ => {
            for _ in 0..=numbers.next(3) {
                let at = numbers.next(bytes.len());
                bytes[at] = numbers.next(256) as u8;
            }
        }
    }
}

#[test]
fn every_truncation_is_refused_or_cuts_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    session.create(&vec![(b"key".to_vec(), vec![b'v'; 9000])]).unwrap();
    put(&mut session, b"key", &[b'w'; 9000]).unwrap();
    let bytes = std::fs::read(data_file(&root.path().join("env"))).unwrap();
    let whole = pages::read(&bytes, MAP_SIZE).unwrap();
    for length in (0..bytes.len()).step_by(97) {
        match pages::read(&bytes[..length], MAP_SIZE) {
            Ok(snapshot) => assert_eq!(snapshot, whole),
            Err(damage) => assert!(!damage.is_empty()),
        }
    }
    assert!(pages::read(&bytes[..8192], MAP_SIZE).is_err());
}

#[test]
fn a_replaced_file_is_mapped_anew_and_a_removed_one_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    assert!(matches!(session.ready(), Err(Failure::Missing)));
    session.create(&vec![(b"a".to_vec(), b"1".to_vec())]).unwrap();
    assert!(matches!(session.ready(), Ok(Ready::Same)));
    drop(session);
    let data = data_file(&root.path().join("env"));
    let copy = root.path().join("copy");
    std::fs::copy(&data, &copy).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    let mut session = environment.lock(WAIT).unwrap();
    let Ok(Ready::Opened(records)) = session.ready() else { panic!("another file has the name") };
    assert_eq!(records, [(b"a".to_vec(), b"1".to_vec())]);
    drop(session);
    std::fs::remove_dir_all(root.path().join("env")).unwrap();
    let mut session = environment.lock(WAIT).unwrap();
    assert!(matches!(session.ready(), Err(Failure::Missing)));
    session.create(&Vec::new()).unwrap();
    assert!(put(&mut session, b"b", b"2").is_ok());
}

#[test]
fn a_directory_that_was_made_anew_is_locked_by_its_own_lock_file() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("base");
    std::fs::create_dir(&base).unwrap();
    let mut ours = environment(&base);
    ours.lock(WAIT).unwrap().create(&Vec::new()).unwrap();
    std::fs::remove_dir_all(&base).unwrap();
    assert!(ours.lock(WAIT).is_err());
    std::fs::create_dir(&base).unwrap();
    let theirs = FileLock::open(&base.join("lock")).unwrap();
    let held = theirs.acquire(LockMode::Exclusive, WAIT).unwrap();
    assert!(matches!(ours.lock(Duration::ZERO), Err(Failure::Busy)), "they hold the lock");
    drop(held);
    let mut session = ours.lock(WAIT).unwrap();
    assert!(matches!(session.ready(), Err(Failure::Missing)));
}

#[test]
fn a_failed_change_leaves_nothing_behind() {
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    session.create(&Vec::new()).unwrap();
    let outcome: Result<(), Failure> = session.write(|transaction| {
        transaction.put(b"a", b"1")?;
        Err(Failure::Busy)
    });
    assert!(matches!(outcome, Err(Failure::Busy)));
    let Ok(Ready::Opened(records)) = session.ready() else { panic!("it was closed") };
    assert!(records.is_empty());
}

#[test]
fn a_pipe_or_a_directory_in_place_of_the_file_is_damage_not_a_hang() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(data_file(&root.path().join("env"))).unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    assert!(matches!(session.ready(), Err(Failure::Damaged(_))));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn numbers_that_would_end_the_store_later_are_refused_now() {
    const LAST_PAGE: usize = 136;
    const TRANSACTION: usize = 144;
    let root = tempfile::tempdir().unwrap();
    let mut environment = environment(root.path());
    let mut session = environment.lock(WAIT).unwrap();
    session.create(&vec![(b"key".to_vec(), b"value".to_vec())]).unwrap();
    let good = std::fs::read(data_file(&root.path().join("env"))).unwrap();
    let with = |at: usize, number: usize| {
        let mut bytes = good.clone();
        for meta in [0, 4096] {
            // Transaction n is in meta page n % 2.
            let number = if at == TRANSACTION { number + meta / 4096 } else { number };
            bytes[meta + at..meta + at + 8].copy_from_slice(&number.to_ne_bytes());
        }
        pages::read(&bytes, MAP_SIZE).map(|_| ())
    };
    assert_eq!(pages::read(&good, MAP_SIZE).map(|snapshot| snapshot.records.len()), Ok(1));
    // The last number before 0, and one from which it is not far.
    for number in [usize::MAX - 1, usize::MAX / 2 + 1] {
        assert!(with(TRANSACTION, number).is_err(), "{number:#x}");
    }
    // A map with no room left for a single write, and one with half of it.
    for last in [MAP_SIZE / 4096 - 1, MAP_SIZE / 4096 / 2] {
        assert!(with(LAST_PAGE, last).is_err(), "{last}");
    }
    assert_eq!(with(LAST_PAGE, 100), Ok(()));
}
