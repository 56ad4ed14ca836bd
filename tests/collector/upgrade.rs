//! Upgrades: a database that an earlier version wrote, and an upgrade that is killed.

use crate::endure::{Random, scaled, seed};
use crate::keeping::{done, line, names, text};
use crate::running::{Collector, collector, now, program, wait_until};
use mcpproxy::collector::store::Reader;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The schemas of earlier versions.
const EARLIER: [u32; 2] = [1, 2];

/// What an earlier version left of the fixture.
fn fixture(schema: u32) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/collectors");
    all.join(format!("schema-{schema}"))
}

/// The fixture that an earlier version wrote, in a directory of its own.
fn earlier(schema: u32, place: &Path) -> PathBuf {
    let from = fixture(schema);
    fs::create_dir_all(place).expect("a directory");
    for name in ["collector.db", "collector.key"] {
        fs::copy(from.join(name), place.join(name)).expect("a copy");
    }
    place.to_owned()
}

/// What that version said of its database: its products, and reports as of noon of 2027-01-12.
fn said(schema: u32, name: &str) -> String {
    let text = fs::read_to_string(fixture(schema).join(name));
    text.expect("the fixture").replace("\r\n", "\n")
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
                // What that version did not say.
                let text = text.replace("\r\nfloods,0,,,,\r\n", "\r\n");
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
fn a_database_of_every_earlier_version_says_the_same_after_the_upgrade() {
    for schema in EARLIER {
        let place = tempfile::tempdir().expect("a temporary directory");
        let dir = earlier(schema, &place.path().join("data"));
        let (code, line) = line(&collector(&dir, &["report", "overview"]));
        assert!(code == Some(1) && line.contains("start `mcpproxy collector` once"), "{line}");
        // A copy of it can be made before.
        let copy = place.path().join("copy.db");
        let made = done(&dir, &["backup", text(&copy)]);
        assert!(made.contains("installs of 3 products"), "{made}");
        assert!(Collector::start_with(&dir, &[], &[]).stop().success());
        let products = done(&dir, &["product", "list", "-o", "json"]);
        assert_eq!(products, said(schema, "products.json"));
        assert_eq!(reports(&dir), said(schema, "reports.csv"), "schema {schema}");
        // And the copy of the old version can be restored, and upgraded again.
        done(&dir, &["restore", "--ephemeral", text(&copy)]);
        assert!(Collector::start_with(&dir, &[], &[]).stop().success());
        assert_eq!(reports(&dir), said(schema, "reports.csv"), "schema {schema}");
    }
}

#[test]
fn an_upgrade_that_is_killed_at_any_moment_is_finished_by_the_next_start() {
    let seed = seed();
    println!("MCPPROXY_ENDURE_SEED={seed}");
    let mut random = Random::new(seed, 43);
    let place = tempfile::tempdir().expect("a temporary directory");
    // How long it takes here decides where it is killed, and nothing else.
    let started = Instant::now();
    let whole = earlier(1, &place.path().join("whole"));
    assert!(Collector::start_with(&whole, &[], &[]).stop().success());
    let took = started.elapsed().as_micros() as usize;
    let copy = "collector.db.before-schema-2";
    let (mut copied, mut upgraded) = (0, 0);
    for round in 0..scaled("UPGRADE_KILLS", 24) {
        let dir = earlier(1, &place.path().join(format!("{round}")));
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
        assert_eq!(done(&dir, &["product", "list", "-o", "json"]), said(1, "products.json"));
        assert_eq!(counts(&dir), counts(&whole), "round {round}");
        assert!(!names(&dir).iter().any(|name| name.ends_with(".part")), "{:?}", names(&dir));
        if round < 3 {
            assert_eq!(reports(&dir), said(1, "reports.csv"), "round {round}");
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
