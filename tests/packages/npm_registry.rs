//! A registry for npm packages on loopback, with everything in it that a user of `notes-mcp` installs, and the package
//! managers that install it.

use crate::npm_tree::{can_run, nodes, package_part, packed, source};
use crate::parts::{Parts, skip};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The registry; it ends when this process does, because its input does.
pub struct Registry {
    _child: Child,
    pub address: String,
}

/// The one registry of these tests, or `None` after a loud skip.
pub fn registry() -> Option<&'static Registry> {
    static REGISTRY: OnceLock<Option<Registry>> = OnceLock::new();
    let parts = can_run().then(|| Parts::find_all(&["npm", "packages"])).flatten()?;
    let registry = REGISTRY.get_or_init(|| {
        let registry = Registry::start()?;
        registry.fill(&parts);
        Some(registry)
    });
    if registry.is_none() {
        skip("there is no Node.js here that the registry runs on (22 or newer)");
    }
    registry.as_ref()
}

impl Registry {
    fn start() -> Option<Registry> {
        let storage = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm-registry");
        let _ = std::fs::remove_dir_all(&storage);
        std::fs::create_dir_all(&storage).expect("a directory");
        let (_, node) = nodes().into_iter().rev().find(|(name, _)| name > &"node-20".to_owned())?;
        let mut command = Command::new(node);
        command.arg(source("tests/packages/npm/registry.cjs")).arg(package_part("verdaccio"));
        command.arg(storage).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.starts_with("http://127.0.0.1:"), "{line:?}");
        Some(Registry { _child: child, address: line.trim().to_owned() })
    }

    /// What the server needs, our packages in the order of the packer, and the server.
    fn fill(&self, parts: &Parts) {
        let modules = parts.node_modules();
        let server = modules.join("@modelcontextprotocol/server");
        let nested = server.join("node_modules/@modelcontextprotocol/core");
        let core = modules.join("@modelcontextprotocol/core");
        let core = if nested.is_dir() { nested } else { core };
        let mut all = vec![modules.join("zod"), core, server];
        all.extend(packed().iter().cloned());
        all.push(source("tests/packages/npm/notes-mcp"));
        for package in all {
            self.publish(&package);
        }
    }

    fn publish(&self, package: &Path) {
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut npm = self.command(place.path(), Path::new("npm"));
        npm.args(["publish", "--ignore-scripts", "--access", "public"]).arg(package);
        succeed(&mut npm);
    }

    /// A package manager that knows this registry and nothing else, with `home` for its caches.
    pub fn command(&self, home: &Path, program: &Path) -> Command {
        let host = self.address.trim_start_matches("http:");
        let config = format!("registry={0}/\n{host}/:_authToken=anybody\n", self.address);
        std::fs::write(home.join(".npmrc"), config).expect("a file");
        std::fs::write(home.join("empty"), "").expect("a file");
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", home).env("NO_PROXY", "127.0.0.1").env("CI", "true");
        command.env("npm_config_globalconfig", home.join("empty"));
        command.env("npm_config_userconfig", home.join(".npmrc"));
        command.env("npm_config_audit", "false").env("npm_config_update_notifier", "false");
        command.env("BUN_INSTALL_CACHE_DIR", home.join("bun"));
        command.current_dir(home);
        command
    }
}

/// Runs a command; one that fails fails the test, with what it said.
fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// Who installs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Npm,
    /// `--omit=optional`: without the platform packages.
    NpmWithoutOptional,
    Pnpm,
    Yarn,
    /// Without `node_modules`.
    YarnPnp,
    Bun,
}

/// A folder into which `notes-mcp` was installed.
pub struct Installed {
    place: tempfile::TempDir,
    manager: Manager,
}

impl Installed {
    /// Installs the server with clean caches; `None` after a loud skip.
    pub fn with(manager: Manager) -> Option<Installed> {
        let registry = registry()?;
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        let installed = Installed { place, manager };
        let home = installed.place.path();
        let project = installed.project();
        std::fs::create_dir(&project).expect("a directory");
        let manifest = r#"{"name":"a-user","version":"1.0.0","private":true}"#;
        std::fs::write(project.join("package.json"), manifest).expect("a file");
        let (program, words): (PathBuf, &[&str]) = match manager {
            Manager::Npm => ("npm".into(), &["install", "notes-mcp"]),
            Manager::NpmWithoutOptional => {
                ("npm".into(), &["install", "--omit=optional", "notes-mcp"])
            }
            Manager::Pnpm => {
                std::fs::write(project.join("pnpm-workspace.yaml"), "minimumReleaseAge: 0\n")
                    .expect("a file");
                (package_part(".bin/pnpm"), &["add", "notes-mcp"])
            }
            Manager::Yarn | Manager::YarnPnp => {
                let linker = if manager == Manager::Yarn { "node-modules" } else { "pnp" };
                let config = format!(
                    "npmRegistryServer: {}\nunsafeHttpWhitelist: [127.0.0.1]\nnodeLinker: {linker}\n\
                     enableTelemetry: false\nenableImmutableInstalls: false\nnpmMinimalAgeGate: 0\n",
                    registry.address
                );
                std::fs::write(project.join(".yarnrc.yml"), config).expect("a file");
                std::fs::write(project.join("yarn.lock"), "").expect("a file");
                (package_part("@yarnpkg/cli-dist/bin/yarn.js"), &["add", "notes-mcp"])
            }
            Manager::Bun => (package_part("bun/bin/bun"), &["add", "notes-mcp"]),
        };
        if program.is_absolute() && !program.exists() {
            skip(&format!("{} is not among the parts", program.display()));
            return None;
        }
        let mut command = registry.command(home, &program);
        succeed(command.args(words).current_dir(&project));
        Some(installed)
    }

    /// The user's folder.
    pub fn project(&self) -> PathBuf {
        self.place.path().join("a project")
    }

    /// A file of the installed server.
    pub fn server(&self, file: &str) -> PathBuf {
        self.project().join("node_modules/notes-mcp").join(file)
    }

    /// The command that a user writes into the configuration of a client.
    pub fn command(&self) -> Vec<OsString> {
        match self.manager {
            Manager::YarnPnp => {
                let yarn = package_part("@yarnpkg/cli-dist/bin/yarn.js");
                vec![yarn.into(), "run".into(), "notes-mcp".into()]
            }
            _ => vec![self.project().join("node_modules/.bin/notes-mcp").into()],
        }
    }
}
