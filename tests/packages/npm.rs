//! A server with the one line in it, published, installed by each package manager into clean caches and run by each
//! version of Node.js: a client of either era sees the bytes of the plain server, and a heartbeat arrives.

use crate::npm_registry::{Installed, Manager};
use crate::npm_tree::{nodes, replaces_itself};
use crate::parts::{Client, Parts};
use crate::receiver::Collector;
use crate::session::{Home, Tape, happens, run};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;

/// What each era's client does.
const ERAS: [&str; 2] = [r#"{"sdk":1}"#, r#"{"sdk":2,"mode":{"pin":"2026-07-28"}}"#];

/// One session of a client of `era` with `command`, started in `folder`: what passed between them.
/// With `until` it lasts until that has happened.
fn session(
    home: &Home,
    folder: &Path,
    era: &str,
    command: &[OsString],
    until: Option<&dyn Fn() -> bool>,
) -> Tape {
    let parts = Parts::find_all(&["npm"]).expect("the registry is filled from them");
    let mut session: Value = serde_json::from_str(era).expect("JSON");
    session["name"] = json!("claude-code");
    session["calls"] = json!([["add_note", { "text": "buy milk \u{e9}" }]]);
    let hold = home.root().join("hold");
    let _ = std::fs::remove_file(&hold);
    if until.is_some() {
        session["until"] = json!(hold);
    }
    let recorded = home.recorded("client", command.to_vec());
    let client = Client::TypeScript(session).command(&parts, &recorded);
    let mut shell = home.shell(&[], &client);
    shell.current_dir(folder).env("NODE_PATH", parts.node_modules());
    let ended = std::thread::scope(|scope| {
        let playing = scope.spawn(|| run(&mut shell));
        let happened = until.is_none_or(|happened| happened());
        std::fs::write(&hold, "").expect("a file");
        let ended = playing.join().expect("the session");
        assert!(happened, "no heartbeat: {}", ended.stderr);
        ended
    });
    assert!(ended.status.success(), "the client failed: {}", ended.stderr);
    assert!(ended.stdout.contains("noted: buy milk"), "{}", ended.stdout);
    home.tapes_of("client").pop().expect("a tape")
}

/// What passes between each era's client and the server without a launcher.
fn plain(server: &Path) -> &'static [Tape; 2] {
    static PLAIN: OnceLock<[Tape; 2]> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let home = Home::without_data_dir();
        let command = ["node".into(), server.into()];
        ERAS.map(|era| session(&home, home.root(), era, &command, None))
    })
}

/// Both sessions through the launcher are those of the plain server, and one heartbeat of this install arrives,
/// with product and version. `counts` is false where nothing may.
fn assert_counts(folder: &Path, command: &[OsString], counts: bool, what: &str) {
    let (home, collector) = (Home::without_data_dir(), Collector::start());
    let endpoint = format!("NOTES_ENDPOINT={}", collector.endpoint);
    let mut words: Vec<OsString> =
        ["env", &endpoint, "MCPPROXY_TELEMETRY_INITIAL_DELAY=1"].map(OsString::from).into();
    words.extend(command.iter().cloned());
    // It arrives and is acknowledged: the copy of what was sent is the last thing that is written.
    let sent = home.data_dir().join("products/notes-mcp");
    let is_sent = || happens(|| !copies(&sent).is_empty()) && collector.has_counted(1);
    let until: Option<&dyn Fn() -> bool> = if counts { Some(&is_sent) } else { None };
    let through = [(ERAS[0], None), (ERAS[1], until)]
        .map(|(era, until)| session(&home, folder, era, &words, until));
    assert_eq!(&through, plain(Path::new("")), "{what}");
    let versions = collector.versions();
    if counts {
        assert_eq!(versions, ["1.4.0"], "{what}");
        let copy = std::fs::read(&copies(&sent)[0]).expect("the copy");
        let payload: Value = serde_json::from_slice(&copy).expect("JSON");
        assert_eq!(
            payload["product"],
            json!({ "name": "notes-mcp", "version": "1.4.0" }),
            "{what}"
        );
        assert_eq!(
            payload["activation"]["mcp_clients_seen_ever"],
            json!(["claude-code"]),
            "{what}"
        );
    } else {
        assert!(versions.is_empty() && !home.data_dir().exists(), "{what}");
    }
}

/// The copies of what was sent for a product.
fn copies(product: &Path) -> Vec<std::path::PathBuf> {
    let list = |folder: &Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let receivers = list(product).into_iter();
    let files = receivers.flat_map(|receiver| list(&receiver.join("sent")));
    files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
}

/// The server as npm installs it, once.
fn with_npm() -> Option<&'static Installed> {
    static INSTALLED: OnceLock<Option<Installed>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| Installed::with(Manager::Npm)).as_ref()?;
    plain(&installed.server("dist/server.js"));
    Some(installed)
}

fn installed_by(manager: Manager) {
    let Some(_) = with_npm() else { return };
    let Some(installed) = Installed::with(manager) else { return };
    let counts = manager != Manager::NpmWithoutOptional;
    assert_counts(&installed.project(), &installed.command(), counts, &format!("{manager:?}"));
}

#[test]
fn installed_by_npm_a_server_counts() {
    let Some(installed) = with_npm() else { return };
    assert_counts(&installed.project(), &installed.command(), true, "npm");
}

#[test]
fn installed_by_npm_without_optional_packages_a_server_runs_uncounted() {
    installed_by(Manager::NpmWithoutOptional);
}

#[test]
fn installed_by_pnpm_a_server_counts() {
    installed_by(Manager::Pnpm);
}

#[test]
fn installed_by_yarn_a_server_counts() {
    installed_by(Manager::Yarn);
}

#[test]
fn installed_by_yarn_without_node_modules_a_server_counts() {
    installed_by(Manager::YarnPnp);
}

#[test]
fn installed_by_bun_a_server_counts() {
    installed_by(Manager::Bun);
}

#[test]
fn each_version_of_node_runs_a_server_that_counts() {
    let Some(installed) = with_npm() else { return };
    let versions = nodes().split_off(1);
    assert!(versions.iter().any(|(_, node)| replaces_itself(node)), "one has process.execve");
    for (name, node) in versions {
        let command = [node.into(), installed.server("bin/notes-mcp.js").into()];
        assert_counts(&installed.project(), &command, true, &name);
    }
}
