//! The pages of a collector in a real browser: filled (the demo), and empty.

use crate::parts::{Parts, chromium, file};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running collector, ended when it is dropped.
struct Collector {
    child: Child,
    /// The link that it has printed.
    link: String,
}

impl Collector {
    fn start(place: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
        command.args(["collector", "--listen", "127.0.0.1:0"]).args(words);
        command.env("TMPDIR", place).env("HOME", place).env("MCPPROXY_COLLECTOR_HOME", place);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the built command");
        let lines = BufReader::new(child.stdout.take().expect("its standard output")).lines();
        let mut lines = lines.map(|line| line.expect("text"));
        let line = lines.find(|line| line.contains("/?key=")).expect("the link of the pages");
        let link = line.split_whitespace().last().expect("a link").to_owned();
        Self { child, link }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It ends by itself, so that a demo removes its directory.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

#[test]
fn every_page_of_a_collector_passes_axe_and_works_by_keyboard() {
    let Some(parts) = Parts::find_all(&["npm"]) else { return };
    let Some(chromium) = chromium() else { return };
    let place = tempfile::tempdir().expect("a directory");
    let demo = Collector::start(place.path(), &["--demo"]);
    let empty =
        Collector::start(place.path(), &["--ephemeral", "--public", "--product", "notes-mcp"]);
    for (collector, query) in [(&demo, "show=all"), (&empty, "")] {
        let mut node = Command::new("node");
        node.arg(file("collector-pages.mjs")).args(["--query", query, &collector.link]);
        node.env("NODE_PATH", parts.node_modules()).env("CHROMIUM", &chromium);
        let output = node.output().expect("node");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("reached by keyboard"), "{told}");
    }
}
