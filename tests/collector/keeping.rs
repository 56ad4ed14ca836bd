//! Keeping: a copy of a running database, a copy in its place, and databases of earlier versions.

use crate::endure::{Random, scaled, seed};
use crate::running::{Collector, PRODUCT, collector, heartbeat, kept, now, program, wait_until};
use mcpproxy::collector::store::Reader;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the command says, which has to go well.
fn done(dir: &Path, words: &[&str]) -> String {
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

fn text(path: &Path) -> &str {
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
        let from = format!("{}{suffix}", aside.display());
        fs::rename(from, before.join(format!("collector.db{suffix}"))).expect("a move");
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
    assert_eq!(names(&new), ["collector.db", "collector.key", "collector.lock"]);
    let running = Collector::start(&new);
    assert!(running.post(&heartbeat(4, today)).is_duplicate(), "the same key");
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

/// The fixture that the first version wrote, in a directory of its own.
fn schema_1(place: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/collectors/schema-1");
    fs::create_dir_all(place).expect("a directory");
    for name in ["collector.db", "collector.key"] {
        fs::copy(from.join(name), place.join(name)).expect("a copy");
    }
    place.to_owned()
}

/// What the first version said of its database: its products, and reports as of noon of 2027-01-12.
fn said_of_schema_1(name: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/collectors/schema-1");
    fs::read_to_string(from.join(name)).expect("the fixture").replace("\r\n", "\n")
}

fn reports(dir: &Path) -> String {
    let offset = (20_830 * 86_400 + 43_200) - now() as i64;
    let mut all = String::new();
    for page in ["overview", "retention", "activation"] {
        for product in ["mcpproxy", "notes-server"] {
            for audience in ["people", "all"] {
                let shown = format!("--{audience}");
                let mut command = program();
                command.args([
                    "collector",
                    "report",
                    page,
                    "--product",
                    product,
                    &shown,
                    "-o",
                    "csv",
                ]);
                command.arg("--data-dir").arg(dir);
                command.env("MCPPROXY_TEST_CLOCK_OFFSET", offset.to_string());
                let output = command.output().expect("the built command");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let text = String::from_utf8(output.stdout).expect("text");
                for row in text.lines() {
                    all += &format!("{page},{product},{audience},{row}\n");
                }
            }
        }
    }
    all
}

/// A collector on `dir`, which says nothing that a test waits for.
fn begin(dir: &Path) -> std::process::Child {
    let mut command = program();
    command.args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the built command")
}

#[test]
fn a_database_of_the_first_version_says_the_same_after_the_upgrade() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = schema_1(&place.path().join("data"));
    let (code, said) = line(&collector(&dir, &["report", "overview"]));
    assert!(code == Some(1) && said.contains("start `mcpproxy collector` once"), "{said}");
    // A copy of it can be made before.
    let copy = place.path().join("copy.db");
    assert!(done(&dir, &["backup", text(&copy)]).contains("130 installs of 3 products"));
    assert!(Collector::start_with(&dir, &[], &[]).stop().success());
    assert_eq!(done(&dir, &["product", "list", "-o", "json"]), said_of_schema_1("products.json"));
    assert_eq!(reports(&dir), said_of_schema_1("reports.csv"));
    // And the copy of the old version can be restored, and upgraded again.
    done(&dir, &["restore", "--ephemeral", text(&copy)]);
    assert!(Collector::start_with(&dir, &[], &[]).stop().success());
    assert_eq!(reports(&dir), said_of_schema_1("reports.csv"));
}

#[test]
fn an_upgrade_that_is_killed_at_any_moment_is_finished_by_the_next_start() {
    let seed = seed();
    println!("MCPPROXY_ENDURE_SEED={seed}");
    let mut random = Random::new(seed, 43);
    let place = tempfile::tempdir().expect("a temporary directory");
    // How long it takes here decides where it is killed, and nothing else.
    let started = Instant::now();
    let whole = schema_1(&place.path().join("whole"));
    assert!(Collector::start_with(&whole, &[], &[]).stop().success());
    let took = started.elapsed().as_micros() as usize;
    let copy = "collector.db.before-schema-2";
    let (mut copied, mut upgraded) = (0, 0);
    for round in 0..scaled("UPGRADE_KILLS", 24) {
        let dir = schema_1(&place.path().join(format!("{round}")));
        let mut child = begin(&dir);
        match round % 4 {
            // Between the copy and the step, or just behind it.
            0 => wait_until("the copy is there", || dir.join(copy).exists()),
            1 => wait_until("the copy begins", || {
                dir.join(format!("{copy}.part")).exists() || dir.join(copy).exists()
            }),
            _ => std::thread::sleep(Duration::from_micros(random.below(took) as u64)),
        }
        child.kill().expect("it runs");
        child.wait().expect("its end");
        copied += u64::from(dir.join(copy).exists());
        upgraded += u64::from(!line_of(&dir).contains("older version"));
        assert!(Collector::start_with(&dir, &[], &[]).stop().success(), "round {round}");
        assert_eq!(
            done(&dir, &["product", "list", "-o", "json"]),
            said_of_schema_1("products.json")
        );
        assert_eq!(counts(&dir), counts(&whole), "round {round}");
        assert!(!names(&dir).iter().any(|name| name.ends_with(".part")), "{:?}", names(&dir));
        if round < 3 {
            assert_eq!(reports(&dir), said_of_schema_1("reports.csv"), "round {round}");
        }
    }
    println!("{copied} were killed behind the copy, {upgraded} behind the step");
}

/// What `product list` says on standard error.
fn line_of(dir: &Path) -> String {
    String::from_utf8_lossy(&collector(dir, &["product", "list"]).stderr).into_owned()
}

/// Every row of the fixture's products, in an order.
fn counts(dir: &Path) -> Vec<String> {
    let reader = Reader::open(dir).expect("a reader");
    let mut all = vec![format!("{:?}", reader.counts(0).expect("counts"))];
    for product in ["mcpproxy", "notes-server"] {
        all.extend(reader.rows(product).expect("rows").iter().map(|row| format!("{row:?}")));
        all.extend(reader.days(product).expect("days").iter().map(|day| format!("{day:?}")));
    }
    all.sort();
    all
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
