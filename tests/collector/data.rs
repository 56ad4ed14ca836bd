//! What goes out of a database and comes into it, while a collector runs on it.

use crate::running::{
    Collector, PRODUCT, collector, heartbeat, id, is_on_a_server, kept, now, on_its_engine,
    program, wait_until,
};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

/// The first lines of standard output, of a command that must succeed.
fn said(dir: &Path, words: &[&str]) -> String {
    let output = collector(dir, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The one line on standard error, and the exit code, of a command that must fail.
fn refused(dir: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = collector(dir, words);
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && text.lines().count() == 1, "{words:?}: {text}");
    (output.status.code(), text)
}

fn with_input(dir: &Path, words: &[&str], input: &[u8]) -> Output {
    let mut command = program();
    let mut child = on_its_engine(&mut command, dir)
        .arg("collector")
        .args(words)
        .arg("--data-dir")
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the built command");
    child.stdin.take().expect("its input").write_all(input).expect("it reads");
    child.wait_with_output().expect("its end")
}

/// The UTC day of a moment.
fn day(at: u64) -> String {
    mcpproxy::contract::timestamp::format(at)[..10].to_owned()
}

#[test]
fn the_operator_forgets_an_install_beside_a_running_collector() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path();
    let running = Collector::start(dir);
    for install in 1..=3 {
        assert!(running.post(&heartbeat(install, now())).is_stored());
    }
    assert_eq!(
        said(dir, &["forget", &id(1)]),
        "Erased: the install of notes-mcp; for 30 days nothing of it is stored again.\n"
    );
    let output =
        with_input(dir, &["forget", "-", "--product", PRODUCT], format!("{}\n", id(2)).as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kept(&running.reader()), (1, 1));
    assert_eq!(running.post(&heartbeat(1, now() - 60)).code, 204);
    assert!(said(dir, &["forget", &id(9)]).starts_with("No install has this id here"));
    let (code, text) = refused(dir, &["forget", "1b4e28ba"]);
    assert!(code == Some(2) && text.contains("`-` reads it"), "{text}");
    let (code, text) = refused(dir, &["forget", &id(3), "--product", "nobody-has-it"]);
    assert!(code == Some(1) && text.contains("product list"), "{text}");
    let (code, text) = refused(dir, &["forget", &id(3), "--key-file", "/dev/zero"]);
    assert!(code == Some(1) && text.contains("64 hexadecimal digits"), "{text}");
    assert_eq!(kept(&running.reader()), (1, 1));
    running.stop();
}

#[test]
fn a_flood_is_purged_after_it_was_shown() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path();
    let words = ["--product", PRODUCT, "--trusted-proxy", "127.0.0.0/8"];
    let running = Collector::start_with(dir, &words, &[]);
    let headers = "content-type: application/json\r\nx-forwarded-for: 203.0.113.77\r\n";
    let mut client = running.connect();
    let at = now();
    for install in 0..60 {
        assert!(client.post_as(headers, &heartbeat(install, at)).expect("an answer").is_stored());
    }
    assert!(running.post(&heartbeat(100, at)).is_stored());
    let days = format!("{}..{}", day(at - 86_400), day(at + 86_400));
    let flood = ["purge", "--received", &days, "--reason", "flood"];
    let output = collector(dir, &flood);
    let (shown, why) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("notes-mcp: 10 installs, 10 marked as a flood"), "{shown}");
    assert!(output.status.code() == Some(1) && why.contains("--yes"), "{why}");
    assert_eq!(kept(&running.reader()).0, 61, "nothing was purged");
    let purged = said(dir, &[&flood[..], &["--yes"]].concat());
    assert!(purged.ends_with("Purged 10 installs.\n"), "{purged}");
    assert_eq!(kept(&running.reader()), (51, 51));
    assert!(said(dir, &flood).starts_with("No install"));
    let all = said(dir, &["purge", "--received", &days, "--product", PRODUCT, "-y"]);
    assert!(all.contains("51 installs, 0 marked"), "{all}");
    assert_eq!(kept(&running.reader()), (0, 0));
    for wrong in [
        &["purge"][..],
        &["purge", "--received", "yesterday"],
        &["purge", "--received", "2026-11-03..2026-11-01"],
        &["purge", "--received", "2026-11-01", "--reason", "spam"],
    ] {
        assert_eq!(refused(dir, wrong).0, Some(2), "{wrong:?}");
    }
    running.stop();
}

#[test]
fn a_note_is_kept_listed_shown_and_removed() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path();
    let running = Collector::start(dir);
    assert!(running.post(&heartbeat(1, now())).is_stored());
    running.stop();
    let today = day(now());
    said(dir, &["note", &today, "Posted <b>1.4</b> & more"]);
    assert!(said(dir, &["note", &today, "Posted <b>1.4</b> & more"]).contains("already"));
    assert_eq!(said(dir, &["notes"]), format!("{today}  Posted <b>1.4</b> & more\n"));
    let list: serde_json::Value =
        serde_json::from_str(&said(dir, &["notes", "-o", "json"])).expect("JSON");
    assert_eq!(list["notes"][0]["day"], today);
    // With a password of ours the pages open without the printed link.
    let password = dir.join("password");
    std::fs::write(&password, "a-password-of-my-own\n").expect("a file");
    let words = ["--password-file", password.to_str().expect("text")];
    let running = Collector::start_with(dir, &words, &[]);
    let request = "GET /?show=all HTTP/1.1\r\nhost: x\r\nx-api-key: a-password-of-my-own\r\n\r\n";
    let page = running.connect().ask(request.as_bytes()).expect("a page").body;
    assert!(page.contains("Posted &lt;b&gt;1.4&lt;/b&gt; &amp; more"), "{page}");
    assert!(page.contains("class=\"note\""), "a mark in the chart");
    for wrong in [
        &["note", "today", "x"][..],
        &["note", &today, ""],
        &["note", &today, "two\nlines"],
        &["note", &today, &"x".repeat(121)],
    ] {
        assert_eq!(refused(dir, wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(refused(dir, &["note", &today, "another", "--remove"]).0, Some(1));
    said(dir, &["note", &today, "Posted <b>1.4</b> & more", "--remove"]);
    assert!(said(dir, &["notes"]).starts_with("No notes"));
    running.stop();
}

#[test]
fn an_export_leads_back_to_nobody() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path();
    let running = Collector::start(dir);
    let rare = String::from_utf8(heartbeat(2, now())).expect("text");
    let rare = rare.replace("claude-code", "toms-own-client");
    assert!(running.post(&heartbeat(1, now())).is_stored());
    assert!(running.post(rare.as_bytes()).is_stored());
    let file = place.path().join("installs.jsonl");
    let name = file.to_str().expect("text");
    assert_eq!(said(dir, &["export", name]), "Exported 2 installs.\n");
    assert!(!mcpproxy_platform::files::is_readable_by_others(Path::new(&file)));
    let text = std::fs::read_to_string(&file).expect("the export");
    assert_eq!(text, said(dir, &["export", "-", "--product", PRODUCT]));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["day_0"], day(now()));
    assert_eq!(lines[0]["days"], serde_json::json!([0]));
    let others: u64 =
        lines.iter().map(|line| line["other_clients"].as_u64().expect("a count")).sum();
    assert_eq!(others, 1);
    assert!(text.contains("claude-code") && !text.contains("toms-own-client"), "{text}");
    for install in 1..=2 {
        assert!(!text.contains(&id(install)) && !text.contains(&id(install)[..8]));
    }
    let longest = text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
    assert!(longest < Some(16), "no hash either: {text}");
    let (code, why) = refused(dir, &["export", name]);
    assert!(code == Some(1) && why.contains("exists already"), "{why}");
    assert_eq!(refused(dir, &["export", "-", "--product", "nobody-has-it"]).0, Some(1));
    running.stop();
}

/// Heartbeats of many installs over days, with the times of their receipt.
fn log(heartbeats: u64) -> String {
    let first = now() - 20 * 86_400;
    (0..heartbeats)
        .map(|n| {
            let at = first + n * (19 * 86_400) / heartbeats;
            let body = String::from_utf8(heartbeat(n % 400, at)).expect("text");
            format!("{{\"received\":{},\"body\":{body}}}\n", at + 1)
        })
        .collect()
}

/// A database that receives [`PRODUCT`], with a key that all of them share.
fn empty(place: &Path, name: &str) -> std::path::PathBuf {
    let dir = place.join(name);
    let key = place.join("key");
    std::fs::write(&key, "ab".repeat(32)).expect("a key");
    let words = ["--product", PRODUCT, "--key-file", key.to_str().expect("text")];
    Collector::start_with(&dir, &words, &[]).stop();
    std::fs::copy(&key, dir.join("collector.key")).expect("the key");
    dir
}

#[test]
fn an_import_that_was_killed_goes_on_and_counts_nothing_twice() {
    let place = tempfile::tempdir().expect("a temporary directory");
    if is_on_a_server(place.path()) {
        return;
    }
    let file = place.path().join("log");
    std::fs::write(&file, log(6_000)).expect("a log");
    let file = file.to_str().expect("text");
    let (whole, killed) = (empty(place.path(), "whole"), empty(place.path(), "killed"));
    // Beside a running collector, which notices.
    let running = Collector::start_with(&whole, &[], &[]);
    let report = said(&whole, &["import", file]);
    assert!(report.starts_with("Stored 6,000 heartbeats"), "{report}");
    assert_eq!(kept(&running.reader()), (400, 6_000));
    assert!(running.post(&heartbeat(1, now())).is_stored());
    said(&whole, &["forget", &id(1)]);
    running.stop();

    let imported = || -> u64 {
        let file = rusqlite::Connection::open(killed.join("collector.db")).expect("a file");
        let lines = file.query_row("SELECT SUM(lines) FROM imports", [], |row| row.get(0));
        lines.ok().flatten().unwrap_or(0)
    };
    let mut before = 0;
    for _ in 0..3 {
        let mut child = program()
            .args(["collector", "import", file, "--data-dir"])
            .arg(&killed)
            .stdout(Stdio::null())
            .spawn()
            .expect("the built command");
        wait_until("some lines are imported", || {
            imported() > before || child.try_wait().expect("a child").is_some()
        });
        let _ = child.kill();
        child.wait().expect("its end");
        before = imported();
    }
    said(&killed, &["import", file]);
    let again = said(&killed, &["import", file]);
    assert!(again.contains("6,000 lines were imported before"), "{again}");
    said(&killed, &["forget", &id(1)]);
    assert_eq!(said(&whole, &["export", "-"]), said(&killed, &["export", "-"]));
}

#[test]
fn a_line_that_is_wrong_is_named_by_number_and_rule_and_nothing_is_imported() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = empty(place.path(), "data");
    let good = log(10);
    let secret = good.replacen("\"anonymous_id\":\"", "\"anonymous_id\":\"secret", 1);
    let output = with_input(&dir, &["import", "-"], secret.as_bytes());
    let why = String::from_utf8(output.stderr).expect("text");
    assert!(why.contains("line 1 ") && why.contains("rule shape, at /anonymous_id"), "{why}");
    assert!(!why.contains("secret") && why.lines().count() == 1, "{why}");
    assert_eq!(said(&dir, &["export", "-"]), "");
    let output = with_input(&dir, &["import", "-"], good.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said(&dir, &["export", "-"]).lines().count(), 10);
    let (code, why) = refused(&dir, &["import", "nowhere"]);
    assert!(code == Some(1) && why.contains("cannot be read"), "{why}");
    let (code, why) = refused(&dir, &["import", place.path().to_str().expect("text")]);
    assert!(code == Some(1) && why.contains("no file"), "{why}");
}
