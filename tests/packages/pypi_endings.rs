//! A server behind the launcher ends as it does without: by its code, by a signal, by the end of its input. And every
//! byte of it arrives.

use crate::pypi::{Ending, Running, Site, command, is_counted, packed, run};
use crate::session::{Home, signal};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// The server without the launcher, and behind it.
fn pair(site: &Site, homes: &[Home; 2], words: &[&str]) -> [Command; 2] {
    let plain = [site.bin("python").into(), "-m".into(), "notes_mcp.facts".into()];
    let tapped = [site.bin("notes-facts").into_os_string()];
    let rest = words.iter().map(std::ffi::OsString::from);
    let plain: Vec<_> = plain.into_iter().chain(rest.clone()).collect();
    let tapped: Vec<_> = tapped.into_iter().chain(rest).collect();
    [command(&homes[0], &plain), command(&homes[1], &tapped)]
}

fn homes() -> [Home; 2] {
    [Home::without_data_dir(), Home::without_data_dir()]
}

/// A code or a signal; whether there was a core file is up to the machine.
fn end(ending: &Ending) -> (Option<i32>, Option<i32>) {
    (ending.status.code(), ending.status.signal())
}

#[test]
fn codes_signals_and_output_are_those_of_the_server() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    for words in [
        &["exit", "0"][..],
        &["exit", "3"],
        &["exit", "255"],
        &["say", "the server's own words"],
        &["raise"],
        &["kill", "SIGTERM"],
        &["kill", "SIGKILL"],
        &["kill", "SIGABRT"],
        &["kill", "SIGINT"],
        &["print"],
        &["no such word"],
    ] {
        let homes = homes();
        let [plain, tapped] = pair(&site, &homes, words).map(|command| run(command, ""));
        assert_eq!(end(&plain), end(&tapped), "{words:?}");
        assert_eq!(plain.stdout, tapped.stdout, "{words:?}");
        // The last line of the server; the notice may come later, and ends with an empty line.
        let last = |ending: &Ending| {
            let of_server = |line: &&str| !line.is_empty() && !line.starts_with("mcpproxy: ");
            ending.stderr.lines().rfind(of_server).map(str::to_owned)
        };
        let is_silent = plain.stderr.is_empty();
        assert!(is_silent || last(&plain) == last(&tapped), "{words:?}: {}", tapped.stderr);
        assert!(is_counted(&homes[1]), "{words:?}");
    }
}

#[test]
fn signals_reach_the_server_and_end_it_as_they_do_without_the_launcher() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    for name in ["TERM", "HUP", "INT", "QUIT", "USR1"] {
        let homes = homes();
        let [plain, tapped] = pair(&site, &homes, &["wait"]).map(|mut command| {
            let mut running = Running::start(&mut command);
            assert_eq!(running.line(), "ready\n");
            signal(name, &running.pid().to_string());
            running.end()
        });
        assert_eq!(end(&plain), end(&tapped), "{name}: {}", tapped.stderr);
        assert!(plain.status.signal().is_some(), "{name}: {plain:?}");
    }
}

#[test]
fn every_byte_passes_and_the_end_of_the_input_is_the_end_of_the_server() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let text: String =
        (0..2000).map(|line| format!("{line} \u{e9}\u{2028}\0\t{{\"a\":\r}}\n")).collect();
    let text = format!("{text}no line feed at the end");
    let homes = homes();
    for command in pair(&site, &homes, &["echo"]) {
        let mut command = command;
        let mut running = Running::start(&mut command);
        running.tell("one\n");
        assert_eq!(running.line(), "one\n");
        running.tell(&text);
        let ending = running.end();
        assert_eq!(end(&ending), (Some(0), None));
        assert!(ending.stdout == text, "{} of {} bytes", ending.stdout.len(), text.len());
    }
    assert!(is_counted(&homes[1]));
}

#[cfg(target_os = "linux")]
#[test]
fn the_launcher_is_gone_when_the_server_runs() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let home = Home::without_data_dir();
    let mut command = command(&home, &[site.bin("notes-facts").as_os_str(), "wait".as_ref()]);
    let mut running = Running::start(&mut command);
    assert_eq!(running.line(), "ready\n");
    let program = std::fs::read_link(format!("/proc/{}/exe", running.pid())).expect("a program");
    assert_eq!(program, site.binary().canonicalize().expect("a path"));
    signal("TERM", &running.pid().to_string());
    running.end();
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_replaces_itself_has_one_tap() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let home = Home::without_data_dir();
    let script = site.bin("notes-facts");
    let words = [script.as_os_str(), "again".as_ref(), script.as_os_str()];
    let ending = run(command(&home, &words), "");
    assert_eq!(ending.stdout, format!("mcpproxy {}\n", std::process::id()), "{}", ending.stderr);
}

#[test]
fn on_windows_the_server_is_a_child_that_ends_as_it_does() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    // The same lines as there, but for the job of Windows.
    let code = "import sys; from mcpproxy_tap import _windows; import os; \
                sys.exit(_windows.run([sys.executable, '-m', 'notes_mcp.facts', *sys.argv[1:]], os.environ))";
    for (words, wanted) in [(&["exit", "3"][..], Some(3)), (&["exit", "0"], Some(0))] {
        let home = Home::without_data_dir();
        let python = site.bin("python");
        let line = [&[python.to_str().expect("UTF-8"), "-c", code], words].concat();
        let ending = run(command(&home, &line), "");
        assert_eq!(ending.status.code(), wanted, "{}", ending.stderr);
    }
    let home = Home::without_data_dir();
    let python = site.bin("python");
    let line = [python.to_str().expect("UTF-8"), "-c", code, "echo"];
    let mut running = Running::start(&mut command(&home, &line));
    running.tell("one\n");
    assert_eq!(running.line(), "one\n");
    // A console gives Ctrl-C to both: the launcher waits for what the server makes of it.
    signal("INT", &running.pid().to_string());
    running.tell("two\n");
    assert_eq!(running.line(), "two\n");
    assert_eq!(running.end().status.code(), Some(0));
}
