//! Where the real parts are, and a skip that cannot be overlooked.

use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says on the real stderr, past the test harness's capture, that a test did not run.
pub fn skip(reason: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but {reason}");
    skipped!("{reason}");
}

/// A file below `tests/real`.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real").join(name)
}

/// Whether `program` can be started with `args` and succeeds.
pub fn works(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The browser, or `None` after a loud skip.
pub fn chromium() -> Option<String> {
    let told = std::env::var("CHROMIUM").ok();
    let found = told.or_else(|| Some("/usr/bin/chromium".to_owned()))?;
    let is_there = works(&found, &["--version"]);
    if !is_there {
        skip("there is no chromium (apt install chromium, or say where it is in CHROMIUM)");
    }
    is_there.then_some(found)
}

/// The installed npm and PyPI packages.
#[derive(Clone)]
pub struct Parts {
    root: PathBuf,
}

impl Parts {
    /// The parts, or `None` after a loud skip.
    pub fn find() -> Option<Parts> {
        Parts::find_all(&["npm", "py"])
    }

    /// The same with these parts.
    pub fn find_all(wanted: &[&str]) -> Option<Parts> {
        let root = match std::env::var_os("MCPPROXY_REAL_PARTS") {
            Some(told) => PathBuf::from(told),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"),
        };
        for part in wanted {
            if !root.join(part).join(".installed").is_file() {
                skip(&format!("the {part} parts are not installed; scripts/test installs them"));
                return None;
            }
        }
        if !works("node", &["--version"]) {
            skip("node is not on PATH");
            return None;
        }
        Some(Parts { root })
    }

    /// `NODE_PATH` for the client scripts.
    pub fn node_modules(&self) -> PathBuf {
        self.root.join("npm/node_modules")
    }

    /// The Python the PyPI parts are installed for.
    pub fn python(&self) -> PathBuf {
        self.root.join("py/bin/python")
    }

    /// The Python that schemathesis is installed for.
    pub fn api_python(&self) -> PathBuf {
        self.root.join("api/bin/python")
    }

    /// Where the conformance suite's fixture server and client lie in the Python SDK's source.
    pub fn fixture(&self, path: &str) -> PathBuf {
        self.root.join("fixture/source").join(path)
    }

    /// A script of the MCP project's npm packages.
    pub fn npm(&self, script: &str) -> OsString {
        self.node_modules().join("@modelcontextprotocol").join(script).into()
    }
}

/// A real MCP server.
#[derive(Clone, Debug)]
pub enum Server {
    /// `@modelcontextprotocol/server-everything`: handshake era.
    Everything,
    /// `@modelcontextprotocol/server-filesystem`, serving this directory.
    Filesystem(PathBuf),
    /// `mcp-server-time`: both eras.
    Time,
    /// The FastMCP script with a discovery tool: both eras.
    ToolIndex,
}

impl Server {
    /// The command that starts it.
    pub fn command(&self, parts: &Parts) -> Vec<OsString> {
        match self {
            Server::Everything => {
                vec!["node".into(), parts.npm("server-everything/dist/index.js"), "stdio".into()]
            }
            Server::Filesystem(root) => {
                let script = parts.npm("server-filesystem/dist/index.js");
                vec!["node".into(), script, root.into()]
            }
            Server::Time => {
                let python = parts.python().into();
                let args = ["-m", "mcp_server_time", "--local-timezone", "UTC"];
                std::iter::once(python).chain(args.map(OsString::from)).collect()
            }
            Server::ToolIndex => {
                vec![parts.python().into(), file("servers/retrieve_tools.py").into()]
            }
        }
    }
}

/// A real MCP client and what it does.
#[derive(Clone, Debug)]
pub enum Client {
    /// `tests/real/clients/typescript.cjs` with this session.
    TypeScript(serde_json::Value),
    /// `tests/real/clients/python.py` with this session.
    Python(serde_json::Value),
    /// `@modelcontextprotocol/inspector --cli` with these arguments after the server's command.
    Inspector(&'static [&'static str]),
}

impl Client {
    /// The command that starts it with `server` as the server's command.
    pub fn command(&self, parts: &Parts, server: &[OsString]) -> Vec<OsString> {
        let mut command: Vec<OsString> = match self {
            Client::TypeScript(session) => vec![
                "node".into(),
                file("clients/typescript.cjs").into(),
                session.to_string().into(),
            ],
            Client::Python(session) => vec![
                parts.python().into(),
                file("clients/python.py").into(),
                session.to_string().into(),
            ],
            Client::Inspector(_) => {
                vec!["node".into(), parts.npm("inspector/cli/build/cli.js"), "--cli".into()]
            }
        };
        command.extend_from_slice(server);
        if let Client::Inspector(args) = self {
            command.extend(args.iter().map(OsString::from));
        }
        command
    }

    /// The handshake-era TypeScript SDK as `name`, calling `echo` of the everything server.
    pub fn echoing(name: &str) -> Client {
        Client::TypeScript(json!({ "name": name, "calls": [["echo", { "message": "hello" }]] }))
    }
}

#[test]
fn the_lock_files_name_no_registry_and_every_package_by_its_hash() {
    for name in ["package-lock.json", "../packages/package-lock.json"] {
        let text = std::fs::read_to_string(file(name)).expect("the lock file");
        assert!(!text.contains("://"), "an address in {name}");
        let lock: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        for (path, package) in lock["packages"].as_object().expect("packages") {
            assert!(package.get("resolved").is_none(), "{path} names where it was downloaded");
            assert!(path.is_empty() || package["integrity"].is_string(), "{path} has no hash");
        }
    }
}

#[test]
fn every_python_requirement_is_an_exact_version() {
    let parts = [
        ("requirements.txt", &["mcp==2.", "mcp-server-time==", "fastmcp=="][..]),
        ("api-requirements.txt", &["schemathesis==4."][..]),
        ("twine-requirements.txt", &["twine=="][..]),
        ("fixture-requirements.txt", &["mcp==2."][..]),
        ("pypi-requirements.txt", &["pypiserver==", "uv==", "pipx=="][..]),
    ];
    for (name, wanted) in parts {
        let text = std::fs::read_to_string(file(name)).expect("the requirements");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for wanted in wanted {
            assert!(lines.iter().any(|line| line.starts_with(wanted)), "{wanted} is missing");
        }
        for line in lines {
            let version = line.split_once("==").map(|(_, version)| version);
            let exact = version.is_some_and(|version| !version.contains(['*', ',']));
            assert!(exact && !line.contains("://"), "{name}: not an exact version: {line}");
        }
    }
}

#[test]
fn the_fixture_server_is_that_of_the_installed_sdk() {
    let version = |name: &str| {
        let text = std::fs::read_to_string(file(name)).expect("the requirements");
        let line = text.lines().find_map(|line| line.strip_prefix("mcp==")).expect("mcp");
        line.split(' ').next().map(str::to_owned)
    };
    assert_eq!(version("fixture-requirements.txt"), version("requirements.txt"));
}
