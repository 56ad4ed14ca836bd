//! How sessions end: exit codes and signals are the server's.

use crate::parts::{Parts, Server};
use crate::session::{Home, MCPPROXY, finish, signal, wait};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const HELLO: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"claude-code","version":"1"}}}"#;

fn start(home: &Home, command: &[OsString]) -> Child {
    let mut server = Command::new(&command[0]);
    server.args(&command[1..]).env("MCPPROXY_HOME", home.data_dir()).env("HOME", home.root());
    server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    server.process_group(0).spawn().expect("start the server")
}

fn tapped(command: Vec<OsString>) -> Vec<OsString> {
    [MCPPROXY, "tap", "--"].into_iter().map(OsString::from).chain(command).collect()
}

/// Starts the server, waits for its first answer, ends it so, and returns how it ended.
fn answered_then(command: Vec<OsString>, end: impl FnOnce(&mut Child)) -> ExitStatus {
    let what = format!("an end of {command:?}");
    let home = Home::new();
    let mut child = start(&home, &command);
    let stdin = child.stdin.as_mut().expect("piped");
    stdin.write_all(&[HELLO, b"\n"].concat()).expect("write the request");
    let mut answers = BufReader::new(child.stdout.take().expect("piped"));
    let mut answer = String::new();
    answers.read_line(&mut answer).expect("an answer");
    assert!(answer.contains("serverInfo"), "{answer}");
    end(&mut child);
    wait(&mut child, Duration::from_secs(20)).unwrap_or_else(|| panic!("{what}"))
}

#[test]
fn servers_that_end_at_end_of_input_end_so_behind_a_tap() {
    let Some(parts) = Parts::find() else { return };
    for server in [Server::Everything, Server::Time, Server::ToolIndex] {
        let close = |child: &mut Child| drop(child.stdin.take());
        let direct = answered_then(server.command(&parts), close);
        let behind = answered_then(tapped(server.command(&parts)), close);
        assert_eq!(behind, direct, "{server:?}");
        assert_eq!(behind.code(), Some(0), "{server:?}");
    }
}

#[test]
fn signals_sent_to_the_tap_alone_end_the_server_as_without_it() {
    let Some(parts) = Parts::find() else { return };
    let every = ["TERM", "HUP", "INT", "QUIT"];
    // At SIGINT Python's server waits for its reading thread, with or without a tap.
    for (server, names) in [(Server::Everything, &every[..]), (Server::Time, &["TERM", "HUP"])] {
        for name in names {
            let send = |child: &mut Child| signal(name, &child.id().to_string());
            let direct = answered_then(server.command(&parts), send);
            let behind = answered_then(tapped(server.command(&parts)), send);
            let end = |status: ExitStatus| (status.code(), status.signal());
            assert_eq!(end(behind), end(direct), "{name} to {server:?}");
        }
    }
}

#[test]
fn a_server_that_refuses_to_start_fails_with_its_own_words_and_code() {
    let Some(parts) = Parts::find() else { return };
    let nowhere = Server::Filesystem("/nonexistent/directory".into()).command(&parts);
    let mut misled = Server::Time.command(&parts);
    misled.push("--no-such-option".into());
    for command in [nowhere, misled] {
        let home = Home::new();
        let direct = finish(start(&home, &command));
        let behind = finish(start(&home, &tapped(command)));
        assert!(direct.status.code().is_some_and(|code| code != 0), "{direct:?}");
        assert_eq!(behind.status, direct.status);
        assert_eq!(behind.stdout, direct.stdout);
        assert!(behind.stderr.contains(direct.stderr.trim()), "{behind:?}");
    }
}
