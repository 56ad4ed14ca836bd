//! A server behind the launcher ends as it does without: by its own code, by a signal, by the end of its input.

use crate::npm_tree::{Running, Tree, can_run, is_tapped, nodes, replaces_itself, source};
use crate::session::signal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// A code or a signal; whether there was a core file is up to the machine.
fn ending(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}

/// The server without and with the launcher.
fn pair(tree: &Tree, node: &Path, words: &[&str]) -> [Running; 2] {
    let (server, entry) = tree.probe();
    let [plain, tapped] =
        [server, entry].map(|file| Running::start(tree.command(node).arg(file).args(words)));
    [plain, tapped]
}

#[test]
fn an_exit_code_and_a_signal_of_the_server_are_those_of_the_launcher() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    for (name, node) in nodes() {
        for word in ["0", "3", "255", "SIGTERM", "SIGKILL", "SIGABRT", "SIGUSR2"] {
            let [plain, tapped] = pair(&tree, &node, &[]).map(|mut running| {
                running.said();
                running.tell(word);
                running.ended()
            });
            assert_eq!(ending(plain.0), ending(tapped.0), "{name}: {word}");
            assert_eq!(plain.1, tapped.1, "{name}: {word}");
        }
    }
}

#[test]
fn the_end_of_the_input_is_the_end_of_the_server() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    for (name, node) in nodes() {
        let [plain, tapped] = pair(&tree, &node, &[]).map(|mut running| {
            running.said();
            running.end()
        });
        assert_eq!(ending(plain.0), ending(tapped.0), "{name}");
        assert_eq!(ending(plain.0), (Some(0), None), "{name}");
    }
}

#[test]
fn a_signal_reaches_the_server_once() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    for (name, node) in nodes() {
        for word in ["TERM", "INT", "HUP", "QUIT", "USR2"] {
            let [plain, tapped] = pair(&tree, &node, &[]).map(|mut running| {
                running.said();
                signal(word, &running.child.id().to_string());
                running.ended()
            });
            assert_eq!(ending(plain.0), ending(tapped.0), "{name}: {word}");
        }
        // Handled, it ends nothing. The answer to the next request shows that there was no second one.
        for word in ["INT", "HUP", "USR2"] {
            let handled = format!("SIG{word}");
            let [plain, tapped] = pair(&tree, &node, &[&handled]).map(|mut running| {
                running.said();
                signal(word, &running.child.id().to_string());
                let line = running.line();
                running.tell("7");
                let (status, rest, _) = running.ended();
                (status.code(), line + &rest)
            });
            assert_eq!(plain, tapped, "{name}: {word}");
            assert_eq!(plain, (Some(7), format!("{handled}\n")), "{name}: {word}");
        }
    }
}

/// Where the launcher is replaced, the server dies with it, as `tap` promises. A launcher that started a child cannot
/// take it along; the end of the client's pipe does.
#[test]
fn a_launcher_that_is_killed_leaves_no_server_behind() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    for (name, node) in nodes() {
        let [_, mut tapped] = pair(&tree, &node, &[]);
        let said = tapped.said();
        assert!(is_tapped(&tapped, &said), "{name}");
        signal("KILL", &tapped.child.id().to_string());
        if replaces_itself(&node) {
            // The end of its output, although its input is open.
            assert_eq!(tapped.line(), "", "{name}");
        }
        // Reads the output to its end: the server has ended.
        let (status, ..) = tapped.end();
        assert_eq!(status.signal(), Some(9), "{name}");
    }
}

/// A terminal interrupts its whole foreground group: the launcher, tap and the server.
#[test]
fn ctrl_c_reaches_the_server_once() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (server, entry) = tree.probe();
    for (name, node) in nodes() {
        let [plain, tapped] = [&server, &entry].map(|file| {
            let of_node = tree.command(&node);
            let mut command = Command::new("python3");
            command.arg(source("tests/packages/npm/terminal.py")).arg(&node).arg(file);
            command.args(["SIGINT", "SIGUSR2"]).env_clear();
            command.envs(of_node.get_envs().filter_map(|(key, value)| Some((key, value?))));
            let output = command.output().expect("python3");
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
        });
        assert_eq!(plain, (Some(7), "1\n".to_owned()), "{name}");
        assert_eq!(plain, tapped, "{name}");
    }
}
