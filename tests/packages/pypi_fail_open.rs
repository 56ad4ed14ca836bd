//! Whatever keeps telemetry from running leaves the server in the launcher's own process, as if nothing were there: the
//! same output and end, no file, and one line on standard error for those who ask why.

use crate::pypi::{Site, command, is_counted, output, packed, run};
use crate::session::{Home, MCPPROXY};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SAYS: &str = "mcpproxy_tap: the server runs without telemetry: ";

/// Runs the server in a fresh home, and expects it in the launcher's process.
fn serves_alone(words: &[OsString], exports: &[(&str, &str)], reason: &str) {
    for debug in [false, true] {
        let home = Home::without_data_dir();
        let mut command = command(&home, words);
        command.envs(exports.iter().copied());
        if debug {
            command.env("MCPPROXY_DEBUG", "1");
        }
        let ending = run(command, "one\ntwo");
        assert_eq!(ending.stdout, "one\ntwo", "{reason}: {}", ending.stderr);
        assert_eq!(ending.status.code(), Some(0), "{reason}");
        match debug {
            false => assert_eq!(ending.stderr, "", "{reason}"),
            true => {
                let said = ending.stderr.strip_prefix(SAYS).and_then(|s| s.strip_suffix('\n'));
                let said = said.unwrap_or_else(|| panic!("{reason}: {}", ending.stderr));
                assert!(said.contains(reason) && !said.contains('\n'), "{reason}: {said}");
            }
        }
        assert!(!is_counted(&home) && !home.data_dir().exists(), "{reason}");
    }
}

fn echo(site: &Site) -> Vec<OsString> {
    vec![site.bin("notes-facts").into(), "echo".into()]
}

/// The same by a program of one's own, which calls `start()`.
fn program(site: &Site, text: &str) -> Vec<OsString> {
    let text = format!("import notes_mcp, sys\ndef start(): notes_mcp.facts()\n{text}");
    vec![site.bin("python").into(), "-c".into(), text.into(), "echo".into()]
}

#[test]
fn a_binary_that_is_missing_or_cannot_be_executed() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let binary = site.binary();
    // Root may do everything, but execute what no one may.
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o644)).expect("a mode");
    serves_alone(&echo(&site), &[], "may not be executed");
    // It is ours still, and may be executed: what it says is judged by the system.
    let mut elf = std::fs::read(&packed.binary).expect("the binary");
    // As after a disk that was full: the system starts it, and it dies.
    let cut = elf[..elf.len() / 2].to_vec();
    elf.truncate(4096);
    let head = elf.clone();
    elf[18] = 0x08; // MIPS.
    let other = std::fs::read("/bin/true").expect("another program");
    let script = b"#!/no/such/interpreter\n";
    for content in [&b"not a program\n"[..], b"", &elf, script, &head, &cut, &other] {
        std::fs::remove_file(&binary).expect("it was there");
        std::fs::write(&binary, content).expect("written");
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).expect("a mode");
        serves_alone(&echo(&site), &[], "cannot be started");
    }
    std::fs::remove_file(&binary).expect("it was there");
    serves_alone(&echo(&site), &[], "no binary for this platform");
    std::fs::create_dir(&binary).expect("a directory");
    serves_alone(&echo(&site), &[], "no binary for this platform");
}

#[test]
fn a_line_that_is_too_long_or_cannot_be_passed_on() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let path = "import notes_mcp, sys; sys.path += ['/x' * 99] * 9999; notes_mcp.facts()";
    let words = [site.bin("python").into(), "-c".into(), path.into(), "echo".into()];
    serves_alone(&words, &[], "cannot be started");
    let product = "import mcpproxy_tap as m; m.run('notes_mcp.facts', product='a\\0b', version='1', endpoint='')";
    let words = [site.bin("python").into(), "-c".into(), product.into(), "echo".into()];
    serves_alone(&words, &[], "cannot be started");
}

#[test]
fn a_server_without_a_client_sees_that_it_has_none() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let code = "import sys, notes_mcp; assert None in (sys.stdin, sys.stdout); notes_mcp.facts()";
    let python = site.bin("python");
    for closed in ["<&-", ">&-"] {
        let home = Home::without_data_dir();
        let script = format!("exec \"$0\" -c \"$1\" exit 3 {closed}");
        let words = [
            "sh".as_ref(),
            "-c".as_ref(),
            script.as_ref(),
            python.as_os_str(),
            std::ffi::OsStr::new(code),
        ];
        let ending = run(command(&home, &words), "");
        assert_eq!(ending.status.code(), Some(3), "{closed}: {}", ending.stderr);
        assert!(!is_counted(&home), "{closed}");
    }
}

#[test]
fn no_list_of_tools_is_an_empty_one() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let code = "import mcpproxy_tap as m; m.run('notes_mcp.facts', product='notes-mcp', version='1.4.0', \
                endpoint='http://127.0.0.1:9', discovery_tools=None)";
    let home = Home::without_data_dir();
    let words = [site.bin("python").into(), "-c".into(), code.into(), OsString::from("echo")];
    let ending = run(command(&home, &words), "one");
    assert_eq!(
        (ending.status.code(), ending.stdout.as_str()),
        (Some(0), "one"),
        "{}",
        ending.stderr
    );
    assert!(is_counted(&home));
}

#[test]
fn a_process_that_another_cannot_take_over_from() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    for (text, reason) in [
        ("sys.frozen = True; start()", "frozen"),
        ("sys.executable = '/opt/notes/notes-mcp'; start()", "part of a program"),
        ("sys.executable = None; start()", "part of a program"),
        ("sys.executable = '/no/such/python3'; start()", "not where it was"),
        ("sys.ps1 = '>>> '; start()", "a person"),
        (
            "import io; sys.stdin = io.TextIOWrapper(io.BytesIO(sys.stdin.buffer.read())); start()",
            "replaced",
        ),
        ("sys.settrace(lambda *_: None); start()", "a debugger"),
        (
            "m = getattr(sys, 'monitoring', None); m.use_tool_id(1, 'x') if m else sys.setprofile(lambda *_: None); start()",
            "a debugger",
        ),
        ("import os; os.environ['LISTEN_FDS'] = '1'; start()", "a socket"),
        (
            "import threading, os\ndef body():\n try: start()\n except SystemExit: pass\nt = threading.Thread(target=body); t.start(); t.join()",
            "a thread",
        ),
        ("import asyncio\nasync def body(): start()\nasyncio.run(body())", "event loop"),
    ] {
        serves_alone(&program(&site, text), &[], reason);
    }
}

#[test]
fn an_archive_of_everything() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let place = tempfile::tempdir().expect("a temporary directory");
    let archive = place.path().join("notes.pyz");
    std::fs::write(site.packages().join("__main__.py"), "import notes_mcp; notes_mcp.facts()\n")
        .expect("written");
    let mut zip = Command::new(site.bin("python"));
    zip.args(["-m", "zipapp", "--output"]).arg(&archive).arg(site.packages());
    output(&mut zip);
    let python = packed.parts().python();
    serves_alone(&[python.into(), archive.into(), "echo".into()], &[], "no binary");
}

#[test]
fn an_objection_in_the_environment() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    serves_alone(&echo(&site), &[("DO_NOT_TRACK", "1")], "DO_NOT_TRACK objects");
    serves_alone(&echo(&site), &[("MCPPROXY_TELEMETRY", "off")], "MCPPROXY_TELEMETRY objects");
}

/// Every variable that can object, with values on both sides of each rule.
#[test]
fn the_launcher_knows_objections_as_the_binary_does() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let values = [
        "", " ", "0", "1", "00", "true", "TRUE", " true ", "false", "False", "FALSE", " false",
        "off", "Off", "on", " ON\t", "yes", "Yes", "no", "NO\n", "y", "n", "disable", "enabled",
        "-1", "\u{a0}", "\u{a0}on",
    ];
    let names = [
        "DO_NOT_TRACK",
        "MCPPROXY_TELEMETRY",
        "MCPPROXY_TELEMETRY_DISABLED",
        "MCPPROXY_DO_NOT_TRACK",
    ];
    let cases: Vec<(&str, &str)> =
        names.iter().flat_map(|name| values.iter().map(|value| (*name, *value))).collect();
    let asked = "import json, sys; from mcpproxy_tap._objection import objection\n\
                 print(json.dumps([objection({n: v}) for n, v in json.loads(sys.argv[1])]))";
    let said = output(
        Command::new(site.bin("python"))
            .args(["-c", asked])
            .arg(serde_json::json!(cases).to_string()),
    );
    let said: Vec<Option<String>> = serde_json::from_str(&said).expect("JSON");
    let home = Home::without_data_dir();
    for ((name, value), said) in cases.into_iter().zip(said) {
        let command: Vec<OsString> =
            [MCPPROXY, "telemetry", "status", "-o", "json"].map(OsString::from).into();
        let ended = crate::session::run(&mut home.shell(&[(name, value)], &command));
        let status: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let rule = status["products"][0]["rule"].as_str();
        let rule = rule.unwrap_or_else(|| panic!("{status}"));
        let objects = rule.starts_with("env:").then(|| name.to_owned());
        assert_eq!(said, objects, "{name}={value:?}: {rule}");
    }
}

#[test]
fn packages_that_cannot_be_written_are_enough() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let set = |mode: &str| output(Command::new("chmod").args(["-R", mode]).arg(site.root()));
    let listed = || {
        output(
            Command::new("find")
                .arg(site.root())
                .args(["-newer"])
                .arg(site.root().join("pyvenv.cfg")),
        )
    };
    set("a-w");
    let before = listed();
    let home = Home::without_data_dir();
    let ending = run(command(&home, &echo(&site)), "one\n");
    assert_eq!((ending.status.code(), &*ending.stdout), (Some(0), "one\n"), "{}", ending.stderr);
    assert!(is_counted(&home));
    // Root writes where no one may; nothing but the cache of Python may have come.
    let is_cache = |line: &&str| line.contains("__pycache__");
    let after = listed();
    let new = |text: &str| text.lines().filter(|line| !is_cache(line)).count();
    assert_eq!(new(&before), new(&after), "{after}");
    set("u+w");
}

#[test]
fn without_a_binary_the_switch_says_so() {
    let Some(packed) = packed() else { return };
    let site = Site::without_binary(packed);
    for word in ["status", "on", "off", "show", "forget"] {
        let home = Home::without_data_dir();
        let words = [site.bin("notes-facts").into(), "--mcpproxy-telemetry".into(), word.into()];
        let ending = run(command(&home, &words as &[OsString]), "");
        assert_eq!((ending.status.code(), &*ending.stdout), (Some(1), ""), "{word}");
        assert!(ending.stderr.contains("DO_NOT_TRACK=1"), "{}", ending.stderr);
        assert_eq!(ending.stderr.lines().count(), 1, "{}", ending.stderr);
    }
}
