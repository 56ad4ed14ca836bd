//! Keeping: a copy of a running database, and a copy in its place.

use crate::endure::{Random, scaled, seed};
use crate::running::{Collector, PRODUCT, collector, heartbeat, kept, now, program, wait_until};
use mcpproxy::collector::store::{Reader, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the command says, which has to go well.
pub fn done(dir: &Path, words: &[&str]) -> String {
    let output = collector(dir, words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The one line on standard error, and the exit code.
pub fn line(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    (output.status.code(), text)
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

/// A data directory in `place` that holds a copy of this database and of this key.
fn directory_with(place: &Path, database: &Path, key: &Path) -> PathBuf {
    let dir = place.join("looked-at");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("a directory");
    fs::copy(database, dir.join("collector.db")).expect("a copy");
    fs::copy(key, dir.join("collector.key")).expect("a copy");
    dir
}

#[test]
fn a_copy_of_a_running_collector_holds_all_that_was_acknowledged_before() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("data");
    let running = Collector::start(&dir);
    let (acknowledged, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let copy = place.path().join("copies").join("one.db");
    fs::create_dir(place.path().join("copies")).expect("a directory");
    let key = fs::read_to_string(dir.join("collector.key")).expect("the key");
    let (before, said) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = running.connect();
            let today = now();
            for install in 0.. {
                let answer = client.post(&heartbeat(install, today)).expect("an answer");
                assert!(answer.is_stored(), "{answer:?}");
                acknowledged.store(install + 1, Ordering::SeqCst);
                if enough.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        wait_until("heartbeats are stored", || acknowledged.load(Ordering::SeqCst) >= 50);
        let before = acknowledged.load(Ordering::SeqCst);
        let said = done(&dir, &["backup", text(&copy)]);
        wait_until("it goes on", || acknowledged.load(Ordering::SeqCst) > before + 5);
        enough.store(true, Ordering::SeqCst);
        (before, said)
    });
    assert_eq!(names(&place.path().join("copies")), ["one.db"], "one file");
    assert!(
        said.contains(text(&dir.join("collector.key"))) && !said.contains(key.trim()),
        "{said}"
    );
    let looked_at = directory_with(place.path(), &copy, &dir.join("collector.key"));
    let (installs, heartbeats) = kept(&Reader::open(&looked_at).expect("a reader"));
    assert_eq!(installs as u64, heartbeats);
    assert!((before..=acknowledged.load(Ordering::SeqCst)).contains(&heartbeats), "{heartbeats}");
    assert!(said.contains(&format!("{installs} installs of 2 products")), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&copy).expect("the copy").permissions().mode() & 0o777, 0o600);
    }

    // No file is written over, and none that would be a key.
    let bytes = fs::read(&copy).expect("the copy");
    let (code, said) = line(&collector(&dir, &["backup", text(&copy)]));
    assert!(code == Some(2) && said.contains("name another"), "{said}");
    assert_eq!(fs::read(&copy).expect("the copy"), bytes);
    let other = place.path().join("copies").join("two.db");
    fs::write(place.path().join("copies").join("two.db.key"), "mine").expect("a file");
    let (code, said) = line(&collector(&dir, &["backup", "--with-key", text(&other)]));
    assert!(code == Some(2) && said.contains("two.db.key"), "{said}");
    let nowhere = place.path().join("none").join("two.db");
    let (code, said) = line(&collector(&dir, &["backup", text(&nowhere)]));
    assert!(code == Some(1) && said.contains("where this user may write"), "{said}");
    assert_eq!(names(&place.path().join("copies")), ["one.db", "two.db.key"]);
}

#[test]
fn a_copy_takes_the_place_of_the_database_and_the_one_before_is_put_aside() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, copy) = (place.path().join("data"), place.path().join("copy.db"));
    let today = now();
    let running = Collector::start(&dir);
    for install in 0..5 {
        assert!(running.post(&heartbeat(install, today)).is_stored());
    }
    done(&dir, &["backup", "--with-key", text(&copy)]);
    for install in 5..8 {
        assert!(running.post(&heartbeat(install, today)).is_stored());
    }
    let (code, said) = line(&collector(&dir, &["restore", "--ephemeral", text(&copy)]));
    assert!(code == Some(1) && said.contains("stop it"), "{said}");
    assert!(running.post(&heartbeat(8, today)).is_stored(), "and it goes on");
    // Its log is not empty: what is in it must not get into the copy.
    running.kill();
    let said = done(&dir, &["restore", "--ephemeral", text(&copy)]);
    let aside = names(&dir).into_iter().find(|name| name.starts_with("collector.db.aside-"));
    let aside = dir.join(aside.expect("the database before"));
    assert!(said.contains("5 installs of 2 products") && said.contains(text(&aside)), "{said}");
    let before = place.path().join("before");
    fs::create_dir(&before).expect("a directory");
    for suffix in ["", "-wal"] {
        let from = PathBuf::from(format!("{}{suffix}", aside.display()));
        if from.exists() {
            fs::rename(from, before.join(format!("collector.db{suffix}"))).expect("a move");
        }
    }
    assert_eq!(kept(&Reader::open(&before).expect("a reader")).0, 9);
    let running = Collector::start(&dir);
    assert_eq!(kept(&running.reader()).0, 5);
    assert!(running.post(&heartbeat(4, today)).is_duplicate());
    assert!(running.post(&heartbeat(5, today)).is_stored(), "it was stored after the copy");
    drop(running);

    // On a new machine, with the key beside the copy.
    let new = place.path().join("new");
    done(&new, &["restore", "--ephemeral", text(&copy)]);
    assert!(!mcpproxy_platform::files::is_readable_by_others(&new.join("collector.key")));
    assert_eq!(names(&new), ["collector.begun", "collector.db", "collector.key", "collector.lock"]);
    let running = Collector::start(&new);
    assert!(running.post(&heartbeat(4, today)).is_duplicate(), "the same key");
}

#[test]
fn a_restore_that_is_killed_leaves_one_of_the_two_databases_or_says_so() {
    let seed = seed();
    println!("MCPPROXY_ENDURE_SEED={seed}");
    let mut random = Random::new(seed, 47);
    let place = tempfile::tempdir().expect("a temporary directory");
    let (first, copy) = (place.path().join("first"), place.path().join("copy.db"));
    let running = Collector::start(&first);
    assert!(running.post(&heartbeat(0, now())).is_stored());
    done(&first, &["backup", text(&copy)]);
    assert!(running.post(&heartbeat(1, now())).is_stored());
    running.kill();
    let started = Instant::now();
    let mut took = 0;
    let (mut old, mut new, mut neither) = (0, 0, 0);
    for round in 0..scaled("RESTORE_KILLS", 12) {
        let dir = place.path().join(format!("{round}"));
        fs::create_dir(&dir).expect("a directory");
        for name in ["collector.db", "collector.db-wal", "collector.key"] {
            fs::copy(first.join(name), dir.join(name)).expect("a copy");
        }
        let mut command = program();
        command.args(["collector", "restore", "--ephemeral", text(&copy), "--data-dir"]).arg(&dir);
        let mut child = command.stdout(Stdio::null()).spawn().expect("the built command");
        if round == 0 {
            // How long it takes here decides where the others are killed, and nothing else.
            child.wait().expect("its end");
            took = started.elapsed().as_micros() as usize;
        }
        std::thread::sleep(Duration::from_micros(random.below(took) as u64));
        let _ = child.kill();
        child.wait().expect("its end");
        match Reader::open(&dir).map(|reader| kept(&reader)) {
            Ok((2, 2)) => old += 1,
            Ok((1, 1)) => new += 1,
            Err(StoreError::Gone) => neither += 1,
            other => panic!("round {round}: {other:?}"),
        }
        done(&dir, &["restore", "--ephemeral", text(&copy)]);
        let running = Collector::start(&dir);
        assert_eq!(kept(&running.reader()), (1, 1), "round {round}");
    }
    println!("{old} have the old database, {new} the copy, {neither} neither");
}

#[test]
fn an_install_that_was_erased_after_the_copy_stays_erased() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, copy) = (place.path().join("data"), place.path().join("copy.db"));
    let running = Collector::start(&dir);
    for install in 0..3 {
        assert!(running.post(&heartbeat(install, now())).is_stored());
    }
    done(&dir, &["backup", text(&copy)]);
    assert!(running.stop().success());
    // As an erasure leaves it.
    let database = rusqlite::Connection::open(dir.join("collector.db")).expect("the database");
    let erase = "INSERT INTO erased SELECT MIN(install), 99999 FROM installs; \
                 DELETE FROM days WHERE install IN (SELECT install FROM erased); \
                 DELETE FROM installs WHERE install IN (SELECT install FROM erased)";
    database.execute_batch(erase).expect("an erasure");
    drop(database);
    let said = done(&dir, &["restore", "--ephemeral", text(&copy)]);
    assert!(said.contains("2 installs of") && said.contains("1 install erased since"), "{said}");
    let again = done(&dir, &["restore", "--ephemeral", text(&copy)]);
    assert!(again.contains("1 install erased since"), "it is remembered: {again}");
    // As a restore leaves it that is killed after it has put the present database aside.
    fs::rename(dir.join("collector.db"), dir.join("collector.db.restored")).expect("a new name");
    let again = done(&dir, &["restore", "--ephemeral", text(&copy)]);
    assert!(again.contains("1 install erased since"), "also by one that was killed: {again}");
    assert_eq!(kept(&Reader::open(&dir).expect("a reader")), (2, 2));
}

#[test]
fn a_copy_that_is_none_is_refused_and_the_database_stays() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, good) = (place.path().join("data"), place.path().join("good.db"));
    let running = Collector::start(&dir);
    assert!(running.post(&heartbeat(1, now())).is_stored());
    done(&dir, &["backup", text(&good)]);
    assert!(running.stop().success());
    let whole = fs::read(&good).expect("the copy");
    let before = (names(&dir), fs::read(dir.join("collector.db")).expect("the database"));
    let copy = place.path().join("copy.db");
    let sql = |statement: &str| {
        fs::copy(&good, &copy).expect("a copy");
        let other = rusqlite::Connection::open(&copy).expect("a database");
        other.execute_batch(statement).expect("a change");
    };
    type Make<'m> = (&'m str, &'m dyn Fn(), &'m str);
    let cases: [Make<'_>; 9] = [
        (
            "a text",
            &|| fs::write(&copy, "dear diary ".repeat(999)).expect("a file"),
            "collector backup",
        ),
        (
            "a picture",
            &|| fs::write(&copy, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect("a file"),
            "collector backup",
        ),
        ("an empty file", &|| fs::write(&copy, "").expect("a file"), "collector backup"),
        ("no file", &|| fs::remove_file(&copy).expect("a file"), "collector backup"),
        ("another database", &|| sql("DROP TABLE meta"), "collector backup"),
        (
            "a newer one",
            &|| sql("UPDATE meta SET value = '99' WHERE name = 'schema'"),
            "that version",
        ),
        (
            "half of one",
            &|| fs::write(&copy, &whole[..whole.len() / 2]).expect("a file"),
            "name another",
        ),
        (
            "one with other bits",
            &|| sql("UPDATE installs SET last_day = last_day + 1"),
            "name another",
        ),
        (
            "one with another key",
            &|| sql("UPDATE meta SET value = 'x' WHERE name = 'key'"),
            "--key-file FILE",
        ),
    ];
    for (what, make, remedy) in cases {
        make();
        let (code, said) = line(&collector(&dir, &["restore", "--ephemeral", text(&copy)]));
        assert!(code == Some(1) && said.contains(remedy), "{what}: {said}");
        let now = (names(&dir), fs::read(dir.join("collector.db")).expect("the database"));
        assert!(now == before, "{what}: {:?}", now.0);
    }
    // Without a key it would be another database.
    let new = place.path().join("new");
    let (code, said) = line(&collector(&new, &["restore", "--ephemeral", text(&good)]));
    assert!(code == Some(1) && said.contains("--key-file FILE"), "{said}");
    assert!(!new.join("collector.db").exists());
    let key = dir.join("collector.key");
    done(&new, &["restore", "--ephemeral", text(&good), "--key-file", text(&key)]);
    assert!(!new.join("collector.key").exists(), "a key that was named stays where it is");
}

#[test]
fn a_database_that_was_replaced_under_a_collector_stores_nothing_until_it_is_back() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, copy) = (place.path().join("data"), place.path().join("copy.db"));
    let running = Collector::start(&dir);
    let today = now();
    assert!(running.post(&heartbeat(1, today)).is_stored());
    done(&dir, &["backup", text(&copy)]);
    let (file, away) = (dir.join("collector.db"), dir.join("away"));
    fs::rename(&file, &away).expect("a move");
    fs::copy(&copy, &file).expect("a copy");
    let answer = running.post(&heartbeat(2, today));
    assert_eq!(answer.code, 503, "{answer:?}");
    assert!(running.get("/readyz").body.contains("moved or removed"));
    fs::rename(&away, &file).expect("a move");
    assert!(running.post(&heartbeat(2, today)).is_stored());
    let products = running.reader().products().expect("products");
    let installs = products.iter().find(|product| product.name == PRODUCT).map(|one| one.installs);
    assert_eq!(installs, Some(2));
}
