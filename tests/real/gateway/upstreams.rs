//! The real servers behind the gateways of these tests.

use super::host::{entry, is_alive};
use crate::parts::{Parts, Server, file};
use crate::session::signal;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `tests/real/servers/plain.py`, which writes what it hears to `log`.
pub fn plain(log: &Path) -> Vec<OsString> {
    vec!["python3".into(), "-S".into(), file("servers/plain.py").into(), log.into()]
}

/// `tests/real/servers/waiting.py`, which tells in `directory` how its calls went.
pub fn waiting(parts: &Parts, directory: &Path) -> Vec<OsString> {
    vec![parts.python().into(), file("servers/waiting.py").into(), directory.into()]
}

/// `mcpServers` for the tours: `root` is where the servers write.
pub fn for_tours(parts: &Parts, root: &Path) -> Value {
    json!({
        "everything": entry(&Server::Everything.command(parts)),
        "plain": entry(&plain(&root.join("plain.log"))),
    })
}

/// The same with every other real server, and the everything server once more behind `url`.
pub fn all(parts: &Parts, root: &Path, url: &str) -> Value {
    let mut servers = for_tours(parts, root);
    servers["everything-http"] = json!({ "url": url });
    servers["files"] = entry(&Server::Filesystem(root.to_owned()).command(parts));
    servers["time"] = entry(&Server::Time.command(parts));
    servers["waiting"] = entry(&waiting(parts, root));
    servers["index"] = entry(&Server::ToolIndex.command(parts));
    servers
}

/// A resource that the everything server lists, as the gateway names it.
pub const EVERYTHING_TEXT: &str =
    "mcpproxy://everything/demo://resource/static/document/features.md";

/// `server-everything` over streamable HTTP. Ended when dropped.
pub struct EverythingHttp {
    child: Child,
    /// Where it is.
    pub url: String,
}

impl EverythingHttp {
    /// Starts it on a free port and waits until it listens.
    pub fn start(parts: &Parts) -> EverythingHttp {
        // Free now; the server cannot be told to choose one itself.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        EverythingHttp::start_on(parts, port)
    }

    /// The same on this port.
    pub fn start_on(parts: &Parts, port: u16) -> EverythingHttp {
        let mut command = Server::Everything.command(parts);
        command.pop();
        let mut node = Command::new(&command[0]);
        node.args(&command[1..]).arg("streamableHttp").env("PORT", port.to_string());
        node.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // `wait` ends process groups.
        let mut child = node.process_group(0).spawn().expect("start server-everything");
        let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
        let listens = said.by_ref().map_while(Result::ok).any(|line| line.contains("listening"));
        assert!(listens, "server-everything does not listen on {port}");
        // It goes on talking; a full pipe would stop it.
        std::thread::spawn(move || said.for_each(drop));
        EverythingHttp { child, url: format!("http://127.0.0.1:{port}/mcp") }
    }
}

impl Drop for EverythingHttp {
    fn drop(&mut self) {
        if is_alive(self.child.id()) {
            signal("TERM", &self.child.id().to_string());
            let _ = crate::session::wait(&mut self.child, Duration::from_secs(10));
        }
    }
}
