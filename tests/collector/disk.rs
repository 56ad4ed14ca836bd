//! A full disk: a small file system in memory, mounted where only this test sees it.

use crate::running::{Collector, PRODUCT, heartbeat, kept, now, signal, wait_until};
use mcpproxy::collector::store::Reader;
use std::path::Path;
use std::process::Command;

/// What the collector runs in: a mount namespace that keeps its files when it has ended.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=2m tmpfs "$1" || exit 77
"$2" collector --ephemeral --listen 127.0.0.1:0 --data-dir "$1/data" --product "$4" &
echo $! > "$3/pid"
wait $!
cp "$1"/data/collector.* "$3"
"#;

/// Why this cannot be tried here; `None` when it can.
fn missing() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("only Linux has mount namespaces");
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let tried = Command::new("unshare")
        .args(["-m", "sh", "-c", r#"mount -t tmpfs -o size=1m tmpfs "$1""#, "sh"])
        .arg(place.path())
        .output();
    match tried {
        Ok(output) if output.status.success() => None,
        _ => Some("a file system cannot be mounted: it needs root, and `unshare` and `mount`"),
    }
}

#[test]
fn a_full_disk_is_503_and_what_was_acknowledged_stays() {
    if let Some(why) = missing() {
        skipped!("the collector on a full disk: {why}");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let (mount, out) = (place.path().join("mount"), place.path().join("out"));
    for dir in [&mount, &out] {
        std::fs::create_dir(dir).expect("a directory");
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT, "sh"]).arg(&mount);
    command.arg(env!("CARGO_BIN_EXE_mcpproxy")).arg(&out).arg(PRODUCT);
    let mut collector = Collector::spawn(command, &out);
    let pid: u32 = std::fs::read_to_string(out.join("pid"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .expect("the collector's process");

    let today = now();
    assert!(collector.post(&heartbeat(0, today)).is_stored());
    inside(pid, r#"dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null; true"#, &mount);
    // What room the files already have is used up first.
    let mut stored = 1;
    let refused = loop {
        let answer = collector.post(&heartbeat(stored, today));
        if !answer.is_stored() {
            break answer;
        }
        stored += 1;
        assert!(stored < 20_000, "it never was full");
    };
    assert_eq!((refused.code, refused.body.as_str()), (503, r#"{"stored":false}"#));
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok()));
    let ready = collector.get("/readyz");
    assert!(ready.code == 503 && ready.body.contains("full"), "{ready:?}");
    assert_eq!(collector.get("/healthz").code, 200);
    assert_eq!(collector.post(b"{").code, 400, "bad input is never 5xx");

    inside(pid, r#"rm "$1/fill""#, &mount);
    // It finds out by itself.
    wait_until("it is ready again", || collector.get("/readyz").code == 200);
    assert!(collector.post(&heartbeat(stored, today)).is_stored(), "the same bytes");
    assert!(collector.post(&heartbeat(0, today)).is_duplicate());
    signal(pid, "TERM");
    assert!(collector.ended().success());
    let reader = Reader::open(&out).expect("what was on the disk");
    assert_eq!(kept(&reader), (stored as usize + 1, stored + 1));
}

/// An upgrade and a copy where there is no room, then where nothing may be written, then where all is well. `$1` is
/// empty, `$2` the program, `$3` what comes out, `$4` a data directory of the first version.
const KEEPING: &str = r#"
mount -t tmpfs -o size=400k tmpfs "$1" || exit 77
mkdir "$1/data" && cp "$4"/collector.* "$1/data"
cp "$1/data/collector.db" "$3/before"
dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null
said() {
    to=$out/$1; shift
    "$@" >"$to.out" 2>"$to.err"
    echo $? >"$to.code"
}
start() { said "$1" "$program" collector --ephemeral --listen 127.0.0.1:0 --data-dir "$mount/data"; }
mount=$1 program=$2 out=$3
start full
cmp "$mount/data/collector.db" "$out/before" && ls "$mount/data" >"$out/full.names"
said backup "$program" collector backup "$mount/copy.db" --data-dir "$mount/data"
ls "$mount" >"$out/backup.names"
# Room for SQLite's own files, and not for a copy.
truncate -s -80k "$mount/fill"
start narrow
ls "$mount/data" >"$out/narrow.names"
rm "$mount/fill"
mount -o remount,ro "$mount"
start readonly
said restore "$program" collector restore "$out/before" --ephemeral --data-dir "$mount/data"
ls "$mount/data" >"$out/readonly.names"
mount -o remount,rw "$mount"
"$program" collector --ephemeral --listen 127.0.0.1:0 --data-dir "$mount/data" >"$out/well.out" 2>/dev/null &
pid=$!
while ! grep -q Receiving "$out/well.out"; do
    kill -0 $pid 2>/dev/null || exit 1
    sleep 0.05
done
kill -TERM $pid && wait $pid
"#;

#[test]
fn an_upgrade_or_a_copy_without_room_or_rights_is_one_line_and_changes_nothing() {
    if let Some(why) = missing() {
        skipped!("an upgrade on a full disk: {why}");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let (mount, out) = (place.path().join("mount"), place.path().join("out"));
    for dir in [&mount, &out] {
        std::fs::create_dir(dir).expect("a directory");
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", KEEPING, "sh"]).arg(&mount);
    command.arg(env!("CARGO_BIN_EXE_mcpproxy")).arg(&out);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/collectors/schema-1"));
    command.env_remove("MCPPROXY_COLLECTOR_KEY");
    let ran = command.output().expect("unshare");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect(name);
    for (what, remedy) in [
        ("full", "make room"),
        ("backup", "make room"),
        ("narrow", "the copy of collector.db cannot be written: the disk is full: make room"),
        ("readonly", "--data-dir DIR"),
        ("restore", "--data-dir DIR"),
    ] {
        let (code, said) = (read(&format!("{what}.code")), read(&format!("{what}.err")));
        assert_eq!(code.trim(), "1", "{what}: {said}");
        assert!(said.lines().count() == 1 && said.contains(remedy), "{what}: {said}");
        assert_eq!(read(&format!("{what}.out")), "", "{what}");
    }
    let left = ["collector.db", "collector.key", "collector.lock"];
    let names = |name: &str| read(name).lines().map(str::to_owned).collect::<Vec<_>>();
    for when in ["full.names", "narrow.names", "readonly.names"] {
        let mut names = names(when);
        // SQLite leaves its own empty files where it cannot begin.
        names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
        assert_eq!(names, left, "{when}");
    }
    assert_eq!(names("backup.names"), ["data", "fill"]);
}

/// Runs a script where the collector runs; `$1` is the mount.
fn inside(pid: u32, script: &str, mount: &Path) {
    let pid = pid.to_string();
    let mut command = Command::new("nsenter");
    let ran = command.args(["-t", &pid, "-m", "sh", "-c", script, "sh"]).arg(mount).status();
    assert!(ran.expect("nsenter").success());
}
