//! The command line: bad input is one line with its remedy, and changes nothing.

use crate::running::{Collector, PRODUCT, collector, heartbeat, now, program};
use std::path::Path;

/// The one line on standard error, and the exit code.
fn refused(dir: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = collector(dir, words);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(text.lines().count(), 1, "{words:?}: {text}");
    assert!(output.stdout.is_empty(), "{words:?}");
    (output.status.code(), text)
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_made() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path().join("data");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("its address").to_string();
    let none = place.path().join("none");
    let short = place.path().join("short");
    std::fs::write(&short, "abc").expect("a file");
    let (none, short) = (none.to_str().expect("text"), short.to_str().expect("text"));
    let cases: [(&[&str], i32, &str); 16] = [
        (&["--listen", "nowhere"], 2, "such as 127.0.0.1:8787"),
        (&["--listen", &taken], 1, "--listen HOST:PORT"),
        (&["--product", "Not A Name"], 2, "such as `notes-mcp`"),
        (&["--product", "mcpproxy-x"], 2, "reserved"),
        (&["--product", "10.0.0.1"], 2, "looks like a key or an address"),
        (&["product", "add", "10.0.0.1"], 2, "looks like a key or an address"),
        (&["product", "rename", "a", "ghp_0a1b2c3d4e5f6g7h8i9j"], 2, "looks like a key"),
        (&["--base-path", "telemetry"], 2, "such as /telemetry"),
        (&["--base-path", "/a/../b"], 2, "such as /telemetry"),
        (&["--log-format", "xml"], 2, "text or json"),
        (&["--key-file", none], 1, "--key-file FILE"),
        (&["--key-file", short], 1, "openssl rand -hex 32"),
        (&["extra"], 2, "unexpected argument"),
        (&["product", "add"], 2, "NAME is missing"),
        (&["product", "rename", "a"], 2, "NEW-NAME is missing"),
        (&["product", "remove", "a"], 1, "--data-dir DIR"),
    ];
    for (words, code, remedy) in cases {
        let (exit, text) = refused(&dir, words);
        assert!(exit == Some(code) && text.contains(remedy), "{words:?}: {exit:?} {text}");
        assert!(!dir.exists(), "{words:?} made something");
    }
    let output = program()
        .args(["collector", "--listen", "[::]:0", "--data-dir"])
        .arg(&dir)
        .env("MCPPROXY_TEST_CLOCK_OFFSET", "60")
        .output()
        .expect("the built command");
    assert_eq!(output.status.code(), Some(2), "a clock for tests is not for others");
    assert!(!dir.exists());
}

#[test]
fn the_directory_of_an_install_is_never_that_of_a_collector() {
    for theirs in ["mcp_config.json", "install.json", "telemetry", "products"] {
        let place = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(place.path().join(theirs), "{}").expect("a file");
        for words in [&["--ephemeral", "--listen", "127.0.0.1:0"][..], &["product", "list"]] {
            let (exit, text) = refused(place.path(), words);
            assert!(exit == Some(1) && text.contains("--data-dir DIR"), "{words:?}: {text}");
            assert!(text.contains(theirs), "{words:?}: {text}");
        }
        assert_eq!(std::fs::read_dir(place.path()).expect("entries").count(), 1, "nothing is made");
    }
}

#[test]
fn products_come_and_go_while_the_collector_runs() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let running = Collector::start_with(place.path(), &[], &[]);
    let said = |words: &[&str]| {
        let output = collector(place.path(), words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let beat = heartbeat(1, now());
    assert_eq!(running.post(&beat).code, 400);
    said(&["product", "add", PRODUCT, "--ephemeral"]);
    assert!(running.post(&beat).is_stored());
    said(&["product", "rename", PRODUCT, "@notes/server"]);
    let list = said(&["product", "list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["products"][0]["name"], "notes.server");
    assert_eq!(list["products"][0]["installs"], 1);
    assert!(running.post(&heartbeat(2, now())).is_stored(), "its old name is still its own");
    said(&["product", "remove", "notes.server"]);
    assert_eq!(running.post(&heartbeat(3, now())).code, 400);
    assert!(said(&["product", "list"]).contains("refused"));
}

#[test]
fn a_report_says_why_it_has_no_numbers_of_a_product_and_takes_each_option_once() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let running = Collector::start_with(place.path(), &["--any-product"], &[]);
    assert!(running.post(&heartbeat(1, now())).is_stored());
    let report = |words: &[&str]| refused(place.path(), &[&["report", "overview"], words].concat());
    let (code, text) = report(&["--product", PRODUCT]);
    assert!(code == Some(2) && text.contains("hidden until it is added"), "{text}");
    for words in [&["product", "add", PRODUCT, "--ephemeral"][..], &["product", "remove", PRODUCT]]
    {
        assert!(collector(place.path(), words).status.success());
    }
    let (code, text) = report(&["--product", PRODUCT]);
    assert!(code == Some(2) && text.contains("was removed"), "{text}");
    let (code, text) = report(&["--product", "other-mcp"]);
    assert!(code == Some(2) && text.contains("there is no product"), "{text}");
    for twice in [&["--kind", "ci", "--kind", "container"][..], &["--os", "linux", "--os", "linux"]]
    {
        let (code, text) = report(twice);
        assert!(code == Some(2) && text.contains("is given twice"), "{text}");
    }
    running.stop();
}

#[test]
fn a_second_collector_and_a_wrong_key_are_one_line() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let running = Collector::start(place.path());
    let words = ["--ephemeral", "--listen", "127.0.0.1:0"];
    let (code, text) = refused(place.path(), &words);
    assert!(code == Some(1) && text.contains("another collector"), "{text}");
    running.stop();

    let key = place.path().join("collector.key");
    std::fs::write(&key, "ab".repeat(32)).expect("another key");
    let (code, text) = refused(place.path(), &words);
    assert!(code == Some(1) && text.contains("the right one"), "{text}");
    std::fs::remove_file(&key).expect("no key");
    let (code, text) = refused(place.path(), &words);
    assert!(code == Some(1) && text.contains("is missing"), "{text}");
    std::fs::write(place.path().join("collector.db"), "no database ".repeat(900)).expect("a file");
    let (code, text) = refused(place.path(), &words);
    assert!(code == Some(1) && text.contains("move it away"), "{text}");
}

#[test]
fn help_knows_the_commands_and_their_directory() {
    let output = program().args(["collector", "--help"]).output().expect("the built command");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("collector product add") && text.contains("MCPPROXY_COLLECTOR_HOME"));
    assert!(!text.contains("$MCPPROXY_HOME"), "{text}");
    let output = program().args(["collector", "product", "--help"]).output();
    let text = String::from_utf8(output.expect("the built command").stdout).expect("text");
    assert!(text.contains("product rename") && !text.contains("Receive the heartbeats"), "{text}");
}

#[test]
fn a_directory_that_is_gone_with_the_machine_must_be_meant() {
    let memory = Path::new("/dev/shm");
    let is_tmpfs = std::fs::read_to_string("/proc/mounts")
        .is_ok_and(|mounts| mounts.lines().any(|line| line.contains(" /dev/shm tmpfs ")));
    let Some(place) = is_tmpfs.then(|| tempfile::tempdir_in(memory).ok()).flatten() else {
        skipped!("a collector in memory: /dev/shm is no tmpfs that can be written");
        return;
    };
    for words in [&["--listen", "127.0.0.1:0"][..], &["product", "add", PRODUCT]] {
        let (code, text) = refused(place.path(), words);
        assert!(code == Some(1) && text.contains("docker run -v"), "{text}");
    }
    assert!(!place.path().join("collector.db").exists());
}

#[test]
fn nothing_that_is_kept_or_logged_names_a_sender() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (dir, log) = (place.path().join("data"), place.path().join("log"));
    let mut command = program();
    command
        .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--product", PRODUCT])
        .arg("--data-dir")
        .arg(&dir)
        .stderr(std::fs::File::create(&log).expect("a log"));
    let running = Collector::spawn(command, &dir);
    let headers = "content-type: application/json\r\nuser-agent: agent-of-mine\r\n\
                   x-forwarded-for: 203.0.113.77\r\n";
    let good = heartbeat(7, now());
    let text = String::from_utf8(good.clone()).expect("text");
    let bad = text.replace("claude-code", "ghp-0123456789abcdefghijklmnopqrstuvwxyz");
    for (body, code) in
        [(good.as_slice(), 200), (bad.as_bytes(), 400), (b"{secret".as_slice(), 400)]
    {
        let answer = running.connect().post_as(headers, body).expect("an answer");
        assert_eq!(answer.code, code);
        assert!(!answer.body.contains("ghp-") && !answer.body.contains("secret"));
    }
    // With its log of changes, before the end makes one file of both.
    let look = || {
        let mut files: Vec<_> = std::fs::read_dir(&dir)
            .expect("the directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(files.len() >= 3);
        files.push(log.clone());
        for file in files {
            let bytes = std::fs::read(&file).expect("its bytes");
            let id = crate::running::id(7);
            for word in
                ["agent-of-mine", "203.0.113.77", "ghp-0123", "secret", "schema_version", &id]
            {
                let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!is_there, "{word} is in {}", file.display());
            }
        }
    };
    look();
    running.stop();
    look();
}

#[test]
fn only_a_collector_that_stores_nothing_warns_that_it_does() {
    for (words, warns) in [(&[][..], true), (&["--any-product"], false)] {
        let place = tempfile::tempdir().expect("a temporary directory");
        let log = place.path().join("log");
        let mut command = program();
        command
            .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(place.path().join("data"))
            .args(words)
            .stderr(std::fs::File::create(&log).expect("a log"));
        Collector::spawn(command, place.path()).stop();
        let text = std::fs::read_to_string(&log).expect("its log");
        assert_eq!(text.contains("there are no products"), warns, "{words:?}: {text}");
    }
}
