//! Damaged and foreign databases: one line with the remedy, and never another number.

use crate::keeping::line;
use crate::running::{Collector, collector, heartbeat, kept, now, program};
use std::fs;
use std::path::Path;

/// A data directory whose last collector was killed, so that its log is not empty.
fn killed(dir: &Path) {
    let running = Collector::start(dir);
    let today = now();
    for install in 0..40 {
        assert!(running.post(&heartbeat(install, today)).is_stored());
    }
    running.kill();
}

fn copy_of(dir: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(dir).expect("a directory") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}

/// The bytes of every file of the database.
fn bytes(dir: &Path) -> Vec<Option<Vec<u8>>> {
    let names = ["collector.db", "collector.db-wal", "collector.key"];
    names.iter().map(|name| fs::read(dir.join(name)).ok()).collect()
}

#[test]
fn a_database_that_is_no_good_is_one_line_and_stays_as_it_is() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (stopped, crashed) = (place.path().join("stopped"), place.path().join("crashed"));
    killed(&crashed);
    copy_of(&crashed, &stopped);
    assert!(Collector::start(&stopped).stop().success());
    let dir = place.path().join("data");
    let file = dir.join("collector.db");
    let sql = |statement: &str| {
        let other = rusqlite::Connection::open(&file).expect("a database");
        other.execute_batch(statement).expect("a change");
    };
    let change = |name: &str, what: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(dir.join(name)).expect("the file");
        what(&mut bytes);
        fs::write(dir.join(name), bytes).expect("a file");
    };
    let restore = "mcpproxy collector restore FILE";
    type Case<'c> = (&'c str, &'c Path, &'c dyn Fn(), &'c str);
    let cases: [Case<'_>; 19] = [
        ("half of it", &stopped, &|| change("collector.db", &|b| b.truncate(b.len() / 2)), restore),
        (
            "a page less",
            &stopped,
            &|| change("collector.db", &|b| b.truncate(b.len() - 4096)),
            restore,
        ),
        (
            "no pages but the first",
            &stopped,
            &|| change("collector.db", &|b| b[4096..].fill(0)),
            restore,
        ),
        ("random pages", &stopped, &|| change("collector.db", &|b| noise(&mut b[4096..])), restore),
        (
            "a random first page",
            &stopped,
            &|| change("collector.db", &|b| noise(&mut b[100..4096])),
            restore,
        ),
        (
            "a day that nobody wrote",
            &stopped,
            &|| sql("UPDATE installs SET last_day = last_day + 1"),
            restore,
        ),
        (
            "an install of no product",
            &stopped,
            &|| {
                sql(
                    "UPDATE installs SET product = 77 WHERE install = (SELECT MIN(install) FROM installs)",
                )
            },
            restore,
        ),
        (
            "a name that nobody gave",
            &stopped,
            &|| sql("UPDATE products SET hashed_as = 'x'"),
            restore,
        ),
        ("no table of who was erased", &stopped, &|| sql("DROP TABLE erased"), restore),
        ("an empty file", &stopped, &|| fs::write(&file, "").expect("a file"), restore),
        ("no file", &stopped, &|| fs::remove_file(&file).expect("a file"), restore),
        ("no file but its log", &crashed, &|| fs::remove_file(&file).expect("a file"), restore),
        (
            "no log, where all of it was",
            &crashed,
            &|| fs::remove_file(dir.join("collector.db-wal")).expect("the log"),
            restore,
        ),
        ("a random log", &crashed, &|| change("collector.db-wal", &|b| noise(b)), restore),
        (
            "a log with a hole",
            &crashed,
            &|| change("collector.db-wal", &|b| noise(&mut b[9000..9100])),
            restore,
        ),
        (
            "a text",
            &stopped,
            &|| fs::write(&file, "dear diary ".repeat(999)).expect("a file"),
            "move it away",
        ),
        (
            "a picture",
            &stopped,
            &|| fs::write(&file, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect("a file"),
            "move it away",
        ),
        ("another database", &stopped, &|| sql("DROP TABLE meta"), "move it away"),
        (
            "a newer one",
            &stopped,
            &|| sql("UPDATE meta SET value = '99' WHERE name = 'schema'"),
            "that version",
        ),
    ];
    for (what, from, make, remedy) in cases {
        copy_of(from, &dir);
        make();
        let before = bytes(&dir);
        let mut command = program();
        command
            .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&dir);
        let (code, said) = line(&command.output().expect("the built command"));
        assert!(code == Some(1) && said.contains(remedy), "{what}: {said}");
        assert!(bytes(&dir) == before, "{what}: it was changed");
        // And a copy of it is not made.
        let copy = place.path().join("copy.db");
        let (code, _) = line(&collector(&dir, &["backup", copy.to_str().expect("text")]));
        assert_eq!(code, Some(1), "{what}");
        assert!(!copy.exists(), "{what}");
    }
    // The key is gone, and the rest is well.
    copy_of(&crashed, &dir);
    fs::remove_file(dir.join("collector.key")).expect("the key");
    let mut command = program();
    command.args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&dir);
    let (code, said) = line(&command.output().expect("the built command"));
    assert!(code == Some(1) && said.contains("--key-file FILE"), "{said}");
    // And nothing is wrong with a log as a crash leaves it, or one whose last commit was not finished.
    for cut in [0, 1, 2_000] {
        copy_of(&crashed, &dir);
        change("collector.db-wal", &|b| b.truncate(b.len() - cut));
        let running = Collector::start(&dir);
        assert!(kept(&running.reader()).0 >= if cut == 0 { 40 } else { 39 });
    }
}

#[test]
fn no_command_removes_a_damaged_log() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (whole, dir) = (place.path().join("whole"), place.path().join("data"));
    killed(&whole);
    let copy = place.path().join("copy.db");
    let copy = copy.to_str().expect("text");
    copy_of(&whole, &dir);
    assert!(collector(&dir, &["backup", copy]).status.success());
    copy_of(&whole, &dir);
    let log = dir.join("collector.db-wal");
    let mut broken = fs::read(&log).expect("the log");
    noise(&mut broken[9000..9100]);
    fs::write(&log, &broken).expect("the log");
    let id = crate::running::id(1);
    let other = place.path().join("other.db");
    let commands: [&[&str]; 7] = [
        &["report", "overview"],
        &["product", "list"],
        &["verify"],
        &["export", "-"],
        &["note", "2026-11-02", "a note"],
        &["forget", &id],
        &["backup", other.to_str().expect("text")],
    ];
    for command in commands {
        let (code, said) = line(&collector(&dir, command));
        assert!(code == Some(1) && said.contains("collector restore FILE"), "{command:?}: {said}");
        assert!(fs::read(&log).expect("the log") == broken, "{command:?}: its log was changed");
    }
    // What a restore puts aside is all that there was.
    assert!(collector(&dir, &["restore", copy, "--ephemeral"]).status.success());
    let is_log = |path: &Path| path.to_string_lossy().ends_with("-wal");
    let aside =
        fs::read_dir(&dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let aside = aside.into_iter().find(|path| is_log(path)).expect("the log that was put aside");
    assert!(fs::read(aside).expect("the log") == broken);
}

#[test]
fn a_database_that_is_gone_is_not_begun_anew_where_its_keys_lie_elsewhere() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, password) = (place.path().join("data"), place.path().join("password"));
    fs::write(&password, "a-password-of-my-own\n").expect("a file");
    let (password, key) = (password.to_str().expect("text"), "ab".repeat(32));
    let start = || {
        let words = ["--product", "notes-mcp", "--password-file", password];
        Collector::start_with(&dir, &words, &[("MCPPROXY_COLLECTOR_KEY", &key)])
    };
    let ask = |words: &[&str]| {
        let mut command = program();
        command.arg("collector").args(words).arg("--data-dir").arg(&dir);
        command.env("MCPPROXY_COLLECTOR_KEY", &key).output().expect("the built command")
    };
    let is_there = || {
        let mut names =
            fs::read_dir(&dir).expect("a directory").map(|one| one.expect("one").file_name());
        names.any(|name| name == "collector.db")
    };
    let (copy, log) = (place.path().join("copy.db"), place.path().join("log"));
    let (copy, log) = (copy.to_str().expect("text"), log.to_str().expect("text"));
    let running = start();
    assert!(running.post(&heartbeat(1, now())).is_stored());
    assert!(ask(&["backup", copy]).status.success());
    let gone = || {
        for name in ["collector.db", "collector.db-wal", "collector.db-shm"] {
            let _ = fs::remove_file(dir.join(name));
        }
    };
    gone();
    let beat = String::from_utf8(heartbeat(2, now() - 5)).expect("text");
    fs::write(log, format!("{{\"received\":{},\"body\":{beat}}}\n", now() - 5)).expect("a log");
    let id = crate::running::id(1);
    let (export, other) = (place.path().join("export"), place.path().join("other.db"));
    let (export, other) = (export.to_str().expect("text"), other.to_str().expect("text"));
    let commands: [&[&str]; 16] = [
        &["product", "add", "other-mcp", "--ephemeral"],
        &["product", "rename", "notes-mcp", "other-mcp"],
        &["product", "remove", "notes-mcp"],
        &["product", "list"],
        &["note", "2026-11-02", "a note"],
        &["note", "2026-11-02", "a note", "--remove"],
        &["notes"],
        &["forget", &id],
        &["purge", "--received", "2026-11-01..2026-11-28", "--yes"],
        &["retire", "notes-mcp", "1.4.0"],
        &["unretire", "notes-mcp", "1.4.0"],
        &["import", log],
        &["export", export],
        &["backup", other],
        &["verify"],
        &["report", "overview"],
    ];
    let refuses = |words: &[&str]| {
        let (code, said) = line(&ask(words));
        assert!(code == Some(1) && said.contains("collector restore FILE"), "{words:?}: {said}");
        assert!(!is_there(), "{words:?} has begun another");
    };
    // Under a collector that runs, and after it.
    commands.iter().for_each(|words| refuses(words));
    assert_eq!(running.post(&heartbeat(2, now())).code, 503);
    assert!(!is_there());
    drop(running);
    gone();
    commands.iter().for_each(|words| refuses(words));
    let again = ["--ephemeral", "--listen", "127.0.0.1:0", "--password-file", password];
    refuses(&again);
    let (_, said) = line(&ask(&again));
    assert!(said.contains("to begin anew") && said.contains("remove everything"), "{said}");
    // Both remedies work.
    let restored = ask(&["restore", copy, "--ephemeral"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let running = start();
    assert_eq!(kept(&running.reader()), (1, 1));
    assert!(running.post(&heartbeat(2, now())).is_stored());
    drop(running);
    fs::remove_dir_all(&dir).expect("everything");
    assert_eq!(kept(&start().reader()), (0, 0));
}

/// Bytes that are no database, the same ones each time.
fn noise(bytes: &mut [u8]) {
    crate::endure::Random::new(7, 7).fill(bytes);
}

#[cfg(feature = "simulate")]
mod large {
    use crate::endure::{Random, scaled, seed};
    use mcpproxy::collector::row::{InstallRow, Product};
    use mcpproxy::collector::store::{
        self, Bulk, DayRow, KeepError, KeySource, ProductError, Reader, Store, StoreError,
        StoreOptions,
    };
    use std::fs;
    use std::path::Path;
    use std::time::Instant;

    const PRODUCTS: &[&str] = &["notes-mcp", "other-mcp", "third-mcp"];

    fn bulk(installs: u64) -> Bulk<'static> {
        Bulk { installs, days: 120, last_day: 20_785, products: PRODUCTS, seed: 5 }
    }

    /// The same key in every run, so that the same seed damages the same rows.
    fn key() -> KeySource {
        KeySource::Variable("5a".repeat(32))
    }

    fn options(dir: &Path) -> StoreOptions {
        StoreOptions { dir: dir.to_owned(), key: key(), ephemeral: true, ..StoreOptions::default() }
    }

    type Days = Vec<(u32, DayRow)>;

    fn installs(dir: &Path) -> Result<(Vec<Product>, Vec<InstallRow>), StoreError> {
        let reader = Reader::open(dir)?;
        let mut all = Vec::new();
        for product in PRODUCTS {
            all.extend(reader.rows(product)?);
        }
        Ok((reader.products()?, all))
    }

    fn days(dir: &Path) -> Result<Days, StoreError> {
        let reader = Reader::open(dir)?;
        let mut all = Vec::new();
        for product in PRODUCTS {
            all.extend(reader.days(product)?);
        }
        Ok(all)
    }

    /// Damages some bytes; what it did.
    fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> String {
        let page = random.below(bytes.len() / 4096) * 4096;
        match random.below(6) {
            0 => {
                let at = random.below(bytes.len());
                let bit = random.below(8);
                bytes[at] ^= 1 << bit;
                format!("bit {bit} of byte {at}")
            }
            1 => {
                for _ in 0..8 {
                    let at = page + random.below(4096);
                    bytes[at] ^= 1 << random.below(8);
                }
                format!("eight bits of the page at {page}")
            }
            2 => {
                bytes[page..page + 4096].fill(0);
                format!("no page at {page}")
            }
            3 => {
                random.fill(&mut bytes[page..page + 4096]);
                format!("a random page at {page}")
            }
            4 => {
                let length = random.below(bytes.len());
                bytes.truncate(length);
                format!("cut at {length}")
            }
            _ => {
                let at = page + random.below(4096 - 16);
                random.fill(&mut bytes[at..at + 16]);
                format!("16 random bytes at {at}")
            }
        }
    }

    #[test]
    fn a_damaged_database_says_the_same_numbers_or_that_it_is_damaged() {
        let seed = seed();
        println!("MCPPROXY_ENDURE_SEED={seed}");
        let place = tempfile::tempdir().expect("a temporary directory");
        let whole = place.path().join("whole");
        bulk(400).fill(&options(&whole)).expect("a database");
        drop(Store::open(&options(&whole)).expect("a database"));
        let (good, good_days) = (installs(&whole).expect("rows"), days(&whole).expect("days"));
        let original = fs::read(whole.join("collector.db")).expect("the database");
        let (mut refused, mut well, mut late) = (0, 0, 0);
        for round in 0..scaled("DAMAGES", 60) {
            let mut random = Random::new(seed, 10_000 + round);
            let dir = place.path().join(format!("{round}"));
            fs::create_dir(&dir).expect("a directory");
            let mut bytes = original.clone();
            let what = damage(&mut bytes, &mut random);
            fs::write(dir.join("collector.db"), bytes).expect("a file");
            match Store::open(&options(&dir)).map(drop) {
                Err(ProductError::Store(
                    StoreError::Damaged
                    | StoreError::Foreign
                    | StoreError::Gone
                    | StoreError::Newer
                    | StoreError::KeyWrong,
                )) => refused += 1,
                Err(other) => panic!("round {round}, {what}: {other:?}"),
                // The collector reads them before it listens.
                Ok(()) if installs(&dir) == Err(StoreError::Damaged) => refused += 1,
                Ok(()) => {
                    assert!(installs(&dir) == Ok(good.clone()), "round {round}, {what}");
                    // Days are most of the file, and looked at when they are read or copied.
                    let copy = dir.join("copy.db");
                    match store::backup(&dir, &copy, &key(), false) {
                        Ok(_) => {
                            assert!(days(&dir) == Ok(good_days.clone()), "round {round}, {what}");
                            well += 1;
                        }
                        Err(KeepError::Store(StoreError::Damaged)) => late += 1,
                        Err(other) => panic!("round {round}, {what}: {other:?}"),
                    }
                }
            }
            fs::remove_dir_all(&dir).expect("its directory");
        }
        println!("{refused} are refused at the start, {late} by a copy, {well} say the same");
        assert!(refused > 0 && well > 0);
    }

    #[test]
    fn every_command_works_on_a_large_database() {
        let number = scaled("COLLECTOR_INSTALLS", 2_000);
        let place = tempfile::tempdir().expect("a temporary directory");
        let (dir, copy) = (place.path().join("data"), place.path().join("copy.db"));
        let took = |what: &str, started: Instant| {
            println!("{what}: {} ms", started.elapsed().as_millis());
        };
        let started = Instant::now();
        bulk(number).fill(&options(&dir)).expect("a database");
        took("made", started);
        let size = fs::metadata(dir.join("collector.db")).expect("the database").len();
        println!("{number} installs, {size} bytes");
        let started = Instant::now();
        let good = installs(&dir).expect("rows");
        took("read", started);
        assert_eq!(good.1.len() as u64, number);

        let started = Instant::now();
        let made = store::backup(&dir, &copy, &key(), false).expect("a copy");
        took("backup", started);
        assert_eq!(made.products, good.0);
        let started = Instant::now();
        let done = store::restore(&dir, &copy, &key(), true, 1_790_000_000);
        took("restore", started);
        assert!(done.is_ok_and(|done| done.aside.is_some_and(|aside| aside.exists())));
        assert!(installs(&dir).as_ref() == Ok(&good));
        let started = Instant::now();
        drop(Store::open(&options(&dir)).expect("a database"));
        took("start", started);

        // As the first version would have made it.
        let old = rusqlite::Connection::open(dir.join("collector.db")).expect("the database");
        let back = "ALTER TABLE installs DROP COLUMN received; ALTER TABLE installs DROP COLUMN flood; \
                    ALTER TABLE installs DROP COLUMN checked; DROP TABLE erased; DROP TABLE retired; \
                    DROP TABLE notes; DROP TABLE imports; DROP TABLE frozen; DROP TABLE migrating; \
                    DELETE FROM meta WHERE name = 'products'; UPDATE meta SET value = '1' WHERE name = 'schema'";
        old.execute_batch(back).expect("schema 1");
        drop(old);
        let started = Instant::now();
        drop(Store::open(&options(&dir)).expect("a migration"));
        took("upgrade", started);
        assert!(installs(&dir).as_ref() == Ok(&good));
        assert!(dir.join("collector.db.before-schema-2").exists());
    }
}
